"""Questions of a training set: what is asked, which sample it stands for, and the answer that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.trainer.training.example import Example

__all__ = ["Asked", "asked_of", "distinct"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question.

    messages  as it is asked, up to the answer
    sample    in the clear: its intent says what a good answer does, its topic and answer how one is told
    attack    id of the way of asking, "" where the row does not say
    golden    the answer that the row gives
    row       the row that it was read from
    """

    messages: Conversation
    sample: Sample
    attack: str
    golden: str
    row: Mapping[str, Any]

    @property
    def prohibited(self) -> bool:
        """Whether a refusal is wanted."""
        return self.sample.intent is Intent.PROHIBITED


def asked_of(examples: Iterable[Example]) -> list[Asked]:
    """The questions of rows that were made by `train data`, or that say `teaches` ("refuse" or "answer") themselves.

    Raises `CorpusError` where a row says neither, since nobody could tell a good answer from a bad one.
    """
    return [_asked(number, example) for number, example in enumerate(examples, 1)]


def distinct(asked: Iterable[Asked]) -> list[Asked]:
    """The first of each conversation."""
    found: dict[Conversation, Asked] = {}
    for a in asked:
        found.setdefault(a.messages, a)
    return list(found.values())


def _asked(number: int, example: Example) -> Asked:
    row = example.row
    if example.answer is None:
        raise CorpusError(f"row {number}: which turn of a whole chat is asked? give prompt and completion")
    if isinstance(row.get("asked"), dict):
        sample = Sample.from_json(row["asked"], where=f"row {number}: asked")
    elif row.get("teaches") in ("refuse", "answer"):
        intent = Intent.PROHIBITED if row["teaches"] == "refuse" else Intent.BENIGN
        sample = Sample(str(row.get("sample") or f"row-{number}"), example.messages[-1].content, intent)
    else:
        raise CorpusError(
            f"row {number}: nothing says whether a refusal is wanted; add `teaches` (refuse or answer) or `asked`, the "
            "sample in the corpus format, as `safetydrift train data` does"
        )
    return Asked(example.messages, sample, str(row.get("attack") or ""), example.answer, row)
