"""What is asked, and what is answered: prompts with a refusal and a compliance to each, in token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.core.judgement import Exchange, Outcome
from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.engines.chat import Job
from pytest_safetydrift.engines.open_weights.opened import Opened
from pytest_safetydrift.judges import get_judge

__all__ = ["LEAST", "Case", "Cases", "between_checkpoints", "between_prompts"]

LEAST = 4
"""Fewest cases that anything is said from."""
_ROOM = 64  # tokens of an own answer that is read by the judge
_SCORED = 16  # tokens of an answer that its log-probability is summed over


@dataclass(frozen=True, slots=True)
class Case:
    """Token ids.

    prompt   that the complying run is asked
    donor    that the refusing run is asked; the same, but for a pair of prompts
    refusal, compliance
             how an answer goes on behind the prompt, one token at least
    """

    prompt: tuple[int, ...]
    donor: tuple[int, ...]
    refusal: tuple[int, ...]
    compliance: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (self.prompt and self.donor and self.refusal and self.compliance):
            raise ValueError("a case needs two prompts, a refusal and a compliance of one token each at least")
        if self.refusal == self.compliance:
            raise ValueError("refusal and compliance of a case are the same")


@dataclass(frozen=True, slots=True)
class Cases:
    """`left_out` counts prompts without the contrast: the one side did not comply, or the other did not refuse."""

    cases: tuple[Case, ...]
    left_out: int = 0


def between_checkpoints(
    complying: Opened, refusing: Opened, asked: Sequence[Conversation], *, refusal: str = "", compliance: str = ""
) -> Cases:
    """One case for each conversation, asked of both checkpoints.

    refusal, compliance  how these answers begin; "" takes each checkpoint's own greedy answer, and then a conversation
                         counts where the refusal judge reads the one as complied and the other as refused

    Raises `CheckpointError` where the two read a conversation as other tokens, and `UsageError` for fewer than four
    cases.
    """
    prompts, others = _prompts(complying, asked), _prompts(refusing, asked)
    if prompts != others:
        raise CheckpointError(
            f"{refusing.checkpoint.directory} reads prompts as other tokens than {complying.checkpoint.directory}: "
            "activations can be exchanged between checkpoints of one tokenizer and chat template"
        )
    ends = _ends(complying, asked, refusing, asked, refusal, compliance)
    return _cases(prompts, others, ends)


def between_prompts(
    opened: Opened,
    complied: Sequence[Conversation],
    refused: Sequence[Conversation],
    *,
    refusal: str = "",
    compliance: str = "",
) -> Cases:
    """One case for each pair: `complied[i]` is complied with and `refused[i]`, which is like it, is refused.

    refusal, compliance  as in `between_checkpoints`

    Raises `UsageError` for lists of unlike length and for fewer than four cases.
    """
    if len(complied) != len(refused):
        raise UsageError(f"prompts come in pairs: {len(complied)} are complied with and {len(refused)} refused")
    ends = _ends(opened, complied, opened, refused, refusal, compliance)
    return _cases(_prompts(opened, complied), _prompts(opened, refused), ends)


def _cases(
    prompts: Sequence[tuple[int, ...]], donors: Sequence[tuple[int, ...]], ends: Sequence[_Ends | None]
) -> Cases:
    found = [Case(p, d, *end) for p, d, end in zip(prompts, donors, ends, strict=True) if end]
    if len(found) < LEAST:
        raise UsageError(
            f"{len(found)} of {len(prompts)} prompts are complied with on the one side and refused on the other, "
            f"{LEAST} at least are needed; give more prompts, or others that the two sides tell apart"
        )
    return Cases(tuple(found), len(prompts) - len(found))


_Ends = tuple[tuple[int, ...], tuple[int, ...]]
"""Refusal and compliance."""


def _ends(
    complying: Opened,
    complied: Sequence[Conversation],
    refusing: Opened,
    refused: Sequence[Conversation],
    refusal: str,
    compliance: str,
) -> list[_Ends | None]:
    """Refusal and compliance of each case; None where the sides do not contrast."""
    refusals = _given(refusing, refusal, len(refused)) or _own(refusing, refused, Outcome.REFUSED)
    compliances = _given(complying, compliance, len(complied)) or _own(complying, complied, Outcome.COMPLIED)
    return [(r, c) if r and c and r != c else None for r, c in zip(refusals, compliances, strict=True)]


def _given(opened: Opened, text: str, count: int) -> list[tuple[int, ...] | None]:
    if not text:
        return []
    if not (ids := tuple(opened.encode(text))):
        raise UsageError(f"{text!r} is no token of the checkpoint's; give the words that an answer begins with")
    return [ids] * count


def _own(opened: Opened, asked: Sequence[Conversation], wanted: Outcome) -> list[tuple[int, ...] | None]:
    """The beginning of each greedy answer; None where it is not as wanted."""
    jobs = list(_jobs(opened, asked, Sampling(max_tokens=_ROOM)))
    answers = dict(opened.decoder.run(jobs))
    return [
        answers[i].token_ids[:_SCORED] if _read(conversation, answers[i]) is wanted else None
        for i, conversation in enumerate(asked)
    ]


def _read(conversation: Conversation, response: Response) -> Outcome | None:
    """What the refusal judge reads in the answer."""
    sample = Sample("case", conversation[0].content, Intent.PROHIBITED)
    return get_judge("refusal").judge(Exchange(sample, conversation, response)).outcome


def _prompts(opened: Opened, asked: Sequence[Conversation]) -> list[tuple[int, ...]]:
    return [tuple(job.prompt) for job in _jobs(opened, asked, Sampling(max_tokens=_ROOM))]


def _jobs(opened: Opened, asked: Sequence[Conversation], sampling: Sampling) -> Iterator[Job]:
    for job in opened.chat.jobs([Request("", conversation, sampling) for conversation in asked]):
        if not isinstance(job, Job):
            raise CheckpointError(f"{opened.checkpoint.directory}: {job[1].error}")
        yield job
