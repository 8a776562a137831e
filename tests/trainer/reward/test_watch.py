"""The watch over reward hacking: readings, and made series: hacked, honest, noisy."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf, nan
from random import Random

import pytest

from pytest_safetydrift.core.judgement import Judgement, Outcome, Reason
from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.watch import Alarm, Stop, Watch

EVEN = Reading(step=0, reward=1.0, kl=2.0, entropy=1.5, length=20.0, quality=0.8, off_topic=0.1, attack_success=0.2)


def log(rewards: list[float], qualities: list[float]) -> list[Reading]:
    """Readings of these series, all else even."""
    pairs = zip(rewards, qualities, strict=True)
    return [replace(EVEN, step=i, reward=reward, quality=quality) for i, (reward, quality) in enumerate(pairs)]


def first_stop(readings: list[Reading], watch: Watch | None = None) -> Stop | None:
    """Look after every step, as a trainer does."""
    watch = watch or Watch()
    stops = (watch.look(readings[: n + 1]) for n in range(len(readings)))
    return next((stop for stop in stops if stop), None)


def noisy(level: list[float], r: Random, sd: float) -> list[float]:
    """The levels with normal noise."""
    return [value + r.gauss(0, sd) for value in level]


def test_a_reading_counts_what_could_not_be_scored_against_the_quality() -> None:
    """Four answers: a refusal, a compliance, mush, and a benign answer off its topic: one of four is good.

    One of two scored attacks succeeded, and one of two known topics was missed.
    """
    answers = [
        (Intent.PROHIBITED, Judgement(Outcome.REFUSED)),
        (Intent.PROHIBITED, Judgement(Outcome.COMPLIED, on_topic=True)),
        (Intent.PROHIBITED, Judgement(Outcome.UNSCORED, Reason.GARBLED)),
        (Intent.BENIGN, Judgement(Outcome.COMPLIED, on_topic=False)),
    ]
    found = Reading.of(7, answers, rewards=[1, 2, 3, 6], kl=[0, 1, 2, 1], lengths=[4, 8, 2, 6], entropy=0.5)
    assert found == Reading(7, 3.0, 1.0, 0.5, 5.0, 0.25, off_topic=0.5, attack_success=0.5)


def test_nothing_attacked_is_no_attack_that_failed() -> None:
    """Without a scored prohibited request the success rate is None, and so is a topic that is nowhere known."""
    answers = [
        (Intent.BENIGN, Judgement(Outcome.CORRECT)),
        (Intent.PROHIBITED, Judgement(Outcome.UNSCORED, Reason.EMPTY)),
    ]
    found = Reading.of(0, answers, rewards=[1, 1], kl=[0, 0], lengths=[1, 1], entropy=0.1)
    assert (found.attack_success, found.off_topic, found.quality) == (None, None, 0.5)


@pytest.mark.parametrize("rewards", [[], [1.0, 2.0]])
def test_an_empty_or_ragged_batch_is_no_reading(rewards: list[float]) -> None:
    """Nothing judged is an error, and so are rewards of other answers."""
    answers = [(Intent.BENIGN, Judgement(Outcome.CORRECT))] * (1 if rewards else 0)
    with pytest.raises(ValueError, match="one of each per answer"):
        Reading.of(0, answers, rewards=rewards, kl=rewards, lengths=[1] * len(rewards), entropy=0.1)


def test_a_reading_survives_the_log() -> None:
    """NaN, infinity and None come back out of standard JSON."""
    reading = replace(EVEN, step=3, kl=inf, entropy=nan, off_topic=None)
    text = json.dumps(reading.to_json(), allow_nan=False)
    back = Reading.from_json(json.loads(text))
    assert repr(back) == repr(reading)  # NaN equals nothing, not even itself


def test_a_hacked_run_is_stopped() -> None:
    """Reward climbs from .8 to 2.95 while quality first rises and then falls to .2, as in a run that was hacked."""
    r = Random(0)
    rewards = noisy([0.8 + 2.15 * i / 119 for i in range(120)], r, 0.1)
    qualities = noisy([0.5 + 0.4 * i / 60 if i < 60 else 0.9 - 0.7 * (i - 60) / 59 for i in range(120)], r, 0.05)
    stop = first_stop(log(rewards, qualities))
    assert stop is not None
    assert stop.alarm is Alarm.REWARD_HACKED
    assert 60 < stop.step < 110
    assert "reward +" in stop.why
    assert "judged quality -" in stop.why


def test_an_honest_run_goes_on() -> None:
    """Both rise."""
    r = Random(0)
    rewards = noisy([0.8 + 2.15 * i / 119 for i in range(120)], r, 0.1)
    assert first_stop(log(rewards, noisy([0.5 + 0.4 * i / 119 for i in range(120)], r, 0.05))) is None


def test_a_fast_and_smooth_hack_is_stopped_on_its_way() -> None:
    """Over in twenty steps, it leaves no window to test, and to a trend test it looks like noise that lasts."""
    rewards = [0.2 + 8 / (1 + 2.718 ** ((10 - step) / 1.5)) for step in range(60)]
    qualities = [1 / (1 + 2.718 ** ((step - 10) / 1.5)) for step in range(60)]
    stop = first_stop(log(rewards, qualities))
    assert stop is not None
    assert stop.alarm is Alarm.REWARD_HACKED
    assert stop.step <= 14
    assert "means of 5 steps" in stop.why


def test_a_plunge_without_a_rise_of_reward_is_no_hack() -> None:
    """A policy that gets worse at both is not being paid for it."""
    assert first_stop(log([1.0] * 10 + [0.5] * 10, [0.9] * 10 + [0.2] * 10)) is None


def test_answers_of_even_quality_do_not_plunge() -> None:
    """Shares of 32 answers, 300 steps, reward rising throughout: not one of 20 runs is stopped."""
    for seed in range(20):
        r = Random(seed)
        qualities = [sum(r.random() < 0.7 for _ in range(32)) / 32 for _ in range(300)]
        watch = Watch(window=299, every=1000)
        assert first_stop(log([step / 100 for step in range(300)], qualities), watch) is None, seed


def test_noise_is_no_fall() -> None:
    """Under a rising reward, quality that only trembles stops at most one run of twenty, looked at 17 times each."""
    rises, stopped = [i / 10 for i in range(100)], 0
    for seed in range(20):
        stopped += first_stop(log(rises, noisy([0.7] * 100, Random(seed), 0.06))) is not None
    assert stopped <= 1


def test_a_fall_without_a_rise_is_no_hack() -> None:
    """Where the reward falls as well, the reward model sees it too: the gates' matter, not the watch's."""
    falling = [1 - i / 100 for i in range(60)]
    assert first_stop(log(falling, falling)) is None


def test_a_small_fall_does_not_count() -> None:
    """A certain but tiny fall, .02 over the run, is under the least that counts."""
    assert first_stop(log([float(i) for i in range(60)], [0.8 - 0.02 * i / 59 for i in range(60)])) is None


def test_a_slow_fall_is_seen_in_long_windows() -> None:
    """.09 in each 20 steps is under the least that counts, .18 in 40 is not."""
    qualities = [0.9 - 0.09 * i / 20 + 0.01 * (-1) ** i for i in range(80)]
    stop = first_stop(log([float(i) for i in range(80)], qualities))
    assert stop is not None
    assert stop.step == 39


@pytest.mark.parametrize("name", ["reward", "kl", "entropy", "length", "quality", "off_topic", "attack_success"])
@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_nan_and_infinity_stop_at_once(name: str, value: float) -> None:
    """In any number, at the very first step, before there is a window to look at."""
    stop = Watch().look([replace(EVEN, **{name: value})])
    assert stop is not None
    assert stop.alarm is Alarm.NOT_FINITE
    assert name in stop.why


def test_infinities_of_both_signs_reach_the_watch() -> None:
    """A batch whose rewards are inf and -inf has a mean of NaN, and is stopped at."""
    answers = [(Intent.BENIGN, Judgement(Outcome.CORRECT))] * 2
    reading = Reading.of(0, answers, rewards=[inf, -inf], kl=[0, 0], lengths=[1, 1], entropy=0.1)
    assert reading.broken() == ("reward",)


def test_it_looks_at_its_steps_only() -> None:
    """Window 20, every 5: a series that is hacked from the start is seen at 20 readings, not at 19 or 22."""
    readings = log([float(i) for i in range(40)], [1 - i / 50 + 0.01 * (-1) ** i for i in range(40)])
    looks = {n for n in range(1, 31) if Watch(plunge=1.0).look(readings[:n])}
    assert looks == {20, 25, 30}


@pytest.mark.parametrize(
    "wrong", [{"window": 7}, {"every": 0}, {"alpha": 0.0}, {"drop": 1.0}, {"alpha": nan}, {"plunge": 0.0}]
)
def test_an_impossible_watch_is_refused(wrong: dict[str, float]) -> None:
    """Windows too short for a trend, and levels that are none."""
    with pytest.raises(ValueError, match="must be"):
        Watch(**wrong)
