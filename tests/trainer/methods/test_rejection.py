"""Adversarial rejection sampling: which of many answers is learnt, and the checkpoint that comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="answers are learnt through trl")

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError, UsageError
from pytest_safetydrift.core.response import Finish
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.trainer.constitution.learnt import LEARNT
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods import rejection as module
from pytest_safetydrift.trainer.methods.rejection import Rejection, acceptance, best_of
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn
from pytest_safetydrift.trainer.training.run import train
from tests.trainer.methods.asking import command, loss_on, questions, rows
from tests.trainer.methods.made_pairs import write
from tests.trainer.methods.preferring import card, die_after_a_save, logged
from tests.trainer.preferences.pairs import NO, ask, draw, yes

Make = Callable[..., Rejection]
OTHER = "I won't help with that."
Script = Callable[[Asked], Sequence[str]]


@pytest.fixture
def method(tmp_path: Path) -> Make:
    """Makes a configuration over 24 questions."""
    data = questions(tmp_path, 24)

    def make(**changes: Any) -> Rejection:
        settings = {"data": (data,), "draws": 2, "temperature": 0.7, "max_new_tokens": 48}
        learning = {"batch": 8, "steps": 4, "rate": 1e-3, "warmup": 1}
        return Rejection(**{"base": str(BASE), **settings, **learning, **changes})

    return make


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, int]]]:
    """Has each round's answers said by a script, the last one for all further rounds; tells who was asked how much."""

    def scripted(*scripts: Script) -> list[tuple[str, int]]:
        seen: list[tuple[str, int]] = []

        def answers(reference: str, asked: Sequence[Asked], **_: Any) -> list[tuple[Drawn, ...]]:
            seen.append((reference, len(asked)))
            script = scripts[min(len(seen), len(scripts)) - 1]
            return [draw(a, *script(a)) for a in asked]

        monkeypatch.setattr(module, "draw_answers", answers)
        return seen

    return scripted


def wavering(asked: Asked) -> Sequence[str]:
    """Every other prohibited question is refused once; what is allowed is always answered."""
    if not asked.prohibited:
        return [asked.golden, NO]
    unsafe = yes(asked.sample.topic)
    return [unsafe, NO] if int(asked.sample.id.removeprefix("asked-")) % 4 else [unsafe, unsafe]


def learnt(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LEARNT).read_text("ascii").splitlines()]


class Longest:
    """A reward model that likes length."""

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        return [float(len(text)) for _, text in answered]


def test_the_best_is_good_and_then_the_likeliest() -> None:
    """What was drawn oftest among the good ones, the first of equals; what is faulty or cut off is none of them."""
    gun, cake = ask("a gun"), ask("a cake")
    cut = draw(cake, yes("a cake"), finish=Finish.LENGTH)
    drawn = [
        draw(gun, yes("a gun"), OTHER, NO, NO, yes("a gun"), yes("a gun")),
        draw(gun, OTHER, NO),
        draw(gun, yes("a gun"), "", ""),
        (*cut, *draw(cake, NO, yes("soup"))),
    ]
    assert best_of([gun, gun, gun, cake], drawn) == {0: NO, 1: OTHER}


def test_a_reward_model_tells_the_best_of_the_good_ones() -> None:
    """And never lifts a faulty one over them, however well it scores."""
    gun = ask("a gun")
    drawn = [draw(gun, OTHER, NO, NO, yes("a gun")), draw(gun, yes("a gun"))]
    assert best_of([gun, gun], drawn, Longest()) == {0: NO}
    assert best_of([gun], [draw(gun, OTHER, OTHER, NO)], Longest()) == {0: NO}


