"""Where watching keeps what it makes, beside the checkpoints; and copies that no rotation can take away."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place"]

_STATE = (
    "optimizer",
    "scheduler",
    "training_args",
    "trainer_state",
    "rng_state",
    "scaler",
    "events.out",
    "safetydrift",
)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that checkpoints are saved in.

    What stands in its `_safetydrift` (an underscore keeps transformers from pushing it to a hub) can be deleted when
    nothing is judged; the file of verdicts is what a restart goes on from.
    """

    folder: Path

    @property
    def verdicts(self) -> Path:
        """One JSON line a verdict."""
        return self.folder / "safetydrift_verdicts.jsonl"

    @property
    def own(self) -> Path:
        """Everything else that watching makes."""
        return self.folder / "_safetydrift"

    def report(self, name: str, digest: str, by: str) -> Path:
        """The report's folder for a checkpoint, empty of any earlier record. Raises OSError."""
        folder = self.own / "reports" / f"{name}-{digest[:8]}-{by[:4]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "record.json").unlink(missing_ok=True)
        return folder

    def set_aside(self, checkpoint: Path) -> Path:
        """A folder of the same name with the checkpoint's files, as hard links where the file system has them.

        Files of training state stay behind. It stays whole when the original is deleted; `discard` it. Raises OSError.
        """
        target = self._scratch / uuid.uuid4().hex / checkpoint.name
        target.mkdir(parents=True)
        try:
            for file in sorted(checkpoint.iterdir()):
                if file.is_file() and not file.name.startswith(_STATE):
                    _link(file.resolve(), target / file.name)
        except BaseException:
            self.discard(target)
            raise
        return target

    def discard(self, aside: Path) -> None:
        """Remove what `set_aside` made."""
        shutil.rmtree(aside.parent, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what processes of this machine left behind when they were killed."""
        for folder in (self.own / "scratch").glob(f"{socket.gethostname()}-*"):
            number = folder.name.rpartition("-")[2]
            if number.isdigit() and not _alive(int(number)):
                shutil.rmtree(folder, ignore_errors=True)

    @property
    def _scratch(self) -> Path:
        return self.own / "scratch" / f"{socket.gethostname()}-{os.getpid()}"


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system behind a symbolic link, or one without hard links
        shutil.copy2(source, target)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
