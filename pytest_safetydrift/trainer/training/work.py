"""The folder that training works in, beside where its checkpoint will be: whole steps to go on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.trainer.files import check_new, read_or_empty, write_whole
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all

__all__ = ["WHOLE", "Fitted", "Reached", "Work", "last_whole", "numbered", "open_work"]

WHOLE = "whole.json"
"""In the folder of a step once all of it is on the disk and its weights are finite; holds the sizes of its files."""
_STATE = "work.json"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a method says of the checkpoint that it left.

    steps     optimiser steps
    tokens    that gradients were taken over or that were generated, all in all
    attacks   ids of attacks that it was taught to refuse under; None where the data do not say
    families  their families, of which none counts as held out
    log       one row a step: what the loop logged
    facts     whatever else the card shall say
    said      a line for people at the end, "" for none
    """

    steps: int
    tokens: int
    attacks: tuple[str, ...] | None = None
    families: tuple[str, ...] = ()
    log: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""


class Reached(NamedTuple):
    """What unfinished work can be gone on from, in words, and the folder that holds it."""

    what: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Work:
    """An open folder.

    base    the checkpoint that training starts from
    folder  holds all of it; gone when the checkpoint is published
    files   SHA-256 of the data by path
    """

    base: Base
    folder: Path
    files: Mapping[str, str]

    @property
    def steps(self) -> Path:
        """Holds checkpoint-N folders, as transformers names them."""
        return self.folder / "steps"

    @property
    def result(self) -> Path:
        """The finished checkpoint's place until it is published."""
        return self.folder / "result"

    @property
    def kept(self) -> Path:
        """Files that are published beside the weights: critiques, readings, attributions."""
        return self.folder / "kept"

    def last_whole(self) -> Path | None:
        """The last step that can be gone on from."""
        return last_whole(self.steps)

    def reached(self) -> Reached | None:
        """How far it is; None where nothing is there that would be lost."""
        return _reached(self.folder)


def last_whole(steps: Path) -> Path | None:
    """The last whole checkpoint-N folder in `steps`; None without any. A step whose files are not those that were
    marked, as a half-copied or truncated one, is passed over."""
    return next((step for step in reversed(numbered(steps).values()) if _is_whole(step)), None)


def numbered(steps: Path) -> dict[int, Path]:
    """The checkpoint-N folders in `steps` by N, the lowest first."""
    named = ((path.name.removeprefix("checkpoint-"), path) for path in steps.glob("checkpoint-*"))
    return dict(sorted((int(number), path) for number, path in named if number.isdecimal()))


def _is_whole(step: Path) -> bool:
    try:
        sizes = json.loads((step / WHOLE).read_text("utf-8"))
        return bool(sizes) and all((step / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def open_work(base: Base, out: Path, config: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[Work]:
    """The work for `out`: begun, or gone on with where the same method was at it on the same base and data.

    What another start left is taken over where it holds nothing: no whole step, no answers, no file that was kept.

    config  the method's name and fields
    files   SHA-256 of the data by path

    Raises `UsageError` where other work stands there or another process is at it, and `ReportError` where the folder
    cannot be written.
    """
    from filelock import FileLock, Timeout

    check_new(out)
    folder = out.with_name(f"{out.name}.training")
    state = {"base": base.digest, "config": dict(config), "files": dict(files)}
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        if is_first():
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            _claim(folder, state)
    except Timeout:
        raise UsageError(f"{folder}: another process is training there; wait for it, or name another --out") from None
    except OSError as error:
        raise ReportError(f"{folder}: {error}; name a writable folder with --out") from error
    wait_for_all()
    try:
        yield Work(base, folder, files)
    finally:
        if is_first():
            lock.release()
            Path(lock.lock_file).unlink(missing_ok=True)


def _claim(folder: Path, state: Mapping[str, Any]) -> None:
    place = folder / _STATE
    folder.mkdir(exist_ok=True)
    found = read_or_empty(place)
    if found != state:
        if _reached(folder):
            raise UsageError(
                f"{folder} holds unfinished work of another kind: {_difference(found, state)}; remove it to begin anew"
            )
        write_whole(place, json.dumps(state, indent=1) + "\n")
    for half in (folder / "steps").glob("checkpoint-*"):
        if not _is_whole(half):
            shutil.rmtree(half)
    shutil.rmtree(folder / "result", ignore_errors=True)


def _reached(folder: Path) -> Reached | None:
    """The step that was saved last, in whichever round, or else what was made before any; halves count for nothing."""
    saved = [step for steps in (folder / "steps", *folder.glob("*/steps")) if (step := last_whole(steps))]
    if saved:
        last = max(saved, key=lambda step: (step / WHOLE).stat().st_mtime)
        return Reached(last.name.replace("checkpoint-", "step "), last.parent.parent)
    # beside its checkpoints trl leaves a page about the model in `steps`
    files = (path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir())
    prepared = any(file != Path(_STATE) and "steps" not in file.parts for file in files)
    return Reached("what was prepared", folder) if prepared else None


def _difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first thing that is not the same, in words."""
    if not found:
        return "what it was begun with cannot be read"
    if found.get("base") != wanted["base"]:
        return "the base's files are others"
    if found.get("files") != wanted["files"]:
        return "the data are others"
    old, new = found.get("config", {}), wanted["config"]
    name = next((n for n in new if old.get(n) != new[n]), "config")
    return f"{name} was {old.get(name)!r} and is {new.get(name)!r}"
