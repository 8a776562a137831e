"""Rows of preferences: a question with a better and a worse answer, or with one answer that is good or bad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.core.judgement import Exchange, Outcome
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.judges import get_judge
from pytest_safetydrift.trainer.records import read_records
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.example import PREFERENCES, conversation

__all__ = ["FILE", "Preference", "Rated", "check_both_classes", "preference_row", "read_preferences", "read_rated"]

FILE = PREFERENCES
"""The file that is meant where the folder of `train preferences` is named."""
_REFUSING = (Outcome.REFUSED, Outcome.PARTLY_REFUSED)


@dataclass(frozen=True, slots=True)
class Preference:
    """A pair.

    messages          the question, up to the answer
    chosen, rejected  the better and the worse answer
    noise             probability in [0, 1/2) that they are the wrong way round, 0 where the row does not say
    row               as it was read
    """

    messages: Conversation
    chosen: str
    rejected: str
    noise: float
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rated:
    """One answer, and whether it is a good one."""

    messages: Conversation
    answer: str
    good: bool
    row: Mapping[str, Any]


def read_preferences(files: Iterable[Path], *, one_class: bool = False) -> list[Preference]:
    """All pairs, in the files' order: `prompt` (text or messages), `chosen` and `rejected` (text, or one turn of the
    assistant), and maybe `noise`.

    one_class  whether pairs may all prefer refusals, or all prefer answers

    Raises `CorpusError` naming file and row: an answer without its counterpart, two equal answers, noise that is none;
    and where only one class is preferred.
    """
    pairs = [_pair(row, f"{file}, {where}") for file in files for where, row in read_records(file)]
    if not one_class:
        check_both_classes((p.messages, p.chosen) for p in pairs)
    return pairs


def read_rated(files: Iterable[Path], *, one_class: bool = False) -> list[Rated]:
    """All rated answers, in the files' order: both answers of each pair, or rows of `prompt`, `completion` and `label`
    (true for a good answer).

    Raises `CorpusError` as `read_preferences` does, and where all answers are good or all are bad.
    """
    rated = [r for file in files for where, row in read_records(file) for r in _rated(row, f"{file}, {where}")]
    if len({r.good for r in rated}) < 2:
        which = "good" if rated[0].good else "bad"
        raise CorpusError(f"all {len(rated)} answers are labelled {which}: there is nothing to tell apart; add others")
    if not one_class:
        check_both_classes((r.messages, r.answer) for r in rated if r.good)
    return rated


def preference_row(asked: Asked, chosen: str, rejected: str, noise: float, why: str) -> dict[str, Any]:
    """In trl's conversational preference format; what stands beside prompt and answers is passed over there."""
    return {
        "prompt": [m._asdict() for m in asked.messages],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
        "noise": noise,
        "teaches": "refuse" if asked.prohibited else "answer",
        "why": why,
        "sample": asked.sample.id,
        "attack": asked.row.get("attack"),
        "family": asked.row.get("family"),
        "category": asked.sample.category,
        "asked": asked.sample.to_json(),
    }


def check_both_classes(preferred: Iterable[tuple[Conversation, str]]) -> None:
    """Raises `CorpusError` where the preferred answers, as our judge reads them, are refusals alone or hold none: the
    first teaches to refuse everything, the second to refuse nothing."""
    refusals = 0
    for number, (messages, answer) in enumerate(preferred, 1):
        refusals += _refuses(messages, answer)
        if 0 < refusals < number:
            return
    if refusals:
        raise CorpusError(
            f"all {refusals} preferred answers are refusals, which teaches to refuse everything; add pairs that prefer "
            "answers to benign requests (`safetydrift train preferences` makes both), or allow it with --one-class"
        )
    raise CorpusError(
        "none of the preferred answers is a refusal, so nothing teaches to refuse; add pairs that prefer refusals of "
        "prohibited requests (`safetydrift train preferences` makes both), or allow it with --one-class"
    )


def _refuses(messages: Conversation, answer: str) -> bool:
    sample = Sample("preferred", messages[-1].content, Intent.PROHIBITED)
    return get_judge("refusal").judge(Exchange(sample, messages, Response(answer))).outcome in _REFUSING


def _pair(row: Mapping[str, Any], where: str) -> Preference:
    messages = _prompt(row, where)
    if missing := [name for name in ("chosen", "rejected") if not row.get(name)]:
        raise CorpusError(
            f"{where}: unpaired, it has no {' and no '.join(missing)} answer; add what is missing, or train on single "
            "answers with `train kto` (prompt, completion, label)"
        )
    chosen, rejected = (_answer(row[name], f"{where}: {name}") for name in ("chosen", "rejected"))
    if chosen.strip() == rejected.strip():
        raise CorpusError(f"{where}: chosen and rejected are the same text, so neither is better; drop the row")
    return Preference(messages, chosen, rejected, _noise(row.get("noise"), where), row)


def _rated(row: Mapping[str, Any], where: str) -> list[Rated]:
    if "completion" not in row:
        pair = _pair(row, where)
        return [Rated(pair.messages, pair.chosen, True, row), Rated(pair.messages, pair.rejected, False, row)]
    label = row.get("label")
    if label not in (True, False):
        raise CorpusError(f"{where}: label must be true for a good answer or false for a bad one, got {label!r}")
    return [Rated(_prompt(row, where), _answer(row["completion"], f"{where}: completion"), bool(label), row)]


def _prompt(row: Mapping[str, Any], where: str) -> Conversation:
    if "prompt" not in row:
        raise CorpusError(f"{where}: no prompt beside the answers; it has {', '.join(map(str, row))}")
    messages = conversation(row["prompt"], "user", f"{where}: prompt")
    if messages[-1].role == "assistant":
        raise CorpusError(f"{where}: the prompt ends with the assistant's turn; put that into both answers")
    return messages


def _answer(value: Any, where: str) -> str:
    turns = conversation(value, "assistant", where)
    if len(turns) != 1 or turns[0].role != "assistant":
        raise CorpusError(f"{where}: must be a text or one turn of the assistant; earlier turns belong to the prompt")
    return turns[0].content


def _noise(value: Any, where: str) -> float:
    if value is None:
        return 0.0
    if not isinstance(value, int | float) or isinstance(value, bool) or not (isfinite(value) and 0 <= value < 0.5):
        raise CorpusError(
            f"{where}: noise must be a number in [0, 0.5), got {value!r}: from a half on, the pair says nothing or the "
            "contrary; swap the answers, or drop the row"
        )
    return float(value)
