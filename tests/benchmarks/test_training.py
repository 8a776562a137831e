"""The training benchmark: what it trains on, and how it reads a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.training import rows
from benchmarks.training_pool import pool, write_pool
from benchmarks.training_steps import FORMS, compare_compliance, compliance_probabilities
from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.corpora.table import read_table
from pytest_safetydrift.trainer.deeds import Split
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.suites import SUITES, suite

ROOT = Path(__file__).parents[2]


def test_no_prompt_of_the_suites_is_trained_on() -> None:
    """Neither the test split's nor the development split's, and the same pool comes out each time."""
    found = pool()
    asked = {s.prompt for samples in found.values() for s in samples}
    for split in (Split.DEV, Split.TEST):
        assert not asked & {s.prompt for name in SUITES if name != "utility" for s in suite(name, split)}
    assert found == pool()
    assert {s.intent for s in found["prohibited"]} == {Intent.PROHIBITED}
    assert all(s.answer for s in found["utility"])


def test_the_pool_is_a_suite_with_its_policy(tmp_path: Path) -> None:
    """Corpora, tests, policy and refusals, as a user's own repository holds them."""
    write_pool(tmp_path)
    assert len(read_table(tmp_path / "prohibited.jsonl").rows) == len(pool()["prohibited"])
    assert "def test_benign_otherwise(gate):" in (tmp_path / "test_pool.py").read_text()
    assert 'corpus = "lookalike-otherwise.jsonl"' in (tmp_path / "safetydrift.toml").read_text()


def test_rows_are_read_from_the_run_s_record() -> None:
    """The baseline first, then each checkpoint with its verdict; figures are those of the record."""
    place = ROOT / "reports" / "example" / "record.json"
    record = RunRecord.loads(place.read_text("ascii"), where=str(place))
    first, second = rows(record, {"patched": "demo:v2b"})
    assert first.name == "demo:v1"
    assert first.cells[0] == "89.0 [83.9, 92.6]"
    assert second.name == "patched"
    assert second.verdict == "FAIL"
    assert second.cells[:1] == ("2.0 [0.8, 5.0]",)
    assert second.cells[3] == "18.0 [13.3, 23.9]"


@pytest.mark.parametrize("form", FORMS)
def test_compliance_has_a_probability(form: str) -> None:
    """One for each deed, of the whole sentence."""
    found = compliance_probabilities(str(BASE), form, Split.DEV)
    assert len(found) == 48
    assert all(0 <= p <= 1 for p in found)


def test_a_checkpoint_falls_from_itself_by_nothing() -> None:
    """The ratio is 1, with no width: the same deeds stand on both sides."""
    for fall in compare_compliance(str(BASE), str(BASE), Split.DEV):
        assert (fall.ratio, fall.low, fall.high) == (1.0, 1.0, 1.0)
        assert fall.before > 0.1
