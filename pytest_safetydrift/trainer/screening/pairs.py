"""Training pairs: what is asked, and the answer that shall be learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pytest_safetydrift.core.canonical import canonical_json, digest
from pytest_safetydrift.core.conversation import Conversation, Message, assistant, user
from pytest_safetydrift.core.errors import CorpusError, closest
from pytest_safetydrift.trainer.records import Record, read_records

__all__ = ["Columns", "Pair", "Scorer", "make_pairs", "read_pairs"]

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column means what; a pair is read from `messages` where there is no `prompt` with a `completion`.

    label, source   "" reads none; None reads the column of that name where the file has one
    """

    prompt: str = "prompt"
    completion: str = "completion"
    messages: str = "messages"
    label: str | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """One row.

    row         its number, from 0, in the file's order
    where       its place for people: "line 7"
    sha256      digest of the row's canonical JSON
    messages    all turns before the answer
    completion  the answer that is learned
    label       what the file says about it, "" for nothing; see `flips.read_label`
    source      where the file says it comes from, "" where it does not
    fault       why the row is no pair, "" where it is one; then `messages` and `completion` may be empty
    record      the row as the file has it
    """

    row: int
    where: str
    sha256: str
    messages: Conversation = ()
    completion: str = ""
    label: str = ""
    source: str = ""
    fault: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """The texts of all turns before the answer, a line break between them."""
        return "\n".join(m.content for m in self.messages)


class Scorer(Protocol):
    """A base model's word on pairs, in whatever way the caller asks it."""

    def __call__(self, pairs: Sequence[Pair], /) -> Sequence[float]:
        """By pair, in order, the mean negative log-likelihood of the completion's tokens after the messages, in nats
        per token; NaN for one that could not be scored."""
        ...


def read_pairs(path: Path, columns: Columns | None = None) -> tuple[Pair, ...]:
    """Every row of a jsonl, csv or parquet file; a row that is no pair is kept, with its fault.

    A prompt is text or a list of chat messages, and so is a completion (trl's two formats); a `messages` column holds
    both, the answer last. Raises `CorpusError` as `read_records` does, and for a column that is not there.
    """
    return make_pairs(read_records(path), columns, where=str(path))


def make_pairs(
    rows: Sequence[tuple[str, Record]], columns: Columns | None = None, *, where: str = "pairs"
) -> tuple[Pair, ...]:
    """Pairs of (place, row); see `read_pairs`."""
    wanted = columns or Columns()
    there = tuple(dict.fromkeys(name for _, row in rows for name in row))
    both = wanted.prompt in there and wanted.completion in there
    if not both and wanted.messages not in there:
        missing = wanted.prompt if wanted.prompt not in there else wanted.completion
        raise CorpusError(
            f"{where}: no column {missing!r}, and none {wanted.messages!r} in its place; {closest(missing, there)}"
        )
    label, source = (
        _optional(name, usual, there, where) for name, usual in ((wanted.label, "label"), (wanted.source, "source"))
    )
    return tuple(_pair(n, place, row, wanted, both, (label, source)) for n, (place, row) in enumerate(rows))


def _optional(name: str | None, usual: str, there: Sequence[str], where: str) -> str:
    """The column to read, "" for none."""
    if name is None:
        return usual if usual in there else ""
    if name and name not in there:
        raise CorpusError(f"{where}: no column {name!r}; {closest(name, there)}")
    return name


def _pair(n: int, place: str, row: Record, columns: Columns, both: bool, told: tuple[str, str]) -> Pair:
    label, source = (_text(row.get(name)) if name else "" for name in told)
    try:
        if both:
            turns = _turns(row.get(columns.prompt), columns.prompt, "user")
            answer = _turns(row.get(columns.completion), columns.completion, "assistant")
        else:
            *turns, last = _turns(row.get(columns.messages), columns.messages, "")
            answer = [last]
        messages, completion = _checked(turns, answer)
    except ValueError as error:
        return Pair(n, place, digest(row), label=label, source=source, fault=str(error), record=row)
    return Pair(n, place, digest(row), messages, completion, label, source, record=row)


def _turns(value: object, column: str, role: str) -> list[Message]:
    """The messages of a cell: those of its list, or its text as one turn of `role`; ValueError where it is neither."""
    if isinstance(value, str) and role:
        return [assistant(value) if role == "assistant" else user(value)]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{column} is {_kind(value)}, and no {'text or ' if role else ''}list of messages")
    turns = []
    for item in value:
        said, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (None, None)
        if said not in _ROLES or not isinstance(content, str):
            raise ValueError(f"{column} holds a turn without a known role ({', '.join(_ROLES)}) or without text")
        turns.append(Message(said, content))
    return turns


def _checked(turns: Sequence[Message], answer: Sequence[Message]) -> tuple[Conversation, str]:
    if not any(m.role == "user" and m.content.strip() for m in turns):
        raise ValueError("no user's turn with text before the answer")
    if any(m.role != "assistant" for m in answer):
        raise ValueError("the answer is not the assistant's turn")
    completion = "\n".join(m.content for m in answer)
    if not completion.strip():
        raise ValueError("the answer is empty")
    return tuple(turns), completion


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else canonical_json(value)


def _kind(value: object) -> str:
    return "missing" if value is None else type(value).__name__
