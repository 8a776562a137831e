"""A run, opened again: its record, the prompts that it asked, and where its answers are. No model is loaded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pytest_safetydrift.core.engine import Identity
from pytest_safetydrift.core.errors import ReportError, StoreError
from pytest_safetydrift.core.fields import FieldMapping
from pytest_safetydrift.core.record import CheckpointEntry, RunRecord
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.execution.job import Key
from pytest_safetydrift.execution.resolve import Setting, choose_worlds
from pytest_safetydrift.execution.store import Store

__all__ = ["key_of", "open_answers", "read_run", "worlds_of"]


def read_run(place: Path) -> tuple[RunRecord, bytes]:
    """The record of a run's folder or record.json, and the bytes of its file; raises `ReportError` where it is none."""
    file = place / "record.json" if place.is_dir() else place
    try:
        octets = file.read_bytes()
        return RunRecord.loads(octets.decode(), where=str(file)), octets
    except FileNotFoundError:
        what = f"{place} holds no record.json" if place.is_dir() else f"no such run: {place}"
        raise ReportError(f"{what}; name the folder of a run (--safetydrift-report) or its record.json") from None
    except (OSError, UnicodeDecodeError) as e:
        raise ReportError(f"{file}: {e}; name the folder of a run or its record.json") from e


def open_answers(folder: Path) -> Store:
    """The store in a folder; raises `StoreError` where there is none, in place of making one."""
    file = folder / "answers.sqlite"
    if not file.is_file():
        raise StoreError(f"{file}: no such store; name the folder that the run used with --store")
    return Store(file)


def worlds_of(record: RunRecord, corpora: Iterable[str], root: Path) -> dict[str, World]:
    """The prompts of each checkpoint, as the run found them; paths among `corpora` are read from `root`."""
    columns = next((c.engine["fields"] for c in record.checkpoints if c.engine.get("fields")), None)
    mapping = None if columns is None else FieldMapping.from_json(columns)
    references = [Reference.parse(c.reference) for c in record.checkpoints]
    return choose_worlds(references, Setting(EngineOptions(), mapping, tuple(dict.fromkeys(corpora)), root))


def key_of(entry: CheckpointEntry) -> Key:
    """Where the answers of a record's checkpoint are in the store."""
    return Identity(entry.digest, entry.engine, by_sample=entry.engine.get("name") == "recorded").keys()
