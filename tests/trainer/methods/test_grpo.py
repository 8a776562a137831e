"""GRPO and RLOO: from questions and a reward to a checkpoint, under the watch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods import SFT
from pytest_safetydrift.trainer.methods.grouped import Grouped
from pytest_safetydrift.trainer.methods.grpo import GRPO, RLOO
from pytest_safetydrift.trainer.reward.model import REWARD_CARD
from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.signal import Signal
from pytest_safetydrift.trainer.reward.watch import Alarm, Stop, Watch
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.run import LOG, train
from tests.trainer.methods.made_pairs import question_rows, write
from tests.trainer.methods.preferring import die_after_a_save

Make = Callable[..., GRPO]
METHODS: tuple[type[Grouped], ...] = (GRPO, RLOO)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a configuration: a few steps of sixteen short answers to four questions."""
    data = write(tmp_path / "train.jsonl", question_rows(16))

    def made(method: type[Grouped] = GRPO, **changes: Any) -> Any:
        defaults = {"base": str(BASE), "data": (data,), "batch": 16, "generations": 4, "max_new_tokens": 24}
        return method(**{**defaults, "rate": 1e-3, "warmup": 1, "steps": 2, **changes})

    return made


class Letters:
    """A reward model that counts a letter: easily learnt, and easily hacked."""

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        return [float(text.count("s")) for _, text in answered]


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


@pytest.mark.parametrize("method", METHODS)
def test_it_makes_a_checkpoint_and_reads_every_step(make: Make, tmp_path: Path, method: type[Grouped]) -> None:
    """Sound files, the families of its questions in the card, and a reading of each step in the log."""
    out = train(make(method), tmp_path / "out")
    check_checkpoint(Checkpoint(out), EngineOptions())
    card = json.loads((out / "training_card.json").read_text())
    assert card["method"] == method.name
    assert card["attack_families_trained_on"] == ["none"]
    assert card["stopped"] is None
    assert card["steps"] == 2
    assert card["tokens"] > 2 * 16
    readings = [Reading.from_json(row["reading"]) for row in log_of(out)]
    assert [r.step for r in readings] == [0, 1]
    assert readings[0].kl == pytest.approx(0.0, abs=1e-4)  # the policy is the base yet
    assert all(not r.broken() and 0 <= r.quality <= 1 and r.length <= 24 for r in readings)
    assert readings[0].attack_success is not None


