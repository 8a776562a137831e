"""From a reference to directories on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_safetydrift.core.errors import BadReferenceError, CheckpointError, closest
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines.checkpoint import Checkpoint

__all__ = ["locate"]

_WANTED = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt", "*.tiktoken", "*.py"]


def locate(reference: Reference, directory: Path | None = None, *, allow_pickle: bool = False) -> Checkpoint:
    """The checkpoint's directories; a hub model is taken from the local cache or downloaded into it.

    `directory` stands in for the reference's own place (the resolved directory of a `demo:` name), not for its adapter.
    Raises `BadReferenceError` where there is no such place and `CheckpointError` where a download fails.
    """
    whole = Path(reference.text)
    if directory is None and whole.is_dir():  # a directory may have "@" or "+" in its name
        return Checkpoint(whole)
    base = directory or _place(reference.place, reference.revision, allow_pickle)
    return Checkpoint(base, _place(reference.adapter, "", allow_pickle) if reference.adapter else None)


def _place(place: str, revision: str, allow_pickle: bool) -> Path:
    path = Path(place).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        raise CheckpointError(f"{place} is a file; a checkpoint is the directory that holds config.json and weights")
    looks_local = place.startswith((".", "~", os.sep)) or place.count("/") != 1
    if looks_local or (path.parent.is_dir() and not revision and path.parent.name not in ("", ".")):
        raise BadReferenceError(f"no such checkpoint directory: {place}{_neighbours(path)}")
    return _snapshot(place, revision, allow_pickle)


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    folders = sorted(p.name for p in path.parent.iterdir() if p.is_dir() and not p.name.startswith("."))
    return f"; in {path.parent}: {closest(path.name, folders[:20])}" if folders else ""


def _snapshot(name: str, revision: str, allow_pickle: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(f"{name}: hub models need: pip install 'pytest-safetydrift[local]'") from None
    wanted = [*_WANTED, "*.bin"] if allow_pickle else _WANTED
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=wanted, local_files_only=True))
    except (OSError, ValueError):
        pass  # not in the cache yet
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=wanted))
    except Exception as error:  # noqa: BLE001  the hub client raises httpx's errors, its own and OSError
        at = f" --revision {revision}" if revision else ""
        raise CheckpointError(
            f"{name} is no directory here, and it cannot be had from the hub ({type(error).__name__}); "
            f"where there is a network run: hf download {name}{at}"
        ) from None
