"""Drift of distributions: quantities of a candidate and its baseline, through the plan's runner and store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from pytest_safetydrift.core.errors import EngineError, UsageError
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.execution.battery import Subject
from pytest_safetydrift.execution.measure import NOT_RECORDED, TOP, Measure, Scores, read_both, scoring_job
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.quantities import Sides
from pytest_safetydrift.execution.runner import Tally, run_jobs
from pytest_safetydrift.execution.store import Store

__all__ = ["MEASURES", "Measured", "check_askable", "measure_drift"]

MEASURES = (
    Measure("perplexity", "utility"),
    Measure("divergence", "utility"),
    Measure("divergence", "benign"),
    Measure("divergence", "lookalike"),
    Measure("divergence", "prohibited"),
    Measure("final_step", "prohibited", "decomposition"),
    Measure("final_step", "chains", "chain"),
)
"""What `safetydrift drift` measures; a world without one of the corpora leaves it out."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity, read: see `Sides` for what the baseline's readings are."""

    quantity: str
    corpus: str
    attack: str
    sides: Sides


def check_askable(reference: Reference) -> None:
    """Raises `UsageError` where there are answers only, and no model to ask for log-probabilities."""
    if reference.scheme is Scheme.RERANK:
        raise UsageError(f"{reference.text}: a model with a critic has no log-probabilities of its own; name the model")
    if reference.scheme in (Scheme.RECORDED, Scheme.RUN):
        raise UsageError(
            f"{reference.text}: {NOT_RECORDED}; name a model, a LoRA adapter on its base, or a server that tells "
            "log-probabilities of a prompt (vllm serve)"
        )


def measure_drift(
    candidate: Subject,
    baseline: Subject,
    store: Store,
    progress: Progress,
    *,
    measures: Sequence[Measure] = MEASURES,
    top: int = TOP,
    prompts: int = 0,
) -> tuple[list[Measured], Tally]:
    """Every measure of both models, one load of each; what the store holds is not scored again.

    top      likeliest tokens that are compared at each place
    prompts  the first so many of each corpus, 0 for all; corpora are in random order
    A prompt that the baseline's world words otherwise is not compared. Raises `EngineError` where a model breaks:
    a quantity of one side says nothing of drift.
    """
    work = [(m, samples) for m in measures if (samples := _shared(m, candidate, baseline, prompts))]
    targets = {s.reference: s.target for s in (candidate, baseline) if s.target is not None}
    for subject in (candidate, baseline):
        if subject.target is None:
            raise EngineError(subject.error or f"{subject.reference}: nothing can be asked of it")
    jobs = [
        scoring_job((role, m), subject.reference, m, samples, top=top, again=role == "baseline")
        for role, subject in (("baseline", baseline), ("candidate", candidate))  # a model can be its own baseline
        for m, samples in work
    ]
    filed, tally = run_jobs(jobs, targets, store, progress)
    for reference, error in tally.errors.items():
        raise EngineError(f"{reference}: {error}")
    found = cast(dict[object, list[Any]], filed)  # these jobs return scores in place of observations
    measured = []
    for m, samples in work:
        ours, theirs = (Scores.of(samples, found[role, m]) for role in ("candidate", "baseline"))
        measured += [Measured(name, m.corpus, m.attack, s) for name, s in read_both(m, ours, theirs).items()]
    return measured, tally


def _shared(measure: Measure, candidate: Subject, baseline: Subject, prompts: int) -> tuple[Sample, ...]:
    """The samples that both worlds have, word for word."""
    other = {s.id: s.prompt for s in baseline.world.corpora.get(measure.corpus, ())}
    both = tuple(s for s in measure.samples(candidate.world.corpora) if other.get(s.id) == s.prompt)
    return both[: prompts or None]
