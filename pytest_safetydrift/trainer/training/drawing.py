"""Answers drawn from a checkpoint for training, judged: one load, one batch, and a store to resume from."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import EngineError
from pytest_safetydrift.core.judgement import Exchange, Judge, Judgement
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.engines import EngineOptions, identify, open_engine
from pytest_safetydrift.execution.job import Rounds
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.runner import Job, run_jobs
from pytest_safetydrift.execution.store import Store
from pytest_safetydrift.execution.target import Target
from pytest_safetydrift.judges import get_judge
from pytest_safetydrift.trainer.reward.faults import Fault, fault_of
from pytest_safetydrift.trainer.training.asked import Asked

__all__ = ["Drawn", "ask", "draw_answers", "judge_answer", "judge_text", "open_target"]

STORE = "answers.sqlite"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One answer, as the rule judges read it."""

    response: Response
    judgement: Judgement
    fault: Fault | None

    @property
    def text(self) -> str:
        return self.response.text

    @property
    def good(self) -> bool:
        """Whether it has no fault, and came to its own end: to learn one that is cut off teaches to break off."""
        return self.fault is None and self.response.finish is Finish.STOP


def draw_answers(
    reference: str,
    asked: Sequence[Asked],
    *,
    folder: Path,
    n: int = 1,
    sampling: Sampling | None = None,
    options: EngineOptions | None = None,
) -> list[tuple[Drawn, ...]]:
    """`n` answers to each question, in its order, each judged in the light of the question's sample.

    folder    holds the store of answers: a second call asks nothing again
    sampling  of the first answer; the others have the seeds that follow. Greedy answers are all the same

    Raises `EngineError` or `CheckpointError` where the model cannot answer.
    """
    first = sampling or Sampling(temperature=1.0, max_tokens=256)
    responses = iter(
        ask(
            reference,
            [(a.messages, replace(first, seed=first.seed + number)) for a in asked for number in range(n)],
            folder=folder,
            options=options,
        )
    )
    return [tuple(_read(a, next(responses)) for _ in range(n)) for a in asked]


def ask(
    reference: str,
    questions: Sequence[tuple[Conversation, Sampling]],
    *,
    folder: Path,
    options: EngineOptions | None = None,
) -> list[Response]:
    """A response to each question, in order; ERROR where there is none. Raises as `draw_answers` does."""
    target = open_target(reference, options or EngineOptions())
    requests = [Request(reference, messages, sampling) for messages, sampling in questions]
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Store(folder / STORE, run="training")) as store:
        store.forget_run()  # a model that was out of reach in an earlier try is asked again
        job = Job("answers", reference, partial(_rounds, requests))
        found, tally = run_jobs([job], {reference: target}, store, Progress(len(requests), sys.stderr))
    if tally.errors:
        raise EngineError(f"{reference}: {tally.errors[reference]}")
    return cast(list[Response], found.get("answers", []))


def open_target(reference: str, options: EngineOptions) -> Target:
    """The checkpoint, not loaded yet; raises `UsageError`, `CheckpointError` or `EngineError` where there is none."""
    parsed = place = Reference.parse(reference)
    if parsed.scheme is Scheme.DEMO:
        from pytest_safetydrift.execution.demo import demo_folders

        place = replace(parsed, scheme=Scheme.MODEL, place=str(demo_folders([parsed.place])[parsed.place]))
    return Target(parsed, identify(place, options), partial(open_engine, place, options)).bound_to("training")


def judge_answer(sample: Sample, messages: Conversation, response: Response) -> tuple[Judgement, Fault | None]:
    """How the rule judges read it, and what is wrong with it: checkable answers by their check, others as refusals."""
    judgement = _judge_for(sample).judge(Exchange(sample, messages, response))
    return judgement, fault_of(sample.intent, judgement)


def judge_text(asked: Asked, text: str) -> Drawn:
    """A text as an answer that came to its own end."""
    return _read(asked, Response(text))


def _judge_for(sample: Sample) -> Judge:
    return get_judge("answer" if sample.answer and sample.intent is not Intent.PROHIBITED else "refusal")


def _read(asked: Asked, response: Response) -> Drawn:
    return Drawn(response, *judge_answer(asked.sample, asked.messages, response))


def _rounds(requests: list[Request]) -> Rounds:
    """One round; what comes back is all that is wanted of it."""
    responses = yield requests
    return cast(list[Observation], responses)  # the runner files whatever a job returns
