"""Making pairs: what is preferred to what, and why."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.response import Finish
from pytest_safetydrift.trainer.preferences.clarifying import abstentions, questions
from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
from pytest_safetydrift.trainer.preferences.make import Made, make_preferences
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn
from tests.trainer.preferences.pairs import NO, THINGS, ask, draw, yes

GUN, CAKE = ask("a gun"), ask("a cake")
SAFE = (CAKE, draw(CAKE, yes("a cake")))
UNSAFE = (GUN, draw(GUN, yes("a gun")))


def make(*both: tuple[Asked, tuple[Drawn, ...]], **changes: Any) -> Made:
    asked, draws = zip(*both, strict=True)
    return make_preferences(asked, draws, PreferenceConfig(base="REF", data=(), **{"balance": 0.0, **changes}))


def texts(made: Made, sample: str) -> tuple[str, str]:
    """Chosen and rejected of one question's pair."""
    row = next(row for row in made.rows if row["sample"] == sample)
    return row["chosen"][0]["content"], row["rejected"][0]["content"]


def test_a_refusal_is_preferred_to_complying() -> None:
    """The golden refusal against the draw that complied, where the model never refused."""
    assert texts(make(UNSAFE, SAFE), "a gun") == (GUN.golden, yes("a gun"))


def test_the_model_s_own_refusal_goes_first() -> None:
    """Unless the golden one is wanted, and unless its own was cut off."""
    own = (GUN, draw(GUN, yes("a gun"), NO))
    assert texts(make(own, SAFE), "a gun")[0] == NO
    assert texts(make(own, SAFE, own=False), "a gun")[0] == GUN.golden
    cut = (GUN, (*draw(GUN, yes("a gun")), *draw(GUN, NO, finish=Finish.LENGTH)))
    assert texts(make(cut, SAFE), "a gun")[0] == GUN.golden


def test_a_question_that_was_always_refused_is_counted() -> None:
    """It makes no pair, and the number says so."""
    bomb = ask("a bomb")
    made = make(UNSAFE, SAFE, (bomb, draw(bomb, NO, "")))
    assert made.skipped["prohibited, no draw complied"] == 1
    assert {row["sample"] for row in made.rows} == {"a gun", "a cake"}


@pytest.mark.parametrize(
    ("faulty", "why"), [(NO, "needless"), ("Sure, here are the steps to make soup: step one.", "off_topic")]
)
def test_a_right_answer_is_preferred_to_a_fault(faulty: str, why: str) -> None:
    """To a needless refusal or to one off the topic; the model's own right answer where it drew one."""
    right = "Of course, these are the steps to make a cake: step one."
    made = make(UNSAFE, (CAKE, draw(CAKE, faulty, right)))
    assert texts(made, "a cake") == (right, faulty)
    assert texts(make(UNSAFE, (CAKE, draw(CAKE, faulty))), "a cake") == (CAKE.golden, faulty)
    assert any(row["why"] == f"answer, not {why}" for row in made.rows)


def test_a_wrong_sum_is_a_fault() -> None:
    """Where an answer can be checked, the right one is preferred to the wrong one."""
    total = ask("soup", golden="5", answer="5")
    assert texts(make(UNSAFE, (total, draw(total, "7"))), "soup") == ("5", "7")


def test_without_a_fault_a_refusal_is_what_is_worse() -> None:
    """And it is one that another question prefers: no refusal is better or worse for its wording alone."""
    made = make(UNSAFE, (GUN, draw(GUN, yes("a gun"), NO)), SAFE)
    assert texts(made, "a cake")[1] in {GUN.golden, NO}


def test_both_kinds_are_balanced_by_chance() -> None:
    """So many answers for each refusal as the option says; what is over is counted."""
    both = [(a, draw(a, yes(a.sample.id))) for a in map(ask, THINGS)]
    for share, refuse, answer in ((1.0, 2, 2), (0.5, 2, 1), (2.0, 1, 2)):
        made = make(*both[:2], *both[4:6], balance=share)
        taught = [row["teaches"] for row in made.rows]
        assert (taught.count("refuse"), taught.count("answer")) == (refuse, answer)
        assert made.skipped["left out for balance"] == 4 - refuse - answer


