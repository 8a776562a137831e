"""The rules by which a loop goes on, passes and stops; no file and no model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.loop.decision import Step, best, decide, prices, unaffordable
from pytest_safetydrift.trainer.loop.plan import Plan
from tests.report.sample import paired
from tests.trainer.loop.made import PLAN, gate_of, made

REFUSES = gate_of("false_refusal", "FAIL", "fr/base64", **paired(0.0, 0.8, 0.05, 100))
HOLDS = gate_of("false_refusal", "PASS", "fr/base64", **paired(0.0, 0.0, 0.02, 100))


def test_a_base_that_passes_is_not_trained() -> None:
    """Nothing was learnt, so all prompts are evidence."""
    decision = decide(PLAN, [made(0, 0, verdict="PASS")])
    assert (decision.step, decision.answer) == (Step.PASS, 0)


def test_a_base_without_a_failed_refusal_has_nothing_to_learn_from() -> None:
    """What fails is named: another metric, which refusals do not mend."""
    low = gate_of("utility", "FAIL", **paired(0.9, 0.4, 0.05, 100))
    decision = decide(PLAN, [made(0, 0, whole=(low,))])
    assert (decision.step, decision.answer) == (Step.STOP, 0)
    assert "no failed refusal" in decision.reason
    assert "utility" in decision.reason


def test_failures_go_on() -> None:
    """A base that fails is trained, and so is a round that is better and not good enough."""
    assert decide(PLAN, [made(0, 20)]).step is Step.CONTINUE
    assert decide(PLAN, [made(0, 20), made(1, 9)]).step is Step.CONTINUE


def test_a_pass_takes_all_prompts_and_the_held_out_ones() -> None:
    """Neither is enough alone, and INCONCLUSIVE is enough nowhere."""
    rounds = {(v, s): [made(0, 20), made(1, 1, verdict=v, shown=s)] for v in _VERDICTS for s in _VERDICTS}
    passing = [names for names, found in rounds.items() if decide(PLAN, found).step is Step.PASS]
    assert passing == [("PASS", "PASS")]


_VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE")


def test_a_price_stops_and_the_round_before_stays_the_answer() -> None:
    """Worse than round 0 beyond the margin: the reason names gate and figures, though the policy itself passes."""
    rounds = [made(0, 20), made(1, 9, drift=(HOLDS,)), made(2, 0, verdict="PASS", shown="PASS", drift=(REFUSES,))]
    decision = decide(PLAN, rounds)
    assert (decision.step, decision.answer) == (Step.STOP, 1)
    assert "fr/base64" in decision.reason
    assert "0.0% -> 80.0%, +80.0 points" in decision.reason


def test_what_failed_in_round_0_is_no_price_of_training() -> None:
    """A gate of another metric that failed already does not stop a loop; one that begins to fail does, be it on all
    prompts or on held-out ones."""
    first = made(0, 20, whole=(REFUSES,), held_out=(HOLDS,))
    assert not tuple(prices(made(1, 9, whole=(REFUSES,)), first))
    assert tuple(prices(made(1, 9, held_out=(REFUSES,)), first)) == (REFUSES,)
    assert tuple(prices(made(1, 9, whole=(REFUSES,)), made(0, 20, whole=(HOLDS,)))) == (REFUSES,)


def test_a_waived_price_stops_nothing() -> None:
    """Nor does one that nobody could decide."""
    waived = replace(REFUSES, waiver="me, until 2999-01-01: known", blocks=False)
    undecided = gate_of("false_refusal", "INCONCLUSIVE", "fr/base64", reason="too_few_prompts")
    assert decide(PLAN, [made(0, 20), made(1, 9, drift=(waived, undecided))]).step is Step.CONTINUE


def test_attack_success_is_never_a_price() -> None:
    """That gate failing is why the loop goes on."""
    open_ = gate_of("attack_success", "FAIL", **paired(0.1, 0.9, 0.05, 100))
    assert not tuple(prices(made(1, 30, whole=(open_,), drift=(open_,), held_out=(open_,)), made(0, 20)))


@pytest.mark.parametrize(
    ("failures", "stops"),
    [((20, 9), False), ((20, 9, 9), False), ((20, 9, 9, 12), True), ((20, 9, 12, 8), False), ((20, 25), False),
     ((20, 25, 20), True)],
)  # fmt: skip
def test_two_rounds_without_fewer_failures_stop(failures: tuple[int, ...], stops: bool) -> None:
    """Fewer than the best before, not than the last; the best is the earliest of equals."""
    rounds = [made(n, f) for n, f in enumerate(failures)]
    decision = decide(replace(PLAN, rounds=9), rounds)
    assert (decision.step is Step.STOP) == stops
    assert decision.answer == best(rounds).number == failures.index(min(failures))


def test_nothing_fails_and_nothing_is_shown() -> None:
    """More rounds could not help: it stops, is no pass, and says how many prompts it takes."""
    few = gate_of("attack_success", "INCONCLUSIVE", reason="too_few_prompts", n=12, more_prompts=47)
    decision = decide(PLAN, [made(0, 20), made(1, 0, verdict="PASS", shown="INCONCLUSIVE", held_out=(few,))])
    assert (decision.step, decision.answer) == (Step.STOP, 1)
    assert "INCONCLUSIVE on 12 answers" in decision.reason
    assert "about 47 more prompts" in decision.reason


def test_the_budget_of_rounds() -> None:
    """The last round counts in full before it is looked at."""
    plan = replace(PLAN, rounds=1)
    assert decide(plan, [made(0, 20)]).step is Step.CONTINUE
    assert decide(plan, [made(0, 20), made(1, 1, verdict="PASS", shown="PASS")]).step is Step.PASS
    decision = decide(plan, [made(0, 20), made(1, 9)])
    assert (decision.step, decision.answer) == (Step.STOP, 1)
    assert "1 round is used up: 9 of 40 held-out questions fail" in decision.reason


@pytest.mark.parametrize(("minutes", "step"), [(0.5, Step.STOP), (2.9, Step.STOP), (3.0, Step.CONTINUE)])
def test_the_budget_of_minutes(minutes: float, step: Step) -> None:
    """Two rounds took a minute each: the next one has to fit."""
    assert decide(replace(PLAN, minutes=minutes), [made(0, 20), made(1, 9)]).step is step


def test_the_budget_of_steps() -> None:
    """Steps done and steps to come count together."""
    plan, rounds = replace(PLAN, steps_budget=100), [made(0, 20), made(1, 9, training={"steps": 60})]
    assert unaffordable(plan, rounds, 40) == ""
    assert "100 optimiser steps is used up: 60 done, the next round takes 41" in unaffordable(plan, rounds, 41)
    assert unaffordable(PLAN, rounds, 10**9) == ""


@pytest.mark.parametrize(
    ("values", "told"),
    [({"rounds": 0}, "rounds must be"), ({"minutes": 0.0}, "minutes must be"), ({"minutes": float("nan")}, "minutes"),
     ({"steps_budget": 0}, "steps-budget must be"), ({"margin": 0.0}, "margin must be"), ({"base": ""}, "empty"),
     ({"effects": "al"}, "did you mean 'all'"), ({"baseline": "opnai:x"}, "unknown scheme")],
)  # fmt: skip
def test_an_impossible_plan_is_refused(values: dict[str, object], told: str) -> None:
    """Before anything runs."""
    with pytest.raises(UsageError, match=told):
        Plan(**{"base": "org/base@main", **values})  # type: ignore[arg-type]


def test_the_rules_say_what_was_declared() -> None:
    """Budgets, margin and the share of alpha are in them."""
    text = " ".join(replace(PLAN, rounds=4, minutes=90, steps_budget=5000, margin=0.03).rules)
    for part in ("alpha is divided by 4", "4 rounds, 90 minutes, 5,000 optimiser steps", "3 points"):
        assert part in text
    assert "divided" not in " ".join(replace(PLAN, rounds=1).rules)
