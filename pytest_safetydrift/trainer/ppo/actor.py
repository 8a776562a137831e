"""The policy and its critic as one module, so that one call and one exchange of gradients serve both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Actor", "Laid", "frozen_logits", "lay_out"]


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """B chats as a model reads them, prompts ending and answers beginning in one column.

    ids      int64 [B, P + T], prompts padded on the left, answers on the right
    attends  int64 [B, P + T], 0 on padding
    answers  bool [B, T + 1], of the last T + 1 columns: True on answer tokens; the first is the prompt's last
    """

    ids: Tensor
    attends: Tensor
    answers: Tensor

    @property
    def tail(self) -> int:
        """T + 1: columns whose outputs say something of an answer."""
        return int(self.answers.shape[1])

    @property
    def inputs(self) -> dict[str, Tensor]:
        """Of a transformers model."""
        places = (self.attends.cumsum(-1) - 1).clamp(min=0)
        return {"input_ids": self.ids, "attention_mask": self.attends, "position_ids": places}


def lay_out(chats: Sequence[tuple[Sequence[int], Sequence[int]]], device: Any) -> Laid:
    """Token ids of prompts and answers, side by side; padding is token 0, which nobody attends to."""
    wide, long = max(len(prompt) for prompt, _ in chats), max(len(answer) for _, answer in chats)
    ids = torch.zeros(len(chats), wide + long, dtype=torch.long)
    attends = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(chats):
        end = wide + len(answer)
        ids[row, wide - len(prompt) : end] = torch.tensor([*prompt, *answer])
        attends[row, wide - len(prompt) : end] = 1
    answers = attends[:, wide - 1 :].bool()
    answers[:, 0] = False
    return Laid(ids.to(device), attends.to(device), answers.to(device))


class Actor(nn.Module):  # type: ignore[misc]  # torch is not followed
    """A causal language model and what tells the value of each place.

    policy  gives the logits
    trunk   of the critic: a decoder of its own whose last hidden states the head reads. None reads those of the policy,
            through which no gradient of the critic runs: a tenth of the memory, and a critic that is a linear probe
    head    linear, from the hidden width to one value
    """

    def __init__(self, policy: Any, trunk: Any | None, head: Any) -> None:
        super().__init__()
        self.policy, self.trunk, self.head = policy, trunk, head

    def forward(self, laid: Laid) -> tuple[Tensor, Tensor]:
        """Logits [B, T + 1, V] and values [B, T + 1] of the last T + 1 columns: those before each answer token."""
        if self.trunk is not None:
            logits = _logits(self.policy, laid)
            hidden = self.trunk(**laid.inputs, use_cache=False).last_hidden_state
        else:
            with _given_to(_language_head(self.policy)) as given:
                logits = _logits(self.policy, laid)
            hidden = given[-1].detach()
        values = self.head(hidden[:, -laid.tail :].to(self.head.weight.dtype)).squeeze(-1)
        return logits, values.float()

    @property
    def critic_state(self) -> dict[str, Tensor]:
        """Tensors of trunk and head by name, for a save."""
        return {n: t for n, t in self.state_dict().items() if n.startswith(("trunk.", "head."))}

    def groups(self) -> tuple[list[Any], list[Any]]:
        """The parameters that are trained: the policy's, and the critic's."""
        critic = [*self.head.parameters(), *(self.trunk.parameters() if self.trunk is not None else ())]
        return [p for p in self.policy.parameters() if p.requires_grad], [p for p in critic if p.requires_grad]


def frozen_logits(reference: Any | None, policy: Any, laid: Laid) -> Tensor:
    """Logits [B, T + 1, V] of the reference: a model of its own, or the policy with its adapter switched off."""
    if reference is not None:
        return _logits(reference, laid)
    with policy.disable_adapter():
        return _logits(policy, laid)


def _logits(model: Any, laid: Laid) -> Tensor:
    """Only the last columns are worked out where the model can leave out the others."""
    made = model(**laid.inputs, use_cache=False, logits_to_keep=laid.tail)
    return made.logits[:, -laid.tail :]


def _language_head(policy: Any) -> Any:
    inner = policy.get_base_model() if hasattr(policy, "get_base_model") else policy
    return inner.get_output_embeddings()


@contextmanager
def _given_to(module: Any) -> Iterator[list[Tensor]]:
    """What goes into a module while this is open: the last hidden states, whatever the model does with its logits."""
    given: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        yield given
    finally:
        handle.remove()
