"""Whether a checkpoint's folder is all there, and whether somebody still writes to it. Nothing heavy is imported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TypeAlias

from pytest_safetydrift.core.errors import CheckpointError, SafetyDriftError
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint, weight_pickles
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.engines.shards import INDEX, check_shards, read_object

__all__ = ["TAG", "Print", "fingerprint", "is_adapter", "lacks", "looks_like_checkpoint", "step_of"]

TAG = "safetydrift.json"
"""The tag that is written into a judged checkpoint."""

Print: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, size, modification time and inode of each file."""

_PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.safetensors")
_LAST_NUMBER = re.compile(r"(\d+)\D*$")
# completeness alone is asked here; what a run may load is the plugin's to refuse, with its own words
_ANYTHING = EngineOptions(allow_pickle=True, trust_remote_code=True)


def is_adapter(folder: Path) -> bool:
    """Whether it holds a LoRA adapter and no model of its own."""
    whole = (folder / "model.safetensors").exists() or (folder / INDEX).exists()
    return (folder / "adapter_config.json").is_file() and not whole


def looks_like_checkpoint(folder: Path) -> bool:
    """Whether a folder is a checkpoint or becomes one; hidden folders and our own ("_safetydrift") are none."""
    if folder.name.startswith((".", "_")) or not folder.is_dir():
        return False
    named = ("config.json", "adapter_config.json")
    return any((folder / name).is_file() for name in named) or any(folder.glob("*.safetensors"))


def lacks(folder: Path) -> str:
    """What keeps the folder from being a whole checkpoint, in words; "" where it is one.

    Every shard that the index, or a shard's own number, speaks of is there and as long as its header says, with a
    configuration, a tokenizer and a chat template; an adapter may take the last two from its base.
    """
    try:
        if is_adapter(folder):
            _check_adapter(folder)
        else:
            check_checkpoint(Checkpoint(folder), _ANYTHING)
        _check_parts(folder)
    except (SafetyDriftError, OSError, ValueError) as error:  # half a file may not even be UTF-8
        return str(error) or type(error).__name__
    return ""


def fingerprint(folder: Path) -> Print:
    """The folder's files as they stand; equal for two looks between which nothing was written. Our tag is left out."""
    found = set()
    for path in folder.rglob("*"):
        try:
            status = path.stat()
        except OSError:
            continue  # it went away between the listing and the look: the next look differs
        if path.name != TAG and not path.is_dir():
            name = str(path.relative_to(folder))
            found.add((name, status.st_size, status.st_mtime_ns, status.st_ino))
    return frozenset(found)


def step_of(name: str) -> int | None:
    """The training step in a folder's name, its last number: 200 for "checkpoint-200"."""
    found = _LAST_NUMBER.search(name)
    return int(found[1]) if found else None


def _check_adapter(folder: Path) -> None:
    read_object(folder / "adapter_config.json")
    if not any(folder.glob("*.safetensors")) and not weight_pickles(folder):
        raise CheckpointError(f"{folder}: there are no adapter weights, no *.safetensors file")
    check_shards(folder)


def _check_parts(folder: Path) -> None:
    """Shards tell by their names how many they are, also before the index is written."""
    found = [m for path in folder.glob("*.safetensors") if (m := _PART.fullmatch(path.name))]
    for stem, total in {(m[1], m[3]) for m in found}:
        here = {int(m[2]) for m in found if (m[1], m[3]) == (stem, total)}
        if absent := sorted(set(range(1, int(total) + 1)) - here):
            raise CheckpointError(
                f"{folder}: {len(absent)} of {int(total)} shards are missing, {stem}-{absent[0]:05}-of-{total} first"
            )
        if not (folder / f"{stem}.safetensors.index.json").is_file():
            raise CheckpointError(f"{folder}: {stem}.safetensors.index.json is missing")
