"""How preferences are made, as one frozen value that their card holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.preferences.clarifying import check_given
from pytest_safetydrift.trainer.training.checks import check_numbers
from pytest_safetydrift.trainer.training.example import files_of
from pytest_safetydrift.trainer.training.option import option

__all__ = ["PreferenceConfig"]


@dataclass(frozen=True, kw_only=True)
class PreferenceConfig:
    """What is wanted. Raises `UsageError` on an impossible value.

    base         reference of whoever draws the answers: a model directory, demo:NAME, a server
    questions    how many of the distinct questions are asked, drawn by chance; 0 for all
    balance      pairs that prefer an answer for each that prefers a refusal; 0 keeps all there are
    own          whether a refusal of the model's own, where it drew one, goes before the golden one
    unsure       disagreement in (0, 1/2] from which a question counts as unsure, see `disagreement`; 0 never looks
    """

    base: str = option(told="whose answers are compared: a directory, a hub model, demo:NAME, a server", metavar="REF")
    data: tuple[Path, ...] = option(told="questions: a file, or a folder of `train data`; repeatable", metavar="FILE")
    draws: int = option(4, told="answers to each question")
    temperature: float = option(1.0, told="that answers are drawn with")
    max_tokens: int = option(256, told="of an answer")
    questions: int = option(0, told="ask so many of the questions, drawn by chance; 0 for all")
    balance: float = option(1.0, told="pairs that prefer an answer for each that prefers a refusal; 0 keeps all")
    own: bool = option(True, told="prefer a refusal of the model's own to the golden one, where it drew one")
    unsure: float = option(
        0.0,
        told="share of disagreeing draws, up to 0.5, from which asking back is preferred, and each pair gets the noise "
        "that its draws show; 0 for neither",
    )
    abstention: tuple[str, ...] = option(
        (), told="preferred in doubt to complying with what is prohibited, in place of ours; repeatable"
    )
    asking: tuple[str, ...] = option(
        (), told="preferred in doubt to a fault on what is allowed, {topic} standing for the matter; repeatable"
    )
    seed: int = option(0, told="of every draw")

    def __post_init__(self) -> None:
        if self.draws < 1 or self.max_tokens < 1 or self.questions < 0:
            raise UsageError(
                "draws and max_tokens must be at least 1, questions at least 0; got "
                f"{self.draws}, {self.max_tokens} and {self.questions}"
            )
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise UsageError(f"temperature must be above 0, got {self.temperature}: greedy draws are all the same")
        check_numbers(self, least=("balance",))
        if not 0 <= self.unsure <= 0.5:
            raise UsageError(
                f"unsure must be in [0, 0.5], got {self.unsure}: half of the draws is the most that differ"
            )
        if self.unsure and self.draws < 2:
            raise UsageError("unsure needs draws of 2 or more: one answer disagrees with none")
        check_given(self.abstention, self.asking)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of questions."""
        return files_of(self.data)

    @property
    def sampling(self) -> Sampling:
        """Of the first draw; the others have the seeds that follow."""
        return Sampling(temperature=self.temperature, max_tokens=self.max_tokens, seed=self.seed)

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {**asdict(self), "data": [str(place) for place in self.data]}
