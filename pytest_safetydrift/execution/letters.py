"""Letters: whether a run reads multiple choice by the log-probabilities of its letters, or by the text of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_safetydrift.execution.battery import Plan, Subject, askings_of, samples_of
from pytest_safetydrift.execution.job import Asking

__all__ = ["choose_reading", "read_otherwise"]


def choose_reading(plan: Plan, subjects: Mapping[str, Subject]) -> Plan:
    """The plan with multiple choice read by log-probabilities, where every checkpoint that is asked any tells them.

    Where one does not, all are read by their text, for two readings of one question are no pair; the plan then says
    whose silence it was, unless it is everyone's. A checkpoint that cannot answer at all has no say.
    """
    asked = {
        reference: lettered
        for reference, askings in plan.askings.items()
        if not subjects[reference].error and (lettered := _lettered(askings, subjects[reference]))
    }
    silent = tuple(r for r, lettered in asked.items() if not all(_tells(subjects[r], a) for a in lettered))
    if len(silent) == len(asked):
        return plan
    if silent:
        return replace(plan, silent=silent)
    found = {
        reference: tuple(a.lettered(samples_of(a, subjects[reference].world)) for a in askings)
        for reference, askings in plan.askings.items()
    }
    return replace(plan, askings=found, choices=True)


def read_otherwise(plan: Plan, subjects: Mapping[str, Subject], candidate: str) -> dict[str, str]:
    """Why an earlier run is no baseline for a gate, by gate id: it read multiple choice by log-probabilities, which a
    checkpoint of this run does not tell."""
    baseline = subjects.get(plan.baseline)
    if not plan.silent or baseline is None or baseline.recall is None:
        return {}
    ours = {w.gate.id: askings_of(w, plan.baseline, baseline.world) for w in plan.wants if w.checkpoint == candidate}
    why = (
        f"{plan.baseline} read multiple choice by log-probabilities, and {', '.join(plan.silent)} tells none; give the "
        "checkpoint itself as --baseline, to have both read by their text"
    )
    return {g: why for g, askings in ours.items() if any(_tells(baseline, a) for a in _lettered(askings, baseline))}


def _lettered(askings: tuple[Asking, ...], subject: Subject) -> tuple[Asking, ...]:
    """Those with multiple choice among their samples, as they would be read by log-probabilities."""
    found = (a.lettered(samples_of(a, subject.world)) for a in askings)
    return tuple(a for a in found if a.choices)


def _tells(subject: Subject, asking: Asking) -> bool:
    """Whether log-probabilities are to be had; of an earlier run, whether it read its answers by them."""
    if subject.recall is not None:
        return bool(subject.recall(asking, samples_of(asking, subject.world)))
    return subject.target is not None and subject.target.tells_choices
