"""The file of verdicts, and the tag inside a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.watching.ledger import Ledger, tag
from pytest_safetydrift.trainer.watching.verdict import GateLine, Verdict
from tests.trainer.watching.conftest import remove


def a_verdict(folder: Path, digest: str = "d" * 64) -> Verdict:
    gates = (GateLine("asr", "FAIL", estimate=0.5),)
    return Verdict(10, str(folder), Decision.FAIL, 1, gates, str(folder.parent / "r"), 2.0, digest, "b" * 64)


def test_verdicts_come_back_in_order(runs: Path) -> None:
    """Also when the folder was moved meanwhile: paths inside it are kept relative to it."""
    ledger = Ledger(runs / "v.jsonl")
    first, second = (a_verdict(runs / f"checkpoint-{n}", str(n)) for n in (1, 2))
    assert ledger.rows() == []
    ledger.add(first)
    ledger.add(second)
    assert ledger.rows() == [first, second]
    moved = runs.rename(runs.with_name("moved"))
    rows = Ledger(moved / "v.jsonl").rows()
    assert [(v.folder, v.report) for v in rows] == [(str(moved / f"checkpoint-{n}"), str(moved / "r")) for n in (1, 2)]


def test_half_a_line_is_no_verdict(runs: Path) -> None:
    """A kill while writing loses that verdict alone: the earlier ones stay, and the next has a line of its own."""
    file = runs / "v.jsonl"
    ledger = Ledger(file)
    first, second = (a_verdict(runs / f"checkpoint-{n}", str(n)) for n in (1, 2))
    ledger.add(first)
    with file.open("a") as f:
        f.write('{"step": 3, "verdict": "PA')
    assert ledger.rows() == [first]
    ledger.add(second)
    assert ledger.rows() == [first, second]


def test_known_by_content_and_question(runs: Path) -> None:
    """The last one with both the same; another question, or one that broke, is asked again."""
    ledger = Ledger(runs / "v.jsonl")
    early, late = a_verdict(runs / "checkpoint-1"), a_verdict(runs / "checkpoint-2")
    broken = replace(a_verdict(runs / "checkpoint-3", "e" * 64), exit_code=11)
    for verdict in (early, late, broken):
        ledger.add(verdict)
    assert ledger.known("d" * 64, "b" * 64) == late
    assert ledger.known("d" * 64, "c" * 64) is None
    assert ledger.known("e" * 64, "b" * 64) is None


def test_a_tag_changes_neither_identity_nor_age(save: Callable[[int], Path]) -> None:
    """The verdict is in the folder, the identity is as before, and so is the folder's time, by which saves rotate."""
    folder = save(10)
    checkpoint, options = Checkpoint(folder), EngineOptions()
    before, time_ns = checkpoint_identity(checkpoint, options), folder.stat().st_mtime_ns
    assert tag(a_verdict(folder))
    assert tag(replace(a_verdict(folder), verdict=Decision.PASS))
    assert json.loads((folder / "safetydrift.json").read_text())["verdict"] == "PASS"
    assert checkpoint_identity(checkpoint, options) == before
    assert folder.stat().st_mtime_ns == time_ns
    assert not list(folder.glob(".safetydrift*"))


def test_a_folder_that_is_gone_is_not_tagged(save: Callable[[int], Path]) -> None:
    """And is not made again for it."""
    folder = save(10)
    remove(folder)
    assert not tag(a_verdict(folder))
    assert not folder.exists()
