"""Rounds of critique and revision, with teachers that are doubles and a real runner."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="answers are judged beside the trainer")

from pytest_safetydrift.core.errors import EngineError, TrainingError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.constitution.principles import read_principles
from pytest_safetydrift.trainer.constitution.revising import Answered, Revised, Revising
from pytest_safetydrift.trainer.constitution.teacher import check_usable, consult
from tests.trainer.constitution.made import HARM, NEEDLESS, NO, TEACHER, ask, yes

BOMB = Answered(ask("a bomb", prohibited=True), yes("a bomb"))
CAKE = Answered(ask("a cake", prohibited=False), NO)
DOUBLE = "scripted:pytest_safetydrift.trainer.constitution.scripted:teacher"


def revised(
    folder: Path, teacher: str, drafts: Sequence[Answered] = (BOMB, CAKE), rounds: int = 1, patience: float = 0.5
) -> list[Revised]:
    """All critiques, by the real runner."""
    reference = teacher if ":" in teacher else f"{TEACHER}:{teacher}"
    revising = Revising(reference, (HARM, NEEDLESS), rounds, 1, Sampling(), patience)
    return consult(reference, lambda: revising.dialogue(drafts), folder=folder, expected=4)


def test_a_good_revision_is_learnt(tmp_path: Path) -> None:
    """The world's double declines the bomb and helps with the cake, each under a principle that applies."""
    bomb, cake = revised(tmp_path, DOUBLE)
    assert bomb.learnable
    assert "can't" in bomb.revision
    assert bomb.principles == ("harm",)
    assert cake.learnable
    assert cake.revision == yes("a cake")
    assert cake.principles == ("needless",)
    assert "ought to decline" in bomb.critique


def test_a_revision_that_is_still_unsafe_is_not_learnt(tmp_path: Path) -> None:
    """Whatever the teacher thinks of it; nor is one that is off the topic."""
    bomb, cake = revised(tmp_path, "yielding")
    assert (bomb.learnable, bomb.why) == (False, "the rule judge finds the revision unsafe")
    assert (cake.learnable, cake.why) == (False, "the rule judge finds the revision off topic")


def test_a_needless_refusal_is_not_learnt(tmp_path: Path) -> None:
    """A teacher that declines everything teaches the refusals that are due, and no others."""
    bomb, cake = revised(tmp_path, "refusing")
    assert bomb.learnable
    assert bomb.revision == NO
    assert (cake.learnable, cake.why) == (False, "the rule judge finds the revision needless")


@pytest.mark.parametrize(
    ("teacher", "why", "said"),
    [
        ("silent", "the teacher's critique: empty", "  \n"),
        ("parrot", "the teacher's critique: an echo of the task", "You review"),
        ("broken_off", "the teacher's critique: cut off", "The answer does"),
        ("chatty", "the teacher's revision: no single revision between its tags", "What a lovely day"),
    ],
)
def test_garbage_is_never_learnt(tmp_path: Path, teacher: str, why: str, said: str) -> None:
    """What was said is kept, with why it could not be used."""
    found = revised(tmp_path, teacher)
    assert [f.why for f in found] == [why, why]
    assert not any(f.learnable for f in found)
    assert all(f.to_json()["unusable"].startswith(said) for f in found)
    with pytest.raises(TrainingError, match=r"of 2 answers 2 came to nothing .*; for example .*; name a teacher"):
        check_usable(teacher, [(f.unusable, f.said) for f in found], 2, 0.5)


def test_a_teacher_is_left_once_too_much_is_unusable(tmp_path: Path) -> None:
    """No revision is asked for behind critiques that say nothing; with endless patience it goes on."""
    assert len(revised(tmp_path / "a", "silent", rounds=3)) == 2
    assert {f.why for f in revised(tmp_path / "b", "chatty", patience=1.0)} == {
        "the teacher's revision: no single revision between its tags"
    }


def test_each_round_revises_the_round_before(tmp_path: Path) -> None:
    """Only the last is learnt, and each has its row."""
    first, second = revised(tmp_path, DOUBLE, [BOMB], rounds=2)
    assert (first.number, second.number, second.draft) == (1, 2, first.revision)
    assert (first.why, second.why) == ("revised again", "learnt")
    assert first.draft == BOMB.answer
    assert not first.learnable


def test_a_stopped_teacher_is_not_asked_again(tmp_path: Path) -> None:
    """A second call finds every answer in the store: the same comes out of it, and the file has not grown."""
    found = revised(tmp_path, DOUBLE)

    def answers() -> int:
        with closing(sqlite3.connect(tmp_path / "answers.sqlite")) as db:
            return int(db.execute("SELECT count(*) FROM answers").fetchone()[0])

    held = answers()
    assert revised(tmp_path, DOUBLE) == found
    assert answers() == held == 4


def test_a_teacher_that_came_back_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What broke an earlier try is not held against it."""
    from pytest_safetydrift.engines.scripted import ScriptedEngine
    from tests.trainer.constitution import made

    monkeypatch.setattr(made, "away", ScriptedEngine("hm", load_error="out of reach"), raising=False)
    with pytest.raises(EngineError, match="out of reach"):
        revised(tmp_path, "away")
    monkeypatch.setattr(made, "away", ScriptedEngine("What a lovely day."), raising=False)
    assert {f.unusable for f in revised(tmp_path, "away")} == {"revision: no single revision between its tags"}


def test_several_principles_share_one_critique(tmp_path: Path) -> None:
    """At most as many as apply, drawn by the seed."""
    revising = Revising(DOUBLE, read_principles(), each=2)
    (found,) = consult(DOUBLE, lambda: revising.dialogue([BOMB]), folder=tmp_path, expected=2)
    assert len(set(found.principles)) == 2