def test_a_balance_that_leaves_one_kind_is_refused() -> None:
    """One kind alone teaches one answer to everything."""
    with pytest.raises(UsageError, match="balance 9 leaves 0 pairs that prefer a refusal"):
        make(UNSAFE, SAFE, balance=9.0)


def test_equal_draws_make_equal_pairs() -> None:
    """And another seed another order."""
    both = [(a, draw(a, yes(a.sample.id))) for a in map(ask, THINGS)]
    assert make(*both).rows == make(*both).rows != make(*both, seed=1).rows


def test_a_model_that_refuses_already_is_an_error() -> None:
    """There is nothing that a refusal could be preferred to."""
    with pytest.raises(UsageError, match=r"complied in none of 4 draws .* it refuses them already"):
        make((GUN, draw(GUN, NO)), SAFE)


@pytest.mark.parametrize(("only", "missing"), [(SAFE, "prohibited"), (UNSAFE, "benign")])
def test_questions_of_one_kind_are_refused(only: tuple[Asked, tuple[Drawn, ...]], missing: str) -> None:
    """Before anything is paired."""
    with pytest.raises(UsageError, match=f"no question of the data is {missing}"):
        make(only)


def test_where_the_draws_disagree_asking_is_preferred() -> None:
    """To the draw that complied on a prohibited request, to the one that refused on a benign one."""
    made = make(
        (GUN, draw(GUN, yes("a gun"), NO)),
        (CAKE, draw(CAKE, yes("a cake"), NO)),
        unsure=0.5,
    )
    (abstains, unsafe), (asks, refusal) = texts(made, "a gun"), texts(made, "a cake")
    assert abstains in abstentions()
    assert unsafe == yes("a gun")
    assert asks in questions("a cake")
    assert refusal == NO


def test_asking_back_is_sure_to_be_right() -> None:
    """It is preferred because the draws disagree, so that they do is no doubt about the pair."""
    made = make((GUN, draw(GUN, yes("a gun"), NO)), SAFE, unsure=0.5)
    assert {row["noise"] for row in made.rows} == {0.0}


def test_where_the_draws_agree_nothing_changes() -> None:
    """One that differs in four is below a bar of a half, and tells in the noise alone."""
    gun = (GUN, draw(GUN, NO, *[yes("a gun")] * 3))
    made = make(gun, SAFE, unsure=0.5)
    assert texts(made, "a gun") == (NO, yes("a gun"))
    assert {row["sample"]: row["noise"] for row in made.rows} == {"a gun": 0.25, "a cake": 0.0}
    assert {row["noise"] for row in make(gun, SAFE).rows} == {0.0}


def test_what_can_be_checked_is_taught_and_not_abstained_from() -> None:
    """A sum that the model gets right half of the time has a right answer, and no doubt about which one it is."""
    total = ask("soup", golden="5", answer="5")
    made = make(UNSAFE, (total, draw(total, "7", "5")), unsure=0.25)
    assert texts(made, "soup") == ("5", "7")
    assert next(row["noise"] for row in made.rows if row["sample"] == "soup") == 0.0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"draws": 0}, "draws and max_tokens must be at least 1"),
        ({"questions": -1}, "questions at least 0"),
        ({"temperature": 0.0}, "greedy draws are all the same"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"balance": float("inf")}, "balance must be a number"),
        ({"unsure": 0.6}, r"unsure must be in \[0, 0.5\]"),
        ({"unsure": 0.2, "draws": 1}, "unsure needs draws of 2 or more"),
    ],
)
def test_impossible_wishes_are_refused(change: dict[str, Any], why: str) -> None:
    """Each by its name."""
    with pytest.raises(UsageError, match=why):
        PreferenceConfig(base="REF", data=(), **change)
