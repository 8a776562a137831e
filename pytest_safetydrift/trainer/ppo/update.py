"""Several passes over one step's answers: the clipped objective of the policy, the clipped loss of the critic."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.ppo.experience import Batch
from pytest_safetydrift.trainer.reward.objective import policy_loss, value_loss

__all__ = ["Updates", "Updating"]

_MOST_NORM = 1.0


@dataclass(frozen=True, slots=True)
class Updates:
    """Means over the optimiser steps that were taken on one batch.

    loss, value_loss        of `policy_loss` and `value_loss`
    clipped, values_clipped shares of answer tokens that gave no gradient
    moved                   mean nats a token from the policy that drew the answers, at the last minibatch
    grad_norm               of the policy, before it is held to 1
    taken                   optimiser steps; fewer than planned where the policy had moved too far
    """

    loss: float
    value_loss: float
    clipped: float
    values_clipped: float
    moved: float
    grad_norm: float
    taken: int


@dataclass(frozen=True, slots=True)
class Updating:
    """How a batch is learnt.

    inner       passes over the batch
    minibatch   rows of an optimiser step, over all processes; a divisor of the batch
    micro       rows that a process holds at a time; a divisor of its share of the minibatch
    clip, value_clip, temperature
                see `policy_loss`, `value_loss` and `score_answers`; a value_clip of None does not clip
    stop_moved  nats a token from the policy that drew the answers, from which the batch is left; 0 never leaves it
    seed        of the order of rows
    """

    inner: int
    minibatch: int
    micro: int
    clip: float
    value_clip: float | None
    temperature: float
    stop_moved: float
    seed: int

    def run(self, actor: Any, optimiser: Any, batch: Batch, accelerator: Any, step: int) -> Updates:
        """Update the actor in place; the same in one process and in many, up to the order in which numbers are added.

        Raises `TrainingError` at a gradient that is not finite, before it touches a weight.
        """
        taken: list[Tensor] = []
        norms: list[float] = []
        moved = 0.0
        for rows in self._minibatches(len(batch.chats), step):
            seen = self._gradients(actor, batch, rows, accelerator)
            moved = float(seen[-1])
            if taken and self.stop_moved and moved > self.stop_moved:
                optimiser.zero_grad(set_to_none=True)
                break
            norms.append(_step(optimiser))
            taken.append(seen)
        loss, critic, clipped, values_clipped, _ = torch.stack(taken).mean(0).tolist()
        return Updates(loss, critic, clipped, values_clipped, moved, sum(norms) / len(norms), len(taken))

    def _minibatches(self, rows: int, step: int) -> Iterator[list[int]]:
        for number in range(self.inner):
            order = Random(f"minibatches/{self.seed}/{step}/{number}").sample(range(rows), rows)
            yield from (order[at : at + self.minibatch] for at in range(0, rows, self.minibatch))

    def _gradients(self, actor: Any, batch: Batch, rows: list[int], accelerator: Any) -> Tensor:
        """Leave the minibatch's gradients in the actor; the means of what was seen, over all processes."""
        like = sorted(rows, key=batch.length)  # parts of like length hold little padding
        own = like[accelerator.process_index :: accelerator.num_processes]
        tokens = batch.tokens(rows)
        seen = torch.zeros(5, dtype=torch.float64)
        for at in range(0, len(own), self.micro):
            held = own[at : at + self.micro]
            part = batch.part(held, accelerator.device)
            last = at + self.micro >= len(own)
            with nullcontext() if last else accelerator.no_sync(actor):
                new, values = part.scored(actor, self.temperature)
                # gradients of processes are averaged, so each counts its sum as of its share of all tokens
                over = tokens / accelerator.num_processes
                policy = policy_loss(new, part.old, part.advantages, part.mask, clip=self.clip, over=over)
                critic = value_loss(values, part.values, part.returns, part.mask, clip=self.value_clip, over=over)
                accelerator.backward(policy.loss + critic.loss)
            share = batch.tokens(held) / tokens
            losses = [float(loss.detach()) / accelerator.num_processes for loss in (policy.loss, critic.loss)]
            shares = [share * value for value in (policy.clipped, critic.clipped, policy.moved)]
            seen += torch.tensor([*losses, *shares], dtype=torch.float64)
        total: Tensor = accelerator.reduce(seen.to(accelerator.device), "sum").cpu()
        return total


def _step(optimiser: Any) -> float:
    """One step of the optimiser, each of its groups held to the largest norm; the norm of the first, the policy's."""
    norms = [torch.nn.utils.clip_grad_norm_(group["params"], _MOST_NORM) for group in optimiser.param_groups]
    if not all(bool(norm.isfinite()) for norm in norms):
        raise TrainingError("the gradient is not finite; lower --rate or --critic-rate")
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return float(norms[0])
