"""Files of the trainer: read leniently, written whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError

__all__ = ["check_new", "publish", "read_or_empty", "write_whole"]


def check_new(out: Path) -> None:
    """Raises `UsageError` where there is something already: nothing is written over."""
    if out.exists():
        raise UsageError(f"{out} exists; name another folder with --out, or move that one away")


def read_or_empty(place: Path) -> dict[str, Any]:
    """The JSON object in a file, {} where there is none that can be read."""
    try:
        found = json.loads(place.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_whole(place: Path, text: str, *, errors: str = "strict") -> None:
    """Write a file by a rename, so that a kill or a full disk leaves no half of it; raises OSError."""
    draft = place.with_name(f".{place.name}.part")
    try:
        draft.write_text(text, encoding="utf-8", errors=errors, newline="\n")
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def publish(files: Mapping[str, str], out: Path) -> None:
    """Make the folder with these texts by their names, "/" in them being folders; raises OSError.

    It is filled beside its place and renamed: a full disk or a kill leaves no half of it.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / out.name
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
        folder.rename(out)
