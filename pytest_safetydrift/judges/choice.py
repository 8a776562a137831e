"""Choices: the letters of a multiple-choice question, and which one a model finds likeliest."""

from __future__ import annotations

import re
from math import isfinite

from pytest_safetydrift.core.judgement import Judgement, Outcome, Reason
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.judges.legible import unscored

__all__ = ["READER", "choices_of", "likeliest"]

READER = "answer"
"""The judge that reads the log-probabilities of choices, where a response has them."""

_OPTION = re.compile(r"(?<!\w)([A-Z])\) ")


def choices_of(sample: Sample) -> tuple[str, ...]:
    """The letters that a sample lets choose from ("A) ... B) ..."), in order: what `Request.choices` takes.

    () where its answer is no such letter, or its letters are not A, B, C and so on.
    """
    letters = tuple(_OPTION.findall(sample.prompt))
    in_order = all(letter == chr(ord("A") + i) for i, letter in enumerate(letters))
    return letters if len(letters) > 1 and in_order and sample.answer in letters else ()


def likeliest(sample: Sample, logprobs: tuple[float, ...]) -> Judgement:
    """Whether the right letter is the likeliest first token; a tie is no right answer.

    logprobs  natural logarithms, aligned with `choices_of(sample)`
    """
    letters = choices_of(sample)
    if not letters or len(letters) != len(logprobs) or not all(map(isfinite, logprobs)):
        return unscored(Reason.ERROR, f"{len(logprobs)} log-probabilities for {len(letters)} choices")
    right = logprobs[letters.index(sample.answer)]
    if sum(value >= right for value in logprobs) == 1:
        return Judgement(Outcome.CORRECT, rule="the likeliest choice")
    return Judgement(Outcome.INCORRECT, rule="another choice is as likely")
