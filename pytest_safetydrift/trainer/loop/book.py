"""`loop.json`: what was declared, what every round came to, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pytest_safetydrift import __version__
from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.trainer.files import write_whole
from pytest_safetydrift.trainer.loop.decision import Decision
from pytest_safetydrift.trainer.loop.plan import Plan
from pytest_safetydrift.trainer.loop.round import Round

__all__ = ["FILE", "Book", "open_book"]

FILE = "loop.json"


class Book:
    """The rounds of a loop in its folder; each is on the disk when `keep` returns."""

    def __init__(self, folder: Path, plan: Plan, digest: str, rounds: Sequence[Round] = ()) -> None:
        self.folder, self.plan, self.rounds = folder, plan, list(rounds)
        self._digest = digest

    def keep(self, decision: Decision | None) -> None:
        """Write everything; raises `ReportError` where that cannot be done."""
        row = {
            "version": __version__,
            "plan": self.plan.to_json(),
            "base_digest": self._digest,
            "rules": list(self.plan.rules),
            "decision": None if decision is None else asdict(decision),
            "answer": None if decision is None else self.rounds[decision.answer].checkpoint,
            "rounds": [r.to_json() for r in self.rounds],
        }
        try:
            write_whole(self.folder / FILE, json.dumps(row, indent=1, ensure_ascii=True, allow_nan=False) + "\n")
        except OSError as error:
            raise ReportError(
                f"{self.folder / FILE}: {error}; free some space and give the same command again"
            ) from None


@contextmanager
def open_book(folder: Path, plan: Plan, digest: str) -> Iterator[Book]:
    """A loop's folder, begun or gone on with where the same plan was at it on the same base.

    Raises `UsageError` where another loop stands there, another process is at it, or the folder holds something else;
    `ReportError` where it cannot be read or written.
    """
    from filelock import FileLock, Timeout

    if folder.is_dir() and any(folder.iterdir()) and not (folder / FILE).is_file():
        raise UsageError(f"{folder} exists and holds no loop; name another folder with --out, or move that one away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            book = Book(folder, plan, digest, _rounds(folder / FILE, plan, digest))
            if not book.rounds:
                book.keep(None)
            yield book
    except Timeout:
        raise UsageError(f"{folder}: another process is at this loop; wait for it, or name another --out") from None
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise ReportError(f"{folder}: {error}; name a writable folder with --out") from error


def _rounds(file: Path, plan: Plan, digest: str) -> list[Round]:
    if not file.is_file():
        return []
    try:
        row: dict[str, Any] = json.loads(file.read_text("ascii"))
        told, base, rounds = row["plan"], row["base_digest"], [Round.from_json(r) for r in row["rounds"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReportError(
            f"{file}: not a loop of this package ({type(error).__name__}: {error}); move it away"
        ) from None
    if changed := next((name for name, value in plan.terms.items() if told.get(name) != value), ""):
        said = f"{changed} was {told.get(changed)!r} and is {plan.terms[changed]!r}"
        raise UsageError(f"{file} declares another loop: {said}; name another --out to begin one")
    if base != digest:
        raise UsageError(f"{file}: the files of {plan.base} are others than when it was begun; name another --out")
    return rounds
