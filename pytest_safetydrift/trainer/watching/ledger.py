"""The verdicts on a folder's checkpoints: a file of JSON lines that only grows, and a tag inside a checkpoint."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Lock

from pytest_safetydrift.core.errors import ReportError
from pytest_safetydrift.trainer.watching.complete import TAG
from pytest_safetydrift.trainer.watching.verdict import Verdict

__all__ = ["Ledger", "tag"]


class Ledger:
    """Verdicts by what was judged (`digest`) and by what (`by`). Paths in the file are relative to its folder."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = Lock()

    def rows(self) -> list[Verdict]:
        """Every verdict, in the order of judging. Half a line, left by a kill, is no verdict: it is judged again.

        Raises `ReportError` where the file is there and cannot be read.
        """
        try:
            lines = self._file.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ReportError(
                f"{self._file}: {error}; the verdicts stand in it: move it away or make it readable"
            ) from error
        found = []
        for line in lines:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append(self._here(Verdict.from_json(json.loads(line))))
        return found

    def known(self, digest: str, by: str) -> Verdict | None:
        """The last verdict on the same content by the same question, where asking again would not change it."""
        same = [v for v in self.rows() if (v.digest, v.by) == (digest, by) and v.lasting]
        return same[-1] if same else None

    def add(self, verdict: Verdict) -> None:
        """Append one; it is on the disk when this returns. Raises OSError."""
        root = self._file.parent
        row = replace(verdict, folder=_relative(verdict.folder, root), report=_relative(verdict.report, root))
        line = json.dumps(row.to_json(), ensure_ascii=True, allow_nan=False) + "\n"
        with self._lock, self._file.open("a+b") as file:
            if file.seek(0, os.SEEK_END) and not _ends_a_line(self._file):
                line = "\n" + line
            file.write(line.encode("ascii"))
            file.flush()
            os.fsync(file.fileno())

    def _here(self, verdict: Verdict) -> Verdict:
        root = self._file.parent
        return replace(
            verdict, folder=str(root / verdict.folder), report=str(root / verdict.report) if verdict.report else ""
        )


def tag(verdict: Verdict) -> bool:
    """Write the verdict into the checkpoint's own folder; False where the folder is gone. Raises OSError.

    The tag is no part of the checkpoint's identity, and the folder's own time stays what it was: transformers rotates
    checkpoints by it.
    """
    folder = Path(verdict.folder)
    try:
        status = folder.stat()
    except FileNotFoundError:
        return False
    draft = folder / f".{TAG}.{os.getpid()}"
    try:
        draft.write_text(json.dumps(verdict.to_json(), indent=1, ensure_ascii=True, allow_nan=False) + "\n", "ascii")
        draft.replace(folder / TAG)
        os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
    except FileNotFoundError:  # rotated away in this moment
        return False
    return True


def _relative(path: str, root: Path) -> str:
    return os.path.relpath(path, root) if path and Path(path).is_relative_to(root) else path


def _ends_a_line(file: Path) -> bool:
    with file.open("rb") as f:
        f.seek(-1, os.SEEK_END)
        return f.read(1) == b"\n"
