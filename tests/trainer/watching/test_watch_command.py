"""`safetydrift watch`: its arguments, its actions, its end."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.watching.command import add_watch_command
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from tests.trainer.watching.conftest import COMMAND, Double, alive, until

Save = Callable[[int], Path]
QUICK = ["--poll", "0.1", "--settle", "0.2"]


def watch(folder: Path, *told: str, pytest_args: tuple[str, ...] = ()) -> int:
    """The command as the user gives it, without its first word."""
    parser = argparse.ArgumentParser()
    add_watch_command(parser.add_subparsers())
    arguments = parser.parse_args(["watch", str(folder), *QUICK, *told])
    arguments.pytest_args = list(pytest_args)
    return int(arguments.run(arguments))


@pytest.fixture(autouse=True)
def _by_the_double(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest is the double."""
    monkeypatch.setattr(Inquiry, "line", _line)


def _line(inquiry: Inquiry, reference: str, report: Path) -> list[str]:
    return [*COMMAND, f"--checkpoint={reference}", f"--safetydrift-report={report}", *inquiry.pytest_args]


def test_it_says_a_line_a_checkpoint(
    save: Save, runs: Path, double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the worst of them as the exit code; what stands behind -- reaches pytest."""
    double.says({"checkpoint-20": {"verdict": "INCONCLUSIVE"}})
    save(10), save(20)
    assert watch(runs, "--once", pytest_args=("-k", "asr")) == 10
    out = capsys.readouterr().out
    assert "checkpoint-10: PASS" in out
    assert "checkpoint-20: INCONCLUSIVE: asr 50.0%" in out
    assert double.asked()[0]["argv"][-2:] == ["-k", "asr"]


def test_tag_writes_into_the_checkpoints(save: Save, runs: Path, double: Double) -> None:
    """Every one of them."""
    double.says({"checkpoint-20": {"verdict": "FAIL"}})
    folders = [save(10), save(20)]
    assert watch(runs, "--once", "--action", "tag") == 1
    assert [json.loads((f / "safetydrift.json").read_text())["verdict"] for f in folders] == ["PASS", "FAIL"]


def test_stop_makes_a_file_and_ends(save: Save, runs: Path, double: Double) -> None:
    """At the first one that fails, without --once; the file says why."""
    double.says({"checkpoint-20": {"verdict": "FAIL"}})
    for step in (10, 20, 30):
        save(step)
    assert watch(runs, "--action", "stop") == 1
    assert (runs / "STOP").read_text().startswith("checkpoint-20: FAIL")


@pytest.mark.parametrize(("option", "stopped", "code"), [("stop", True, 10), ("log", False, 10)])
def test_undecided_stops_unless_told_otherwise(
    save: Save, runs: Path, double: Double, option: str, stopped: bool, code: int
) -> None:
    """What could not be shown to be safe is not trained on by default."""
    double.says({"*": {"verdict": "INCONCLUSIVE"}})
    save(10)
    assert watch(runs, "--once", "--action", "stop", "--on-inconclusive", option) == code
    assert (runs / "STOP").exists() == stopped


def test_on_fail_runs_a_command(save: Save, runs: Path, double: Double, tmp_path: Path) -> None:
    """It is told verdict, checkpoint and report; then no file is made."""
    double.says({"*": {"verdict": "FAIL"}})
    folder, out = save(10), tmp_path / "told"
    code = "import os; print(*(os.environ['SAFETYDRIFT_' + n] for n in ('VERDICT', 'CHECKPOINT', 'REPORT')))"
    command = f"sh -c {shlex.quote(f'{sys.executable} -c {shlex.quote(code)} > {out}')}"
    assert watch(runs, "--action", "stop", "--on-fail", command) == 1
    verdict, checkpoint, report = out.read_text().split()
    assert (verdict, checkpoint, (Path(report) / "record.json").is_file()) == ("FAIL", str(folder), True)
    assert not (runs / "STOP").exists()


def test_wrong_usage_is_refused_before_anything_is_watched(runs: Path, double: Double) -> None:
    """A command that is not there, or that no action would run; arguments that are ours to give."""
    with pytest.raises(UsageError, match="no command 'nosuchcommand'"):
        watch(runs, "--action", "stop", "--on-fail", "nosuchcommand now")
    with pytest.raises(UsageError, match="belongs to --action stop"):
        watch(runs, "--on-fail", "true")
    with pytest.raises(UsageError, match="--checkpoint"):
        watch(runs, pytest_args=("--checkpoint=x",))
    assert double.asked() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_no_orphan(save: Save, runs: Path, double: Double, number: signal.Signals) -> None:
    """Ctrl-C, or a scheduler's end: the judging is ended with it, and what was not judged is INCONCLUSIVE."""
    double.says({"*": {"sleep": 600, "child": True}})
    save(10)
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from tests.trainer.watching import test_watch_command as t; from pathlib import Path; "
        "from pytest_safetydrift.trainer.watching.inquiry import Inquiry; Inquiry.line = t._line; "
        "sys.exit(t.watch(Path(sys.argv[1])))"
    )
    root = Path(__file__).parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(runs)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)}
    )
    until(double.asked, "it judges")
    process.send_signal(number)
    assert process.wait(timeout=60) == 10
    until(lambda: not alive(double.asked()[0]["pid"]), "the judging is dead")
    assert not (runs / "safetydrift_verdicts.jsonl").exists()
    assert list((runs / "_safetydrift").rglob("*.safetensors")) == []
