"""Whether a loop goes on. Pure: the same rounds give the same decision, also when a killed loop is gone on with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from pytest_safetydrift.core.gate import Decision as Verdict
from pytest_safetydrift.core.record import GateEntry
from pytest_safetydrift.report import words
from pytest_safetydrift.trainer.loop.plan import AIMED, PATIENCE, Plan
from pytest_safetydrift.trainer.loop.round import Round

__all__ = ["Decision", "Step", "best", "decide", "prices", "unaffordable"]

_NAMED = 3
"""Gates that a reason names."""


class Step(StrEnum):
    """What comes next."""

    CONTINUE = "continue"
    PASS = "pass"  # noqa: S105 - a verdict, no password
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is one sentence; `answer` is the number of the round whose checkpoint is the best there is."""

    step: Step
    reason: str
    answer: int


def decide(plan: Plan, rounds: Sequence[Round]) -> Decision:
    """What the rounds so far come to, by the rules that the plan declares; there is at least round 0."""
    first, last, answer = rounds[0], rounds[-1], best(rounds)
    ended = _of_base(first) if last is first else _of_round(plan, last, first, answer)
    if ended is not None:
        return ended
    if spent := _spent(plan, rounds):
        return Decision(Step.STOP, spent, answer.number)
    return Decision(Step.CONTINUE, f"{last.failures} of {last.questions} held-out questions fail", answer.number)


def _of_base(first: Round) -> Decision | None:
    """How a loop ends before anything is trained, None where it does not."""
    if first.verdict == Verdict.PASS:
        return Decision(Step.PASS, "the base passes as it is: nothing was trained", 0)
    if first.failed:
        return None
    said = "the base complied with no prohibited prompt, so there is no failed refusal to learn from"
    return Decision(Step.STOP, f"{said}; it is {first.verdict}: {_open(first.whole) or first.why}", 0)


def _of_round(plan: Plan, last: Round, first: Round, answer: Round) -> Decision | None:
    """How a loop ends by what its last round shows, None where it does not."""
    if paid := tuple(prices(last, first)):
        return Decision(Step.STOP, f"round {last.number} pays for it: {_listed(paid)}", answer.number)
    if last.verdict == Verdict.PASS and last.shown == Verdict.PASS:
        told = f"{last.failures} of {last.questions} held-out questions fail, {first.failures} did in round 0"
        return Decision(Step.PASS, f"round {last.number} passes: {told}", last.number)
    if not last.failures and not last.failed:
        return Decision(
            Step.STOP, f"nothing fails any more, and it is not shown: {_unshown(plan, last)}", answer.number
        )
    if last.number - answer.number >= PATIENCE:
        told = f"{answer.failures} of {answer.questions} held-out questions fail there"
        said = f"{PATIENCE} rounds brought nothing better than round {answer.number}: {told}"
        return Decision(Step.STOP, said, answer.number)
    return None


def best(rounds: Sequence[Round]) -> Round:
    """The round with the fewest failures on held-out prompts of those that paid no price; the earliest among equals."""
    sound = (r for r in rounds if r.number == 0 or not any(prices(r, rounds[0])))
    return min(sound, key=lambda r: (r.failures, r.number))


def prices(last: Round, first: Round) -> Iterator[GateEntry]:
    """Gates of other metrics by which a round pays, each once: worse than round 0 beyond the margin, or failed and not
    before."""
    found = {g.id: g for g in _failed(last.drift)}
    for now, before in ((last.whole, first.whole), (last.held_out, first.held_out)):
        old = {g.id for g in _failed(before)}
        found |= {g.id: g for g in _failed(now) if g.id not in old | found.keys()}
    yield from found.values()


def unaffordable(plan: Plan, rounds: Sequence[Round], steps: int) -> str:
    """Why a round of so many optimiser steps does not begin, "" where it may."""
    used = sum(r.steps for r in rounds)
    if plan.steps_budget is None or used + steps <= plan.steps_budget:
        return ""
    return (
        f"the budget of {plan.steps_budget:,} optimiser steps is used up: {used:,} done, the next round takes {steps:,}"
    )


def _spent(plan: Plan, rounds: Sequence[Round]) -> str:
    """Which budget leaves no room for another round, "" for none."""
    if len(rounds) > plan.rounds:
        return f"the budget of {words.counted(plan.rounds, 'round')} is used up: {_standing(plan, rounds[-1])}"
    used = sum(r.seconds for r in rounds)
    longest = max((r.seconds for r in rounds[1:]), default=0.0)
    if plan.minutes is not None and used + longest > 60 * plan.minutes:
        told = f"{used / 60:.1f} are gone" + (f" and a round takes up to {longest / 60:.1f}" if longest else "")
        return f"the budget of {plan.minutes:g} minutes is used up: {told}"
    return ""


def _standing(plan: Plan, last: Round) -> str:
    return f"{last.failures} of {last.questions} held-out questions fail; {_unshown(plan, last)}"


def _unshown(plan: Plan, last: Round) -> str:
    """What keeps a round from passing."""
    held, whole = _open(g for g in last.held_out if g.metric in plan.shown), _open(last.whole)
    told = (f"on held-out prompts {held}" if held else "", f"on all prompts {whole}" if whole else "", last.why)
    return "; ".join(filter(None, told))


def _failed(gates: Iterable[GateEntry]) -> Iterator[GateEntry]:
    return (g for g in gates if g.metric not in AIMED and g.decision == Verdict.FAIL and g.blocks)


def _open(gates: Iterable[GateEntry]) -> str:
    """Gates that do not pass, each with what it says or how many prompts it takes."""
    return _listed(tuple(g for g in gates if g.decision != Verdict.PASS and g.blocks))


def _listed(gates: Sequence[GateEntry]) -> str:
    told = "; ".join(map(_told, islice(gates, _NAMED)))
    return told + (f"; and {len(gates) - _NAMED} more" if len(gates) > _NAMED else "")


def _told(gate: GateEntry) -> str:
    if gate.decision == Verdict.FAIL:
        bar = words.bar(gate).partition(", bound")[0]
        return f"{gate.id} ({words.measured(gate)}) {words.change(gate)}, {bar}"
    needs = words.needs(gate)
    told = f"{gate.id} {gate.decision} on {words.counted(gate.n, 'answer')}: {gate.detail or words.reason(gate)}"
    return f"{told}; it takes {needs}" if needs and needs not in gate.detail else told
