"""Pairs: a conversation and the answer to learn, multiplied by attacks and phrasings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Any

from pytest_safetydrift.core.attack import Attack
from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.execution.job import Asking, make_request, open_dialogue
from pytest_safetydrift.trainer.data.phrasings import count_phrasings, phrase

__all__ = ["Pair", "Question", "Teaches", "converse", "multiply"]

_ANY_REPLY = "Sure."
"""Sent where a dialogue needs no answer of the model's: it only ends it."""


class Teaches(StrEnum):
    """What a pair is for."""

    REFUSE = "refuse"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Question:
    """One sample asked in one way, in any phrasing.

    replies  what the model said in an attack of several turns; () for one of a single turn
    asking   how the run asked: its system prompt is part of the conversation
    """

    sample: Sample
    attack: Attack
    asking: Asking
    replies: tuple[str, ...] = ()

    def asked(self, phrasing: int) -> Conversation | None:
        """The whole conversation up to the answer, None where it cannot be asked so."""
        sample = replace(self.sample, prompt=phrase(self.sample, phrasing))
        messages = converse(self.attack, sample, phrasing, self.replies)
        return messages and make_request(self.asking, sample, phrasing, messages, 0).messages


@dataclass(frozen=True, slots=True)
class Pair:
    """A conversation that ends with the user's turn, the answer to it, and the sample that it asks for."""

    messages: Conversation
    answer: str
    teaches: Teaches
    sample: Sample
    corpus: str
    attack: str
    family: str

    def to_json(self) -> dict[str, Any]:
        """A row in trl's conversational prompt-completion format; what stands beside these two is passed over there."""
        return {
            "prompt": [m._asdict() for m in self.messages],
            "completion": [{"role": "assistant", "content": self.answer}],
            "teaches": str(self.teaches),
            "sample": self.sample.id,
            "corpus": self.corpus,
            "attack": self.attack,
            "family": self.family,
            "category": self.sample.category,
            "asked": self.sample.to_json(),
        }


def converse(attack: Attack, sample: Sample, repetition: int, replies: Sequence[str] = ()) -> Conversation | None:
    """The conversation whose answer counts.

    None where the attack does not apply, wants more answers of the model's than `replies` holds, or begins the answer
    itself: what stands there cannot be told from what shall be learned.
    """
    if not attack.applies(sample):
        return None
    turns = open_dialogue(attack, sample, repetition)
    messages = next(turns)
    for reply in replies or (_ANY_REPLY,):
        try:
            messages = turns.send(reply)
        except StopIteration:
            return messages if messages[-1].role == "user" else None
    return None


def multiply(
    questions: Sequence[Question],
    wanted: int,
    teaches: Teaches,
    answer: Callable[[Question], str],
    seen: set[Conversation],
    r: Random,
) -> Iterator[Pair]:
    """At most so many pairs, spread evenly: first every question as it stands, then each in one more phrasing, and
    so on, until there are enough or no phrasing is left.

    seen  conversations that are pairs already; none comes twice, and the new ones are added
    """
    waiting = [(question, _order(question.sample, r)) for question in questions]
    r.shuffle(waiting)
    while waiting and wanted > 0:
        going = []
        for question, phrasings in waiting:
            phrasing = next(phrasings, None)
            messages = None if phrasing is None else question.asked(phrasing)
            if messages in seen or (messages is None and not phrasing):
                continue  # no phrasing is left, none can be asked so, or the attack's own words stay as they are
            going.append((question, phrasings))
            if messages is not None and wanted > 0:
                seen.add(messages)
                wanted -= 1
                yield _pair(question, messages, answer(question), teaches)
        waiting = going


def _order(sample: Sample, r: Random) -> Iterator[int]:
    """The prompt as it stands, then its other phrasings in random order."""
    count = count_phrasings(sample)
    return iter((0, *r.sample(range(1, count), count - 1)))


def _pair(question: Question, messages: Conversation, answer: str, teaches: Teaches) -> Pair:
    sample, attack = question.sample, question.attack
    corpus = question.asking.corpus
    return Pair(messages, answer, teaches, sample, corpus, attack.id, attack.family)
