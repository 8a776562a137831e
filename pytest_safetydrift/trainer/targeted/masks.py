"""Training of some parts alone: everything else is frozen, to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.trainer.targeted.layout import Layout, Slice
from pytest_safetydrift.trainer.targeted.parts import Part

__all__ = ["Mask"]


class Mask:
    """Parts of a model unfrozen and all else frozen, from when it is made until `remove`.

    A tensor of which only some rows or columns belong to the parts requires a gradient as a whole, and its gradient is
    zero elsewhere: then so are AdamW's moments, and its step there adds nothing. Make it before the optimiser or the
    trainer; moving the model to a device or wrapping it for data parallelism keeps it, sharding its tensors (FSDP,
    ZeRO 3) does not. Embeddings, tied or not, the output matrix and the last norm are always frozen.

    Raises `UsageError` for no parts, and for parts that share weights.
    """

    def __init__(self, layout: Layout, parts: Sequence[Part]) -> None:
        if not parts:
            raise UsageError("no part is to be trained; choose one at least")
        for i, part in enumerate(parts):
            if twin := next((other for other in parts[:i] if part.overlaps(other)), None):
                raise UsageError(f"{part} and {twin} share weights; name only one of them")
        self.parts = tuple(parts)
        self._layout = layout
        self._parameters = dict(layout.model.named_parameters())
        self._slices = _by_parameter(s for part in parts for s in layout.slices(part))
        self._before = {name: p.requires_grad for name, p in self._parameters.items()}
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(name in self._slices)
        self._hooks = [
            self._parameters[name].register_hook(_keeping(slices)) for name, slices in self._slices.items() if slices
        ]
        self._seals = self._digests()

    def describe(self) -> dict[str, Any]:
        """What is trained: parts, trainable numbers, numbers of the whole model, and the share."""
        numbers, total = self._layout.numbers(self.parts), self._layout.total
        return {
            "parts": [part.to_json() for part in self.parts],
            "trainable": numbers,
            "total": total,
            "share": numbers / total,
        }

    @property
    def partial(self) -> tuple[str, ...]:
        """Names of the tensors of which only some rows or columns are trained."""
        return tuple(name for name, slices in self._slices.items() if slices)

    def check_decay(self, weight_decay: float) -> None:
        """Raises `UsageError` where AdamW with this weight decay would move what is masked."""
        if weight_decay and self.partial:
            raise UsageError(
                f"weight_decay must be 0 and is {weight_decay:g}: AdamW shrinks every number of a tensor that has a "
                f"gradient, so those of {self.partial[0]} that are masked would move, too; leave it 0, or tune whole "
                "layers, MLPs and attentions"
            )

    def check_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """`check_decay` of every group of the optimiser that holds a partly trained tensor."""
        masked = {id(self._parameters[name]) for name in self.partial}
        for group in optimizer.param_groups:
            if any(id(parameter) in masked for parameter in group["params"]):
                self.check_decay(group.get("weight_decay", 0.0))

    def check_frozen(self) -> None:
        """Raises `CheckpointError` naming the first tensor of which a number outside the parts has moved by a bit."""
        for name, seal in self._digests().items():
            if seal != self._seals[name]:
                raise CheckpointError(
                    f"{name} has moved outside the parts that are trained; an optimiser that mixes the numbers of a "
                    "tensor (Muon, Shampoo), or weight decay, does that: train with AdamW and weight_decay 0"
                )

    def remove(self) -> None:
        """Take the hooks off, and freeze and unfreeze as it was before."""
        for hook in self._hooks:
            hook.remove()
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(self._before[name])

    def _digests(self) -> dict[str, str]:
        """SHA-256 of the frozen numbers of each tensor that has any."""
        return {
            name: _digest(_outside(parameter.detach(), self._slices.get(name)))
            for name, parameter in self._parameters.items()
            if self._slices.get(name) != []
        }


def _by_parameter(slices: Iterator[Slice]) -> dict[str, list[Slice]]:
    """Slices of each parameter, [] where all of it is trained."""
    found: dict[str, list[Slice]] = {}
    for part in slices:
        found.setdefault(part.parameter, [])
        if part.axis is not None:
            found[part.parameter].append(part)
    return found


def _keeping(slices: Sequence[Slice]) -> Callable[[Tensor], Tensor]:
    """Gives zero outside the slices, also where the gradient is NaN or infinite there."""

    def hook(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        for part in slices:
            _view(kept, part).copy_(_view(gradient, part))
        return kept

    return hook


def _view(tensor: Tensor, part: Slice) -> Tensor:
    return tensor.narrow(part.axis or 0, part.start, part.stop - part.start)


def _outside(tensor: Tensor, slices: Sequence[Slice] | None) -> Tensor:
    """What of the tensor is frozen; all of it where it has no slices."""
    if not slices:
        return tensor
    axis = slices[0].axis or 0
    frozen = torch.ones(tensor.shape[axis], dtype=torch.bool, device=tensor.device)
    for part in slices:
        frozen[part.start : part.stop] = False
    return tensor.index_select(axis, frozen.nonzero().flatten())


def _digest(tensor: Tensor) -> str:
    raw = tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(raw.data).hexdigest()
