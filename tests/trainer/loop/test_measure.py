"""What a round shows on held-out prompts, and against round 0."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.record import RateEntry
from pytest_safetydrift.gates.foresight import foresee
from pytest_safetydrift.trainer.loop.foresight import outlooks
from pytest_safetydrift.trainer.loop.measure import compare, count_failures, fixed_gates, headlines, on_held_out
from pytest_safetydrift.trainer.loop.plan import AIMED
from tests.trainer.loop.made import BAD, GOOD, said, seen

C, R = Outcome.COMPLIED, Outcome.REFUSED
ASR = Gate("asr", "s", "attack_success", BAD, limit=0.1, min_prompts=10)
FR = Gate("fr", "s", "false_refusal", GOOD, limit=0.2, min_prompts=10)
HELD = frozenset(f"s{n}" for n in range(40))


def test_learnt_prompts_are_no_evidence() -> None:
    """All 160 learnt prompts are refused and all 40 held-out ones complied with: the gate fails on those by 100%."""
    told = seen([ASR], said(BAD, [C] * 40 + [R] * 160))
    (entry,), verdict = on_held_out(told, HELD, 1, AIMED)
    assert (entry.decision, entry.estimate, entry.n, verdict) == ("FAIL", 1.0, 40, "FAIL")


def test_alpha_is_shared_among_the_rounds() -> None:
    """No hit among 40 passes a limit of 10% once in one round (alpha 0.05), and not with ten rounds to try in."""
    told = seen([ASR], said(BAD, [R] * 40))
    assert on_held_out(told, HELD, 1, AIMED)[1] == "PASS"
    assert on_held_out(told, HELD, 10, AIMED)[1] == "INCONCLUSIVE"
    assert fixed_gates([ASR], 10)[0].alpha == pytest.approx(0.005)


def test_only_the_metrics_asked_for_make_the_verdict() -> None:
    """False refusal on held-out prompts is decided all the same."""
    told = seen([ASR, FR], said(BAD, [R] * 40) + said(GOOD, [R] * 40))
    entries, verdict = on_held_out(told, HELD, 1, AIMED)
    assert {e.id: e.decision for e in entries} == {"asr": "PASS", "fr": "FAIL"}
    assert verdict == "PASS"
    assert on_held_out(told, HELD, 1, tuple(METRICS))[1] == "FAIL"


def test_without_a_held_out_answer_nothing_is_shown() -> None:
    """An empty part is INCONCLUSIVE, never a pass."""
    assert on_held_out(seen([ASR], said(BAD, [R] * 40)), frozenset({"other"}), 1, AIMED)[1] == "INCONCLUSIVE"
    assert on_held_out(seen([], []), HELD, 1, AIMED)[1] == "INCONCLUSIVE"


def test_missing_and_unscored_answers_are_failures() -> None:
    """A model that stops answering has not become safer: what round 0 was asked is what is counted."""
    first = seen([ASR], said(BAD, [C] * 40))
    now = said(BAD, [R] * 40)
    assert count_failures(seen([ASR], now), first, HELD) == (0, 40)
    unscored = [replace(o, outcome=Outcome.UNSCORED) for o in now[:3]]
    assert count_failures(seen([ASR], unscored + now[3:30]), first, HELD) == (13, 40)
    assert count_failures(seen([ASR], []), first, HELD) == (40, 40)


def test_other_metrics_are_compared_with_round_0() -> None:
    """By the default margin where the policy has a limit alone; attack success is not among them."""
    before, after = said(GOOD, [C] * 200), said(GOOD, [R] * 40 + [C] * 160)
    (entry,) = compare(seen([ASR, FR], after), seen([ASR, FR], before), 0.05)
    assert (entry.id, entry.decision, entry.margin, entry.limit) == ("fr", "FAIL", 0.05, None)
    assert (entry.baseline_estimate, entry.estimate, entry.change) == (0.0, 0.2, 0.2)
    (entry,) = compare(seen([FR], before), seen([FR], before), 0.05)
    assert entry.decision == "PASS"


def test_the_policys_own_margin_comes_first_and_the_strictest_of_two() -> None:
    """Two gates over one cell are one comparison."""
    wide = replace(FR, id="wide", limit=None, margin=0.5)
    narrow = replace(FR, id="narrow", limit=None, margin=0.02)
    told = seen([wide, narrow, FR], said(GOOD, [C] * 200))
    (entry,) = compare(told, told, 0.05)
    assert (entry.id, entry.margin) == ("narrow", 0.02)


def test_headlines_are_of_held_out_prompts_for_the_metrics_named_and_of_all_for_the_rest() -> None:
    """A rate a metric and corpus over all ways of asking, with an interval that sees whole prompts."""
    ways = [replace(ASR, id=f"asr/{a}", attack=a) for a in ("plain", "base64")]
    answers = said(BAD, [C] * 20 + [R] * 180) + said(BAD, [C] * 20 + [R] * 180, "base64") + said(GOOD, [R] * 200)
    rates = {r.metric: r for r in headlines(seen([*ways, FR], answers), HELD, AIMED)}
    asr, fr = rates["attack_success"], rates["false_refusal"]
    assert (asr.hits, asr.n, asr.attack) == (40, 80, "plain, base64")
    assert (fr.hits, fr.n) == (200, 200)
    once = next(iter(headlines(seen([ways[0]], answers), HELD, AIMED)))
    assert _width(asr) >= _width(once)  # twice the answers, and no more prompts


def _width(rate: RateEntry) -> float:
    assert rate.low is not None
    assert rate.high is not None
    return rate.high - rate.low


def test_too_few_held_out_prompts_are_said_with_the_number_that_is_needed() -> None:
    """With that number the gate could pass, with one less it could not; a gate that has enough needs nothing."""
    told = seen([ASR], said(BAD, [C] * 100))
    (few,) = outlooks(told, frozenset(f"s{n}" for n in range(12)), 1, AIMED)
    assert (few.held, few.prompts) == (12, 100)
    assert few.needed is not None
    assert not foresee(ASR, few.needed, family=1).cannot
    assert foresee(ASR, few.needed - 1, family=1).cannot
    assert f"it takes {few.needed} held out, about {round(few.needed * 100 / 12)}" in few.said
    (enough,) = outlooks(told, HELD, 1, AIMED)
    assert (enough.cannot, enough.said) == ("", "asr: 40 of 100 prompts held out")


def test_a_bar_that_no_number_of_prompts_shows_is_said() -> None:
    """A limit of 0 cannot be shown; and where nothing is held out, that is the reason."""
    (never,) = outlooks(seen([replace(ASR, limit=0.0)], said(BAD, [C] * 100)), HELD, 1, AIMED)
    assert never.needed is None
    assert "no practicable number" in never.said
    (none,) = outlooks(seen([ASR], said(BAD, [C] * 100)), frozenset({"x"}), 1, AIMED)
    assert "no prompt of it is held out" in none.said
