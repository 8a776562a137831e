"""The updates on one batch: what their gradients are, and when they stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.ppo.actor import Actor
from pytest_safetydrift.trainer.ppo.critic import make_critic
from pytest_safetydrift.trainer.ppo.experience import Batch, Chat, measure
from pytest_safetydrift.trainer.ppo.update import Updating
from pytest_safetydrift.trainer.training.base import open_base

CHATS: list[Chat] = [
    ((2, 30, 31, 3), (40, 41, 1)),
    ((2, 50, 3), (60, 1)),
    ((2, 70, 71, 72, 73, 3), (1,)),
    ((2, 9, 3), (80, 81, 82, 83)),
]
SCORES = [1.0, -1.0, 0.5, -2.0]
UPDATING = Updating(inner=1, minibatch=4, micro=4, clip=0.2, value_clip=0.2, temperature=0.8, stop_moved=0.0, seed=0)


class Table:
    """An actor with its optimiser on one batch of four answers."""

    def __init__(self, tiny: Any, rate: float = 0.1) -> None:
        base = open_base(str(tiny))
        policy = base.model().eval()
        self.accelerator = Accelerator(cpu=True)
        self.actor = Actor(policy, *make_critic("own", base, policy)).eval()
        self.reference = base.model().eval()
        measured = measure(self.actor, self.reference, CHATS, temperature=0.8, micro=4, device="cpu")
        self.batch = Batch.of(CHATS, measured, SCORES, beta=0.1, gamma=1.0, lam=0.95)
        first, second = self.actor.groups()
        self.optimiser = torch.optim.SGD([{"params": first}, {"params": second}], lr=rate)

    def run(self, updating: Updating, step: int = 0) -> Any:
        return updating.run(self.actor, self.optimiser, self.batch, self.accelerator, step)

    def weights(self) -> Any:
        """Of the policy, in one row."""
        return torch.cat([p.detach().flatten() for p in self.actor.groups()[0]])


def test_the_first_minibatch_climbs_the_policy_gradient(tiny: Any) -> None:
    """While the ratio is 1 the step of plain gradient descent is that of sum(advantage x log-probability) / tokens, its
    norm held to 1: worked out here chat by chat, without padding."""
    table = Table(tiny)
    before = table.weights()
    chances = []
    for row, (prompt, answer) in enumerate(CHATS):
        logits = table.actor.policy(torch.tensor([prompt + answer])).logits[0] / 0.8
        at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
        scores = logits.log_softmax(-1)[at, torch.tensor(answer)]
        chances.append((scores * table.batch.advantages[row, : len(answer)]).sum())
    wanted = torch.autograd.grad(sum(chances) / 10, table.actor.groups()[0])
    wanted = torch.cat([g.flatten() for g in wanted])
    updates = table.run(UPDATING)
    assert updates.grad_norm == pytest.approx(wanted.norm().item(), rel=1e-4)
    assert updates.clipped == 0
    assert updates.moved == pytest.approx(0, abs=1e-6)
    expected = 0.1 * wanted / max(1.0, wanted.norm().item())
    torch.testing.assert_close(table.weights() - before, expected, atol=1e-6, rtol=1e-3)


def test_rewarded_answers_become_likelier(tiny: Any) -> None:
    """After a few passes each answer's probability has moved the way of its advantage."""
    table = Table(tiny, rate=0.05)
    old = measure(table.actor, table.reference, CHATS, temperature=0.8, micro=4, device="cpu")
    table.run(replace(UPDATING, inner=4))
    new = measure(table.actor, table.reference, CHATS, temperature=0.8, micro=4, device="cpu")
    moved = torch.tensor([float((n.logprobs - o.logprobs).sum()) for n, o in zip(new, old, strict=True)])
    assert moved[0] > 0 > moved[3]


def test_parts_add_up_to_the_minibatch(tiny: Any) -> None:
    """Four rows at once, or one at a time, make the same step and the same log."""
    whole, parts = Table(tiny), Table(tiny)
    first, second = whole.run(UPDATING), parts.run(replace(UPDATING, micro=1))
    torch.testing.assert_close(whole.weights(), parts.weights(), atol=1e-6, rtol=1e-4)
    for name in ("loss", "value_loss", "clipped", "grad_norm"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=1e-3, abs=1e-6)


def test_every_row_is_seen_once_a_pass(tiny: Any) -> None:
    """Two passes in minibatches of two are four optimiser steps."""
    assert Table(tiny).run(replace(UPDATING, inner=2, minibatch=2, micro=2)).taken == 4


def test_a_batch_is_left_once_the_policy_moved_too_far(tiny: Any) -> None:
    """With large steps and a small limit the second pass is not taken; without a limit it is."""
    free = Table(tiny, rate=3.0).run(replace(UPDATING, inner=4))
    table = Table(tiny, rate=3.0)
    held = table.run(replace(UPDATING, inner=4, stop_moved=0.01))
    assert (free.taken, held.taken) == (4, 1)
    assert held.moved > 0.01
    assert all(p.grad is None for p in table.actor.parameters())


def test_a_gradient_that_is_not_finite_touches_no_weight(tiny: Any) -> None:
    """The error comes before the step."""
    table = Table(tiny)
    table.batch.advantages[0, 0] = float("nan")
    before = table.weights()
    with pytest.raises(TrainingError, match="gradient is not finite; lower --rate or --critic-rate"):
        table.run(UPDATING)
    assert torch.equal(table.weights(), before)


def test_advantages_are_whitened_over_the_whole_batch(tiny: Any) -> None:
    """Mean 0 and variance 1 over answer tokens; the score stands on the last token of each answer."""
    batch = Table(tiny).batch
    kept = batch.advantages[batch.mask]
    assert kept.mean().item() == pytest.approx(0, abs=1e-6)
    assert kept.square().mean().item() == pytest.approx(1, abs=1e-5)
    assert batch.returns[1, 1].item() == pytest.approx(-1.0, abs=1e-4)
    assert batch.returns[2].tolist() == pytest.approx([0.5, 0, 0, 0], abs=1e-4)
