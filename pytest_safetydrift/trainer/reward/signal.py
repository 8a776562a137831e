"""The reward that PPO, GRPO and RLOO share: a model's, a judge's, or both in one."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, pstdev
from typing import Protocol

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.core.judgement import Judgement
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.trainer.files import write_whole
from pytest_safetydrift.trainer.reward.shaping import Shaping
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import draw_answers, judge_answer
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all

__all__ = ["Scored", "Scorer", "Signal", "calibrated", "open_signal"]

_CALIBRATION = "calibration.json"


class Scorer(Protocol):
    """Gives rewards; `RewardModel` does."""

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        """One finite reward for each conversation with its answer."""
        ...


@dataclass(frozen=True, slots=True)
class Scored:
    """The reward of one answer.

    raw        as the model gives it, which the watch looks at; without a model the same as `shaped`
    shaped     what the policy is trained on
    judgement  of the rule judges
    """

    raw: float
    shaped: float
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Signal:
    """Rewards of answers: a model's held in bounds less the penalty of a judged fault, or one of both alone.

    model    None: faultless answers get 0, and others minus their fault's penalty
    shaping  None: the model's reward as it is, which a policy can drive as high as it finds a way to

    Raises `UsageError` where both are None.
    """

    model: Scorer | None
    shaping: Shaping | None

    def __post_init__(self) -> None:
        if self.model is None and self.shaping is None:
            raise UsageError("nothing gives a reward; name a reward model with --reward, or leave --shaping on")

    def __call__(self, asked: Sequence[Asked], texts: Sequence[str], finished: Sequence[bool]) -> list[Scored]:
        """One reward for each answer in `texts`, in order.

        finished  whether the answer came to its own end; one that was cut off cannot be judged, and is a fault

        Raises ValueError where the lists differ in length and `TrainingError` where a reward is NaN or infinite.
        """
        rewards: Sequence[float] = [0.0] * len(texts)
        if self.model is not None:
            rewards = self.model.scores([(a.messages, text) for a, text in zip(asked, texts, strict=True)])
        return [self._scored(*each) for each in zip(asked, texts, finished, rewards, strict=True)]

    def _scored(self, asked: Asked, text: str, finished: bool, reward: float) -> Scored:
        if not math.isfinite(reward):
            raise TrainingError(
                f"the reward model gave {reward} for {text[:60]!r}; its weights are broken: train it again"
            )
        response = Response(text, Finish.STOP if finished else Finish.LENGTH)
        judgement, _ = judge_answer(asked.sample, asked.messages, response)
        if self.shaping is None:
            return Scored(reward, reward, judgement)
        shaped = self.shaping.shaped(reward, asked.sample.intent, judgement)
        return Scored(shaped if self.model is None else reward, shaped, judgement)


def calibrated(shaping: Shaping, rewards: Sequence[float]) -> Shaping:
    """The shaping with centre and scale from a model's `rewards` of the reference's own answers.

    Raises `UsageError` where these are all alike, since a model that tells none apart teaches nothing.
    """
    scale = pstdev(rewards) if len(rewards) > 1 else 0.0
    if scale <= 1e-6 * max([1.0, *map(abs, rewards)]):
        raise UsageError(
            f"the reward model tells none of the base's {len(rewards)} answers apart; train it on more, or leave out "
            "--reward"
        )
    return replace(shaping, centre=fmean(rewards), scale=scale)


def open_signal(
    model: Scorer | None,
    shaping: Shaping | None,
    *,
    reference: str,
    asked: Sequence[Asked],
    folder: Path,
    sampling: Sampling,
) -> Signal:
    """The signal with its shaping calibrated on answers that are drawn from `reference`, one to each of `asked`.

    folder  keeps what was found, for a resumed run and for the other processes: all of them call this

    Raises `UsageError` as `Signal` and `calibrated` do, and as `draw_answers` does.
    """
    if model is None or shaping is None:
        return Signal(model, shaping)
    place = folder / _CALIBRATION
    if is_first() and not place.exists():
        drawn = draw_answers(reference, asked, folder=folder, sampling=sampling)
        rewards = model.scores([(a.messages, one.text) for a, (one,) in zip(asked, drawn, strict=True)])
        found = calibrated(shaping, rewards)
        write_whole(place, json.dumps({"centre": found.centre, "scale": found.scale}) + "\n")
    wait_for_all()
    return Signal(model, replace(shaping, **json.loads(place.read_text("utf-8"))))