def test_acceptance_is_told_by_attack_and_category() -> None:
    """Good draws of all draws, and questions that have one; refusals and answers apart."""
    gun, cake = ask("a gun", hazard="vcr"), ask("a cake")
    found = acceptance([gun, gun, cake], [draw(gun, NO, yes("a gun")), draw(gun, "", ""), draw(cake, NO, NO)])
    cell = {"questions": 2, "with_a_good_answer": 1, "draws": 4, "good": 1, "rate": 0.25}
    assert found["refuse"] == {"by_attack": {"plain": cell}, "by_category": {"vcr": cell}}
    assert found["answer"]["by_attack"]["plain"]["rate"] == 0.0


def test_good_draws_are_learnt_in_balance(
    method: Make, tmp_path: Path, drawing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss on them falls, as many answers as refusals are learnt; the card says what was accepted, and a line how
    much."""
    drawing(wavering)
    out = train(method(steps=8), tmp_path / "out")
    assert capsys.readouterr().err.splitlines()[-1] == (
        "asked 24 questions in 1 of 1 rounds; learnt 12 answers; left out 6 for balance and 0 too long; 6 questions "
        "without a good answer"
    )
    check_checkpoint(Checkpoint(out), EngineOptions())
    assert loss_on(out, out / LEARNT) < 0.5 * loss_on(BASE, out / LEARNT)
    told, taught = card(out), learnt(out)
    assert told["rounds"][0]["learnt"] == {"answer, own": 6, "refuse, own": 6}
    assert (told["rounds"][0]["left_out_for_balance"], told["questions_without_a_good_answer"]) == (6, 6)
    assert told["rounds"][0]["acceptance"]["answer"]["by_attack"]["base64"]["rate"] == 0.5
    assert {row["completion"][0]["content"] for row in taught if row["teaches"] == "refuse"} == {NO}
    assert told["attack_families_trained_on"] == ["encoding"]
    assert told["tokens"] > 0


def test_golden_answers_fill_up_where_that_is_wanted(method: Make, tmp_path: Path, drawing: Any) -> None:
    """No refusal is drawn of a prohibited request: by default that is an error, else the data's own answers serve."""
    drawing(lambda a: [yes(a.sample.topic), a.golden] if a.prohibited is False else [yes(a.sample.topic)])
    with pytest.raises(UsageError, match=r"no good answer to a prohibited question was drawn.*--fill golden"):
        train(method(), tmp_path / "out")
    out = train(method(fill="golden"), tmp_path / "filled")
    assert card(out)["rounds"][0]["learnt"] == {"answer, own": 12, "refuse, golden": 12}


def test_a_real_model_is_drawn_from(method: Make, tmp_path: Path) -> None:
    """The demo's base: in the second round its own child is asked, which has learnt the data's refusals."""
    out = train(method(fill="golden", rounds=2, steps=12, rate=3e-3), tmp_path / "out")
    first, second = card(out)["rounds"]
    assert first["acceptance"]["refuse"]["by_attack"]["plain"]["good"] == 0
    assert second["asked"] == first["asked"] - first["answered"]
    assert second["acceptance"]["refuse"]["by_attack"]["plain"]["good"] > 0


def test_further_rounds_ask_what_is_left(method: Make, tmp_path: Path, drawing: Any) -> None:
    """Of the checkpoint of the round before; the base is tuned anew on all that is good, until nothing new is."""
    seen = drawing(wavering, lambda a: [NO] if a.sample.id == "asked-0" else [yes(a.sample.topic)])
    out = train(method(rounds=5, balance=0.0), tmp_path / "out")
    work = tmp_path / "out.training"
    assert seen == [
        (str(BASE), 24),
        (str(work / "round-1" / "result"), 6),
        (str(work / "round-2" / "result"), 5),
    ]
    told = card(out)
    assert [r["answered"] for r in told["rounds"]] == [18, 1]
    assert (told["rows"], told["steps"], told["questions_without_a_good_answer"]) == (19, 8, 5)
    assert [json.loads(line)["round"] for line in (out / "training_log.jsonl").read_text().splitlines()] == [
        *[1] * 4,
        *[2] * 4,
    ]
    assert len(learnt(out)) == 19
    assert not work.exists()


def test_adapters_are_drawn_from_with_their_base(method: Make, tmp_path: Path, drawing: Any) -> None:
    """A round's LoRA checkpoint is no model without it, and neither is the outcome."""
    seen = drawing(wavering)
    out = train(method(rounds=2, lora_rank=2), tmp_path / "out")
    assert seen[1][0] == f"{BASE}+{tmp_path / 'out.training' / 'round-1' / 'result'}"
    check_checkpoint(Checkpoint(BASE, out), EngineOptions())


def test_a_stopped_run_goes_on_to_the_same_end(
    method: Make, tmp_path: Path, drawing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in its first round, or in the second; rounds that are done are not drawn again."""
    second = [wavering, lambda a: [NO] if a.sample.id == "asked-0" else [yes(a.sample.topic)]]
    chosen = method(rounds=2, save_every=2)
    drawing(*second)
    straight, out = train(chosen, tmp_path / "straight"), tmp_path / "out"
    seen = drawing(*second)
    die_after_a_save(chosen, out, monkeypatch)
    real = module.Rejection.learn
    calls: list[int] = []

    def dying_in_the_second(self: Rejection, *arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module.Rejection, "learn", dying_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            train(chosen, out)
    train(chosen, out)
    assert len(seen) == 2
    assert logged(out) == logged(straight)
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    assert learnt(out) == learnt(straight)


def test_a_base_that_refuses_everything_is_an_error(method: Make, tmp_path: Path, drawing: Any) -> None:
    """There is nothing to learn where no prohibited question was complied with."""
    drawing(lambda _: [NO])
    with pytest.raises(UsageError, match="complied in none of its answers to 12 prohibited questions"):
        train(method(), tmp_path / "out")


def test_a_base_that_answers_no_benign_question_is_an_error(method: Make, tmp_path: Path, drawing: Any) -> None:
    """Refusals alone are never learnt."""
    drawing(lambda a: [NO, yes(a.sample.topic)] if a.prohibited else [NO])
    with pytest.raises(UsageError, match="no good answer to a benign question was drawn"):
        train(method(), tmp_path / "out")


def test_questions_of_one_kind_are_an_error(method: Make, tmp_path: Path) -> None:
    """Before anything is drawn."""
    data = write(tmp_path / "one.jsonl", rows(8)[1::2])
    with pytest.raises(CorpusError, match="no question of the data is prohibited"):
        train(method(data=(data,)), tmp_path / "out")


def test_an_unsound_reward_model_is_refused(method: Make, tmp_path: Path) -> None:
    """One without a card that says it may be used, before anything is drawn."""
    with pytest.raises(UsageError, match="may not be used"):
        method(reward=str(BASE)).inputs()
    with pytest.raises(UsageError, match="not a reward model's folder"):
        method(reward=str(tmp_path)).inputs()


def test_a_dry_run_loads_no_weights(method: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, steps and drawn tokens are counted for all rounds."""
    from pytest_safetydrift.engines import loading

    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    found = method(rounds=2).estimate()
    assert (found.rows, found.steps, found.generated) == (24, 8, 24 * 2 * 2 * 48)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"draws": 0}, "draws and rounds must be at least 1"),
        ({"rounds": 0}, "draws and rounds must be at least 1"),
        ({"fill": "silver"}, "fill must be none or golden, got 'silver'"),
        ({"balance": float("nan")}, "balance must be a number"),
    ],
)
def test_impossible_settings_are_refused(method: Make, change: dict[str, Any], why: str) -> None:
    """By name."""
    with pytest.raises(UsageError, match=why):
        method(**change)


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
        "--draws",
        "3",
        "--fill",
        "golden",
    ]
    assert command(Rejection, *common) == 0
    assert "18,432 generated" in capsys.readouterr().out
    assert not out.exists()
