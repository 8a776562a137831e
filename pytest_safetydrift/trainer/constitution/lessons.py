"""Lessons: which of the answers are learnt, and which of them are put beside each other for feedback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.constitution.feedback import Pairing
from pytest_safetydrift.trainer.constitution.learnt import Row, balanced, learnt_row
from pytest_safetydrift.trainer.constitution.revising import Answered, Revised
from pytest_safetydrift.trainer.tally import tally

__all__ = ["Lessons", "make_lessons", "pair_draws", "pair_revisions"]


@dataclass(frozen=True, slots=True)
class Lessons:
    """rows       to learn, in random order
    critiques  every critique, as JSON, with what came of it
    """

    rows: Sequence[Row]
    critiques: Sequence[Row]


def make_lessons(revised: Sequence[Revised], own: Sequence[Answered], balance: float, seed: int) -> Lessons:
    """Revisions without a fault, and the model's `own` good answers, in balance.

    Raises `UsageError` where nothing of one kind is left.
    """
    made = {at: learnt_row(r.asked, r.revision, "revised") for at, r in enumerate(revised) if r.learnable}
    refusing = [row for row in made.values() if row["teaches"] == "refuse"]
    answering = [row for row in made.values() if row["teaches"] == "answer"]
    answering += [learnt_row(a.asked, a.answer, "own") for a in own]
    if not refusing or not answering:
        came = ", ".join(f"{count} {why}" for why, count in tally(r.why for r in revised).items())
        raise UsageError(
            f"there are {len(refusing)} refusals and {len(answering)} answers to learn, and both are needed; of the "
            f"critiques: {came or 'none was made'}; name another teacher or other principles, or ask more questions"
        )
    rows = balanced(refusing, answering, balance, seed).rows
    kept = set(map(id, rows))
    return Lessons(rows, [_critique(r, at in made and id(made[at]) not in kept) for at, r in enumerate(revised)])


def pair_revisions(
    faulty: Sequence[Answered], revised: Sequence[Revised], own: Sequence[Answered], seed: int
) -> list[Pairing]:
    """Each first draft with its last revision; and as many of the model's own good answers with a refusal that another
    question's revision is, since allowed questions would hardly be asked about otherwise."""
    drafts = {a.asked.messages: a.answer for a in faulty}
    last = [r for r in revised if r.final]
    pairs = [_pair(Answered(f.asked, f.revision), drafts[f.asked.messages], "revision and draft") for f in last]
    refusals = [f.revision for f in last if f.asked.prohibited and f.learnable]
    r = Random(f"pairs/{seed}")
    chosen = r.sample(list(own), min(len(own), len(refusals)))
    pairs += [_pair(a, r.choice(refusals), "draft and a refusal") for a in chosen]
    return [p for p in pairs if p]


def pair_draws(draws: Sequence[Sequence[Answered]]) -> list[Pairing]:
    """Two draws of each question, where they differ."""
    return [p for first, second in draws if (p := _pair(first, second.answer, "two draws"))]


def _pair(answered: Answered, other: str, what: str) -> Pairing | None:
    """None for the same text twice, or none at all."""
    texts = {answered.answer.strip(), other.strip()}
    return Pairing(answered.asked, answered.answer, other, what) if len(texts - {""}) == 2 else None


def _critique(revised: Revised, left_out: bool) -> dict[str, Any]:
    row = revised.to_json()
    return {**row, "used": False, "why": "left out for balance"} if left_out else row
