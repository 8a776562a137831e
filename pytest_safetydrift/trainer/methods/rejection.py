"""Adversarial rejection sampling: many answers to each question, asked in many ways, of which the best is learnt."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.trainer.constitution.learnt import LEARNT, balanced, learnt_row, once, write_rows
from pytest_safetydrift.trainer.methods.own_answers import OwnAnswers, check_drawn
from pytest_safetydrift.trainer.reward.model import RewardModel, also_taught, files_of_reward
from pytest_safetydrift.trainer.reward.signal import Scorer
from pytest_safetydrift.trainer.tally import tally
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn, draw_answers, judge_text
from pytest_safetydrift.trainer.training.estimate import Estimate
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["Rejection", "acceptance", "best_of"]


@dataclass(frozen=True, kw_only=True)
class Rejection(OwnAnswers):
    """Best of n as in Touvron et al. 2023 (section 3.2.3), in rounds as in Singh et al. 2024: each further round draws
    from the checkpoint before it, asks what has no good answer yet, and tunes the base anew on all good answers.

    Raises `UsageError` on an impossible value.
    """

    name: ClassVar[str] = "rejection"
    summary: ClassVar[str] = "learn the best of many own answers to each question"

    draws: int = option(8, told="answers to each question")
    rounds: int = option(1, told="of drawing and tuning, at most; each asks what has no good answer yet")
    reward: str = option("", told="folder of a reward model that tells the best of several good answers", metavar="DIR")
    allow_unsound: bool = option(False, told="take a reward model that was found unsound, to see what comes of it")
    fill: str = option(
        "none", told="golden learns the data's own answer where no good one was drawn", choices=("none", "golden")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 1 or self.rounds < 1:
            raise UsageError(f"draws and rounds must be at least 1, got {self.draws} and {self.rounds}")
        if self.fill not in ("none", "golden"):
            raise UsageError(f"fill must be none or golden, got {self.fill!r}")

    @property
    def drawn(self) -> int:
        """As if no answer were good."""
        return self.draws * self.rounds

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows, and those of the reward model. Raises `UsageError` for one that may not be used."""
        return super().inputs() + files_of_reward(self.reward, allow_unsound=self.allow_unsound)

    def estimate(self) -> Estimate:
        """Every round is counted as a whole one."""
        self.inputs()
        found = super().estimate()
        return replace(found, steps=found.steps * self.rounds, tokens=found.tokens * self.rounds)

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        asked = self.asked()
        answers: dict[int, str] = {}
        rounds: list[_Round] = []
        for number in range(1, self.rounds + 1):
            left = [at for at in range(len(asked)) if at not in answers]
            stage = replace(work, folder=work.folder / f"round-{number}")
            reference = self.reference_of(rounds[-1].stage) if rounds else self.base
            drawn = once(work, stage.folder.name, partial(self._draw, work, reference, [asked[at] for at in left]))
            if rounds and not drawn["answers"]:
                break
            answers |= {left[at]: text for at, text in drawn.pop("answers")}
            learnt = once(work, f"learnt-{number}", partial(self._lessons, stage, asked, answers))
            rounds.append(_Round(stage, {**drawn, **learnt}, self.learn(stage, stage.folder / LEARNT)))
            if len(answers) == len(asked):
                break
        _publish(rounds[-1].stage, work)
        return self._fitted(rounds, len(asked) - len(answers))

    def _draw(self, work: Work, reference: str, asked: Sequence[Asked]) -> dict[str, Any]:
        """The best answer of each question that has a good one, by its place, and how many were good."""
        drawn = draw_answers(reference, asked, folder=work.folder, n=self.draws, sampling=self.sampling)
        if reference == self.base:
            check_drawn(self.base, asked, drawn)
        model = RewardModel.open(Path(self.reward), allow_unsound=self.allow_unsound) if self.reward else None
        try:
            best = best_of(asked, drawn, model)
        finally:
            if model:
                model.close()
        return {
            "answers": list(best.items()),
            "asked": len(asked),
            "answered": len(best),
            "generated": sum(d.response.completion_tokens for own in drawn for d in own),
            "acceptance": acceptance(asked, drawn),
        }

    def _lessons(self, stage: Work, asked: Sequence[Asked], answers: Mapping[int, str]) -> dict[str, Any]:
        """Leaves the rows to learn. Raises `UsageError` where there is none of one kind."""
        rows = [learnt_row(asked[at], text, "own") for at, text in answers.items()]
        if self.fill == "golden":
            missing = [a for at, a in enumerate(asked) if at not in answers]
            rows += [learnt_row(a, a.golden, "golden") for a in missing if judge_text(a, a.golden).good]
        kinds = {kind: [row for row in rows if row["teaches"] == kind] for kind in ("refuse", "answer")}
        for kind, name in (("refuse", "prohibited"), ("answer", "benign")):
            if not kinds[kind]:
                raise UsageError(
                    f"no good answer to a {name} question was drawn, and answers to one kind teach one answer to "
                    "everything: raise --draws, begin from another base, or take the data's answers with --fill golden"
                )
        found = balanced(kinds["refuse"], kinds["answer"], self.balance, self.seed)
        write_rows(stage.folder / LEARNT, found.rows)
        return {
            "learnt": tally(f"{row['teaches']}, {row['why']}" for row in found.rows),
            "left_out_for_balance": found.left_out,
        }

    def _fitted(self, rounds: Sequence[_Round], unanswered: int) -> Fitted:
        """The last round's, with the cost of all."""
        last = rounds[-1].fitted
        own = {"attacks": last.attacks, "families": last.families}
        asked, left_out = rounds[0].facts["asked"], rounds[-1].facts["left_out_for_balance"]
        return replace(
            last,
            steps=sum(r.fitted.steps for r in rounds),
            tokens=sum(r.fitted.tokens + r.facts["generated"] for r in rounds),
            log=tuple({"round": number, **row} for number, r in enumerate(rounds, 1) for row in r.fitted.log),
            facts={
                **last.facts,
                "questions_without_a_good_answer": unanswered,
                "rounds": [dict(r.facts) for r in rounds],
            },
            said=f"asked {asked} questions in {len(rounds)} of {self.rounds} rounds; learnt {last.facts['rows']} "
            f"answers; left out {left_out} for balance and {last.facts['rows_too_long']} too long; {unanswered} "
            "questions without a good answer",
            **also_taught(self.reward, own),
        )


