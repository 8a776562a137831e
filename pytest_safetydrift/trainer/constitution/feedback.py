"""Feedback: pairs of answers compared by a teacher under a principle, in both orders, as preferences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.trainer.constitution.principles import Principle, choose_principles
from pytest_safetydrift.trainer.constitution.reading import likelihood_of_a, read_letter
from pytest_safetydrift.trainer.constitution.tasks import CHOICES, comparison
from pytest_safetydrift.trainer.constitution.teacher import Dialogue
from pytest_safetydrift.trainer.preferences.doubt import label_noise
from pytest_safetydrift.trainer.preferences.rows import preference_row
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import judge_text, open_target

__all__ = ["LETTERS_NOISE", "Compared", "Comparing", "Pairing"]

LETTERS_NOISE = 0.25
"""Of a pair that was told by letters: after two votes that agree, the third would be the other one with probability
(0 + 1) / (2 + 2), by Laplace's rule of succession."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two different answers to one question; `what` says which two."""

    asked: Asked
    first: str
    second: str
    what: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What the teacher told of a pairing.

    first_better  probability in [0, 1] that the first answer is the better one, mean over both orders; None where one
                  of them told nothing
    unusable      why not; "" where both told
    said          what could not be used, as it came
    agreed        whether both orders prefer the same answer
    noise         in [0, 1/2), that the preference is the wrong way round
    fault         what the rule judge finds wrong with the preferred answer
    """

    pairing: Pairing
    principle: str
    first_better: float | None = None
    unusable: str = ""
    said: str = ""
    agreed: bool = False
    noise: float = 0.0
    fault: Fault | None = None

    @property
    def why(self) -> str:
        """What came of it, for people."""
        if self.unusable:
            return f"the teacher's comparison: {self.unusable}"
        if not self.agreed:
            return "the two orders disagree"
        if self.fault:
            return f"the rule judge finds the preferred answer {self.fault.replace('_', ' ')}"
        return "preferred"

    @property
    def learnable(self) -> bool:
        """Whether it says which answer is better, and that one has no fault."""
        return not self.unusable and self.agreed and self.fault is None

    def to_json(self) -> dict[str, Any]:
        """A row of preferences.jsonl, see `preference_row`; only where it is learnable."""
        first, second = self.pairing.first, self.pairing.second
        chosen, rejected = (first, second) if (self.first_better or 0.0) > 0.5 else (second, first)
        why = f"{self.pairing.what}, by {self.principle}"
        return preference_row(self.pairing.asked, chosen, rejected, self.noise, why)


@dataclass(frozen=True, slots=True)
class Comparing:
    """How answers are compared (Bai et al. 2022, section 4.1): by one principle, drawn by chance for each pairing.

    lettered  whether the teacher says a letter; else it tells how likely each letter is as its first token
    sampling  of a letter
    """

    teacher: str
    principles: Sequence[Principle]
    lettered: bool
    sampling: Sampling = field(default_factory=Sampling)

    @classmethod
    def by(cls, teacher: str, principles: Sequence[Principle], sampling: Sampling) -> Comparing:
        """By letters only where the teacher's engine is not known to tell log-probabilities."""
        lettered = not open_target(teacher, EngineOptions()).tells_choices
        return cls(teacher, principles, lettered, replace(sampling, temperature=0.0))

    def dialogue(self, pairings: Sequence[Pairing]) -> Dialogue[Compared]:
        """Each pairing in both orders, so that a liking for a place does not count."""
        chosen = [self._principle(at, p) for at, p in enumerate(pairings)]
        said = yield [r for p, principle in zip(pairings, chosen, strict=True) for r in self._both(p, principle)]
        orders = zip(said[::2], said[1::2], strict=True)
        return [self._read(*each) for each in zip(pairings, chosen, orders, strict=True)]

    def _principle(self, at: int, pairing: Pairing) -> Principle:
        r = Random(f"feedback/{self.sampling.seed}/{at}")
        return choose_principles(self.principles, pairing.asked.prohibited, 1, r)[0]

    def _both(self, pairing: Pairing, principle: Principle) -> list[Request]:
        orders = ((pairing.first, pairing.second), (pairing.second, pairing.first))
        tasks = [comparison(pairing.asked.messages, a, b, principle) for a, b in orders]
        if self.lettered:
            return [Request(self.teacher, t.messages, self.sampling) for t in tasks]
        return [Request(self.teacher, t.messages, Sampling(max_tokens=1), CHOICES) for t in tasks]

    def _read(self, pairing: Pairing, principle: Principle, orders: tuple[Response, Response]) -> Compared:
        found = Compared(pairing, principle.id)
        told = []
        for response in orders:
            likelihood, fault = self._likelihood(response)
            if fault:
                return replace(found, unusable=fault, said=response.text if response.ok else response.error)
            told.append(likelihood)
        first, second = told[0], 1 - told[1]
        mean = (first + second) / 2
        better = pairing.first if mean > 0.5 else pairing.second
        return replace(
            found,
            first_better=mean,
            agreed=(first - 0.5) * (second - 0.5) > 0,
            noise=LETTERS_NOISE if self.lettered else label_noise(min(mean, 1 - mean)),
            fault=judge_text(pairing.asked, better).fault,
        )

    def _likelihood(self, response: Response) -> tuple[float, str]:
        """Of A, or why there is none."""
        if self.lettered:
            letter, fault = read_letter(response)
            return float(letter == CHOICES[0]), fault
        likelihood = likelihood_of_a(response)
        return (0.5, "no log-probabilities of its letters") if likelihood is None else (likelihood, "")
