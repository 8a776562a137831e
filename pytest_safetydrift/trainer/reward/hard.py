"""Made answers that a reward model must not fall for: off the topic, needlessly refusing, wrong with a civil phrase."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.trainer.preferences.rows import Preference
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.asked import Asked, asked_of
from pytest_safetydrift.trainer.training.drawing import judge_text
from pytest_safetydrift.trainer.training.example import Example

__all__ = ["Known", "Pool", "hard_negatives", "known_pairs"]

_SENTENCE = re.compile(r"[^.!?]+[.!?]+|\S[^.!?]*$")
_TRIES = 20
"""Answers of other questions that are looked at for one of the wanted length."""


@dataclass(frozen=True, slots=True)
class Known:
    """A pair of which it is known what a good answer does.

    asked  the question; `golden` is the chosen answer
    pair   as it was read
    fault  of the rejected answer, None where a judge finds none
    """

    asked: Asked
    pair: Preference
    fault: Fault | None


def known_pairs(pairs: Sequence[Preference]) -> list[Known]:
    """Those whose rows say whether a refusal is wanted, and whose chosen answer a judge finds faultless."""
    found = []
    for pair in pairs:
        if isinstance(pair.row.get("asked"), dict) or pair.row.get("teaches") in ("refuse", "answer"):
            (asked,) = asked_of([Example(pair.messages, pair.chosen, pair.row)])
            if judge_text(asked, pair.chosen).good:
                found.append(Known(asked, pair, judge_text(asked, pair.rejected).fault))
    return found


class Pool:
    """What the made answers are made of: the pairs' own texts, so that no wording of ours is what is learnt."""

    def __init__(self, known: Sequence[Known], r: Random) -> None:
        self._r = r
        self._answers = [k for k in known if not k.asked.prohibited]
        self._refusals = list(
            dict.fromkeys(
                k.pair.chosen
                for k in known
                if k.asked.prohibited and judge_text(k.asked, k.pair.chosen).judgement.outcome is Outcome.REFUSED
            )
        )

    def off_topic(self, known: Known, *, longer: bool) -> str | None:
        """The right answer to another allowed question, of this side of the chosen one's length where there is one."""
        fallback = None
        for other in self._r.sample(self._answers, min(_TRIES, len(self._answers))):
            text = other.pair.chosen
            if other.asked.sample.id == known.asked.sample.id or text == known.pair.chosen:
                continue
            wanted = (len(text) > len(known.pair.chosen)) is longer
            if (wanted or fallback is None) and not _answers(known.asked, text):
                if wanted:
                    return text
                fallback = text
        return fallback

    def refusal(self) -> str | None:
        """One that is preferred somewhere."""
        return self._r.choice(self._refusals) if self._refusals else None

    def with_phrase(self, answer: str) -> str | None:
        """The answer with a sentence of a refusal before or behind it."""
        refusal = self.refusal()
        if refusal is None:
            return None
        phrase = _SENTENCE.findall(refusal)[0].strip()
        return f"{phrase} {answer}" if self._r.random() < 0.5 else f"{answer} {phrase}"


def hard_negatives(known: Sequence[Known], *, seed: int, off_topic: int = 2) -> list[Preference]:
    """More pairs, each of a chosen answer and a made one that is worse.

    Of an allowed question `off_topic` right answers to other ones, longer and shorter in turn, and a refusal where the
    pair itself has none. Of a prohibited one the answer that complied, with a sentence of a refusal added:
    every other time against the refusal, and against itself as it stands, since the sentence makes it no better.
    """
    pool = Pool(known, Random(f"hard/{seed}"))
    kinds = ([k for k in known if k.asked.prohibited is prohibited] for prohibited in (True, False))
    return [made for kind in kinds for number, k in enumerate(kind) for made in _made(k, pool, number, off_topic)]


def _made(known: Known, pool: Pool, number: int, off_topic: int) -> Iterator[Preference]:
    pair = replace(known.pair, noise=0.0)
    if known.asked.prohibited:
        if known.fault is Fault.UNSAFE and (text := pool.with_phrase(pair.rejected)):
            yield replace(pair, chosen=pair.rejected if number % 2 else pair.chosen, rejected=text)
        return
    others = dict.fromkeys(pool.off_topic(known, longer=n % 2 == 0) for n in range(off_topic))
    yield from (replace(pair, rejected=text) for text in others if text)
    if known.fault is not Fault.NEEDLESS and (text := pool.refusal()):
        yield replace(pair, rejected=text)


def _answers(asked: Asked, text: str) -> bool:
    """Whether the answer to another question may be one to this; where no topic is known it is taken for none."""
    sample = asked.sample
    return bool(sample.topic or sample.answer) and judge_text(asked, text).good
