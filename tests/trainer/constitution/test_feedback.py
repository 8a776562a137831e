"""Feedback: comparisons in both orders, as preferences that other methods read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="answers are judged beside the trainer")

from pytest_safetydrift.core.errors import EngineError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.trainer.constitution.feedback import LETTERS_NOISE, Compared, Comparing, Pairing
from pytest_safetydrift.trainer.constitution.lessons import pair_draws, pair_revisions
from pytest_safetydrift.trainer.constitution.principles import read_principles
from pytest_safetydrift.trainer.constitution.revising import Answered, Revised
from pytest_safetydrift.trainer.constitution.teacher import consult
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.preferences.rows import read_preferences
from pytest_safetydrift.trainer.reward.faults import Fault
from tests.trainer.constitution.made import HARM, NEEDLESS, NO, TEACHER, ask, yes

BOMB, CAKE = ask("a bomb", prohibited=True), ask("a cake", prohibited=False)
PAIRS = (
    Pairing(BOMB, yes("a bomb"), NO, "draft and revision"),
    Pairing(CAKE, yes("a cake"), NO, "draft and a refusal"),
)
DOUBLE = "scripted:pytest_safetydrift.trainer.constitution.scripted:teacher"


def compared(folder: Path, teacher: str, pairings: Sequence[Pairing] = PAIRS) -> list[Compared]:
    """By the real runner."""
    comparing = Comparing.by(teacher, (HARM, NEEDLESS), Sampling(max_tokens=8))
    return consult(teacher, lambda: comparing.dialogue(pairings), folder=folder, expected=4)


def logprobs(a: float) -> Response:
    """A teacher that finds A so likely."""
    return Response("A", choice_logprobs=(math.log(a), math.log(1 - a)))


def told(first: float, second: float, pairing: Pairing = PAIRS[0]) -> Compared:
    """What comes of the likelihoods of A in the two orders."""
    dialogue = Comparing("t", (HARM, NEEDLESS), lettered=False).dialogue([pairing])
    requests = next(dialogue)
    assert [r.choices for r in requests] == [("A", "B")] * 2
    with pytest.raises(StopIteration) as end:
        dialogue.send([logprobs(first), logprobs(second)])
    found: Compared = end.value.value[0]
    return found


def test_letters_become_preferences(tmp_path: Path) -> None:
    """The refusal of the bomb and the answer about the cake are preferred; they read back as pairs of both kinds."""
    found = compared(tmp_path, DOUBLE)
    assert [c.why for c in found] == ["preferred", "preferred"]
    file = tmp_path / "preferences.jsonl"
    file.write_text("".join(json.dumps(c.to_json()) + "\n" for c in found))
    bomb, cake = read_preferences([file])
    assert (bomb.chosen, bomb.rejected, bomb.row["teaches"]) == (NO, yes("a bomb"), "refuse")
    assert (cake.chosen, cake.rejected, cake.row["teaches"]) == (yes("a cake"), NO, "answer")
    assert bomb.noise == cake.noise == LETTERS_NOISE
    assert bomb.row["why"] == "draft and revision, by harm"
    assert bomb.row["asked"]["id"] == "a bomb"


def test_a_liking_for_a_place_is_no_preference(tmp_path: Path) -> None:
    """Two orders that disagree say nothing."""
    assert [c.why for c in compared(tmp_path, f"{TEACHER}:partial_to_a")] == ["the two orders disagree"] * 2


def test_likelihoods_of_both_orders_are_averaged() -> None:
    """A at .1 as the draft and at .7 as the refusal: the draft is better with (.1 + .3) / 2, which is the noise."""
    found = told(0.1, 0.7)
    assert found.first_better == pytest.approx(0.2)
    assert found.noise == pytest.approx(0.2)
    assert found.learnable
    assert found.to_json()["chosen"][0]["content"] == NO


def test_noise_stays_below_a_half() -> None:
    """A pair that is all but a toss-up has the noise of the preferences' own limit."""
    assert told(0.49, 0.52).noise == pytest.approx(0.4)


@pytest.mark.parametrize("likelihoods", [(0.9, 0.9), (0.1, 0.1), (0.5, 0.9), (0.5, 0.5)])
def test_orders_that_do_not_agree_are_dropped(likelihoods: tuple[float, float]) -> None:
    """Opposite, or one of them without a preference."""
    assert told(*likelihoods).why == "the two orders disagree"


def test_a_fault_is_never_preferred() -> None:
    """A teacher that likes the steps to a bomb makes no pair of it, nor one that likes a needless refusal."""
    assert told(0.9, 0.1).why == "the rule judge finds the preferred answer unsafe"
    assert told(0.1, 0.9, PAIRS[1]).fault is Fault.NEEDLESS


def test_what_tells_nothing_is_not_used(tmp_path: Path) -> None:
    """Other words than a letter, and log-probabilities that are missing."""
    assert {c.unusable for c in compared(tmp_path, f"{TEACHER}:chatty")} == {"no single letter"}
    dialogue = Comparing("t", (HARM,), lettered=False).dialogue([PAIRS[0]])
    next(dialogue)
    with pytest.raises(StopIteration) as end:
        dialogue.send([Response("A"), logprobs(0.3)])
    assert end.value.value[0].unusable == "no log-probabilities of its letters"


def test_a_real_model_is_asked_for_likelihoods(tmp_path: Path) -> None:
    """The demo's base as a teacher: each comparison tells a probability, or that the orders disagree."""
    found = compared(tmp_path, str(BASE))
    assert all(c.first_better is not None and 0 < c.first_better < 1 and not c.unusable for c in found)


def test_a_teacher_that_cannot_be_loaded_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own words."""
    from pytest_safetydrift.engines.scripted import ScriptedEngine
    from tests.trainer.constitution import made

    monkeypatch.setattr(made, "away", ScriptedEngine("A", load_error="no such host"), raising=False)
    with pytest.raises(EngineError, match="no such host"):
        compared(tmp_path, f"{TEACHER}:away")


def test_drafts_are_paired_with_their_revisions() -> None:
    """The first draft with the last revision, and as many good answers with a refusal; equal texts make no pair."""
    faulty = [Answered(BOMB, yes("a bomb")), Answered(CAKE, NO)]
    last = Revised(BOMB, 2, ("harm",), "Maybe.", "Hm.", NO, final=True)
    same = Revised(CAKE, 2, ("needless",), "Hm.", "Hm.", NO, fault=Fault.NEEDLESS, final=True)
    own = [Answered(ask(thing, prohibited=False), yes(thing)) for thing in ("soup", "a kite")]
    first, second = pair_revisions(faulty, [last, same], own, seed=0)
    assert (first.first, first.second) == (NO, yes("a bomb"))
    assert second.asked in [a.asked for a in own]
    assert second.second == NO


def test_draws_are_paired_where_they_differ() -> None:
    """Twice the same text says nothing, and neither does an empty one."""
    draws = [[Answered(BOMB, a), Answered(BOMB, b)] for a, b in ((NO, yes("a bomb")), (NO, f"{NO} "), (NO, ""))]
    assert [p.second for p in pair_draws(draws)] == [yes("a bomb")]


def test_one_principle_is_drawn_for_each_pairing() -> None:
    """One that applies to its question."""
    requests = next(Comparing("t", read_principles(), lettered=True).dialogue(PAIRS))
    assert len(requests) == 4
    benign = [p.question for p in read_principles() if p.is_for(False)]
    assert any(question in requests[2].messages[0].content for question in benign)
