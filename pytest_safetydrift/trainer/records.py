"""The rows of a file of training data as they stand, nested columns and all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from pytest_safetydrift.core.canonical import canonical_json
from pytest_safetydrift.core.errors import CorpusError, closest
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.corpora.table import parquet_items, read_table

__all__ = ["Record", "read_records"]

Record: TypeAlias = dict[str, Any]


def read_records(path: Path) -> list[tuple[str, Record]]:
    """(place for people, row) of a jsonl, csv or parquet file, in its order; every value is one that JSON has.

    Dates and decimals of a parquet file become text. Raises `CorpusError` naming file, line and what to do: no such
    file, an unknown extension, a row that cannot be read, a key given twice, NaN, bytes, or no row at all.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise CorpusError(f"{path}: unknown kind of file {path.suffix!r}; {closest(path.suffix, _READERS)}")
    if not path.is_file():
        raise CorpusError(f"{path}: no such file; name a file of training data")
    try:
        rows = list(read(path))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not rows:
        raise CorpusError(f"{path}: no rows; there is nothing to train on")
    return rows


def _csv(path: Path) -> Iterator[tuple[str, Record]]:
    return ((row.where, dict(row.cells)) for row in read_table(path).rows)


def _jsonl(path: Path) -> Iterator[tuple[str, Record]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):  # U+2028 and its like may stand in a prompt
        if line.strip():
            yield f"line {number}", _object(line, f"{path}, line {number}")


def _object(line: str, where: str) -> Record:
    try:
        row = json.loads(line, object_pairs_hook=_unique)
        canonical_json(row)
    except CorpusError as error:
        raise CorpusError(f"{where}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not JSON that can be hashed: {one_line(str(error))}") from None
    if not isinstance(row, dict):
        raise CorpusError(f"{where}: an object is wanted, this is {type(row).__name__}")
    return row


def _unique(pairs: list[tuple[str, Any]]) -> Record:
    """A key given twice reads one way here and another way in a trainer: a place to hide."""
    row = dict(pairs)
    if len(row) != len(pairs):
        raise CorpusError("a key is given twice in one object; keep one")
    return row


def _parquet(path: Path) -> Iterator[tuple[str, Record]]:
    return ((f"row {n}", _plain(item, f"{path}, row {n}")) for n, item in enumerate(parquet_items(path), start=1))


def _plain(value: Any, where: str) -> Any:
    """A parquet value as JSON spells it."""
    if isinstance(value, dict):
        return {str(key): _plain(item, where) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, where) for item in value]
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        raise CorpusError(f"{where}: holds {type(value).__name__} that JSON has no word for; make it text or null")
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


_READERS = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}
