"""Watching a folder that any trainer saves to: each checkpoint is judged once, as soon as it is whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.watching.complete import (
    Print,
    fingerprint,
    lacks,
    looks_like_checkpoint,
    step_of,
)
from pytest_safetydrift.trainer.watching.docket import Docket
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.judge import Case, Judge
from pytest_safetydrift.trainer.watching.place import Place
from pytest_safetydrift.trainer.watching.verdict import Verdict, exit_code

__all__ = ["Watcher"]


@dataclass(slots=True)
class _Look:
    """What is known of one folder: its files, since when they stand so, and what became of them.

    lacks   why it is not whole, "" where it is or nobody looked yet
    queued  whether it was given to the judge, or `skipped` for a newer one
    """

    files: Print
    since: float
    lacks: str = ""
    queued: bool = False
    skipped: bool = False

    @property
    def open(self) -> bool:
        """Whether it has yet to settle, or to be looked into."""
        return not (self.lacks or self.queued or self.skipped)


@dataclass(slots=True)
class Watcher:
    """Judges the checkpoints in a folder's subfolders.

    settle_s  seconds for which nothing in a checkpoint may change before it is taken for whole
    poll_s    seconds between two looks
    latest    only the newest whole checkpoint waits to be judged
    again     judge also what an earlier watch has judged
    say       told a line of text for everything that happens
    """

    folder: Path
    inquiry: Inquiry
    settle_s: float = 10.0
    poll_s: float = 5.0
    latest: bool = False
    again: bool = False
    say: Callable[[str], object] = print
    _looks: dict[Path, _Look] = field(default_factory=dict)
    _verdicts: dict[str, Verdict] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is no folder; name the one that checkpoints are saved in")
        if not self.settle_s >= 0 or not self.poll_s > 0:
            raise UsageError(f"settle {self.settle_s} must be >= 0 and poll {self.poll_s} > 0 seconds")

    def watch(self, act: Callable[[Verdict], bool], *, once: bool = False) -> int:
        """Watch until `act`, called with each new verdict, returns True, or until KeyboardInterrupt; with `once` until
        all that is there is judged. Returns the exit code, see `verdict.exit_code`.

        What an earlier watch has judged counts in the exit code, and `act` does not hear of it again. Raises
        `UsageError` where another watch has the folder, or the folder cannot be read or written.
        """
        place = Place(self.folder.absolute())
        with _only_watch(place):
            place.sweep()
            judge = Judge(place, self.inquiry, again=self.again)
            docket = Docket(judge.judge, lambda case: place.discard(case.aside), latest=self.latest)
            try:
                self._watch(place, docket, lambda v: not judge.remembers(v) and act(v), once)
            except KeyboardInterrupt:
                self.say("stopped")
            finally:
                pending = not docket.idle()
                docket.close()
        return exit_code(self._verdicts.values(), unjudged=pending or self._unjudged())

    def _watch(self, place: Place, docket: Docket, act: Callable[[Verdict], bool], once: bool) -> None:
        while True:
            self._look(place, docket)
            over = once and docket.idle() and not any(look.open for look in self._looks.values())
            for verdict in docket.heard(0.0 if over else self.poll_s):
                if self._verdicts.get(verdict.folder) != verdict:
                    self._verdicts[verdict.folder] = verdict
                    self.say(verdict.line)
                    if act(verdict):
                        return
            if over:
                if not self._looks:
                    self.say(f"no checkpoint in {self.folder}")
                return

    def _look(self, place: Place, docket: Docket) -> None:
        """Take note of what is there; queue what has become whole, oldest first."""
        now = time.monotonic()
        found = sorted(filter(looks_like_checkpoint, place.folder.iterdir()), key=_age)
        for gone in set(self._looks) - set(found):
            del self._looks[gone]
        ready = [folder for folder in found if self._is_ready(folder, now)]
        for number, folder in enumerate(ready, 1):
            if self.latest and number < len(ready):
                self._skip(folder)
            else:
                self._queue(folder, place, docket)

    def _is_ready(self, folder: Path, now: float) -> bool:
        """Whether it has settled since the last look, and is whole."""
        files = fingerprint(folder)
        look = self._looks.get(folder)
        if look is None or look.files != files:
            look = self._looks[folder] = _Look(files, now)
        if not look.open or now - look.since < self.settle_s:
            return False
        look.lacks = lacks(folder)
        if look.lacks:
            self.say(f"{folder.name}: not whole: {look.lacks}")
        return not look.lacks

    def _queue(self, folder: Path, place: Place, docket: Docket) -> None:
        look = self._looks[folder]
        try:
            aside = place.set_aside(folder)
        except OSError as error:
            look.lacks = f"it cannot be set aside: {error}"
            self.say(f"{folder.name}: {look.lacks}")
            return
        look.queued = True
        for other in docket.submit(Case(step_of(folder.name), folder, aside)):
            self._skip(other.folder)

    def _skip(self, folder: Path) -> None:
        self.say(f"{folder.name}: not judged, a newer one took its place")
        if folder in self._looks:
            self._looks[folder].skipped = True

    def _unjudged(self) -> bool:
        """Whether a checkpoint is there that should have been judged and was not."""
        return any(not look.skipped and str(folder) not in self._verdicts for folder, look in self._looks.items())


def _age(folder: Path) -> tuple[int, int, str]:
    """Old first: by when the configuration was written, then by step."""
    written = 0
    for name in ("config.json", "adapter_config.json"):
        with suppress(FileNotFoundError):
            written = max(written, (folder / name).stat().st_mtime_ns)
    step = step_of(folder.name)
    return written, -1 if step is None else step, folder.name


@contextmanager
def _only_watch(place: Place) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        place.own.mkdir(parents=True, exist_ok=True)
        with FileLock(place.own / "watch.lock", timeout=0):
            yield
    except Timeout:
        raise UsageError(f"{place.folder} is watched already, by another process; stop that one first") from None
    except OSError as error:
        raise UsageError(f"{place.folder}: {error}; watching needs to read and write there") from error
