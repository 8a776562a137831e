"""The judging process: how it ends, and that nothing outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

import pytest

from pytest_safetydrift.trainer.watching.process import last_words, run_kept
from tests.trainer.watching.conftest import alive, until

SLEEPER = "import os, subprocess, sys, time\nfrom pathlib import Path\n"
# a child of its own, deaf to interrupts, as a data loader or a worker of xdist may be
FAMILY = f"""{SLEEPER}
deaf = "import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
Path(sys.argv[1]).write_text(f"{{os.getpid()}} {{child.pid}}")
time.sleep(600)
"""


def python(code: str, *words: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, words)]


def pids(file: Path) -> list[int]:
    until(lambda: file.exists() and file.read_text(), "the processes have started")
    return [int(word) for word in file.read_text().split()]


@pytest.mark.parametrize(
    ("code", "status"), [("pass", 0), ("exit(10)", 10), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_the_exit_status_is_the_commands(tmp_path: Path, code: str, status: int) -> None:
    """A signal is 128 and its number."""
    assert run_kept(python(code), tmp_path / "log", os.environ) == status


def test_the_last_words_are_harmless_and_few(tmp_path: Path) -> None:
    """Both streams, the last lines alone and no blank ones, control characters spelled out."""
    code = "import sys\nfor i in range(99): print(i)\nprint(20 * '\\n' + '\\x1b[31mend', file=sys.stderr)"
    run_kept(python(code), tmp_path / "log", os.environ)
    words = last_words(tmp_path / "log")
    assert "\\u001b[31mend" in words
    assert "98" in words.split()
    assert "5" not in words.split()
    assert last_words(tmp_path / "none") == ""


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    """Is a status that is not 0, with the reason in the log."""
    assert run_kept([str(tmp_path / "nowhere")], tmp_path / "log", os.environ) == 1
    assert "nowhere" in last_words(tmp_path / "log")


def test_niceness_and_session_are_its_own(tmp_path: Path) -> None:
    """It is nicer by as much as was said, and no signal of our terminal reaches it."""
    code = "import os; print(os.nice(0), os.getsid(0))"
    run_kept(python(code), tmp_path / "log", os.environ, nice=3)
    nice, session = map(int, last_words(tmp_path / "log").split())
    assert nice == min(19, os.nice(0) + 3)
    assert session != os.getsid(0)


@pytest.mark.parametrize("how", ["cancelled", "limit"])
def test_ended_early_nothing_of_it_is_left(tmp_path: Path, how: str) -> None:
    """Cancelled or out of time: None, and its own children are gone with it."""
    file, cancelled, found = tmp_path / "pids", Event(), []
    limit = 3.0 if how == "limit" else None

    def work() -> None:
        found.append(run_kept(python(FAMILY, file), tmp_path / "log", os.environ, limit_s=limit, cancelled=cancelled))

    thread = Thread(target=work)
    thread.start()
    family = pids(file)
    if how == "cancelled":
        cancelled.set()
    thread.join()
    assert found == [None]
    until(lambda: not any(map(alive, family)), "all are dead")


def test_a_parent_that_is_killed_leaves_no_orphan(tmp_path: Path) -> None:
    """kill -9 of the training: the judging ends by itself, with its children."""
    file = tmp_path / "pids"
    code = (
        "import os, sys; from pathlib import Path; from pytest_safetydrift.trainer.watching.process import run_kept\n"
        "run_kept(sys.argv[2:], Path(sys.argv[1]), os.environ)"
    )
    parent = subprocess.Popen(python(code, tmp_path / "log", *python(FAMILY, file)))
    family = pids(file)
    assert all(map(alive, family))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    until(lambda: not any(map(alive, family)), "all are dead")


def test_an_interrupted_command_may_clean_up(tmp_path: Path) -> None:
    """It hears of the end as of Ctrl-C, and has its time before it is killed."""
    file, cancelled = tmp_path / "pids", Event()
    code = f"""{SLEEPER}
Path(sys.argv[1]).write_text(str(os.getpid()))
try:
    time.sleep(600)
except KeyboardInterrupt:
    Path(sys.argv[1] + ".clean").touch()
"""
    # a session that was started in the background ignores interrupts, and its children would too
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread = Thread(target=lambda: run_kept(python(code, file), tmp_path / "log", os.environ, cancelled=cancelled))
        thread.start()
        pids(file)
        time.sleep(0.2)
        cancelled.set()
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert Path(f"{file}.clean").exists()
