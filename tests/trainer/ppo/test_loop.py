"""The loop: what is learnt, what stops it, and that it goes on as if it had never stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.ppo import loop as module
from pytest_safetydrift.trainer.ppo.loop import Loop, rate_factor
from pytest_safetydrift.trainer.reward.watch import Alarm
from pytest_safetydrift.trainer.training.work import last_whole
from tests.trainer.ppo.conftest import Known, Make

Begin = Callable[..., Loop]


def early(text: str) -> float:
    """1 for a text that begins with a letter of the alphabet's first half, in either case."""
    return float(text[:1].lower() in set("abcdefghijklm"))


def share_of_e(text: str) -> float:
    return sum(text.count(letter) for letter in "eE")


def column(loop: Loop, name: str) -> list[float]:
    return [row[name] for row in loop.progressed.log]


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_what_is_rewarded_is_learnt(ppo: Make, begin: Begin) -> None:
    """A one-token bandit: the reward more than doubles, and the critic's error falls."""
    config = ppo(steps=12, batch=32, minibatch=16, rate=3e-3, critic_rate=3e-3, max_new_tokens=1, beta=0.01)
    loop = begin(config, Known(early))
    assert loop.run() is None
    rewards, errors = column(loop, "reward"), column(loop, "value_loss")
    assert mean(rewards[:3]) < 0.4
    assert mean(rewards[-3:]) > 0.8
    assert mean(errors[-3:]) < 0.5 * max(errors)
    assert [row["step"] for row in loop.progressed.log] == list(range(12))


def test_the_price_keeps_the_policy_near_its_target(ppo: Make, begin: Begin) -> None:
    """The same run with a target of a tenth of a nat ends nearer to the base than with one of five, at a price that
    rose; with the far target it fell."""
    settings = {"steps": 16, "batch": 32, "minibatch": 16, "rate": 3e-3, "max_new_tokens": 1, "beta": 0.2, "gain": 1.0}
    near, far = (begin(ppo(**settings, target_kl=t), Known(early), str(t)) for t in (0.1, 5.0))
    near.run()
    far.run()
    assert mean(column(near, "kl")[-5:]) < 0.6 * mean(column(far, "kl")[-5:])
    assert near.progressed.beta > 0.2 > far.progressed.beta


def test_adapters_learn_too_and_the_base_stays(ppo: Make, begin: Begin, tiny: Path) -> None:
    """With LoRA the frozen base is the reference, and a linear head the critic."""
    config = ppo(
        steps=16, batch=32, minibatch=16, rate=1e-2, critic_rate=1e-2, max_new_tokens=1, beta=0.01, lora_rank=8
    )
    loop = begin(config, Known(early))
    loop.run()
    assert mean(column(loop, "reward")[-3:]) > 2 * mean(column(loop, "reward")[:3])
    assert column(loop, "kl")[0] == pytest.approx(0, abs=1e-5)
    assert mean(column(loop, "kl")[-3:]) > 0.2
    kept = load_file(tiny / "model.safetensors")["model.layers.0.mlp.up_proj.weight"]
    own = dict(loop.players.actor.policy.named_parameters())
    assert torch.equal(next(p for n, p in own.items() if "0.mlp.up_proj.base_layer" in n), kept)


def hacked(config: Any, begin: Begin) -> Loop:
    """A reward that counts a letter, and a judge who wants it once at most."""
    return begin(config, Known(share_of_e, good=lambda text: share_of_e(text) <= 1))


HACKABLE = {"steps": 60, "rate": 1e-3, "beta": 0.001, "watch_window": 20}


def test_the_watch_stops_a_run_that_is_hacked(ppo: Make, begin: Begin) -> None:
    """The error says what rose and what fell, at which step, and what is kept."""
    loop = hacked(ppo(**HACKABLE, save_every=5), begin)
    with pytest.raises(TrainingError, match=r"step \d+: steps \d+ to \d+: reward \+.*judged quality -.*is kept in"):
        loop.run()
    assert loop.progressed.step < 60
    assert last_whole(loop.work.steps) is not None


