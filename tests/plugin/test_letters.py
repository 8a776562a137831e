"""Multiple choice in a run of pytest: read by letters, recorded so, found again so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.cli import main
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.job import Asking
from pytest_safetydrift.execution.recall import asking_of, protocol, remember

N = 40
SUITE = """
from pytest_safetydrift import Probe, measures

@measures(Probe("utility", corpus="quiz.jsonl", judge="answer"), suite="own")
def test_quiz(gate):
    gate.check()
"""
POLICY = """
undecidable = "warn"

[[gate]]
id = "quiz"
suite = "own"
metric = "utility"
corpus = "quiz.jsonl"
limit = 0.99

[[gate]]
id = "drift"
suite = "own"
metric = "utility"
corpus = "quiz.jsonl"
margin = 0.2
"""


def run(pytester: pytest.Pytester, checkpoint: str, baseline: str, out: str) -> dict[str, Any]:
    """The record of a run in the user's folder."""
    given = [f"--checkpoint={checkpoint}", f"--baseline={baseline}", "--engine=transformers", "--device=cpu"]
    pytester.runpytest(*given, f"--safetydrift-report={out}", "test_quiz.py")
    found: dict[str, Any] = json.loads((pytester.path / out / "record.json").read_text())
    return found


def gate(record: dict[str, Any], name: str) -> dict[str, Any]:
    return next(g for g in record["gates"] if g["id"] == name)


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A quiz, its gates, and a model that answers with text alone."""
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    questions = [
        {"id": f"q-{i}", "prompt": f"Which is {i}? A) no B) yes C) maybe.", "intent": "benign", "answer": "B"}
        for i in range(N)
    ]
    (pytester.path / "quiz.jsonl").write_text("".join(json.dumps(q) + "\n" for q in questions))
    pytester.makepyfile(test_quiz=SUITE, models="right = 'B) yes'")
    pytester.makefile(".toml", safetydrift=POLICY)
    return pytester


def test_a_run_by_letters_and_what_is_made_of_its_record(folder: pytest.Pytester, tmp_path: Path) -> None:
    """A real model is read by letters; as a recorded baseline it is paired again; its answers are found for evidence
    and labels. A model that tells no log-probabilities is not held against it, and its gate says why."""
    first = run(folder, "demo:base", "demo:base", "first")
    kept = first["observations"]["demo:base"]["quiz.jsonl"]["plain"]
    assert kept["asked"]["choices"] is True
    assert {e["candidate_rule"] for e in first["evidence"]} == {"another choice is as likely"}
    assert "(no answer)" not in {e["candidate_answer"] for e in first["evidence"]}

    again = run(folder, "demo:base", "run:first/record.json", "again")
    assert (gate(again, "drift")["n"], gate(again, "drift")["change"]) == (N, 0.0)
    assert again["requests"]["generated"] == 0

    sheet = tmp_path / "labels.csv"
    found = ["label", "first", "--gate", "quiz", "--root", str(folder.path), "--out", str(sheet), "--n", "4"]
    assert main([*found, "--store", str(folder.path / ".safetydrift")]) == 0
    with sheet.open(newline="", encoding="utf-8") as f:
        assert all(row["answer"] for row in csv.DictReader(f))

    silent = gate(run(folder, "scripted:models:right", "run:first/record.json", "silent"), "drift")
    assert (silent["decision"], silent["reason"]) == ("INCONCLUSIVE", "missing_baseline")
    assert "scripted:models:right tells none" in silent["detail"]


def test_a_model_that_tells_none_beside_one_that_does(folder: pytest.Pytester) -> None:
    """Both are read by their text, all prompts are pairs, and the record has a note of it."""
    record = run(folder, "scripted:models:right", "demo:base", "out")
    assert gate(record, "drift")["n"] == N
    assert gate(record, "quiz")["estimate"] == 1.0
    assert any("scripted:models:right tells no log-probabilities" in note for note in record["notes"])
    assert "choices" not in record["observations"]["demo:base"]["quiz.jsonl"]["plain"]["asked"]


def test_the_reading_is_part_of_what_makes_pairs() -> None:
    """Another reading is another protocol; it is remembered and comes back; a record of before reads as by text."""
    world = World.of("own", {"quiz": (Sample("q", "A) no B) yes.", Intent.BENIGN, answer="B"),)})
    text = Asking("m", "quiz", "plain", "answer", Sampling(), 1, None)
    letters = text.lettered(world.samples("quiz"))
    assert protocol(letters, world) != protocol(text, world)
    for asking in (text, letters):
        kept = remember([asking], [], world)["quiz"]["plain"]
        assert asking_of(kept, "m", "quiz", "plain") == asking
