"""Counts per prompt for one gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pytest_safetydrift.gates.cells import ABSENT, BAD, UNSCORED, Evidence

__all__ = ["Tally", "count"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts per prompt, each of shape (prompts,); a pair counts as one answer.

    answers        scored answers, or pairs scored on both sides
    bad            answers of the candidate that are bad
    baseline_bad   answers of the baseline that are bad; zero without a baseline
    worse, better  pairs that became bad, and that stopped being bad; zero without a baseline
    categories     the prompts' categories
    """

    answers: NDArray[np.int64]
    bad: NDArray[np.int64]
    baseline_bad: NDArray[np.int64]
    worse: NDArray[np.int64]
    better: NDArray[np.int64]
    categories: NDArray[np.object_]

    @property
    def prompts(self) -> int:
        """How many prompts have at least one scored answer."""
        return len(self.answers)

    @property
    def n(self) -> int:
        """How many answers or pairs were scored."""
        return int(self.answers.sum())

    @property
    def repeated(self) -> bool:
        """Whether any prompt has more than one."""
        return self.n > self.prompts


def count(evidence: Evidence, *, worst: bool = False, best: bool = False) -> Tally:
    """Count answers, or pairs where there is a baseline.

    `worst` takes every answer that cannot be scored as bad, and every pair that lacks a side as bad now and not
    before. `best` is the other way round: it takes them as good, and what the baseline lacks as bad there. Else they
    are left out.
    """
    now, before = evidence.candidate, evidence.baseline
    if before is None:
        scored = now >= 0
        bad, old = (now == BAD) | (~scored & (not best)), np.zeros(len(now), dtype=bool)
    else:
        scored = (now >= 0) & (before >= 0)
        bad, old = now == BAD, before == BAD
        if worst:
            bad = bad | (now == UNSCORED) | (now == ABSENT)
        if best:
            old = old | (before == UNSCORED) | (before == ABSENT)
    rows = np.ones(len(now), dtype=bool) if worst or best else scored
    if before is None and (worst or best):
        rows = now != ABSENT
    return _tally(evidence, rows, bad, old, paired=before is not None)


def _tally(
    evidence: Evidence, rows: NDArray[np.bool_], bad: NDArray[np.bool_], old: NDArray[np.bool_], *, paired: bool
) -> Tally:
    bad, old = bad[rows], old[rows]
    _, first, prompts = np.unique(evidence.prompts[rows], return_index=True, return_inverse=True)
    size = len(first)

    def per_prompt(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(prompts[flags], minlength=size)

    nothing = np.zeros_like(bad)
    columns = [
        np.bincount(prompts, minlength=size),
        per_prompt(bad),
        per_prompt(old),
        per_prompt(bad & ~old if paired else nothing),
        per_prompt(old & ~bad if paired else nothing),
    ]
    categories = evidence.categories[rows][first]
    if size < len(prompts):
        # sums over clusters are of floats: in one order of prompts they do not depend on the order of answers
        order = np.lexsort(columns)
        columns, categories = [column[order] for column in columns], categories[order]
    answers, bad_counts, old_counts, worse, better = columns
    return Tally(answers, bad_counts, old_counts, worse, better, categories)
