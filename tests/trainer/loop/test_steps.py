"""One step of a loop in its own process: a gate that is a double of pytest, a training command that really starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.errors import EngineError, TrainingError, UsageError
from pytest_safetydrift.trainer.loop.gating import gate
from pytest_safetydrift.trainer.loop.tuning import begins_anew, method_of, trained, training_of
from pytest_safetydrift.trainer.methods import SFT
from pytest_safetydrift.trainer.training.example import sha256_of
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from tests.trainer.loop.made import PLAN
from tests.trainer.watching.conftest import Double, double, inquiry, write_checkpoint

__all__ = ["double", "inquiry"]


def test_a_gate_that_came_to_its_end_has_a_verdict_and_a_record(
    tmp_path: Path, double: Double, inquiry: Inquiry
) -> None:
    """Whatever the verdict is."""
    double.says({"*": {"verdict": "FAIL"}})
    gated = gate(str(write_checkpoint(tmp_path / "c")), tmp_path / "run", inquiry)
    assert (gated.verdict.verdict, gated.record.verdict) == ("FAIL", "FAIL")


@pytest.mark.parametrize(
    ("says", "error", "told"),
    [({"exit": 4, "record": "none"}, UsageError, "refuses to gate.*the double is here"),
     ({"exit": 5, "record": "none"}, UsageError, "refuses to gate"),
     ({"record": "none"}, EngineError, "left no record"), ({"record": "broken"}, EngineError, "broke"),
     ({"dies": True}, EngineError, "exit status 137"), ({"exit": 11, "verdict": "INCONCLUSIVE"}, EngineError, "broke"),
     ({"gates": []}, EngineError, "no gate was decided")],
)  # fmt: skip
def test_a_gate_that_broke_says_nothing_of_the_checkpoint(
    tmp_path: Path, double: Double, inquiry: Inquiry, says: dict[str, Any], error: type[Exception], told: str
) -> None:
    """It is an error and no round, so that the same command tries again; an old record is not taken for a new one."""
    place = write_checkpoint(tmp_path / "c")
    gate(str(place), tmp_path / "run", inquiry)
    double.says({"*": says})
    with pytest.raises(error, match=f"(?s){told}"):
        gate(str(place), tmp_path / "run", inquiry)


def test_a_training_that_cannot_be_tells_its_last_words(tmp_path: Path) -> None:
    """The command of the method runs in a process of its own, and what it says on its way out is passed on."""
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "completion": ""}\n')
    base = write_checkpoint(tmp_path / "base")
    with pytest.raises((UsageError, TrainingError), match=r"(?s)exit status [12].*training\.log"):
        trained(PLAN, method_of(PLAN, str(base), [tmp_path]), tmp_path / "round-1" / "checkpoint")
    assert "safetydrift" in (tmp_path / "round-1" / "training.log").read_text()


def test_a_finished_training_is_taken_and_anothers_is_not(tmp_path: Path) -> None:
    """By the digests of configuration and data in its card."""
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    method = method_of(PLAN, "b", [tmp_path])
    out = write_checkpoint(tmp_path / "checkpoint")
    card = {"config_digest": method.digest, "data_sha256": sha256_of(method.inputs()), "steps": 3, "other": 1}
    (out / "training_card.json").write_text(json.dumps(card))
    assert trained(PLAN, method, out) == str(out)
    assert training_of(out) == {"steps": 3, "config_digest": method.digest}
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "completion": "c"}\n')
    with pytest.raises(UsageError, match="another training"):
        trained(PLAN, method, out)
    (out / "training_card.json").write_text("half")
    with pytest.raises(TrainingError, match="cannot be read"):
        trained(PLAN, method, out)


def test_adapters_begin_on_the_base_again() -> None:
    """Full weights go on from the best round."""
    rows = (Path("d"),)
    assert begins_anew(SFT(base="b", data=rows, lora_rank=4))
    assert not begins_anew(SFT(base="b", data=rows))
