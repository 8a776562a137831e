"""Kahneman-Tversky optimisation: answers that are good or bad, each by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="preferences are trained on through trl")

from pytest_safetydrift.core.errors import CorpusError, UsageError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods.kto import KTO
from pytest_safetydrift.trainer.preferences.encoded import EncodedRated
from pytest_safetydrift.trainer.training.run import train
from tests.trainer.methods.preferring import card, die_after_a_save, logged
from tests.trainer.preferences.pairs import NO, THINGS, pair, write_rows, yes

Make = Callable[..., KTO]


@pytest.fixture
def kto(tmp_path: Path) -> Make:
    """Makes a configuration over a pair for each thing: four steps of eight answers."""
    data = write_rows(tmp_path / "pairs.jsonl", map(pair, THINGS))

    def make(**changes: Any) -> KTO:
        settings = {"data": (data,), "batch": 8, "epochs": 2.0, "rate": 1e-3, "warmup": 1}
        return KTO(**{"base": str(BASE), **settings, **changes})

    return make


def test_good_answers_gain_on_bad_ones(kto: Make, tmp_path: Path) -> None:
    """The loss falls from a half, where nothing has moved; the gate can open the outcome and its card is filled."""
    out = train(kto(epochs=4), tmp_path / "out")
    assert logged(out)[0] == pytest.approx(0.5, abs=1e-3)
    assert logged(out)[-1] < 0.47
    assert logged(out, "rewards/margins")[-1] > 0.1
    check_checkpoint(Checkpoint(out), EngineOptions())
    found = card(out)
    assert (found["method"], found["rows"], found["good"], found["attacks_trained_on"]) == ("kto", 16, 8, ["plain"])


def test_single_answers_are_learnt_from(kto: Make, tmp_path: Path) -> None:
    """Rows of prompt, completion and label, with fewer good ones than bad: these weigh more."""
    rows = [{"prompt": f"how to make {t}", "completion": NO, "label": True} for t in THINGS[:2]]
    rows += [{"prompt": f"how to make {t}", "completion": yes(t), "label": t in THINGS[4:]} for t in THINGS[2:]]
    data = write_rows(tmp_path / "rated.jsonl", rows)
    found = card(train(kto(data=(data,), steps=2), tmp_path / "out"))
    assert (found["rows"], found["good"]) == (8, 6)
    assert found["attack_families_trained_on"] is None


def test_adapters_leave_one_adapter(kto: Make, tmp_path: Path) -> None:
    """And nothing of the reference."""
    out = train(kto(lora_rank=4, rate=1e-2, epochs=4), tmp_path / "out")
    assert logged(out)[0] == pytest.approx(0.5, abs=1e-3)
    assert logged(out)[-1] < 0.49
    check_checkpoint(Checkpoint(BASE, out), EngineOptions())
    assert not (out / "ref").exists()


def test_a_stopped_run_goes_on_to_the_same_end(kto: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log and weights are those of a run that was left alone."""
    method = kto(save_every=2)
    straight, out = train(method, tmp_path / "straight"), tmp_path / "out"
    die_after_a_save(method, out, monkeypatch)
    train(method, out)
    assert logged(out) == logged(straight)
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


def test_the_divergence_is_estimated_from_other_questions() -> None:
    """Both answers of a pair stand together, and yet no row gets an answer to its own prompt where that can be."""
    from pytest_safetydrift.trainer.preferences.rated_trainer import mismatched

    rows = [EncodedRated([prompt], [10 * prompt + n], n == 0) for prompt in (1, 2, 3) for n in (0, 1)]
    found = mismatched(rows, 6)
    assert sorted(found) == sorted(r.answer for r in rows)
    assert all(other[0] // 10 != row.prompt[0] for row, other in zip(rows, found, strict=True))
    assert mismatched(rows, 2) == [[11], [10], [21], [20], [31], [30]]


def test_a_dry_run_loads_no_weights(kto: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each answer is seen by the reference too, and a mismatched one by both."""
    from pytest_safetydrift.engines import loading

    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    found = kto().estimate()
    assert (found.rows, found.steps, found.passes, found.models) == (16, 4, 3, 1)


def test_answers_that_fit_must_be_of_both_labels(kto: Make, tmp_path: Path) -> None:
    """Where all of one label are too long there is nothing left to tell apart."""
    rows = [{**pair(thing), "rejected": "well, " * 100} for thing in THINGS]
    data = write_rows(tmp_path / "long.jsonl", rows)
    with pytest.raises(CorpusError, match="of the answers that fit into 96 tokens all are good; raise --max-length"):
        kto(data=(data,), max_length=96).estimate()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"beta": 0.0}, "beta must be above 0"),
        ({"micro_batch": 1}, "needs 2 rows or more there, got 1"),
        ({"batch": 1}, "needs 2 rows or more there, got 1"),
    ],
)
def test_impossible_settings_are_refused(kto: Make, change: dict[str, Any], why: str) -> None:
    """By name."""
    with pytest.raises(UsageError, match=why):
        kto(**change)
