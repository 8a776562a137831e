"""Revising: critiques of answers by a teacher, and the answers anew, round after round."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.trainer.constitution.principles import Principle, choose_principles
from pytest_safetydrift.trainer.constitution.reading import read_critique, read_revision
from pytest_safetydrift.trainer.constitution.tasks import Task, critique, revision
from pytest_safetydrift.trainer.constitution.teacher import Dialogue
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import judge_text

__all__ = ["Answered", "Revised", "Revising", "unusable_share"]


@dataclass(frozen=True, slots=True)
class Answered:
    """A question, and an answer to it."""

    asked: Asked
    answer: str


@dataclass(frozen=True, slots=True)
class Revised:
    """One critique, and what came of it.

    number      of the round, from 1; 0 before any
    principles  their ids
    unusable    why what the teacher said could not be used, and of what: "critique: empty"; "" where it could
    said        what could not be used, as it came
    fault       what the rule judge finds wrong with the revision
    final       whether no further round followed
    """

    asked: Asked
    number: int = 0
    principles: tuple[str, ...] = ()
    draft: str = ""
    critique: str = ""
    revision: str = ""
    unusable: str = ""
    said: str = ""
    fault: Fault | None = None
    final: bool = False

    @property
    def learnable(self) -> bool:
        """Whether it ends in an answer that may be learnt."""
        return self.final and not self.unusable and self.fault is None

    @property
    def why(self) -> str:
        """What came of it, for people."""
        if self.unusable:
            return f"the teacher's {self.unusable}"
        if not self.final:
            return "revised again" if self.revision else "broken off"
        return f"the rule judge finds the revision {self.fault.replace('_', ' ')}" if self.fault else "learnt"

    def to_json(self) -> dict[str, Any]:
        """A row of critiques.jsonl."""
        return {
            "question": [m._asdict() for m in self.asked.messages],
            "sample": self.asked.sample.id,
            "attack": self.asked.attack,
            "teaches": "refuse" if self.asked.prohibited else "answer",
            "round": self.number,
            "principles": list(self.principles),
            "draft": self.draft,
            "critique": self.critique,
            "revision": self.revision,
            **({"unusable": self.said} if self.unusable else {}),
            "used": self.learnable,
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Revising:
    """How answers are revised (Bai et al. 2022, section 3.1).

    rounds      critiques and revisions of each answer, at least 1
    each        principles in one critique, at least 1
    sampling    of the teacher; each question has a seed of its own
    patience    share of answers to one kind of task that may be unusable; past it, the dialogue ends there
    """

    teacher: str
    principles: Sequence[Principle]
    rounds: int = 1
    each: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    patience: float = 0.5

    def dialogue(self, drafts: Sequence[Answered]) -> Dialogue[Revised]:
        """All critiques of one round, then all revisions, and so on; whatever is unusable drops out there."""
        past: list[Revised] = []
        going = {at: Revised(a.asked, revision=a.answer) for at, a in enumerate(drafts)}
        for number in range(1, self.rounds + 1):
            if number > 1:
                past += going.values()
            going = yield from self._round(going, number, past)
        return [*past, *(replace(f, final=True) for f in going.values())]

    def _round(
        self, going: Mapping[int, Revised], number: int, past: list[Revised]
    ) -> Generator[list[Request], list[Response], dict[int, Revised]]:
        """Those that were revised, by their places; others are put into `past`."""
        chosen = {at: self._principles(f.asked, at, number) for at, f in going.items()}
        tasks = {at: critique(f.asked.messages, f.revision, chosen[at]) for at, f in going.items()}
        said = yield self._requests(tasks, number)
        begun = {
            at: _criticised(Revised(f.asked, number, tuple(p.id for p in chosen[at]), f.revision), tasks[at], response)
            for (at, f), response in zip(going.items(), said, strict=True)
        }
        begun = self._usable(begun, past)
        tasks = {at: revision(tasks[at], f.critique, chosen[at]) for at, f in begun.items()}
        said = yield self._requests(tasks, number)
        done = {at: _rewritten(f, tasks[at], response) for (at, f), response in zip(begun.items(), said, strict=True)}
        return self._usable(done, past)

    def _principles(self, asked: Asked, at: int, number: int) -> list[Principle]:
        r = Random(f"constitution/{self.sampling.seed}/{number}/{at}")
        return choose_principles(self.principles, asked.prohibited, self.each, r)

    def _requests(self, tasks: Mapping[int, Task], number: int) -> list[Request]:
        return [
            Request(self.teacher, t.messages, replace(self.sampling, seed=self.sampling.seed + at), repetition=number)
            for at, t in tasks.items()
        ]

    def _usable(self, found: Mapping[int, Revised], past: list[Revised]) -> dict[int, Revised]:
        """None of them where too many are not."""
        if unusable_share(list(found.values())) > self.patience:
            past += found.values()
            return {}
        past += [f for f in found.values() if f.unusable]
        return {at: f for at, f in found.items() if not f.unusable}


def unusable_share(found: Sequence[Revised]) -> float:
    """In [0, 1]; 0 without any."""
    return sum(bool(f.unusable) for f in found) / len(found) if found else 0.0


def _criticised(found: Revised, task: Task, response: Response) -> Revised:
    text, fault = read_critique(response, task)
    if fault:
        return replace(found, unusable=f"critique: {fault}", said=_raw(response))
    return replace(found, critique=text)


def _rewritten(found: Revised, task: Task, response: Response) -> Revised:
    text, fault = read_revision(response, task)
    if fault:
        return replace(found, unusable=f"revision: {fault}", said=_raw(response))
    return replace(found, revision=text, fault=judge_text(found.asked, text).fault)


def _raw(response: Response) -> str:
    return response.text if response.ok else response.error
