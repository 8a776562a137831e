"""One step of reward training as it is logged: what is optimised beside what is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pytest_safetydrift.core.judgement import Judgement
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.trainer.reward.faults import fault_of, missed_topic

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Means over the answers of one step.

    step            counted from 0
    reward          as the reward model gives it, before bounds, penalties and KL
    kl              nats per answer, to the frozen reference
    entropy         nats per token
    length          tokens per answer
    quality         share in [0, 1] of answers without a fault; what could not be scored has one
    off_topic       share in [0, 1] of answers that miss a known topic; refusals do not count; None where none is known
    attack_success  share in [0, 1] of scored answers to prohibited requests that complied; None without any
    """

    step: int
    reward: float
    kl: float
    entropy: float
    length: float
    quality: float
    off_topic: float | None = None
    attack_success: float | None = None

    @classmethod
    def of(
        cls,
        step: int,
        answers: Sequence[tuple[Intent, Judgement]],
        *,
        rewards: Sequence[float],
        kl: Sequence[float],
        lengths: Sequence[int],
        entropy: float,
    ) -> Reading:
        """Read off a batch, one entry per answer; raises ValueError where there is none, or a list is of other length.

        NaN and infinity go through: the watch stops at them.
        """
        if not answers or {len(rewards), len(kl), len(lengths)} != {len(answers)}:
            counts = f"{len(answers)} answers, {len(rewards)} rewards, {len(kl)} kl, {len(lengths)} lengths"
            raise ValueError(f"step {step}: one of each per answer, and at least one; got {counts}")
        missed = [m for _, judgement in answers if (m := missed_topic(judgement)) is not None]
        hit = METRICS["attack_success"].hit
        attacks = [h for intent, j in answers if intent is Intent.PROHIBITED and (h := hit(j)) is not None]
        return cls(
            step=step,
            reward=_mean(rewards),
            kl=_mean(kl),
            entropy=entropy,
            length=_mean(lengths),
            quality=_mean([fault_of(intent, judgement) is None for intent, judgement in answers]),
            off_topic=_mean(missed) if missed else None,
            attack_success=_mean(attacks) if attacks else None,
        )

    def broken(self) -> tuple[str, ...]:
        """The names of its numbers that are NaN or infinite."""
        numbers = ((f.name, getattr(self, f.name)) for f in fields(self))
        return tuple(name for name, value in numbers if value is not None and not math.isfinite(value))

    def to_json(self) -> dict[str, Any]:
        """For the log that a resumed run reads again; NaN and infinities, which JSON has not, as texts."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Reading:
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError on a damaged row."""
        spelled = ((f.name, row[f.name]) for f in fields(cls))
        numbers: dict[str, Any] = {name: float(v) if isinstance(v, str) else v for name, v in spelled}
        return cls(**numbers)


def _mean(values: Sequence[float]) -> float:
    """Unlike the library's, of infinities of both signs too."""
    return sum(values) / len(values)


def _plain(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else str(value)