@dataclass(frozen=True, slots=True)
class _Round:
    """What was drawn and learnt in one, and the folder that its checkpoint is in."""

    stage: Work
    facts: Mapping[str, Any]
    fitted: Fitted


def best_of(asked: Sequence[Asked], drawn: Sequence[Sequence[Drawn]], scorer: Scorer | None = None) -> dict[int, str]:
    """The best good answer by the place of its question; questions without a good one are left out.

    The best is what the scorer rates highest. Without one it is what was drawn oftest, which is the likeliest as far as
    the draws tell; of equals it is the first.
    """
    good = {at: [d.text for d in own if d.good] for at, own in enumerate(drawn)}
    if scorer is None:
        return {at: Counter(texts).most_common(1)[0][0] for at, texts in good.items() if texts}
    each = [(at, text) for at, texts in good.items() for text in dict.fromkeys(texts)]
    scores = scorer.scores([(asked[at].messages, text) for at, text in each])
    best: dict[int, tuple[float, str]] = {}
    for (at, text), score in zip(each, scores, strict=True):
        if at not in best or score > best[at][0]:
            best[at] = (score, text)
    return {at: text for at, (_, text) in best.items()}


def acceptance(asked: Sequence[Asked], drawn: Sequence[Sequence[Drawn]]) -> dict[str, Any]:
    """Good draws, and questions that have one, by what is taught and then by attack and by category."""
    found: dict[str, Any] = {}
    for prohibited, teaches in ((True, "refuse"), (False, "answer")):
        own = [(a, draws) for a, draws in zip(asked, drawn, strict=True) if a.prohibited is prohibited]
        found[teaches] = {
            "by_attack": _counted((a.attack, draws) for a, draws in own),
            "by_category": _counted((a.sample.category, draws) for a, draws in own),
        }
    return found


def _counted(named: Iterable[tuple[str, Sequence[Drawn]]]) -> dict[str, Any]:
    cells: dict[str, list[list[bool]]] = {}
    for name, draws in named:
        cells.setdefault(name, []).append([d.good for d in draws])
    return {name: _cell(cells[name]) for name in sorted(cells)}


def _cell(good: Sequence[Sequence[bool]]) -> dict[str, Any]:
    draws, found = sum(map(len, good)), sum(map(sum, good))
    return {
        "questions": len(good),
        "with_a_good_answer": sum(map(any, good)),
        "draws": draws,
        "good": found,
        "rate": round(found / draws, 4),
    }


def _publish(stage: Work, work: Work) -> None:
    """Make the stage's checkpoint that of the whole work. Raises `TrainingError` where it cannot be moved."""
    if is_first():
        try:
            work.kept.mkdir(exist_ok=True)
            shutil.copyfile(stage.folder / LEARNT, work.kept / LEARNT)
            stage.result.rename(work.result)
        except OSError as error:
            raise TrainingError(f"{work.result}: {error}; give the same command again") from error
    wait_for_all()
