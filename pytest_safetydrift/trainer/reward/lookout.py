"""What stands between a trl trainer and the reward: answers in, rewards out, and the watch beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import TrainerCallback, TrainerState

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.trainer.reward.faults import fault_of, missed_topic
from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.signal import Scored, Signal
from pytest_safetydrift.trainer.reward.watch import Alarm, Stop, Watch
from pytest_safetydrift.trainer.training.asked import Asked

__all__ = ["Lookout", "Rewarder", "readings_of"]

_RAW, _QUALITY, _OFF_TOPIC, _ATTACK_SUCCESS = "raw_reward", "quality", "off_topic", "attack_success"


@dataclass(frozen=True, slots=True)
class Rewarder:
    """A reward function as trl calls it.

    asked  the questions; a row of the data names its own by its number, in the column `question`
    ends   ids of tokens that end an answer: one that has none at its end was cut off
    """

    signal: Signal
    asked: Sequence[Asked]
    ends: frozenset[int]

    def __call__(
        self,
        *,
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]],
        question: Sequence[int],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        """The shaped reward of each answer; what the watch looks at is logged on the way."""
        asked = [self.asked[number] for number in question]
        texts = [turns[0]["content"] for turns in completions]
        scored = self.signal(asked, texts, [bool(ids) and ids[-1] in self.ends for ids in completion_ids])
        for one, found in zip(asked, scored, strict=True):
            for name, value in _figures(one, found).items():
                log_metric(name, value)  # trl takes the mean over all answers of all processes
        return [found.shaped for found in scored]


class Lookout(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Has the watch look at the log after each step, and stops the run at its word.

    keep  leave the hacked policy as it stands in `stop`, in place of an error; never one that is not finite
    """

    def __init__(self, watch: Watch, *, keep: bool, kept: Callable[[], str]) -> None:
        self._watch, self._keep, self._kept = watch, keep, kept
        self.stop: Stop | None = None

    def on_log(self, _args: Any, state: TrainerState, control: Any, **_: Any) -> None:
        """Raises `TrainingError` with what was seen, and where the last good step is."""
        self.stop = self._watch.look(readings_of(state.log_history))
        if self.stop is None:
            return
        if not self._keep or self.stop.alarm is Alarm.NOT_FINITE:
            raise TrainingError(
                f"stopped by the watch, {self.stop.alarm}: {self.stop.why}; {self._kept()}; train a sound reward "
                "model, raise --beta, or give --keep-hacked to look at what came of it"
            )
        control.should_training_stop = True


def readings_of(log: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """The readings that a trl trainer's log holds, one for each row of a step."""
    return [_reading(row) for row in log if _RAW in row]


def _reading(row: Mapping[str, Any]) -> Reading:
    length = row["completions/mean_length"]
    return Reading(
        step=int(row["step"]) - 1,  # trl counts the steps that are done
        reward=row[_RAW],
        kl=row["kl"] * length,  # logged by token
        entropy=row["entropy"],
        length=length,
        quality=row[_QUALITY],
        off_topic=row.get(_OFF_TOPIC),
        attack_success=row.get(_ATTACK_SUCCESS),
    )


def _figures(asked: Asked, scored: Scored) -> dict[str, float]:
    """By name, of one answer; what is not known of it has no entry."""
    judgement = scored.judgement
    found = {_RAW: scored.raw, _QUALITY: float(fault_of(asked.sample.intent, judgement) is None)}
    if (missed := missed_topic(judgement)) is not None:
        found[_OFF_TOPIC] = float(missed)
    if asked.prohibited and (hit := METRICS["attack_success"].hit(judgement)) is not None:
        found[_ATTACK_SUCCESS] = float(hit)
    return found
