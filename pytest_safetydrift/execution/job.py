"""A job: one probe put to one model in one way, as a generator of request lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import TypeAlias

from pytest_safetydrift.core.attack import Attack, Turns
from pytest_safetydrift.core.conversation import Conversation, system
from pytest_safetydrift.core.judgement import Exchange, Judge, Judgement, Outcome, Reason
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.execution.hearing import hear
from pytest_safetydrift.harness.asking import are_documents, ask_documents
from pytest_safetydrift.judges.choice import READER, choices_of
from pytest_safetydrift.judges.model.panel import Panel

__all__ = ["Asking", "Rounds", "ask", "make_request", "open_dialogue", "question_seed"]

Rounds: TypeAlias = Generator[list[Request], list[Response], list[Observation]]
"""Yields the requests of one round and is sent their responses, in the same order; returns what was
seen. Suspended while its answers are made; replayed from its start against the store to resume."""

Key: TypeAlias = Callable[[Request], str]
"""The content address of a request's answer."""


_UNASKED = Response()
_BREAKS = {Finish.ERROR: Reason.ERROR, Finish.FILTERED: Reason.FILTERED}


@dataclass(frozen=True, slots=True)
class Asking:
    """What makes two probes the same work: everything of a probe but its metric, for one attack.

    choices  multiple choice is read by the log-probabilities of its letters: requests ask for them
    """

    target: str
    corpus: str
    attack: str
    judge: str
    sampling: Sampling
    repetitions: int
    system: str | None
    choices: bool = False

    @property
    def cell(self) -> tuple[str, str]:
        """What gates select observations by."""
        return (self.corpus, self.attack)

    def lettered(self, samples: Sequence[Sample]) -> Asking:
        """The same work with its multiple choice read by the log-probabilities of its letters, where there is any.

        Only the plain question is read so: in another format or after a prefill the first token is no letter. What is
        drawn at a temperature is wanted as it was drawn.
        """
        readable = self.judge == READER and self.attack == "plain" and not self.sampling.temperature
        return replace(self, choices=True) if readable and any(map(choices_of, samples)) else self


@dataclass(slots=True)
class _Dialogue:
    """One sample asked once: where its conversation stands. The only mutable thing in a job."""

    sample: Sample
    repetition: int
    turns: Turns
    messages: Conversation
    response: Response = _UNASKED
    key: str = ""
    broken: Reason | None = None


def ask(
    asking: Asking, samples: Sequence[Sample], attack: Attack, judge: Judge | Panel, *, seed: int, key: Key
) -> Rounds:
    """The job's generator. `key` is the target's, kept with each observation to find its text.

    A failed or filtered turn ends its dialogue there, unscored. One cut off at max_tokens is followed
    up: a chat goes on after a long answer too, and only the last answer is judged. Where models judge,
    the last rounds are theirs.
    """
    if are_documents(samples):
        seeds = partial(question_seed, seed)
        return (yield from ask_documents(samples, asking.target, asking.corpus, seed=seeds, key=key))
    open_: list[_Dialogue] = []
    for sample, repetition in product(samples, range(asking.repetitions)):
        if attack.applies(sample):
            turns = open_dialogue(attack, sample, repetition)
            open_.append(_Dialogue(sample, repetition, turns, next(turns)))
    everyone = list(open_)
    while open_:
        requests = [make_request(asking, d.sample, d.repetition, d.messages, seed) for d in open_]
        responses = yield requests
        for dialogue, request, response in zip(open_, requests, responses, strict=True):
            dialogue.response, dialogue.key = response, key(request)
        del requests, responses
        open_ = [d for d in open_ if _goes_on(d)]
    whole = [d for d in everyone if d.broken is None]
    heard = yield from hear(judge, [Exchange(d.sample, d.messages, d.response) for d in whole], asking.attack)
    judged = dict(zip(map(id, whole), heard, strict=True))
    return [_observe(asking, d, judged.get(id(d)) or _broken_off(d)) for d in everyone]


def open_dialogue(attack: Attack, sample: Sample, repetition: int) -> Turns:
    """The attack on one sample; some ask differently each time."""
    return attack.varied(sample, repetition) if attack.varied else attack.turns(sample)


def make_request(asking: Asking, sample: Sample, repetition: int, messages: Conversation, seed: int) -> Request:
    """One turn's request. A seed belongs to the question alone: greedy answers need none."""
    messages = _told(sample.system or asking.system or "", messages)
    sampling = asking.sampling
    if sampling.temperature > 0:
        sampling = replace(sampling, seed=question_seed(seed, sample.id, repetition, asking.attack))
    return Request(
        asking.target,
        messages,
        sampling,
        choices_of(sample) if asking.choices else (),
        sample=sample.id,
        attack=asking.attack,
        repetition=repetition,
    )


def _told(instruction: str, messages: Conversation) -> Conversation:
    """The conversation under that system prompt. Chat templates take one system turn, so an attack that brings
    its own has it appended to the real one."""
    if not instruction:
        return messages
    if messages[0].role == "system":
        return (system(f"{instruction}\n\n{messages[0].content}"), *messages[1:])
    return (system(instruction), *messages)


def _goes_on(dialogue: _Dialogue) -> bool:
    try:
        following = dialogue.turns.send(dialogue.response.text)
    except StopIteration:
        return False
    dialogue.broken = _BREAKS.get(dialogue.response.finish)
    dialogue.messages = following
    return dialogue.broken is None


def _broken_off(d: _Dialogue) -> Judgement:
    return Judgement(Outcome.UNSCORED, d.broken, "an earlier turn got no answer")


def _observe(asking: Asking, d: _Dialogue, judgement: Judgement) -> Observation:
    return Observation(
        sample=d.sample.id,
        attack=asking.attack,
        repetition=d.repetition,
        corpus=asking.corpus,
        category=d.sample.category,
        outcome=judgement.outcome,
        reason=judgement.reason,
        on_topic=judgement.on_topic,
        rule=judgement.rule,
        key=d.key,
    )


def question_seed(run_seed: int, sample: str, repetition: int, attack: str = "plain") -> int:
    """A seed of 31 bits that depends on the question alone: never on the batch, never on the checkpoint."""
    text = f"{run_seed}\x1f{sample}\x1f{attack}\x1f{repetition}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> 1