def test_what_was_hacked_can_be_kept(ppo: Make, begin: Begin) -> None:
    """With --keep-hacked the run ends there and says why; its last reading is in the log."""
    loop = hacked(ppo(**HACKABLE, keep_hacked=True), begin)
    stop = loop.run()
    assert stop is not None
    assert stop.alarm is Alarm.REWARD_HACKED
    assert stop.step == loop.progressed.step == loop.progressed.log[-1]["step"]
    assert loop.progressed.log[-1]["reward"] > loop.progressed.log[0]["reward"]


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_reward_that_is_not_finite_stops_and_keeps_the_last_step(ppo: Make, begin: Begin, broken: float) -> None:
    """Even where a hacked run would be kept; the saved step is finite."""
    calls = []

    def late(text: str) -> float:
        calls.append(text)
        return broken if len(calls) > 2 * 16 * 2 else 0.0

    loop = begin(ppo(steps=6, save_every=1, keep_hacked=True), Known(late))
    with pytest.raises(TrainingError, match=r"step 2: .*not finite.*last good step is kept in .*checkpoint-2"):
        loop.run()
    last = last_whole(loop.work.steps)
    assert last is not None
    assert all(bool(t.isfinite().all()) for t in load_file(last / "model.safetensors").values())


def test_weights_that_blow_up_stop_it(ppo: Make, begin: Begin) -> None:
    """An impossible rate ends in an error that names the step and what is kept."""
    loop = begin(ppo(steps=10, rate=1e30, save_every=1), Known(share_of_e))
    with pytest.raises(TrainingError, match=r"step \d+.*(not finite|NaN)"):
        loop.run()


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 4}])
def test_a_run_that_was_cut_off_goes_on_to_the_same_end(
    ppo: Make, begin: Begin, monkeypatch: pytest.MonkeyPatch, changes: dict[str, int]
) -> None:
    """Killed between two saves, a fresh process's run gives log, price and weights of one that was left alone."""
    config = ppo(steps=6, save_every=2, warmup=1, **changes)
    rewards = Known(share_of_e)
    straight = begin(config, rewards, "straight")
    straight.run()
    save = module.save_step

    def dying(work: Any, actor: Any, optimiser: Any, progressed: Any) -> None:
        save(work, actor, optimiser, progressed)
        if progressed.step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "save_step", dying)
    first = begin(config, rewards)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    monkeypatch.undo()
    again = begin(config, rewards)
    assert again.progressed.step == 4
    again.run()
    assert again.progressed == straight.progressed
    theirs = straight.players.actor.state_dict()
    assert all(torch.equal(t, theirs[n]) for n, t in again.players.actor.state_dict().items())


def test_only_the_last_two_steps_are_kept(ppo: Make, begin: Begin) -> None:
    """Each is a checkpoint that can be opened, with what a run goes on from beside it."""
    loop = begin(ppo(steps=4, save_every=1), Known(share_of_e))
    loop.run()
    assert sorted(p.name for p in loop.work.steps.iterdir()) == ["checkpoint-3", "checkpoint-4"]
    last = last_whole(loop.work.steps)
    assert last is not None
    assert {p.name for p in last.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json", "ppo"}
    assert json.loads((last / "ppo" / "state.json").read_text())["step"] == 4


def test_half_a_save_is_passed_over(ppo: Make, begin: Begin) -> None:
    """A step whose critic was cut short is no step to go on from."""
    config = ppo(steps=4, save_every=2)
    begin(config, Known(share_of_e)).run()
    again = begin(config, Known(share_of_e))
    assert again.progressed.step == 4
    critic = again.work.steps / "checkpoint-4" / "ppo" / "critic.safetensors"
    critic.write_bytes(critic.read_bytes()[:-1])
    assert begin(config, Known(share_of_e)).progressed.step == 2


def test_the_rate_rises_and_falls_to_nothing() -> None:
    """Two steps of warm-up, the peak, and equal steps down."""
    factors = [rate_factor(step, 6, 2) for step in range(6)]
    assert factors == pytest.approx([1 / 3, 2 / 3, 1, 0.75, 0.5, 0.25])
    assert rate_factor(0, 1, 10) == 1
