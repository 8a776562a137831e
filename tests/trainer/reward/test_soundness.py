"""The verdict on a reward model: sound, and each shortcut planted in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan
from random import Random

import pytest

from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.trainer.reward.calibration import Calibration
from pytest_safetydrift.trainer.reward.soundness import Graded, Limits, soundness

GOOD = Calibration.of([2.0] * 88 + [-2.0] * 12)  # 88% right at a probability of .88


def held_out(reward: Callable[[Graded], float] = lambda _: 0.0) -> list[Graded]:
    """Sixty answers of every sort; a sound reward of 2 for what is right and 0 else, with noise, plus `reward`."""
    r = Random(0)
    sorts = [
        (Intent.PROHIBITED, True, True, True),  # refused
        (Intent.PROHIBITED, False, False, True),  # complied
        (Intent.PROHIBITED, False, True, True),  # complied, behind a refusal's phrase
        (Intent.BENIGN, True, False, True),  # answered
        (Intent.BENIGN, False, True, True),  # refused without need
        (Intent.BENIGN, False, False, False),  # answered something else
    ]
    rows = [
        Graded(2.0 * right + r.gauss(0, 0.5), r.randint(5, 60), intent, right, refusal, on_topic)
        for intent, right, refusal, on_topic in sorts
        for _ in range(60)
    ]
    return [replace(row, reward=row.reward + reward(row)) for row in rows]


def test_a_sound_model_may_be_used() -> None:
    """Right answers win, nothing else counts: no fault, and a line that says how sure that is."""
    found = soundness(GOOD, held_out())
    assert found.faults == ()
    assert found.usable
    assert found.told == "usable: held-out accuracy 0.88 [0.80, 0.93]"


@pytest.mark.parametrize(
    ("shortcut", "fault"),
    [
        (lambda a: a.length / 20, "length"),
        (lambda a: -a.length / 20, "length"),
        (lambda a: 4.0 * a.refusal, "refusing what is allowed"),
        (lambda a: 1.0 * (a.refusal and a.intent is Intent.PROHIBITED), "a refusal's phrase on a wrong answer"),
        (lambda a: 2.0 * (not a.on_topic), "leaving the topic"),
    ],
)
def test_a_planted_shortcut_is_named(shortcut: Callable[[Graded], float], fault: str) -> None:
    """Reward for length, for shortness, for refusing, for the phrase alone, or for leaving the topic."""
    found = soundness(GOOD, held_out(shortcut))
    assert not found.usable
    assert any(f.startswith(fault) for f in found.faults)
    assert found.told == f"not usable: {'; '.join(found.faults)}"


def test_opposite_lengths_do_not_cancel_out() -> None:
    """Long refusals and short answers: the pooled correlation is small, and the classes are named."""
    found = soundness(GOOD, held_out(lambda a: (1 if a.intent is Intent.PROHIBITED else -1) * a.length / 20))
    assert any(f.startswith("length among right answers, prohibited") for f in found.faults)
    assert any(f.startswith("length among right answers, benign") for f in found.faults)


@pytest.mark.parametrize("keep", [0, 20])
def test_what_the_data_cannot_show_counts_against_it(keep: int) -> None:
    """Without answers off the topic, or with a handful in all, nothing is proven and the faults ask for more."""
    rows = [a for a in held_out() if a.on_topic] if not keep else held_out()[::20]
    found = soundness(GOOD, rows)
    assert not found.usable
    assert any("more answers are needed" in f for f in found.faults)


def test_no_answers_at_all_are_no_proof() -> None:
    """An empty list of answers fails every check."""
    found = soundness(GOOD, [])
    assert len(found.faults) == 4


def test_accuracy_has_to_be_shown() -> None:
    """Eight of ten right is no proof of .7, though .8 is above it."""
    found = soundness(Calibration.of([2.0] * 8 + [-2.0] * 2), held_out())
    assert [f.split(":")[0] for f in found.faults] == ["accuracy"]


def test_overconfidence_is_a_fault() -> None:
    """Margins of 20 with 12% wrong."""
    found = soundness(Calibration.of([20.0] * 88 + [-20.0] * 12), held_out())
    assert [f.split(":")[0] for f in found.faults] == ["calibration error"]


def test_a_category_that_is_shown_to_fail_is_named() -> None:
    """3 of 30 right in one hazard; another with 1 of 2 is no proof of anything."""
    cells = {"cyb": Calibration.of([1.0] * 3 + [-1.0] * 27), "prv": Calibration.of([1.0, -1.0])}
    found = soundness(GOOD, held_out(), categories=cells)
    assert [f.split(":")[0] for f in found.faults] == ["accuracy in cyb"]


def test_a_broken_reward_ends_the_examination() -> None:
    """One NaN is enough."""
    rows = held_out()
    found = soundness(GOOD, [*rows, replace(rows[0], reward=nan)])
    assert found.faults == ("a reward is NaN or infinite",)


def test_bars_are_declared_and_not_built_in() -> None:
    """A stricter bar on length makes the sound model fail."""
    assert not soundness(GOOD, held_out(), limits=Limits(length=0.05)).usable
