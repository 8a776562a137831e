"""Answers to learn: chosen questions, rows of both kinds in balance, and files that a killed run finds again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pytest_safetydrift.core.errors import CorpusError, TrainingError
from pytest_safetydrift.trainer.files import write_whole
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.work import Work

__all__ = ["LEARNT", "Row", "balanced", "choose_questions", "learnt_row", "once", "write_rows"]

LEARNT = "learnt.jsonl"
"""The rows that were learnt, as `train data` writes them; lies beside the weights."""

Row = Mapping[str, Any]


class Balanced(NamedTuple):
    """Rows of both kinds in random order, and how many were left out for balance."""

    rows: list[Row]
    left_out: int


def choose_questions(asked: Sequence[Asked], count: int, seed: int) -> list[Asked]:
    """So many of them, drawn by chance, half prohibited and half not as far as there are; all where `count` is 0.

    Raises `CorpusError` where one kind is missing: a model that learns its answers to one kind alone learns one answer
    to everything.
    """
    kinds = {kind: [a for a in asked if a.prohibited is kind] for kind in (True, False)}
    for kind, name, teaches in ((True, "prohibited", "refuse"), (False, "benign", "answer")):
        if not kinds[kind]:
            raise CorpusError(
                f"no question of the data is {name} (`teaches` {teaches}), and answers to one kind teach one answer to "
                "everything; add some, as `safetydrift train data` does"
            )
    if not count or count >= len(asked):
        return list(asked)
    r = Random(f"questions/{seed}")
    fewer = min(kinds.values(), key=len)
    half = min(len(fewer), max(1, count // 2))
    other = kinds[not fewer[0].prohibited]
    return r.sample(fewer, half) + r.sample(other, min(len(other), max(1, count - half)))


def learnt_row(asked: Asked, answer: str, why: str) -> Row:
    """A row of training data; `why` says whose answer it is."""
    kept = {key: asked.row[key] for key in ("corpus", "attack", "family") if key in asked.row}
    return {
        "prompt": [m._asdict() for m in asked.messages],
        "completion": [{"role": "assistant", "content": answer}],
        "teaches": "refuse" if asked.prohibited else "answer",
        "sample": asked.sample.id,
        **kept,
        "category": asked.sample.category,
        "asked": asked.sample.to_json(),
        "why": why,
    }


def balanced(refusing: Sequence[Row], answering: Sequence[Row], balance: float, seed: int) -> Balanced:
    """`balance` rows that answer for each that refuses, what is too many of one kind left out by chance; all rows where
    it is 0. Neither kind is left out wholly."""
    r = Random(f"balance/{seed}")
    total = len(refusing) + len(answering)
    if balance:
        kept = min(len(refusing), max(1, int(len(answering) / balance)))
        refusing = r.sample(refusing, kept)
        answering = r.sample(answering, min(len(answering), max(1, round(kept * balance))))
    rows = [*refusing, *answering]
    r.shuffle(rows)
    return Balanced(rows, total - len(rows))


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """As ASCII lines of JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))


def once(work: Work, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returned, which the first process calls, in this try or in an earlier one; all processes call this.

    Files that `make` writes are whole when it returns. Raises `TrainingError` where the disk is full.
    """
    place = work.folder / f"{name}.json"
    if is_first() and not place.exists():
        try:
            write_rows(place, [make()])
        except OSError as error:
            raise TrainingError(f"{work.folder}: {error}; free some space and give the same command again") from error
    wait_for_all()
    found: dict[str, Any] = json.loads(place.read_text("ascii"))
    return found
