"""The reward-hacking watch: stops a run whose reward rises while what is wanted falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.trend import trend

__all__ = ["Alarm", "Stop", "Watch"]

_SHORT = 5


class Alarm(StrEnum):
    """Why a run has to stop."""

    NOT_FINITE = "not_finite"
    REWARD_HACKED = "reward_hacked"


@dataclass(frozen=True, slots=True)
class Stop:
    """The watch's word; `why` says with numbers what was seen."""

    alarm: Alarm
    step: int
    why: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks at the log after each step; all its state is that log, so a resumed run goes on with it.

    window  readings of the shortest window, at least 8
    every   steps between two looks
    alpha   bound on the chance, over the whole run however long, that one whose quality does not fall is stopped,
            in (0, 1)
    drop    the least fall of quality over a window that counts, in [0, 1)
    plunge  a fall of quality that stops by itself where reward rose, in (0, 1]

    NaN or infinity in any number of any reading stops at once. Else, at look k (the first after `window` readings),
    reward and quality are tested as a pair over the same steps, for each of the m windows of the last `window`,
    2 `window`, 4 `window`, ... readings that the log fills: stop where quality has a downward trend at
    alpha / (k (k + 1) m) and fell by at least `drop`, and reward has an upward trend at alpha. Both must be shown, so
    no level is lost by testing two (the intersection-union test, Berger 1982); the levels of quality add up to alpha
    over all looks and windows, so none is lost by looking often, and long windows see a slow fall.

    A fast hack is over before a window is full, and smooth: to a trend test it looks like noise that lasts. So at every
    reading after the first ten, the last five are also held against any five before them: stop where their mean quality
    is lower by `plunge` and their mean reward higher. Were quality as good as ever, two means of 5 n answers would
    differ by so much with a chance of at most exp(-5 n plunge^2) (Hoeffding 1963, theorem 2): 8e-12 for n = 32 and 0.4,
    so that all pairs of 1,000 steps add 4e-6 to alpha; with n = 16 those of 100 steps may add .014.

    The bound holds for quality whose noise is independent from step to step, as fresh prompts make it. Noise that
    lasts over steps (the same few prompts in turn) is allowed for, see `trend`, and not fully.
    """

    window: int = 20
    every: int = 5
    alpha: float = 0.05
    drop: float = 0.1
    plunge: float = 0.4

    def __post_init__(self) -> None:
        if self.window < 8 or self.every < 1:
            raise ValueError(f"window must be at least 8 and every at least 1, got {self.window} and {self.every}")
        if not (0 < self.alpha < 1 and 0 <= self.drop < 1 and 0 < self.plunge <= 1):
            raise ValueError(
                "alpha must be in (0, 1), drop in [0, 1) and plunge in (0, 1], "
                f"got {self.alpha}, {self.drop} and {self.plunge}"
            )

    def look(self, readings: Sequence[Reading]) -> Stop | None:
        """What the log so far says, None to go on; call it with the whole log after each step."""
        for reading in readings:
            if broken := reading.broken():
                return Stop(Alarm.NOT_FINITE, reading.step, f"step {reading.step}: not finite: {', '.join(broken)}")
        if stop := self._plunged(readings):
            return stop
        number, rest = divmod(len(readings) - self.window, self.every)
        if number < 0 or rest:
            return None
        lengths = [self.window << i for i in range((len(readings) // self.window).bit_length())]
        level = self.alpha / ((number + 1) * (number + 2) * len(lengths))
        stops = (self._paired(readings[-length:], level) for length in lengths)
        return next((stop for stop in stops if stop), None)

    def _plunged(self, readings: Sequence[Reading]) -> Stop | None:
        last = readings[-_SHORT:]
        for at in range(len(readings) - 2 * _SHORT + 1):
            first = readings[at : at + _SHORT]
            fell = fmean(r.quality for r in first) - fmean(r.quality for r in last)
            rose = fmean(r.reward for r in last) - fmean(r.reward for r in first)
            if fell >= self.plunge and rose > 0:
                why = (
                    f"steps {first[0].step} to {last[-1].step}: reward {rose:+.3g} while judged quality {-fell:+.3g}, "
                    f"means of {_SHORT} steps"
                )
                return Stop(Alarm.REWARD_HACKED, last[-1].step, why)
        return None

    def _paired(self, window: Sequence[Reading], level: float) -> Stop | None:
        quality = trend([r.quality for r in window], "less")
        if quality.p > level or -quality.change < self.drop:
            return None
        reward = trend([r.reward for r in window], "greater")
        if reward.p > self.alpha:
            return None
        why = (
            f"steps {window[0].step} to {window[-1].step}: reward {reward.change:+.3g} (p = {reward.p:.2g}) while "
            f"judged quality {quality.change:+.3g} (p = {quality.p:.2g}, against {level:.2g})"
        )
        return Stop(Alarm.REWARD_HACKED, window[-1].step, why)
