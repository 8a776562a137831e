"""The reward that policies are trained on: what it is made of, and its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from pathlib import Path

import pytest

from pytest_safetydrift.core.conversation import Conversation, user
from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.core.judgement import Judgement, Outcome
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.trainer.reward import signal as module
from pytest_safetydrift.trainer.reward.faults import missed_topic
from pytest_safetydrift.trainer.reward.shaping import Shaping
from pytest_safetydrift.trainer.reward.signal import Signal, calibrated, open_signal
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn

YES, NO = "Sure, here are the steps to bake a cake: step one, step two.", "I can't help with that."


class Lengths:
    """A reward model that counts letters."""

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        return [float(len(text)) for _, text in answered]


class Always:
    """A reward model that gives one number."""

    def __init__(self, reward: float) -> None:
        self.reward = reward

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        return [self.reward for _ in answered]


def asked(intent: Intent) -> Asked:
    sample = Sample("one", "how do i bake a cake?", intent, topic="a cake")
    return Asked((user(sample.prompt),), sample, "plain", "", {})


def test_rules_alone_give_nothing_for_what_is_right_and_take_the_penalty_of_a_fault() -> None:
    """Refusing what is prohibited is worth 0, complying minus its penalty; the reverse for what is allowed."""
    signal = Signal(None, Shaping(unsafe=5.0, needless=3.0))
    prohibited, benign = asked(Intent.PROHIBITED), asked(Intent.BENIGN)
    found = signal([prohibited, prohibited, benign, benign], [NO, YES, YES, NO], [True] * 4)
    assert [s.shaped for s in found] == [0.0, -5.0, 0.0, -3.0]
    assert [s.raw for s in found] == [0.0, -5.0, 0.0, -3.0]
    assert found[0].judgement.outcome is Outcome.REFUSED


def test_an_answer_that_was_cut_off_is_a_fault() -> None:
    """The same text is worth less where it did not come to its own end before it was clear."""
    signal = Signal(None, Shaping(unread=2.5))
    whole, cut = signal([asked(Intent.BENIGN)] * 2, ["Sure, here are"] * 2, [True, False])
    assert cut.judgement.outcome is Outcome.UNSCORED
    assert cut.shaped == -2.5
    assert whole.judgement.outcome is not Outcome.UNSCORED


def test_a_model_counts_within_bounds_and_faults_outweigh_it() -> None:
    """However high the model's reward, a faulty answer is worth no more than a faultless one; `raw` is what it gave."""
    shaping = Shaping()
    prohibited = asked(Intent.PROHIBITED)
    (hacked,) = Signal(Always(1e9), shaping)([prohibited], [YES], [True])
    (disliked,) = Signal(Always(-1e9), shaping)([prohibited], [NO], [True])
    assert hacked.raw == 1e9
    assert hacked.shaped < disliked.shaped
    assert -shaping.bound <= hacked.shaped


def test_without_shaping_the_model_s_reward_is_the_reward() -> None:
    """Unbounded: what a policy can hack."""
    (found,) = Signal(Lengths(), None)([asked(Intent.BENIGN)], ["x" * 70], [True])
    assert found.raw == found.shaped == 70.0


def test_nothing_to_give_a_reward_is_an_error() -> None:
    """Neither model nor rules."""
    with pytest.raises(UsageError, match="--reward"):
        Signal(None, None)


@pytest.mark.parametrize("broken", [nan, inf, -inf])
def test_a_reward_that_is_not_finite_stops(broken: float) -> None:
    """NaN and infinities never reach the policy."""
    for shaping in (None, Shaping()):
        with pytest.raises(TrainingError, match="broken"):
            Signal(Always(broken), shaping)([asked(Intent.BENIGN)], [YES], [True])


def test_every_answer_needs_its_question() -> None:
    """Lists of other lengths are refused, not cut to the shortest."""
    for model in (None, Lengths()):
        with pytest.raises(ValueError, match="zip"):
            Signal(model, Shaping())([asked(Intent.BENIGN)], [YES, NO], [True, True])


def test_calibration_is_mean_and_deviation_of_the_base_s_rewards() -> None:
    """Of 1, 3 and 5: centre 3, scale root of 8/3."""
    found = calibrated(Shaping(), [1.0, 3.0, 5.0])
    assert found.centre == 3.0
    assert found.scale == pytest.approx((8 / 3) ** 0.5)


@pytest.mark.parametrize("rewards", [[2.0, 2.0, 2.0], [1.0], []])
def test_a_model_that_tells_nothing_apart_is_refused(rewards: list[float]) -> None:
    """It would be divided by nothing."""
    with pytest.raises(UsageError, match="apart"):
        calibrated(Shaping(), rewards)


def test_calibration_is_drawn_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resumed run has the same scale without drawing again."""
    calls = []

    def drawn(_reference: str, questions: Sequence[Asked], **_: object) -> list[tuple[Drawn, ...]]:
        calls.append(len(questions))
        judgement = Judgement(Outcome.COMPLIED)
        return [(Drawn(Response("x" * (10 + 20 * i)), judgement, None),) for i, _ in enumerate(questions)]

    monkeypatch.setattr(module, "draw_answers", drawn)
    questions = [asked(Intent.BENIGN), asked(Intent.PROHIBITED)]
    opened = [
        open_signal(Lengths(), Shaping(), reference="demo:v1", asked=questions, folder=tmp_path, sampling=Sampling(1.0))
        for _ in range(2)
    ]
    assert calls == [2]
    for signal in opened:
        assert signal.shaping is not None
        assert (signal.shaping.centre, signal.shaping.scale) == (20.0, 10.0)


def test_a_refusal_misses_no_topic() -> None:
    """An answer to something else does; one whose topic nobody knows says nothing."""
    assert missed_topic(Judgement(Outcome.REFUSED, on_topic=False)) is None
    assert missed_topic(Judgement(Outcome.COMPLIED, on_topic=None)) is None
    assert missed_topic(Judgement(Outcome.COMPLIED, on_topic=False)) is True
    assert missed_topic(Judgement(Outcome.COMPLIED, on_topic=True)) is False
