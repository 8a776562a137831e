"""Constitutional training: answers are criticised and revised by a teacher under written principles, and learnt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.constitution.feedback import Comparing, Pairing
from pytest_safetydrift.trainer.constitution.learnt import LEARNT, once, write_rows
from pytest_safetydrift.trainer.constitution.lessons import make_lessons, pair_draws, pair_revisions
from pytest_safetydrift.trainer.constitution.principles import BUILT_IN, Principle, read_principles
from pytest_safetydrift.trainer.constitution.revising import Answered, Revised, Revising
from pytest_safetydrift.trainer.constitution.teacher import check_usable, consult, told
from pytest_safetydrift.trainer.methods.own_answers import OwnAnswers, check_drawn
from pytest_safetydrift.trainer.preferences.rows import FILE
from pytest_safetydrift.trainer.tally import tally
from pytest_safetydrift.trainer.training.checks import check_least
from pytest_safetydrift.trainer.training.drawing import draw_answers
from pytest_safetydrift.trainer.training.estimate import Estimate
from pytest_safetydrift.trainer.training.example import sha256_of
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["CRITIQUES", "Constitutional"]

CRITIQUES = "critiques.jsonl"
"""Every critique, and what came of it; lies beside the weights."""


@dataclass(frozen=True, kw_only=True)
class Constitutional(OwnAnswers):
    """The supervised stage of Bai et al. 2022 (section 3), and the comparisons of its second one (section 4.1).

    Every answer to a prohibited question is revised; so is one to an allowed question with a fault in it, and one
    without is learnt as it stands. Raises `UsageError` on an impossible value.
    """

    name: ClassVar[str] = "constitutional"
    summary: ClassVar[str] = "learn answers that a teacher criticised and revised by written principles"

    teacher: str = option(told="who criticises and revises: any checkpoint or endpoint", metavar="REF")
    principles: str = option("", told="TOML file of principles, in place of the built-in ones", metavar="FILE")
    rounds: int = option(1, told="critiques and revisions of each answer, one after the other")
    each: int = option(1, told="principles in one critique, drawn by chance from those that apply")
    teacher_temperature: float = option(0.7, told="that the teacher's answers are drawn at")
    teacher_tokens: int = option(512, told="most tokens of an answer of the teacher's")
    unusable: float = option(0.5, told="largest share of a teacher's answers that may be unusable")
    feedback: str = option(
        "",
        told=f"also have the teacher compare answers, into {FILE} for dpo and reward: each draft with its revision "
        "(revisions), or two draws of the checkpoint that comes out (draws)",
        choices=("revisions", "draws"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_least(self, rounds=1, each=1, teacher_tokens=1)
        if not (isfinite(self.teacher_temperature) and self.teacher_temperature >= 0):
            raise UsageError(f"teacher_temperature must be at least 0, got {self.teacher_temperature}")
        if not 0 <= self.unusable < 1:
            raise UsageError(f"unusable must be in [0, 1), got {self.unusable}")
        if self.feedback not in ("", "revisions", "draws"):
            raise UsageError(f"feedback must be revisions or draws, got {self.feedback!r}")
        if Reference.parse(self.teacher).scheme in (Scheme.RECORDED, Scheme.RUN):
            raise UsageError(f"teacher {self.teacher}: a file cannot criticise; name a model or an endpoint")

    @property
    def drawn(self) -> int:
        """A draft, and two draws to compare."""
        return 3 if self.feedback == "draws" else 1

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows, and the user's own principles. Raises `UsageError` for some that cannot be used."""
        self._read()
        return super().inputs() + ((Path(self.principles),) if self.principles else ())

    def estimate(self) -> Estimate:
        """The teacher's part is a note: who it is decides what it costs."""
        found = super().estimate()
        most = found.rows * (2 * self.rounds + (2 if self.feedback else 0))
        note = f"teacher: up to {most:,} answers of at most {self.teacher_tokens:,} tokens by {self.teacher}"
        return replace(found, notes=(*found.notes, note))

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        facts = once(work, "constitution", lambda: self._prepare(work))
        fitted = self.learn(work, work.kept / LEARNT)
        if self.feedback == "draws":
            facts["feedback"] = once(work, "feedback", lambda: self._compare(work, self._draws(work)))
        facts = {**fitted.facts, **facts}
        return replace(fitted, tokens=fitted.tokens + facts["generated"], facts=facts, said=_said(facts))

    @property
    def _file(self) -> Path:
        return Path(self.principles) if self.principles else BUILT_IN

    @property
    def _teaching(self) -> Sampling:
        return Sampling(self.teacher_temperature, max_tokens=self.teacher_tokens, seed=self.seed)

    def _prepare(self, work: Work) -> dict[str, Any]:
        """Drafts, critiques and revisions; leaves every critique and the rows to learn."""
        asked = self.asked()
        drawn = draw_answers(self.base, asked, folder=work.folder, sampling=self.sampling)
        drafts = [(a, draft) for a, (draft,) in zip(asked, drawn, strict=True)]
        check_drawn(self.base, asked, drawn)
        own = [Answered(a, d.text) for a, d in drafts if not a.prohibited and d.good]
        faulty = [Answered(a, d.text) for a, d in drafts if d.response.ok and (a.prohibited or not d.good)]
        revised = self._revised(work, faulty)
        lessons = make_lessons(revised, own, self.balance, self.seed)
        write_rows(work.kept / CRITIQUES, lessons.critiques)
        write_rows(work.kept / LEARNT, lessons.rows)
        facts = {
            "teacher": told(self.teacher),
            "principles": {"ids": [p.id for p in self._read()], "sha256": sha256_of([self._file])[str(self._file)]},
            "drafts": tally(f"{'prohibited' if a.prohibited else 'benign'}, {d.fault or 'right'}" for a, d in drafts),
            "generated": sum(d.response.completion_tokens for _, d in drafts),
            "critiques": tally(row["why"] for row in lessons.critiques),
            "learnt": tally(f"{row['teaches']}, {row['why']}" for row in lessons.rows),
        }
        if self.feedback == "revisions":
            facts["feedback"] = self._compare(work, pair_revisions(faulty, revised, own, self.seed))
        return facts

    def _revised(self, work: Work, faulty: Sequence[Answered]) -> list[Revised]:
        revising = Revising(self.teacher, self._read(), self.rounds, self.each, self._teaching, self.unusable)
        expected = 2 * self.rounds * len(faulty)
        found = consult(self.teacher, lambda: revising.dialogue(faulty), folder=work.folder, expected=expected)
        write_rows(work.kept / CRITIQUES, [r.to_json() for r in found])  # there to be read if this ends in an error
        check_usable(self.teacher, [(r.unusable, r.said) for r in found if r.unusable], len(faulty), self.unusable)
        return found

    def _draws(self, work: Work) -> list[Pairing]:
        """Two answers of the checkpoint that came out to each question."""
        asked = self.asked()
        drawn = draw_answers(self.reference_of(work), asked, folder=work.folder, n=2, sampling=self.sampling)
        return pair_draws([[Answered(a, d.text) for d in both] for a, both in zip(asked, drawn, strict=True)])

    def _compare(self, work: Work, pairings: Sequence[Pairing]) -> dict[str, Any]:
        """Leaves the preferences, and returns their figures. Raises `UsageError` where nothing is preferred."""
        comparing = Comparing.by(self.teacher, self._read(), self._teaching)
        found = consult(
            self.teacher, lambda: comparing.dialogue(pairings), folder=work.folder, expected=2 * len(pairings)
        )
        check_usable(self.teacher, [(c.unusable, c.said) for c in found if c.unusable], len(found), self.unusable)
        rows = [c.to_json() for c in found if c.learnable]
        came = tally(c.why for c in found)
        if not rows:
            raise UsageError(
                f"feedback: none of {len(found)} comparisons says which answer is better ("
                f"{', '.join(f'{count} {why}' for why, count in came.items()) or 'no two answers differed'}); name "
                "another teacher, or leave --feedback out"
            )
        write_rows(work.kept / FILE, rows)
        return {
            "told_by": "letters" if comparing.lettered else "log-probabilities",
            "comparisons": came,
            "pairs": tally(row["teaches"] for row in rows),
            "mean_noise": round(sum(row["noise"] for row in rows) / len(rows), 4),
        }

    def _read(self) -> tuple[Principle, ...]:
        return read_principles(self._file)


def _said(facts: Mapping[str, Any]) -> str:
    """The card's counts in a line, for people."""
    critiques = facts["critiques"]
    came = ", ".join(f"{count} {why}" for why, count in critiques.items())
    return (
        f"asked {sum(facts['drafts'].values())} questions; learnt {facts['rows']} answers; left out "
        f"{facts['rows_too_long']} too long; of {sum(critiques.values())} critiques: {came or 'none was made'}"
    )
