"""Preferences in the format of hh-rlhf (Bai et al. 2022): two whole dialogues that part at the last answer."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pytest_safetydrift.core.conversation import Conversation, Message
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.preferences.rows import Preference

__all__ = ["is_hh", "read_hh"]

_TURN = re.compile(r"\n\n(Human|Assistant):")
_ROLES: Mapping[str, Literal["user", "assistant"]] = {"Human": "user", "Assistant": "assistant"}


def is_hh(path: Path) -> bool:
    """Whether the first row of a jsonl file, gzipped or not, is of this format."""
    try:
        _, row = next(_rows(path))
    except (CorpusError, StopIteration):
        return False
    chosen = row.get("chosen")
    return "prompt" not in row and isinstance(chosen, str) and chosen.startswith("\n\nHuman:")


def read_hh(path: Path) -> tuple[list[Preference], dict[str, int]]:
    """The pairs, and how many rows were left out by reason: such files hold some that are no pairs.

    A row does not say whether its question is prohibited, so none of what is learnt of it says so either; its category
    is the file's name. Raises `CorpusError` for a file that cannot be read, that holds no such row, or no pair.
    """
    pairs: list[Preference] = []
    left_out: Counter[str] = Counter()
    for where, row in _rows(path):
        made = _pair(row, path, where)
        if isinstance(made, str):
            left_out[made] += 1
        else:
            pairs.append(made)
    if not pairs:
        raise CorpusError(f"{path}: no row is a pair ({dict(left_out)}); name a file of preferences")
    return pairs, dict(left_out)


def _pair(row: Mapping[str, Any], path: Path, where: str) -> Preference | str:
    """The pair, or why there is none."""
    texts = [row.get(name) for name in ("chosen", "rejected")]
    if not all(isinstance(t, str) and t.startswith("\n\nHuman:") for t in texts):
        raise CorpusError(f"{path}, {where}: chosen and rejected must be dialogues that begin with '\\n\\nHuman:'")
    chosen, rejected = (_turns(str(text)) for text in texts)
    if chosen[:-1] != rejected[:-1] or chosen[-1].role != "assistant" or rejected[-1].role != "assistant":
        return "the dialogues part before the last answer"
    if not all(turn.content for turn in (*chosen, *rejected)):
        return "an empty turn"
    if any(a.role == b.role for a, b in pairwise(chosen)):
        return "two turns of one speaker in a row"
    if chosen == rejected:
        return "both answers are the same"
    return Preference(chosen[:-1], chosen[-1].content, rejected[-1].content, 0.0, {"category": path.name.split(".")[0]})


def _turns(text: str) -> Conversation:
    parts = _TURN.split(text)[1:]
    return tuple(Message(_ROLES[name], content.strip()) for name, content in zip(parts[::2], parts[1::2], strict=True))


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"line {number}", _row(json.loads(line))
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read as jsonl: {error}; download it again") from error


def _row(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a row is an object, this is {type(value).__name__}")
    return value
