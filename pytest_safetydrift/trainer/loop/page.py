"""A loop's rounds as the page that shows their trend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import ReportError
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.report.trend import Leg, Trend, render_trend
from pytest_safetydrift.report.words import counted
from pytest_safetydrift.trainer.files import write_whole
from pytest_safetydrift.trainer.loop.decision import Decision, Step
from pytest_safetydrift.trainer.loop.plan import Plan
from pytest_safetydrift.trainer.loop.round import Round

__all__ = ["TREND", "write_page"]

TREND = "trend.html"

_STATES = {Step.PASS: "PASSED", Step.STOP: "STOPPED", Step.CONTINUE: "RUNNING"}


def write_page(folder: Path, plan: Plan, rounds: Sequence[Round], decision: Decision) -> Path:
    """Write the trend of the rounds so far; raises `ReportError` where that cannot be done."""
    page = render_trend(trend_of(plan, rounds, decision))
    try:
        write_whole(folder / TREND, page, errors="backslashreplace")
    except OSError as error:
        raise ReportError(f"{folder / TREND}: {error}; free some space and give the same command again") from error
    return folder / TREND


def trend_of(plan: Plan, rounds: Sequence[Round], decision: Decision) -> Trend:
    """What the page shows."""
    facts = {
        "base": plan.base,
        "method": " ".join((plan.method, *plan.method_args)),
        "data": " ".join(plan.data_args) or "as train data makes them",
        "gated by": " ".join(plan.pytest_args) or "the built-in suites",
        "baseline of the policy": plan.against,
    }
    return Trend(
        name=Reference.parse(plan.base).label,
        state=_STATES[decision.step],
        tone={Step.PASS: "pass", Step.STOP: "fail"}.get(decision.step, "inconclusive"),
        sentence=decision.reason,
        answer=decision.answer,
        rules=plan.rules,
        facts=tuple(facts.items()),
        on_held_out=plan.shown if any(r.questions for r in rounds) else (),
        legs=tuple(map(_leg, rounds)),
    )


def _leg(made: Round) -> Leg:
    return Leg(
        number=made.number,
        checkpoint=made.checkpoint,
        verdict=made.verdict,
        why=made.why,
        failures=made.failures,
        questions=made.questions,
        rates=made.rates,
        held_out=made.held_out,
        drift=made.drift,
        learnt=tuple(_learnt(made)),
        seconds=made.seconds,
    )


def _learnt(made: Round) -> Iterator[str]:
    """What a round was trained on, a line each."""
    lessons, training = made.lessons, made.training
    if lessons:
        yield _pairs(lessons, "refusals", "failed_prompts", "failed prompt")
        yield _pairs(lessons, "answers", "benign_prompts", "benign prompt")
        yield f"refused under {', '.join(lessons['attacks'])}"
        if alone := lessons["attacks_without_benign_pairs"]:
            yield f"no benign pairs under {', '.join(alone)}"
    elif training:
        yield "the rows of earlier rounds once more"
    if training:
        yield f"{counted(made.steps, 'step')}, {int(training.get('tokens', 0)):,} tokens"


def _pairs(lessons: Any, what: str, prompts: str, noun: str) -> str:
    return f"{lessons[what]:,} {what} of {counted(lessons[prompts], noun)}"
