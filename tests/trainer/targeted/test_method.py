"""The method: a base that complies, a checkpoint of it that refuses, and the parts between them tuned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch
from safetensors.torch import load_file

from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.trainer.methods.sft import SFT
from pytest_safetydrift.trainer.methods.targeted import ATTRIBUTION, Targeted
from pytest_safetydrift.trainer.targeted import locate
from pytest_safetydrift.trainer.targeted.attribution import Metric
from pytest_safetydrift.trainer.targeted.cases import Case, Cases
from pytest_safetydrift.trainer.targeted.document import load
from pytest_safetydrift.trainer.targeted.layout import find_layout
from pytest_safetydrift.trainer.targeted.locate import asked_to_refuse, read_pairs
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from pytest_safetydrift.trainer.training.base import CARD, open_base
from pytest_safetydrift.trainer.training.example import read_examples
from pytest_safetydrift.trainer.training.run import train
from tests.trainer.targeted.conftest import BASE

SMALL = {"batch": 16, "steps": 3, "rate": 2e-3, "warmup": 0, "top": 0.1, "kinds": ("head",), "prompts": 16}


@pytest.fixture(scope="session")
def tuned(rows: Path, refusing: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("targeted") / "tuned"
    return train(Targeted(base=BASE, refusing=str(refusing), data=(rows,), **SMALL), out)


def moved(folder: Path) -> dict[str, torch.Tensor]:
    """True where a number of the weights is another than the base's."""
    base, ours = (load_file(Path(place) / "model.safetensors") for place in (BASE, folder))
    return {name: (ours[name] != base[name]) for name in ours}


def card(folder: Path) -> Any:
    return json.loads((folder / CARD).read_text())


def chosen(folder: Path) -> list[Part]:
    return [Part.from_json(row) for row in card(folder)["targeted"]["parts"]]


def fails(*_: Any) -> Any:
    raise TrainingError("no space")


def test_only_the_heads_with_the_largest_effects_are_tuned(tuned: Path) -> None:
    """A tenth of the numbers at most; the published weights differ from the base's in these heads, and nowhere else."""
    told = card(tuned)["targeted"]
    assert 0 < told["share"] <= 0.1
    ranked = [e.part for e in load(tuned / ATTRIBUTION).of([Kind.HEAD])]
    assert set(chosen(tuned)) == set(ranked[: len(told["parts"])])
    layout, marks = find_layout(open_base(BASE).model()), moved(tuned)
    for part in chosen(tuned):
        for s in layout.slices(part):
            mark = marks[s.parameter].narrow(s.axis or 0, s.start, s.stop - s.start)
            assert mark.float().mean() > 0.99
            mark.fill_(False)
    assert not any(mark.any() for mark in marks.values())


def test_the_card_says_what_was_tuned_and_between_what(tuned: Path, refusing: Path) -> None:
    """Method, control, both digests, and the families that rows taught to refuse under."""
    found, told = load(tuned / ATTRIBUTION), card(tuned)
    digests = open_base(BASE).digest, open_base(str(refusing)).digest
    assert found.digests == digests
    assert told["method"] == "targeted"
    assert told["targeted"]["control"] == ""
    assert told["targeted"]["refusing"] == {"reference": str(refusing), "digest": digests[1]}
    assert told["targeted"]["prompts"] == found.prompts > 4
    assert told["attacks_trained_on"] == ["plain"]


def test_the_random_control_has_the_same_size(tuned: Path, refusing: Path, rows: Path, tmp_path: Path) -> None:
    """Other heads, as many numbers, the same attribution."""
    method = Targeted(base=BASE, refusing=str(refusing), data=(rows,), control="random", **SMALL)
    out = train(method, tmp_path / "random")
    ours, theirs = card(out)["targeted"], card(tuned)["targeted"]
    assert (ours["trainable"], ours["control"]) == (theirs["trainable"], "random")
    assert chosen(out) != chosen(tuned)
    assert (out / ATTRIBUTION).read_text() == (tuned / ATTRIBUTION).read_text()


