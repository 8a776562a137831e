"""Keeps one command and ends it with its parent: `python -m ...keeper PARENT NICE COMMAND...`.

It leads a process group of its own. When the parent process dies, however it dies, the command is interrupted, and
what is left of the group a little later is killed. Its exit status is the command's, 128 + n for signal n.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence

__all__ = ["GRACE_S", "main", "waited"]

GRACE_S = 5.0
_LOOK_S = 0.5


def main(arguments: Sequence[str]) -> int:
    """Run the command to its end, or to the parent's."""
    parent, nice, *command = arguments
    signal.signal(signal.SIGINT, lambda *_: None)  # the whole group is interrupted, and the command is waited for
    os.nice(int(nice))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while (status := waited(child, _LOOK_S)) is None:
        if os.getppid() != int(parent):
            child.send_signal(signal.SIGINT)
            waited(child, GRACE_S)
            os.killpg(os.getpid(), signal.SIGKILL)
    return status


def waited(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Its exit status, 128 + n for signal n; None where it still runs after so many seconds."""
    try:
        status = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