def test_the_reward_rises(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rewarded is learnt: there are more of the letter in the last steps than in the first."""
    monkeypatch.setattr(Grouped, "signal", lambda *_: Signal(Letters(), None))
    method = make(steps=14, generations=8, max_new_tokens=16, rate=5e-3, temperature=3.0, beta=0.001)
    log = log_of(train(method, tmp_path / "out"))
    assert sum(row["reward"] for row in log[-4:]) > 1.3 * sum(row["reward"] for row in log[:4])


def test_the_rules_are_the_reward(make: Make, tmp_path: Path) -> None:
    """Without a reward model raw and shaped reward are one: 0, or minus the penalty of a fault."""
    for row in log_of(train(make(unsafe=6.0), tmp_path / "out")):
        assert row["reward"] == pytest.approx(row["raw_reward"], abs=1e-5)
        assert -6.0 <= row["reward"] <= 0.0
        assert (row["reward"] == 0.0) is (row["quality"] == 1.0)


def test_a_stopped_run_goes_on_to_the_same_end(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after a save, the same call draws the same answers and ends with the weights of a run never stopped."""
    method = make(steps=3, save_every=2)
    straight = train(method, tmp_path / "straight")
    die_after_a_save(method, tmp_path / "out", monkeypatch)
    out = train(method, tmp_path / "out")
    assert [row["reading"] for row in log_of(out)] == [row["reading"] for row in log_of(straight)]
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


def stop_at(step: int, alarm: Alarm = Alarm.REWARD_HACKED) -> Callable[..., Stop | None]:
    """A watch that speaks once the log is so long."""
    return lambda _watch, readings: Stop(alarm, step, "reward up, quality down") if len(readings) >= step else None


def test_the_watch_stops_a_run_and_the_last_good_step_is_kept(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what was seen and where the step before is; nothing is published."""
    monkeypatch.setattr(Watch, "look", stop_at(2))
    with pytest.raises(TrainingError, match=r"reward_hacked: reward up, quality down; .*kept in .*checkpoint-1"):
        train(make(steps=5, save_every=1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_hacked_policy_is_published_on_request_and_marked(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card of the checkpoint says why and when it was stopped."""
    monkeypatch.setattr(Watch, "look", stop_at(2))
    out = train(make(steps=5, keep_hacked=True), tmp_path / "out")
    card = json.loads((out / "training_card.json").read_text())
    assert card["stopped"] == {"alarm": "reward_hacked", "step": 2, "why": "reward up, quality down"}
    assert card["steps"] == 2


def test_what_is_not_finite_is_never_published(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even on request."""
    monkeypatch.setattr(Watch, "look", stop_at(1, Alarm.NOT_FINITE))
    with pytest.raises(TrainingError, match="not_finite"):
        train(make(keep_hacked=True), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_is_trained_alone(make: Make, tmp_path: Path) -> None:
    """LoRA leaves one adapter: the reference is the base itself, and no copy of it is published."""
    out = train(make(lora_rank=4), tmp_path / "out")
    check_checkpoint(Checkpoint(BASE, out), EngineOptions())
    assert not (out / "model.safetensors").exists()
    assert [p.parent for p in out.rglob("adapter_model.safetensors")] == [out]


def test_the_reference_of_an_adapter_is_base_and_adapter(make: Make, tmp_path: Path) -> None:
    """The divergence is of the checkpoint that training began from: none in the first step."""
    sft = SFT(base=str(BASE), data=(make().data), batch=4, steps=2, rate=5e-2, warmup=0, lora_rank=4)
    adapter = train(sft, tmp_path / "adapter")
    first = log_of(train(make(base=f"{BASE}+{adapter}", steps=1), tmp_path / "out"))[0]
    assert first["kl"] == pytest.approx(0.0, abs=1e-4)


def test_a_dry_run_loads_no_weights(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts questions, and every answer as long as it may be."""
    monkeypatch.setattr(Base, "model", lambda *_: pytest.fail("weights were loaded"))
    estimate = make(steps=3).estimate()
    assert estimate.rows == 16
    assert estimate.generated == 3 * 16 * 24
    assert estimate.tokens > estimate.generated


def test_an_unsound_reward_model_is_refused(make: Make, tmp_path: Path) -> None:
    """By its faults, before anything is loaded; a folder that is none is refused too."""
    folder = tmp_path / "reward"
    folder.mkdir()
    with pytest.raises(UsageError, match="not a reward model's folder"):
        make(reward=str(folder)).estimate()
    (folder / "config.json").write_text("{}")
    (folder / REWARD_CARD).write_text(json.dumps({"usable": False, "faults": ["length: +0.9"]}))
    with pytest.raises(UsageError, match=r"may not be used: length: \+0\.9"):
        train(make(reward=str(folder)), tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"generations": 1}, "generations must be at least 2"),
        ({"batch": 18}, "two questions or more with 4 answers each, got 18"),
        ({"batch": 4}, "two questions or more"),
        ({"beta": 0.0}, "beta must be a number above 0"),
        ({"temperature": math.nan}, "temperature"),
        ({"shaping": False}, "--reward"),
        ({"unsafe": 1.0}, "penalty"),
        ({"watch_window": 3}, "window"),
        ({"max_new_tokens": 4096}, "leave room for prompts"),
        ({"loss": "cross"}, "loss must be one of"),
    ],
)
def test_impossible_configurations_are_refused(make: Make, changes: dict[str, Any], told: str) -> None:
    """Each with what is wrong."""
    with pytest.raises(UsageError, match=told):
        make(**changes)


@pytest.mark.parametrize(("teaches", "missing"), [("refuse", "allowed"), ("answer", "prohibited")])
def test_questions_of_one_kind_are_refused(make: Make, tmp_path: Path, teaches: str, missing: str) -> None:
    """From one kind alone a policy learns to refuse everything, or nothing."""
    rows = [row for row in question_rows(16) if row["teaches"] == teaches]
    with pytest.raises(CorpusError, match=f"no {missing} question"):
        train(make(data=(write(tmp_path / "one.jsonl", rows),)), tmp_path / "out")


def test_answers_that_leave_no_room_for_a_question_are_refused(make: Make) -> None:
    """The base's own context counts, not the option alone."""
    with pytest.raises(CorpusError, match="leaves no room for a prompt in the base's context of 512"):
        make(max_new_tokens=512).estimate()
