"""One judging process, from its start to the end of everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event

from pytest_safetydrift.core.text import visible
from pytest_safetydrift.trainer.watching.keeper import GRACE_S, waited

__all__ = ["last_words", "run_kept"]

_KEEPER = "pytest_safetydrift.trainer.watching.keeper"
_LOOK_S = 0.2
_LAST_LINES = 12
_LAST_BYTES = 8192


def run_kept(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    nice: int = 0,
    limit_s: float | None = None,
    cancelled: Event | None = None,
) -> int | None:
    """Run the command in a session of its own, its output in `log`; nothing of it outlives this call or process.

    Returns its exit status, 128 + n for signal n; None where it was `cancelled` or took longer than `limit_s`
    seconds. Raises OSError where it cannot be started or the log cannot be written.
    """
    end = time.monotonic() + limit_s if limit_s else None
    with log.open("wb") as said:
        keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", _KEEPER, str(os.getpid()), str(nice), *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            while (status := waited(keeper, _LOOK_S)) is None:
                if (cancelled is not None and cancelled.is_set()) or (end is not None and time.monotonic() > end):
                    return None
            return status
        finally:
            _end(keeper)


def last_words(log: Path) -> str:
    """The last lines of a log that are not blank, made harmless; "" where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return visible("\n".join([line for line in lines if line.strip()][-_LAST_LINES:]))


def _end(keeper: subprocess.Popen[bytes]) -> None:
    """Interrupt what still runs, wait for it a little, then kill the whole group."""
    if keeper.poll() is None:
        _signal(keeper, signal.SIGINT)
        waited(keeper, GRACE_S)
    _signal(keeper, signal.SIGKILL)
    keeper.wait()


def _signal(keeper: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(keeper.pid, number)
