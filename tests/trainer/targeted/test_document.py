"""An attribution on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.stats import Mean
from pytest_safetydrift.trainer.targeted.attribution import Attribution, Metric, PartEffect, Places
from pytest_safetydrift.trainer.targeted.document import load, save, to_json
from pytest_safetydrift.trainer.targeted.parts import Kind, Part

FOUND = Attribution(
    effects=(
        PartEffect(Part(1, Kind.HEAD, 2), Mean(0.5, 0.4, 0.6)),
        PartEffect(Part(0, Kind.MLP), Mean(0.1, -0.1, 0.3)),
    ),
    trace=(Mean(0.2, 0.1, 0.3), Mean(1.0, 1.0, 1.0)),
    metric=Metric.CONTINUATION,
    places=Places.LAST,
    complying=-7.5,
    refusing=8.25,
    prompts=64,
    left_out=2,
    digests=("a" * 64, "b" * 64),
)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """Parts, effects, intervals and both digests come back, and the file says which checkpoint is which."""
    save(FOUND, tmp_path / "a.json")
    assert load(tmp_path / "a.json") == FOUND
    assert load(tmp_path / "a.json", complying="a" * 64) == FOUND
    row = json.loads((tmp_path / "a.json").read_text())
    assert row["refusing"] == {"digest": "b" * 64, "log_odds": 8.25}
    assert row["effects"][0] == {"layer": 1, "kind": "head", "head": 2, "effect": [0.5, 0.4, 0.6]}


def test_an_attribution_of_another_checkpoint_is_refused(tmp_path: Path) -> None:
    """Effects are of one pair of weights."""
    save(FOUND, tmp_path / "a.json")
    with pytest.raises(UsageError, match="made of the checkpoint aaaaaaaaaaaa and not of cccccccccccc"):
        load(tmp_path / "a.json", complying="c" * 64)


def test_what_is_no_attribution_is_refused(tmp_path: Path) -> None:
    """A missing file, no JSON, other JSON, and a part that cannot be."""
    broken = to_json(FOUND)
    broken["effects"][0] = {**broken["effects"][0], "head": None}
    (tmp_path / "part.json").write_text(json.dumps(broken))
    (tmp_path / "text.json").write_text("{")
    (tmp_path / "other.json").write_text("[]")
    for name in ("absent.json", "text.json", "other.json", "part.json"):
        with pytest.raises(UsageError, match=f"{name} is no attribution"):
            load(tmp_path / name)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ReportError, match=r"a\.json: .*name a writable place"):
        save(FOUND, tmp_path / "absent" / "a.json")
