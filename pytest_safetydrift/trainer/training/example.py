"""Examples: chats to learn answers from, read from files of training data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.conversation import Conversation, Message
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.records import read_records

__all__ = ["PREFERENCES", "TRAIN", "Example", "conversation", "files_of", "read_examples", "sha256_of"]

TRAIN = "train.jsonl"
"""The file that is meant where the folder of a training set is named."""
PREFERENCES = "preferences.jsonl"
"""The same, of a folder of preferences."""
_CLEAN = "clean.jsonl"
_MAKERS = {TRAIN: "data", PREFERENCES: "preferences"}
"""Commands of `train` by the file that their folders stand for."""
_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Example:
    """A chat with what is to be learnt of it.

    messages  up to the answer; where `answer` is None the whole chat, and every turn of the assistant is learnt
    answer    the completion
    row       the row that it was read from, with whatever else it says
    """

    messages: Conversation
    answer: str | None
    row: Mapping[str, Any]


def files_of(places: Sequence[Path], name: str = TRAIN) -> tuple[Path, ...]:
    """The files; a folder stands for the `name` in it. Raises `CorpusError` where there is none."""
    return tuple(_file_of(place, name) for place in places)


def _file_of(place: Path, name: str) -> Path:
    file = place / name if place.is_dir() else place
    if file.is_file():
        return file
    if (clean := place / _CLEAN).is_file():
        raise CorpusError(
            f"{file}: no such file; of a folder of `safetydrift train screen` name {_CLEAN} in it: {clean}"
        )
    others = [f"{other}, of `train {maker}`" for other, maker in _MAKERS.items() if (place / other).is_file()]
    held = f" (the folder holds {' and '.join(others)}, which other methods learn from)" if others else ""
    raise CorpusError(
        f"{file}: no such file{held}; make one with `safetydrift train {_MAKERS[name]}`, or name yours with --data"
    )


def sha256_of(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file's bytes by its path."""
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def read_examples(files: Iterable[Path]) -> list[Example]:
    """All rows, in the files' order: `prompt` and `completion` (texts or messages), or `messages` as a whole.

    Raises `CorpusError` naming file and row: none of these columns, a last turn that is no answer, an empty answer.
    """
    return [_example(row, f"{file}, {where}") for file in files for where, row in read_records(file)]


def _example(row: Mapping[str, Any], where: str) -> Example:
    if "prompt" in row and "completion" in row:
        messages = conversation(row["prompt"], "user", f"{where}: prompt")
        answer = conversation(row["completion"], "assistant", f"{where}: completion")
        if len(answer) != 1 or answer[0].role != "assistant":
            raise CorpusError(f"{where}: completion must be one turn of the assistant; whole chats go under `messages`")
        if messages[-1].role == "assistant":
            raise CorpusError(f"{where}: the prompt ends with the assistant's turn; put that into the completion")
        return Example(messages, answer[0].content, row)
    if "messages" in row:
        messages = conversation(row["messages"], "user", f"{where}: messages")
        if messages[-1].role != "assistant" or len(messages) < 2:
            raise CorpusError(f"{where}: messages must end with the assistant's answer to learn")
        return Example(messages, None, row)
    raise CorpusError(f"{where}: neither prompt and completion nor messages; it has {', '.join(map(str, row))}")


def conversation(value: Any, role: str, where: str) -> Conversation:
    """A text as one turn of `role`, or chat messages. Raises `CorpusError`; no turn may be empty."""
    if isinstance(value, str):
        value = [{"role": role, "content": value}]
    if not isinstance(value, list) or not value:
        raise CorpusError(f"{where}: must be a text or a list of messages")
    turns = []
    for turn in value:
        if not isinstance(turn, dict) or turn.get("role") not in _ROLES or not isinstance(turn.get("content"), str):
            raise CorpusError(f"{where}: a message is an object with role ({', '.join(_ROLES)}) and content, a text")
        if not turn["content"].strip():
            raise CorpusError(f"{where}: an empty turn of the {turn['role']} teaches nothing; write it or drop the row")
        turns.append(Message(turn["role"], turn["content"]))
    return tuple(turns)
