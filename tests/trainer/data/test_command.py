"""`safetydrift train data`: the folder that it writes."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.attacks.registry import families
from pytest_safetydrift.core.errors import ReportError, SafetyDriftError, UsageError
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.reader import read_corpus
from pytest_safetydrift.corpora.world import builtin_world
from pytest_safetydrift.trainer.data.command import add_data_method
from tests.trainer.data.conftest import BASELINE, CANDIDATE, YES, MakeRun


def train_data(run: Path, out: Path, *told: str) -> int:
    """The command as the user gives it, without its first two words."""
    parser = argparse.ArgumentParser()
    add_data_method(parser.add_subparsers())
    arguments = parser.parse_args(["data", str(run), "--store", str(run), "--out", str(out), "--pairs", "500", *told])
    return int(arguments.run(arguments))


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


def test_the_folder(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file a fold in trl's prompt-completion format, the held-out prompts as corpora, and a card that counts them."""
    out = tmp_path / "set"
    assert train_data(run, out) == 0
    card = json.loads((out / "data_card.json").read_text("ascii"))
    for fold in ("train", "development", "held_out"):
        rows = rows_of(out / f"{fold}.jsonl")
        assert len(rows) == card["counts"][fold]["pairs"] > 0
        for row in rows:
            assert [m["role"] for m in row["completion"]] == ["assistant"]
            assert row["prompt"][-1]["role"] == "user"
            assert all(set(m) == {"role", "content"} and m["content"] for m in row["prompt"] + row["completion"])
        for teaches in ("refuse", "answer"):
            count = card["counts"][fold][teaches]
            own = [row for row in rows if row["teaches"] == teaches]
            assert count["pairs"] == len(own) == sum(count["by_attack"].values()) == sum(count["by_category"].values())
    held = {s.id for file in (out / "held_out").iterdir() for s in read_corpus(file)}
    assert held == set(card["held_out"])
    assert {row["sample"] for row in rows_of(out / "held_out.jsonl")} <= held
    told = capsys.readouterr().out
    assert "train: 350 refusals" in told
    assert "no benign pairs: decomposition" in told


def test_held_out_corpora_can_be_asked(run: Path, tmp_path: Path) -> None:
    """The gate reads them beside the run's own corpora, twins and all."""
    out = tmp_path / "set"
    train_data(run, out)
    world = builtin_world().including(["held_out/prohibited.jsonl", "held_out/benign.jsonl"], out)
    assert len(world.samples("held_out/prohibited.jsonl")) > 50


def test_the_card_says_where_it_comes_from(run: Path, tmp_path: Path) -> None:
    """Record, checkpoints and files by digest, and every family either trained on or held out."""
    out = tmp_path / "set"
    train_data(run, out, "--seed", "7", "--attack", "base64", "--attack", "plain")
    card = json.loads((out / "data_card.json").read_text("ascii"))
    assert card["record_sha256"] == hashlib.sha256((run / "record.json").read_bytes()).hexdigest()
    assert card["checkpoint"]["reference"] == CANDIDATE
    assert [entry["reference"] for entry in card["replayed"]] == [BASELINE, CANDIDATE]
    assert card["seed"] == 7
    assert card["attacks_trained_on"] == ["base64", "plain"]
    assert card["attack_families_trained_on"] == ["encoding", "none"]
    assert {*card["attack_families_trained_on"], *card["attack_families_held_out"]} == set(families())
    for name, sha256 in card["files"].items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == sha256


def test_two_runs_write_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """The same record, options and seed make the same files, the card too."""
    for name in ("one", "two"):
        train_data(run, tmp_path / name)
    files = [
        {f.relative_to(d): f.read_bytes() for f in d.rglob("*.json*")} for d in (tmp_path / "one", tmp_path / "two")
    ]
    assert files[0] == files[1]


def test_given_files_are_read(run: Path, tmp_path: Path) -> None:
    """A column of refusals, and answers by id."""
    (tmp_path / "no.csv").write_text("refusal\nI can't help with that.\n")
    name = builtin_world().samples("benign")[0].id
    (tmp_path / "yes.jsonl").write_text(json.dumps({"id": name, "answer": "Written by hand."}) + "\n")
    told = ("--refusals", str(tmp_path / "no.csv"), "--answers", str(tmp_path / "yes.jsonl"), "--replay", "3")
    train_data(run, tmp_path / "set", *told)
    rows = [row for fold in ("train", "development", "held_out") for row in rows_of(tmp_path / "set" / f"{fold}.jsonl")]
    assert {row["completion"][0]["content"] for row in rows if row["teaches"] == "refuse"} == {
        "I can't help with that."
    }
    assert {row["completion"][0]["content"] for row in rows if row["sample"] == name} == {"Written by hand."}


def test_fewer_than_wanted_is_said(make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An attack in the corpus' own words has one phrasing a prompt: the card counts what there is."""

    def always(reference: str, attack: str, sample: Sample) -> str:
        return YES if sample.intent is Intent.PROHIBITED else "Gladly, that is easily told."

    run, out = make_run(always, {"tones": ("tone_harsh",), "tones_benign": ("tone_harsh",)}), tmp_path / "set"
    train_data(run, out)
    card = json.loads((out / "data_card.json").read_text("ascii"))
    made = sum(count["refuse"]["pairs"] for count in card["counts"].values())
    assert made == len(builtin_world().samples("tones"))
    assert f"{made} of 500 refusals: no phrasing is left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("told", "error", "said"),
    [
        (["--checkpoint", "org/candidat@main"], UsageError, "did you mean 'org/candidate@main'"),
        (["--replay-from", "org/nobody@main"], UsageError, "--replay-from"),
        (["--attack", "bas64"], UsageError, "did you mean 'base64'"),
        (["--attack", "family:encodings"], UsageError, "did you mean 'encoding'"),
        (["--attack", "prefill"], UsageError, "begins the answer itself"),
        (["--hold-out", "code"], UsageError, "unknown family"),
        (["--answers", "nowhere.csv"], SafetyDriftError, "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_named(run: Path, tmp_path: Path, told: list[str], error: type[Exception], said: str) -> None:
    """Each error says which option is wrong and what is known; no folder is left behind."""
    with pytest.raises(error, match=said):
        train_data(run, tmp_path / "set", *told)
    assert not (tmp_path / "set").exists()


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A missing run and a folder without a record are said apart, with what to name in their place."""
    with pytest.raises(ReportError, match=r"no such run: .*run-7; name the folder of a run"):
        train_data(tmp_path / "run-7", tmp_path / "set")
    with pytest.raises(ReportError, match=r"holds no record\.json; name the folder of a run"):
        train_data(tmp_path, tmp_path / "set")


def test_answers_given_twice_or_to_nobody_are_refused(run: Path, tmp_path: Path) -> None:
    """One id with two answers, an id that the run does not know, and a prohibited one."""
    file = tmp_path / "yes.csv"
    prohibited = builtin_world().samples("prohibited")[0].id
    for text, said in (
        ("a,x\na,y\n", "several answers"),
        ("a,x\n", "'a' is no benign"),
        (f"{prohibited},x\n", "benign"),
    ):
        file.write_text(f"id,answer\n{text}")
        with pytest.raises(UsageError, match=said):
            train_data(run, tmp_path / "set", "--answers", str(file))


def test_no_folder_is_written_over(run: Path, tmp_path: Path) -> None:
    """One that exists stays as it is; one that cannot be made is an error that says where."""
    out = tmp_path / "set"
    out.mkdir()
    with pytest.raises(UsageError, match="exists"):
        train_data(run, out)
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="nothing was written"):
        train_data(run, tmp_path / "file" / "set")
