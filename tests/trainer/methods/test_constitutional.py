"""Constitutional training: from drafts over critiques to a checkpoint, with doubles for the teacher."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="answers are learnt through trl")

from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.trainer.constitution.learnt import LEARNT
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods import constitutional as module
from pytest_safetydrift.trainer.methods.constitutional import CRITIQUES, Constitutional
from pytest_safetydrift.trainer.preferences.rows import FILE, read_preferences
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn
from pytest_safetydrift.trainer.training.run import train
from tests.trainer.constitution.made import TEACHER
from tests.trainer.methods.asking import command, loss_on, questions, rows
from tests.trainer.methods.made_pairs import write
from tests.trainer.methods.preferring import card, die_after_a_save, logged
from tests.trainer.preferences.pairs import NO, draw, yes

Make = Callable[..., Constitutional]
DOUBLE = "scripted:pytest_safetydrift.trainer.constitution.scripted:teacher"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("ascii").splitlines()]


@pytest.fixture
def method(tmp_path: Path) -> Make:
    """Makes a configuration over 24 questions, whose answers fit into 32 tokens: the base complies with all."""
    data = questions(tmp_path, 24)

    def make(**changes: Any) -> Constitutional:
        settings = {"data": (data,), "teacher": DOUBLE, "temperature": 0.3, "max_new_tokens": 48}
        learning = {"batch": 8, "steps": 4, "rate": 1e-3, "warmup": 1}
        return Constitutional(**{"base": str(BASE), **settings, **learning, **changes})

    return make


@pytest.fixture
def complying(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The base without its model: it complies with all, and refuses every fourth benign question. Who was asked."""
    seen: list[str] = []

    def answers(reference: str, asked: Sequence[Asked], *, n: int = 1, **_: Any) -> list[tuple[Drawn, ...]]:
        seen.append(f"{reference} x {n}")
        return [draw(a, *_texts(a)[:n]) for a in asked]

    monkeypatch.setattr(module, "draw_answers", answers)
    return seen


def _texts(asked: Asked) -> tuple[str, str]:
    if asked.prohibited:
        return yes(asked.sample.topic), NO
    return (NO, asked.golden) if int(asked.sample.id.removeprefix("asked-")) % 8 == 1 else (asked.golden, NO)


def test_revisions_are_learnt_with_the_base_s_own_answers(method: Make, tmp_path: Path) -> None:
    """Their loss falls; every critique is kept, what was learnt lies beside it, the card says families and counts."""
    out = train(method(steps=12), tmp_path / "out")
    assert loss_on(out, out / LEARNT) < 0.5 * loss_on(BASE, out / LEARNT)
    check_checkpoint(Checkpoint(out), EngineOptions())
    kept, learnt, told = lines(out / CRITIQUES), lines(out / LEARNT), card(out)
    assert sum(row["teaches"] == "refuse" for row in kept) == 12
    assert {row["completion"][0]["content"] for row in learnt if row["why"] == "revised"} <= {
        row["revision"] for row in kept if row["used"]
    }
    assert {(row["teaches"], row["why"]) for row in learnt} >= {("refuse", "revised"), ("answer", "own")}
    assert sum(told["learnt"].values()) == told["rows"] == len(learnt)
    assert sum(told["critiques"].values()) == len(kept)
    assert told["drafts"]["prohibited, unsafe"] == 12
    assert set(told["attack_families_trained_on"]) == {"none", "encoding"}
    assert (told["teacher"]["reference"], told["teacher"]["verified"]) == (DOUBLE, True)
    assert (len(told["principles"]["ids"]), len(told["principles"]["sha256"])) == (5, 64)


def test_faulty_drafts_are_revised_and_good_ones_stay(method: Make, tmp_path: Path, complying: list[str]) -> None:
    """All that was complied with, and each needless refusal; a right answer to a benign question meets no teacher."""
    out = train(method(), tmp_path / "out")
    assert complying == [f"{BASE} x 1"]
    assert card(out)["drafts"] == {"benign, needless": 3, "benign, right": 9, "prohibited, unsafe": 12}
    assert card(out)["critiques"] == {"learnt": 15}
    assert card(out)["learnt"] == {"answer, own": 9, "answer, revised": 3, "refuse, revised": 12}


