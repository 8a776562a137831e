"""What a model computes on the way: activations, recorded by forward hooks while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Any, TypeAlias

import torch

from pytest_safetydrift.trainer.targeted.layout import Layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part

__all__ = ["Activations", "Change", "Site", "Spot", "hooked", "last_places", "recorded", "spots_of"]


class Site(StrEnum):
    """Where in a layer."""

    STATE = "state"  # the residual stream behind the layer
    ATTENTION = "attention"  # what attention adds to it
    MLP = "mlp"  # what the MLP adds to it
    HEADS = "heads"  # the heads' outputs side by side: what the output projection reads


Spot: TypeAlias = tuple[int, Site]
"""A layer, counted from 0, and where in it."""

Activations: TypeAlias = dict[Spot, torch.Tensor]
"""By spot: [rows, numbers] at one place of each row, or [rows, tokens, numbers] at all of them."""

Change: TypeAlias = Callable[[torch.Tensor], torch.Tensor | None]
"""Takes the activation [rows, tokens, numbers]; gives what stands in its place, or None to leave it."""

_OF_KIND = {
    Kind.LAYER: (Site.ATTENTION, Site.MLP),
    Kind.MLP: (Site.MLP,),
    Kind.ATTENTION: (Site.ATTENTION,),
    Kind.HEAD: (Site.HEADS,),
}


def spots_of(part: Part) -> tuple[Spot, ...]:
    """Where a part's output can be seen. A layer's is what it adds to the residual stream, and not the stream
    behind it, which holds what all layers before it have added."""
    return tuple((part.layer, site) for site in _OF_KIND[part.kind])


def last_places(mask: torch.Tensor) -> torch.Tensor:
    """The last place of each row, int64 [rows], that the attention mask [rows, tokens] marks, padding on either side.

    Raises ValueError where a row marks none.
    """
    marked = mask.bool()
    if not marked.any(dim=1).all():
        raise ValueError("a row of the attention mask marks no token")
    columns = torch.arange(mask.shape[1], device=mask.device)
    return torch.where(marked, columns, -1).amax(dim=1)


@contextmanager
def recorded(layout: Layout, spots: Iterable[Spot], places: torch.Tensor | None = None) -> Iterator[Activations]:
    """Fills the yielded dictionary whenever the model runs inside; the last run counts.

    places  int64 [rows]: the one place of each row that is kept; None keeps all of them
    """
    found: Activations = {}

    def keep(spot: Spot) -> Change:
        def change(activation: torch.Tensor) -> None:
            rows = torch.arange(len(activation), device=activation.device)
            kept = activation if places is None else activation[rows, places.to(activation.device)]
            found[spot] = kept.detach().clone()

        return change

    with hooked(layout, {spot: keep(spot) for spot in spots}):
        yield found


@contextmanager
def hooked(layout: Layout, changes: dict[Spot, Change]) -> Iterator[None]:
    """Shows each activation to its change while inside; every hook is gone afterwards, whatever happens."""
    with ExitStack() as stack:
        for (layer, site), change in changes.items():
            block = layout.blocks[layer]
            if site is Site.HEADS:
                handle = block.attention_output.register_forward_pre_hook(_before(change))
            else:
                module = {
                    Site.STATE: block.module,
                    Site.ATTENTION: block.attention_output,
                    Site.MLP: block.mlp_module,
                }[site]
                handle = module.register_forward_hook(_behind(change))
            stack.callback(handle.remove)
        yield


def _before(change: Change) -> Callable[[Any, tuple[Any, ...]], Any]:
    def hook(_: Any, inputs: tuple[Any, ...]) -> Any:
        changed = change(inputs[0])
        return None if changed is None else (changed, *inputs[1:])

    return hook


def _behind(change: Change) -> Callable[[Any, Any, Any], Any]:
    """Layers of some versions, and mixtures of experts, return a tuple that begins with the activation."""

    def hook(_: Any, __: Any, output: Any) -> Any:
        inside = isinstance(output, tuple)
        changed = change(output[0] if inside else output)
        if changed is None:
            return None
        return (changed, *output[1:]) if inside else changed

    return hook
