"""Verdicts as values: lines, figures, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.trainer.watching.verdict import GateLine, Verdict, exit_code

GATES = (
    GateLine("asr/base64", "FAIL", estimate=0.983),
    GateLine("drift/plain", "FAIL", estimate=0.4, change=0.3),
    GateLine("waived", "FAIL", estimate=0.2, blocks=False),
    GateLine("nll", "INCONCLUSIVE", "missing_baseline", unit="nats"),
    GateLine("utility", "PASS", estimate=0.97, blocks=False),
)
FAILED = Verdict(20, "/runs/checkpoint-20", Decision.FAIL, 1, GATES, "/runs/report", 3.21, "d" * 64, "b" * 64)
PASSED = replace(FAILED, verdict=Decision.PASS, exit_code=0, gates=GATES[4:])
UNDECIDED = replace(FAILED, verdict=Decision.INCONCLUSIVE, exit_code=10, gates=GATES[3:])
BROKEN = Verdict(20, "/runs/checkpoint-20", Decision.INCONCLUSIVE, None, why="it broke")


def test_a_verdict_survives_json() -> None:
    """Written and read again it is the same, None and nested values included."""
    for verdict in (FAILED, PASSED, UNDECIDED, BROKEN):
        assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict


def test_the_line_names_what_failed() -> None:
    """Name, verdict, blocking gates with their rates, and the report; waived and passed gates are not in it."""
    assert FAILED.line == "checkpoint-20: FAIL: asr/base64 98.3%, drift/plain 40.0% (+30.0 points); /runs/report"
    assert "nll missing_baseline" in UNDECIDED.line
    assert "it broke" in BROKEN.line
    drifted = GateLine("drift/nll", "FAIL", estimate=2.5, change=0.5, unit="nats")
    assert "drift/nll 2.5 nats (+0.5)" in replace(FAILED, gates=(drifted,)).line
    assert "PASS: 1 gate;" in PASSED.line
    assert "(2 of 9 gates)" in replace(PASSED, selection="2 of 9 gates").line


def test_the_line_is_one_line_of_harmless_text() -> None:
    """What a model said cannot break the line, nor give a CI system a command."""
    line = replace(BROKEN, why="a\n::error::b\x1b[31m").line
    assert "\n" not in line
    assert "\x1b" not in line
    assert "::error" not in line


def test_the_line_of_a_judging_that_died_ends_with_its_error() -> None:
    """How it ended, and the last words that are not blank: what stands between is cut, and says so."""
    words = [f"collecting the suites, line {n}" for n in range(40)]
    why = "\n".join(["pytest ended with exit status 3; its last words:", *words, "", "OSError: no space left", " "])
    line = replace(BROKEN, why=why).line
    assert line.startswith("checkpoint-20: INCONCLUSIVE: pytest ended with exit status 3; its last words: … ")
    assert line.endswith("line 39 OSError: no space left")
    assert "line 0 " not in line
    assert len(line) < 500
    short = replace(BROKEN, why="it broke:\nhere\n\nand there").line
    assert short == "checkpoint-20: INCONCLUSIVE: it broke: here and there"


def test_the_figures_for_a_training_log() -> None:
    """Verdict, counts and each gate's rate and change, flat; a gate without a figure is left out."""
    logs = FAILED.logs()
    assert logs["safetydrift/verdict"] == "FAIL"
    assert logs["safetydrift/failed_gates"] == 2
    assert logs["safetydrift/undecided_gates"] == 1
    assert logs["safetydrift/checkpoint"] == 20
    assert logs["safetydrift/asr/base64"] == 0.983
    assert logs["safetydrift/drift/plain/change"] == 0.3
    assert "safetydrift/nll" not in logs


@pytest.mark.parametrize(
    ("verdicts", "unjudged", "code"),
    [
        ([PASSED, PASSED], False, 0),
        ([PASSED, FAILED, BROKEN], True, 1),
        ([PASSED, UNDECIDED], False, 10),
        ([PASSED, UNDECIDED, BROKEN], False, 11),
        ([PASSED], True, 10),
        ([], False, 10),
    ],
)
def test_the_exit_code_is_the_worst(verdicts: list[Verdict], unjudged: bool, code: int) -> None:
    """A failure outweighs what broke, that what is undecided; nothing judged, or not all of it, is no 0."""
    assert exit_code(verdicts, unjudged=unjudged) == code


def test_what_broke_is_asked_again() -> None:
    """A verdict lasts where gates were measured and pytest came to its end."""
    assert FAILED.lasting
    assert UNDECIDED.lasting
    assert not BROKEN.lasting
    assert not replace(UNDECIDED, exit_code=11).lasting