def test_what_is_left_out_for_balance_is_told(
    method: Make, tmp_path: Path, complying: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Half as many answers as refusals: its critiques say so, and that they were not used; a line counts them."""
    out = train(method(balance=0.5), tmp_path / "out")
    assert sum(row["teaches"] == "answer" for row in lines(out / LEARNT)) == 6
    left_out = [row for row in lines(out / CRITIQUES) if row["why"] == "left out for balance"]
    assert len(left_out) == 3 - sum(
        row["why"] == "revised" and row["teaches"] == "answer" for row in lines(out / LEARNT)
    )
    assert not any(row["used"] for row in left_out)
    counts = f"{15 - len(left_out)} learnt, {len(left_out)} left out for balance"
    told = f"asked 24 questions; learnt 18 answers; left out 0 too long; of 15 critiques: {counts}"
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_feedback_on_revisions_goes_on_in_other_methods(method: Make, tmp_path: Path, complying: list[str]) -> None:
    """Pairs of both kinds with their noise, where DPO and the reward model look for them."""
    out = train(method(feedback="revisions", steps=1), tmp_path / "out")
    pairs = read_preferences([out / FILE])
    assert {p.row["teaches"] for p in pairs} == {"refuse", "answer"}
    assert all(p.noise == 0.25 for p in pairs)
    assert sum(card(out)["feedback"]["pairs"].values()) == len(pairs) == 12 + 3 + 9
    assert card(out)["feedback"]["told_by"] == "letters"


def test_feedback_on_draws_compares_what_comes_out(method: Make, tmp_path: Path, complying: list[str]) -> None:
    """Two answers of the trained checkpoint to each question."""
    out = train(method(feedback="draws", steps=1), tmp_path / "out")
    assert complying == [f"{BASE} x 1", f"{tmp_path / 'out.training' / 'result'} x 2"]
    assert len(read_preferences([out / FILE])) == 24


def test_feedback_without_a_preference_is_an_error(method: Make, tmp_path: Path, complying: list[str]) -> None:
    """A teacher that likes a place and no answer leaves no empty file behind."""
    with pytest.raises(UsageError, match=r"none of \d+ comparisons says which answer is better \(\d+ the two orders"):
        train(method(feedback="revisions", teacher=f"{TEACHER}:partial_to_a"), tmp_path / "out")


def test_a_stopped_run_goes_on_to_the_same_end(
    method: Make, tmp_path: Path, complying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No draft is drawn and no critique asked again; log, critiques and weights are those of an unbroken run."""
    chosen = method(save_every=2)
    straight, out = train(chosen, tmp_path / "straight"), tmp_path / "out"
    die_after_a_save(chosen, out, monkeypatch)
    monkeypatch.setattr(module, "consult", lambda *_, **__: pytest.fail("the teacher was asked again"))
    monkeypatch.setattr(module, "draw_answers", lambda *_, **__: pytest.fail("drafts were drawn again"))
    train(chosen, out)
    assert logged(out) == logged(straight)
    for name in ("model.safetensors", CRITIQUES, LEARNT):
        assert (out / name).read_bytes() == (straight / name).read_bytes()


def test_a_run_stopped_while_the_teacher_spoke_asks_what_is_left(
    method: Make, tmp_path: Path, complying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers are kept as they come: a teacher that died after 20 of them is asked for the others alone."""
    from pytest_safetydrift.core.errors import EngineError
    from pytest_safetydrift.engines.scripted import ScriptedEngine
    from pytest_safetydrift.trainer.constitution.scripted import teacher
    from tests.trainer.constitution import made

    monkeypatch.setattr(made, "tired", ScriptedEngine(teacher, fail_after=20), raising=False)
    with pytest.raises(EngineError, match="failed after 20 requests"):
        train(method(teacher=f"{TEACHER}:tired"), tmp_path / "out")
    rested = ScriptedEngine(teacher)
    monkeypatch.setattr(made, "tired", rested, raising=False)
    out = train(method(teacher=f"{TEACHER}:tired"), tmp_path / "out")
    assert rested.requests == 2 * len(lines(out / CRITIQUES)) - 20


@pytest.mark.parametrize(("teacher", "why"), [("silent", "critique: empty"), ("chatty", "no single revision")])
def test_a_teacher_that_returns_garbage_ends_it(
    method: Make, tmp_path: Path, complying: list[str], teacher: str, why: str
) -> None:
    """With examples of what it said, and every critique there to be read."""
    with pytest.raises(TrainingError, match=rf"came to nothing .*{why}.* for example .*name a teacher that follows"):
        train(method(teacher=f"{TEACHER}:{teacher}"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    kept = lines(tmp_path / "out.training" / "kept" / CRITIQUES)
    assert len(kept) >= 12
    assert not any(row["used"] for row in kept)


def test_a_teacher_whose_revisions_are_all_unsafe_ends_it(method: Make, tmp_path: Path, complying: list[str]) -> None:
    """The rule judge has the last word, and the error says what it found."""
    with pytest.raises(UsageError, match=r"there are 0 refusals and \d+ answers to learn.*the revision unsafe"):
        train(method(teacher=f"{TEACHER}:yielding"), tmp_path / "out")


def test_a_base_that_refuses_already_is_an_error(method: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to revise, and no teacher is asked."""
    monkeypatch.setattr(module, "draw_answers", lambda _r, asked, **_: [draw(a, "I can't help.") for a in asked])
    with pytest.raises(UsageError, match="complied in none of its answers to 12 prohibited questions"):
        train(method(), tmp_path / "out")


def test_questions_of_one_kind_are_an_error(method: Make, tmp_path: Path) -> None:
    """Before anything is drawn, and in a dry run too."""
    data = write(tmp_path / "one.jsonl", rows(8)[::2])
    with pytest.raises(CorpusError, match="no question of the data is benign"):
        method(data=(data,)).estimate()


def test_so_many_questions_are_asked(method: Make, tmp_path: Path) -> None:
    """Half of them prohibited, the same for the same seed."""
    asked = method(questions=10).asked()
    assert (len(asked), sum(a.prohibited for a in asked)) == (10, 5)
    assert asked == method(questions=10).asked() != method(questions=10, seed=1).asked()


def test_a_dry_run_loads_no_weights(method: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, steps and drawn tokens are counted, and the teacher's part is told."""
    from pytest_safetydrift.engines import loading

    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    found = method(rounds=2).estimate()
    assert (found.rows, found.steps, found.generated) == (24, 4, 24 * 48)
    assert found.notes == (f"teacher: up to 96 answers of at most 512 tokens by {DOUBLE}",)
    assert method(feedback="draws").estimate().generated == 3 * 24 * 48


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"each": 0}, "each must be at least 1"),
        ({"unusable": 1.0}, r"unusable must be in \[0, 1\)"),
        ({"teacher_temperature": -1.0}, "teacher_temperature"),
        ({"temperature": 0.0}, "temperature must be a number above 0"),
        ({"balance": -1.0}, "balance must be a number of at least 0"),
        ({"questions": -1}, "questions must be at least 0"),
        ({"feedback": "both"}, "feedback must be revisions or draws, got 'both'"),
        ({"teacher": "recorded:answers.jsonl"}, "a file cannot criticise"),
        ({"teacher": "wizard:x"}, "unknown scheme 'wizard'"),
    ],
)
def test_impossible_settings_are_refused(method: Make, change: dict[str, Any], why: str) -> None:
    """By name."""
    with pytest.raises(UsageError, match=why):
        method(**change)


def test_principles_that_cannot_be_used_are_an_error(method: Make, tmp_path: Path) -> None:
    """Before anything is drawn."""
    (tmp_path / "own.toml").write_text("[[principle]]\nid = 'x'\n")
    with pytest.raises(UsageError, match="missing applies, critique, revision"):
        train(method(principles=str(tmp_path / "own.toml")), tmp_path / "out")


def test_the_command_line_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every field is an option; a dry run says what it would cost and leaves nothing."""
    data, out = questions(tmp_path, 24), tmp_path / "out"
    common = [
        "--base",
        str(BASE),
        "--data",
        str(data),
        "--out",
        str(out),
        "--dry-run",
        "--teacher",
        DOUBLE,
        "--feedback",
        "draws",
    ]
    assert command(Constitutional, *common) == 0
    assert "teacher: up to 96 answers" in capsys.readouterr().out
    assert not out.exists()
