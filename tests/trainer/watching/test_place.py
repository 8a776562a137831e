"""Files set aside: what rotation cannot take away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.watching.place import Place
from tests.trainer.watching.conftest import remove

Save = Callable[[int], Path]


def identity(folder: Path) -> str:
    return checkpoint_identity(Checkpoint(folder), EngineOptions())


def test_what_is_set_aside_outlives_the_original(save: Save, runs: Path) -> None:
    """The same name and content, no second copy on the disk, no training state; `discard` leaves nothing."""
    folder = save(10)
    before, inode = identity(folder), (folder / "model.safetensors").stat().st_ino
    aside = Place(runs).set_aside(folder)
    assert (aside.name, (aside / "model.safetensors").stat().st_ino) == ("checkpoint-10", inode)
    assert not (aside / "optimizer.pt").exists()
    remove(folder)
    assert identity(aside) == before
    Place(runs).discard(aside)
    assert not aside.parent.exists()


def test_without_hard_links_it_is_copied(save: Save, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none gets copies of the same content."""

    def refused(*_: object) -> None:
        raise OSError("no hard links here")

    monkeypatch.setattr(os, "link", refused)
    folder = save(10)
    aside = Place(runs).set_aside(folder)
    assert identity(aside) == identity(folder)
    assert (aside / "config.json").stat().st_ino != (folder / "config.json").stat().st_ino


def test_links_into_a_cache_are_followed(save: Save, runs: Path, tmp_path: Path) -> None:
    """A weight file that is a symbolic link is set aside as the file itself."""
    folder = save(10)
    kept = tmp_path / "blob"
    (folder / "model.safetensors").rename(kept)
    (folder / "model.safetensors").symlink_to(kept)
    aside = Place(runs).set_aside(folder)
    kept.unlink()
    assert not (aside / "model.safetensors").is_symlink()
    assert (aside / "model.safetensors").stat().st_size > 0


def test_a_folder_that_is_gone_leaves_nothing_behind(runs: Path) -> None:
    """Rotated away in the wrong moment: an error, and no half of a copy."""
    with pytest.raises(OSError, match="checkpoint-9"):
        Place(runs).set_aside(runs / "checkpoint-9")
    assert not list((runs / "_safetydrift").glob("scratch/*/*"))


def test_sweep_removes_what_the_dead_left(save: Save, runs: Path) -> None:
    """Files of a process that is gone; those of a living one, and of another machine, stay."""
    place = Place(runs)
    aside = place.set_aside(save(10))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = place.own / "scratch" / f"{socket.gethostname()}-{gone.pid}" / "x"
    elsewhere = place.own / "scratch" / f"another-machine-{gone.pid}" / "x"
    for folder in (left, elsewhere):
        folder.mkdir(parents=True)
    place.sweep()
    assert (aside.is_dir(), left.exists(), elsewhere.is_dir()) == (True, False, True)


def test_a_report_folder_holds_no_earlier_record(runs: Path) -> None:
    """What an earlier run left cannot be read as this one's."""
    place = Place(runs)
    folder = place.report("checkpoint-10", "a" * 64, "b" * 64)
    (folder / "record.json").write_text("{}")
    assert place.report("checkpoint-10", "a" * 64, "b" * 64) == folder
    assert not (folder / "record.json").exists()
    assert place.report("checkpoint-10", "c" * 64, "b" * 64) != folder