def test_a_run_that_was_cut_off_goes_on_with_its_attribution(
    tuned: Path, refusing: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is attributed twice, and the weights are those of a run that was not cut off."""
    method = Targeted(base=BASE, refusing=str(refusing), data=(rows,), save_every=2, **SMALL)
    with monkeypatch.context() as broken:
        broken.setattr("pytest_safetydrift.trainer.methods.targeted.save", fails)
        with pytest.raises(TrainingError, match="no space"):
            train(method, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(Targeted, "_locate", fails)
    out = train(method, tmp_path / "out")
    assert (out / "model.safetensors").read_bytes() == (tuned / "model.safetensors").read_bytes()
    assert (out / ATTRIBUTION).read_bytes() == (tuned / ATTRIBUTION).read_bytes()


def test_full_tuning_is_the_other_control(rows: Path, tmp_path: Path) -> None:
    """All weights, with no attribution and no refusing checkpoint: what `sft` gives on the same rows and seed."""
    settings = {"base": BASE, "data": (rows,), "batch": 16, "steps": 2, "rate": 1e-3}
    full = train(Targeted(control="full", **settings), tmp_path / "full")
    sft = train(SFT(**settings), tmp_path / "sft")
    assert card(full)["targeted"] == {"control": "full"}
    assert not (full / ATTRIBUTION).exists()
    assert (full / "model.safetensors").read_bytes() == (sft / "model.safetensors").read_bytes()


def test_pairs_of_prompts_need_no_second_checkpoint(refusing: Path, rows: Path, tmp_path: Path) -> None:
    """One checkpoint, which answers benign requests and refuses prohibited ones."""
    examples = read_examples([rows])
    refused = [e.messages[0].content for e in examples if e.row["teaches"] == "refuse"]
    complied = [e.messages[0].content for e in examples if e.row["teaches"] == "answer"]
    file = tmp_path / "pairs.jsonl"
    pairs = list(zip(complied, refused, strict=False))[:24]
    file.write_text("".join(json.dumps({"complied": c, "refused": r}) + "\n" for c, r in pairs))
    out = train(Targeted(base=str(refusing), pairs=(file,), data=(rows,), **SMALL), tmp_path / "out")
    found, digest = load(out / ATTRIBUTION), open_base(str(refusing)).digest
    assert found.digests == (digest, digest)
    assert found.complying < found.refusing
    assert str(file) in card(out)["data_sha256"]


def test_impossible_settings_are_refused() -> None:
    """Each is told with what may be."""
    good: dict[str, Any] = {"base": BASE, "refusing": "demo:v2b", "data": (Path("x"),)}
    for bad, message in [
        ({"refusing": ""}, "--refusing"),
        ({"pairs": (Path("p"),)}, "not both"),
        ({"top": 0.0}, "top must be in"),
        ({"top": 1.5}, "top must be in"),
        ({"kinds": ("heads",)}, "did you mean 'head'"),
        ({"lora_rank": 4}, "lora_rank must be 0"),
        ({"weight_decay": 0.1}, "weight_decay must be 0, got 0.1: AdamW shrinks"),
        ({"prompts": 3}, "prompts must be at least 4"),
    ]:
        with pytest.raises(UsageError, match=message):
            Targeted(**{**good, **bad})
    Targeted(base=BASE, data=(Path("x"),), control="full", weight_decay=0.1)


def test_the_estimate_counts_what_is_trained(rows: Path, refusing: Path) -> None:
    """A tenth of the parameters in place of all."""
    method = Targeted(base=BASE, refusing=str(refusing), data=(rows,), **SMALL)
    estimate = method.estimate()
    assert estimate.trained == int(0.1 * estimate.parameters)
    assert replace(method, control="full").estimate().trained == estimate.parameters


def test_prompts_are_those_that_teach_a_refusal(rows: Path) -> None:
    """Different ones, at most as many as asked for, the same for the same seed."""
    examples = read_examples([rows])
    asked = asked_to_refuse(examples, 10, 3)
    taught = {e.messages for e in examples if e.row["teaches"] == "refuse"}
    assert len(set(asked)) == 10
    assert set(asked) <= taught
    assert asked == asked_to_refuse(examples, 10, 3) != asked_to_refuse(examples, 10, 4)
    assert set(asked_to_refuse(examples, 10_000, 0)) == taught


def test_a_beginning_that_both_sides_have_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its text and not by its number, with the option that helps."""
    base = open_base(BASE)
    ids = base.tokenizer()("I am here", add_special_tokens=False)["input_ids"]
    alike = Cases(tuple(Case((5 + i,), (5 + i,), tuple(ids), (ids[0],)) for i in range(4)))
    monkeypatch.setattr(locate, "between_checkpoints", lambda *_: alike)
    with pytest.raises(UsageError, match=r"same token \('I'\).*--metric continuation"):
        locate.locate_in_checkpoints(base, base, [], (Kind.MLP,), Metric.FIRST)


def test_pairs_without_a_column_are_refused(tmp_path: Path) -> None:
    """The error names file, row and column."""
    (tmp_path / "p.jsonl").write_text('{"complied": "a", "refused": "b"}\n{"complied": "a"}\n')
    with pytest.raises(CorpusError, match=r"p\.jsonl, .*2: no refused"):
        read_pairs(tmp_path / "p.jsonl")
