"""Making: from judged draws to pairs of a better and a worse answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.trainer.data.golden import golden_refusal
from pytest_safetydrift.trainer.preferences.clarifying import ask_back
from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
from pytest_safetydrift.trainer.preferences.doubt import disagreement, label_noise
from pytest_safetydrift.trainer.preferences.rows import preference_row
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.asked import Asked
from pytest_safetydrift.trainer.training.drawing import Drawn

__all__ = ["Made", "make_preferences"]

_WORST_FIRST = (Fault.NEEDLESS, Fault.OFF_TOPIC, Fault.WRONG)
"""What an answer to an allowed request can do wrong; one that could not be read says nothing about what is better."""


@dataclass(frozen=True, slots=True)
class Made:
    """rows     in random order, see `preference_row` for what each says
    skipped  questions, or pairs that balancing left out, by reason
    """

    rows: tuple[Mapping[str, Any], ...]
    skipped: Mapping[str, int]


def make_preferences(asked: Sequence[Asked], draws: Sequence[Sequence[Drawn]], config: PreferenceConfig) -> Made:
    """At most one pair a question; equal questions, draws and config make equal pairs.

    A prohibited question: a refusal before an answer that complied, none where no draw did.
    An allowed one: a right answer before a draw that refused needlessly, was off the topic or wrong; where no draw
    was, before a refusal that another question's pair prefers, so that no refusal is better for its wording.
    Where the draws disagree by `config.unsure`: asking back before the confident fault, see `_Making.unsure`.

    Raises `UsageError` where there is nothing to compare: no question of one of the two kinds, or none that the model
    complied with.
    """
    _check(asked)
    making = _Making(config, Random(f"preferences/{config.seed}"))
    both = list(zip(asked, draws, strict=True))
    refusing = [row for a, own in both if a.prohibited and (row := making.refusing(a, own))]
    if not refusing:
        raise UsageError(
            f"{config.base} complied in none of {config.draws} draws with any of the prohibited questions "
            f"({', '.join(f'{n} {why}' for why, n in making.skipped.items())}): it refuses them already and there is "
            "no pair to learn from; ask other questions, or raise --draws or --temperature"
        )
    answering = [row for a, own in both if not a.prohibited and (row := making.answering(a, own))]
    return Made(tuple(making.balanced(refusing, answering)), dict(making.skipped))


@dataclass(slots=True)
class _Making:
    """refusals  preferred ones so far: what benign questions must not be answered with"""

    config: PreferenceConfig
    r: Random
    skipped: Counter[str] = field(default_factory=Counter)
    refusals: list[str] = field(default_factory=list)

    def refusing(self, asked: Asked, draws: Sequence[Drawn]) -> dict[str, Any] | None:
        """The pair of a prohibited question."""
        unsafe = _first(draws, Fault.UNSAFE)
        if not unsafe:
            self.skipped["prohibited, no draw complied"] += 1
            return None
        if self.unsure(draws):
            return self.row(
                asked, ask_back(self.r, asked.sample, self.config.abstention), unsafe, "unsure: asks before it complies"
            )
        own = next((d.text for d in draws if self.config.own and d.good and d.judgement.outcome is Outcome.REFUSED), "")
        self.refusals.append(own or asked.golden)
        why = f"{'own' if own else 'golden'} refusal, not unsafe"
        return self.row(asked, self.refusals[-1], unsafe, why, self.noise(draws))

    def answering(self, asked: Asked, draws: Sequence[Drawn]) -> dict[str, Any] | None:
        """The pair of an allowed question."""
        fault = next((f for f in _WORST_FIRST if _first(draws, f)), None)
        rejected = _first(draws, fault) if fault else self.refusal(asked)
        exact = bool(asked.sample.answer)  # compared with the right answer: there is nothing to doubt
        if fault and self.unsure(draws) and not exact:
            chosen = ask_back(self.r, asked.sample, self.config.asking)
            return self.row(asked, chosen, rejected, f"unsure: asks before it is {fault}")
        chosen = next((d.text for d in draws if d.good), asked.golden)
        noise = 0.0 if exact else self.noise(draws)
        return self.row(asked, chosen, rejected, f"answer, not {fault or 'a refusal'}", noise)

    def unsure(self, draws: Sequence[Drawn]) -> bool:
        """Whether the draws disagree so much that a confident answer of either kind is a guess."""
        return 0 < self.config.unsure <= disagreement(draws)

    def noise(self, draws: Sequence[Drawn]) -> float:
        """Of a pair that takes the judge's reading of the draws for right; to ask back is right in either case."""
        return label_noise(disagreement(draws)) if self.config.unsure else 0.0

    def refusal(self, asked: Asked) -> str:
        """One that another question prefers; a general one where all of them ask back."""
        return self.r.choice(self.refusals) if self.refusals else golden_refusal(asked.sample, self.r)

    def row(self, asked: Asked, chosen: str, rejected: str, why: str, noise: float = 0.0) -> dict[str, Any] | None:
        """None where both answers are the same."""
        if chosen.strip() == rejected.strip():
            self.skipped["both answers are the same"] += 1
            return None
        return preference_row(asked, chosen, rejected, noise, why)

    def balanced(self, refusing: list[dict[str, Any]], answering: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Both kinds in random order, what is too many of one left out by chance. Raises `UsageError` where that leaves
        one kind alone."""
        share = self.config.balance
        if share:
            kept = min(len(refusing), int(len(answering) / share))
            self.skipped["left out for balance"] = len(refusing) + len(answering)
            refusing = self.r.sample(refusing, kept)
            answering = self.r.sample(answering, min(len(answering), round(kept * share)))
            self.skipped["left out for balance"] -= len(refusing) + len(answering)
        if not refusing or not answering:
            raise UsageError(
                f"balance {share:g} leaves {len(refusing)} pairs that prefer a refusal and {len(answering)} that "
                "prefer an answer; one kind alone teaches one answer to everything: set another --balance, or ask more"
            )
        rows = refusing + answering
        self.r.shuffle(rows)
        return rows


def _first(draws: Sequence[Drawn], fault: Fault) -> str:
    return next((d.text for d in draws if d.fault is fault), "")


def _check(asked: Sequence[Asked]) -> None:
    for prohibited, missing, teaches in ((True, "prohibited", "refuse"), (False, "benign", "answer")):
        if not any(a.prohibited is prohibited for a in asked):
            raise UsageError(
                f"no question of the data is {missing} (`teaches` {teaches}), and pairs of one kind teach one answer "
                "to everything; add some, as `safetydrift train data` does"
            )
