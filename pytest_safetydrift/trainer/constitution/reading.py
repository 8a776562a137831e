"""Reading what a teacher says, strictly: it is model output, and what is not in its form is not used."""

from __future__ import annotations

import re
from math import exp, isfinite
from typing import NamedTuple

from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.judges.legible import garbled
from pytest_safetydrift.judges.model.fence import inert
from pytest_safetydrift.judges.reading import own_text
from pytest_safetydrift.trainer.constitution.tasks import CHOICES, Task

__all__ = ["Said", "likelihood_of_a", "read_critique", "read_letter", "read_revision"]

_LETTER = re.compile(r"(?:answer:?\s*)?[(\[*]*([AB])[)\]*]*\.?", re.I)
_LONG_ENOUGH = 3
"""Words from which a text that stands in the task is its echo; fewer may stand there by chance."""


class Said(NamedTuple):
    """A text, or why there is none that can be used."""

    text: str
    fault: str = ""


def read_critique(response: Response, task: Task) -> Said:
    """The critique, free in its form."""
    return _checked(own_text(response).strip(), response, task.mark, task.shown)


def read_revision(response: Response, task: Task) -> Said:
    """The new answer: what stands between the one pair of tags that carries the task's mark. It may be a part or all of
    the old one, which it is to stay where nothing was found wrong."""
    if fault := _missing(response):
        return Said("", fault)
    text = own_text(response)
    found = re.findall(rf"<revision {task.mark}>(.*?)</revision>", text, re.S)
    if len(found) != 1 or text.count("<revision") > 1 or text.count("</revision>") > 1:
        return Said("", "no single revision between its tags")
    new = found[0].strip()
    if inert(new) != new:
        return Said("", "control tokens in it")
    if any(_flat(new) == _flat(m.content) for m in task.messages if m.role == "assistant"):
        return Said("", "the critique again")
    return _checked(new, response, task.mark, task.shown.replace(task.answer, ""))


def read_letter(response: Response) -> Said:
    """ "A" or "B", said alone."""
    if fault := _missing(response):
        return Said("", fault)
    found = _LETTER.fullmatch(own_text(response).strip())
    return Said(found[1].upper()) if found else Said("", "no single letter")


def likelihood_of_a(response: Response) -> float | None:
    """How much likelier A is than B as the first token, in [0, 1]; None where the response does not tell."""
    if (
        not response.ok
        or len(response.choice_logprobs) != len(CHOICES)
        or not all(map(isfinite, response.choice_logprobs))
    ):
        return None
    a, b = response.choice_logprobs
    return 1 / (1 + exp(min(b - a, 700.0)))


def _checked(text: str, response: Response, mark: str, shown: str) -> Said:
    """The text, unless it is missing, no language, or an echo of what was `shown`."""
    fault = _missing(response)
    if not fault and not text:
        fault = "empty"
    if not fault and garbled(text):
        fault = "garbled"
    if not fault and (mark in text or _is_piece(text, shown)):
        fault = "an echo of the task"
    return Said("" if fault else text, fault)


def _missing(response: Response) -> str:
    if response.finish is Finish.STOP:
        return ""
    return {Finish.LENGTH: "cut off", Finish.FILTERED: "filtered"}.get(response.finish, "no answer")


def _is_piece(text: str, shown: str) -> bool:
    flat = _flat(text)
    return len(flat.split()) >= _LONG_ENOUGH and flat in _flat(shown)


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())
