"""One step's answers with all that the policy that drew them says of them: what its updates learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pytest_safetydrift.trainer.ppo.actor import Actor, Laid, frozen_logits, lay_out
from pytest_safetydrift.trainer.reward.advantages import gae, token_rewards
from pytest_safetydrift.trainer.reward.divergence import kl_estimate
from pytest_safetydrift.trainer.reward.logprobs import packed, score_answers
from pytest_safetydrift.trainer.reward.masked import whiten

__all__ = ["Batch", "Chat", "Measured", "Part", "measure"]

Chat = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of a prompt and of its answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One answer of T tokens under the policy that drew it; all [T] in float32 on the CPU.

    logprobs   natural logarithms, of the distribution that was sampled
    reference  the same under the frozen reference
    values     the critic's, before each token is drawn
    entropy    nats
    """

    logprobs: Tensor
    reference: Tensor
    values: Tensor
    entropy: Tensor

    @property
    def kl(self) -> Tensor:
        """To the reference, [T] nats, k1 of `kl_estimate`."""
        return kl_estimate(self.logprobs, self.reference)


@torch.no_grad()  # type: ignore[untyped-decorator]
def measure(
    actor: Actor, reference: Any | None, chats: Sequence[Chat], *, temperature: float, micro: int, device: Any
) -> list[Measured]:
    """Each chat's answer measured, `micro` chats of like length at a time; a reference of None is the policy without
    its adapter."""
    order = sorted(range(len(chats)), key=lambda i: len(chats[i][0]) + len(chats[i][1]))
    found: dict[int, Measured] = {}
    for start in range(0, len(order), micro):
        rows = order[start : start + micro]
        laid = lay_out([chats[i] for i in rows], device)
        logits, values = actor(laid)
        own = _scores(logits, laid, temperature)
        frozen = _scores(frozen_logits(reference, actor.policy, laid), laid, temperature, with_entropy=False)
        columns = (own.logprobs, frozen.logprobs, _before(values, laid), own.entropy)
        for row, i in enumerate(rows):
            found[i] = Measured(*(c[row, : len(chats[i][1])].float().cpu().clone() for c in columns))
    return [found[i] for i in range(len(chats))]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some rows of a batch, laid out for the models; all but `laid` [B, T] with 0 on padding."""

    laid: Laid
    mask: Tensor
    old: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    def scored(self, actor: Any, temperature: float) -> tuple[Tensor, Tensor]:
        """Log-probabilities and values [B, T] of the actor as it is now, with gradients."""
        logits, values = actor(self.laid)
        return _scores(logits, self.laid, temperature, with_entropy=False).logprobs, _before(values, self.laid)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """All rows of a step; every process holds all of them, so that parts, means and whitening are one process's.

    mask                 bool [B, T]
    old, values          [B, T] log-probabilities and values of the policy and critic that drew the answers
    advantages, returns  [B, T], the advantages whitened over all rows
    """

    chats: tuple[Chat, ...]
    mask: Tensor
    old: Tensor
    values: Tensor
    advantages: Tensor
    returns: Tensor

    @classmethod
    def of(
        cls,
        chats: Sequence[Chat],
        measured: Sequence[Measured],
        scores: Sequence[float],
        *,
        beta: float,
        gamma: float,
        lam: float,
    ) -> Batch:
        """Rewards are `scores` on the last tokens less `beta` KL on each; see `token_rewards` and `gae`."""
        lengths = torch.tensor([len(answer) for _, answer in chats])
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        old, values, kl = (
            _padded(rows) for rows in ([getattr(m, n) for m in measured] for n in ("logprobs", "values", "kl"))
        )
        rewards = token_rewards(torch.tensor(scores), kl, mask, beta=beta)
        advantages, returns = gae(rewards, values, mask, gamma=gamma, lam=lam)
        return cls(tuple(chats), mask, old, values, whiten(advantages, mask), returns)

    def part(self, rows: Sequence[int], device: Any) -> Part:
        """These rows, as wide as the longest of them."""
        laid = lay_out([self.chats[row] for row in rows], device)
        chosen = torch.tensor(rows)
        columns = (self.mask, self.old, self.values, self.advantages, self.returns)
        return Part(laid, *(c[chosen, : laid.tail - 1].to(device) for c in columns))

    def length(self, row: int) -> int:
        """Tokens of a prompt and its answer."""
        prompt, answer = self.chats[row]
        return len(prompt) + len(answer)

    def tokens(self, rows: Sequence[int]) -> int:
        """Answer tokens of these rows."""
        return int(self.mask[torch.tensor(rows)].sum())


def _scores(logits: Tensor, laid: Laid, temperature: float, *, with_entropy: bool = True) -> Any:
    ids = laid.ids[:, -laid.tail :]
    return score_answers(logits, ids, laid.answers, temperature=temperature, with_entropy=with_entropy)


def _before(values: Tensor, laid: Laid) -> Tensor:
    """The value before each answer token, [B, T]."""
    return packed(values[:, :-1], laid.answers[:, 1:])[0]


def _padded(rows: list[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
