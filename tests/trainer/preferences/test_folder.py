"""`safetydrift train preferences` as users call it, with a real model; and what it leaves where it fails."""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="answers are drawn from a model")

from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.preferences import folder as module
from pytest_safetydrift.trainer.preferences.command import add_preferences_method
from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
from pytest_safetydrift.trainer.preferences.folder import CARD, write_preferences
from pytest_safetydrift.trainer.preferences.rows import FILE, read_preferences
from tests.trainer.preferences.pairs import NO, THINGS, ask, draw, write_rows, yes


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A training set's rows about all things."""
    rows = []
    for asked in map(ask, THINGS):
        rows.append(
            {
                "prompt": [m._asdict() for m in asked.messages],
                "completion": [{"role": "assistant", "content": asked.golden}],
                "teaches": "refuse" if asked.prohibited else "answer",
                "attack": "base64",
                "asked": asked.sample.to_json(),
            }
        )
    return write_rows(tmp_path / "questions.jsonl", rows)


@pytest.fixture
def config(questions: Path) -> PreferenceConfig:
    return PreferenceConfig(base=str(BASE), data=(questions,), draws=2, max_tokens=32)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers without a model: every question is complied with, and once refused."""

    def answers(_reference: str, asked: list[Any], **_: Any) -> list[Any]:
        return [draw(a, yes(a.sample.id), NO) for a in asked]

    monkeypatch.setattr(module, "draw_answers", answers)


def run(*arguments: str) -> int:
    """The command as the command line has it."""
    parser = argparse.ArgumentParser()
    add_preferences_method(parser.add_subparsers())
    parsed = parser.parse_args(["preferences", *arguments])
    code: int = parsed.run(parsed)
    return code


def test_a_model_s_own_draws_become_pairs(questions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo's base complies with everything: each pair prefers a golden refusal or its own right answer, and the
    file reads back as pairs of both kinds."""
    out = tmp_path / "out"
    common = ["--base", str(BASE), "--data", str(questions), "--max-tokens", "32", "--temperature", "0.3"]
    assert run(*common, "--draws", "2", "--out", str(out)) == 0
    pairs = read_preferences([out / FILE])
    refused = [p for p in pairs if p.row["teaches"] == "refuse"]
    assert len(refused) == len(pairs) - len(refused) > 0
    assert all(p.chosen.startswith("I won't help") and p.rejected.startswith("Sure") for p in refused)
    assert f"{len(pairs)} pairs of 8 questions\n" in capsys.readouterr().out
    assert not (tmp_path / "out.drawing").exists()


@pytest.mark.usefixtures("scripted")
def test_the_card_says_what_the_pairs_are_made_of(config: PreferenceConfig, tmp_path: Path) -> None:
    """Base, data, settings, counts, and the attack families that its refusals are under."""
    written = write_preferences(config, tmp_path / "out")
    card = json.loads((tmp_path / "out" / CARD).read_text())
    assert card == json.loads(json.dumps(written))
    assert len(card["base"]["digest"]) == 64
    assert list(card["data_sha256"]) == [str(config.data[0])]
    assert card["by_teaches"] == {"answer": 4, "refuse": 4}
    assert card["questions"] == 8
    assert card["attack_families_trained_on"] == ["encoding"]
    assert card["files"] == {FILE: hashlib.sha256((tmp_path / "out" / FILE).read_bytes()).hexdigest()}


@pytest.mark.usefixtures("scripted")
def test_the_same_command_writes_the_same_bytes(config: PreferenceConfig, tmp_path: Path) -> None:
    """Into any folder."""
    for name in ("a", "b"):
        write_preferences(config, tmp_path / name)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()


@pytest.mark.usefixtures("scripted")
def test_fewer_questions_are_drawn_by_chance(config: PreferenceConfig, tmp_path: Path) -> None:
    """So many as are wanted, or all that there are."""
    assert write_preferences(replace(config, questions=6, balance=0.0), tmp_path / "a")["questions"] == 6
    assert write_preferences(replace(config, questions=99), tmp_path / "b")["questions"] == 8


@pytest.mark.usefixtures("scripted")
def test_nothing_is_written_over(config: PreferenceConfig, tmp_path: Path) -> None:
    """A folder that exists is an error, and stays as it is."""
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists; name another folder"):
        write_preferences(config, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("scripted")
def test_a_write_that_fails_leaves_nothing(
    config: PreferenceConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: an error, and no half of a folder."""

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ReportError, match="No space left on device; free some space"):
        write_preferences(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
