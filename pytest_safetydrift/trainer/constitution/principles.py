"""Principles: what an answer is criticised for and how it is to be written anew, read from a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

from pytest_safetydrift.core.errors import UsageError, closest

__all__ = ["BUILT_IN", "Applies", "Principle", "choose_principles", "read_principles"]

BUILT_IN = Path(__file__).with_name("principles.toml")
"""A short set of our own."""


class Applies(StrEnum):
    """To answers to which questions."""

    PROHIBITED = "prohibited"
    BENIGN = "benign"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Principle:
    """One rule of the constitution (Bai et al. 2022, section 3.1), in words for the teacher.

    compare  the question that two answers are compared by, "" to ask of which one the critique has less to say
    """

    id: str
    applies: Applies
    critique: str
    revision: str
    compare: str = ""

    @property
    def question(self) -> str:
        """What two answers are compared by."""
        return self.compare or f"Of which answer is there less to be said under this point? {self.critique}"

    def is_for(self, prohibited: bool) -> bool:
        """Whether it applies to answers to such a question."""
        return self.applies is Applies.ALL or (self.applies is Applies.PROHIBITED) is prohibited


_KEYS = tuple(f.name for f in fields(Principle))
_NEEDED = ("id", "applies", "critique", "revision")


def read_principles(file: Path = BUILT_IN) -> tuple[Principle, ...]:
    """The principles of a TOML file, one `[[principle]]` each.

    Raises `UsageError` naming file, principle and key: an unknown key, one that is missing or no text, an id that comes
    twice, or a kind of question that no principle applies to.
    """
    try:
        row = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"principles {file}: {error}; write one [[principle]] for each") from error
    for key in row.keys() - {"principle"}:
        raise UsageError(f"principles {file}: unknown key {key!r}; {closest(key, ['principle'])}")
    rows = row.get("principle")
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise UsageError(f"principles {file}: there is none; write one [[principle]] for each")
    found = tuple(_principle(r, f"principles {file}, number {number}") for number, r in enumerate(rows, 1))
    _check(found, file)
    return found


def choose_principles(principles: Sequence[Principle], prohibited: bool, count: int, r: Random) -> list[Principle]:
    """At most `count` of those that apply, drawn by chance."""
    fitting = [p for p in principles if p.is_for(prohibited)]
    return r.sample(fitting, min(count, len(fitting)))


def _principle(row: Mapping[str, Any], where: str) -> Principle:
    where = f"{where} ({row['id']})" if isinstance(row.get("id"), str) else where
    for key, value in row.items():
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}; {closest(key, _KEYS)}")
        if not isinstance(value, str) or not value.strip():
            raise UsageError(f"{where}: {key} must be a text that says something, got {value!r}")
    if missing := [key for key in _NEEDED if key not in row]:
        raise UsageError(f"{where}: missing {', '.join(missing)}")
    try:
        applies = Applies(row["applies"])
    except ValueError:
        known = closest(row["applies"], Applies)
        raise UsageError(f"{where}: applies to no such questions: {row['applies']!r}; {known}") from None
    return Principle(**{**{key: value.strip() for key, value in row.items()}, "applies": applies})


def _check(principles: Sequence[Principle], file: Path) -> None:
    ids = [p.id for p in principles]
    if double := next((i for i in ids if ids.count(i) > 1), ""):
        raise UsageError(f"principles {file}: {double!r} comes twice; give each an id of its own")
    for prohibited, name in ((True, "prohibited"), (False, "benign")):
        if not any(p.is_for(prohibited) for p in principles):
            raise UsageError(f"principles {file}: none applies to {name} questions; add one, or let one apply to all")
