"""Reranking files: which model draws candidates, which critic chooses among them, and how."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import BadReferenceError, closest
from pytest_safetydrift.core.reference import Reference, Scheme

__all__ = ["KINDS", "Reranking", "parts_of", "read_reranking"]

KINDS = ("reward", "rubric", "loglik")
"""Kinds of critics: a reward model, any model asked yes or no, and the model's own likelihood (a control)."""

_ANSWERING = (Scheme.MODEL, Scheme.DEMO, Scheme.OPENAI, Scheme.SCRIPTED)
_ASKED = {"reward": (Scheme.MODEL,), "rubric": _ANSWERING}


@dataclass(frozen=True, slots=True)
class Reranking:
    """What a file says.

    model        draws the candidates
    kind         one of `KINDS`
    critic       who scores them; None where the model itself does (loglik)
    n            candidates a request, the model's own answer among them
    temperature  at which a greedy request's other candidates are drawn; a request that samples keeps its own
    question     what a rubric's critic is asked about the answer, "" for the built-in question
    """

    model: Reference
    kind: str
    critic: Reference | None = None
    n: int = 4
    temperature: float = 1.0
    question: str = ""

    @property
    def parts(self) -> tuple[Reference, ...]:
        """The model, then the critic where it is another one."""
        return (self.model,) if self.critic is None else (self.model, self.critic)


def parts_of(reference: Reference) -> tuple[Reference, ...]:
    """Who is behind a reference: the model and its critic, or whoever the reference names."""
    return read_reranking(reference).parts if reference.scheme is Scheme.RERANK else (reference,)


def read_reranking(reference: Reference) -> Reranking:
    """The file that a `rerank:` reference names; raises `BadReferenceError` that says what is wrong in it.

    References inside mean what they mean on the command line: paths start where pytest was called.
    """
    path = Path(reference.place)
    try:
        row = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise BadReferenceError(f"{reference.text}: {e}; write a TOML file with model, kind and critic") from e
    for key, value in row.items():
        if key not in _FIELDS:
            raise _fault(path, f"unknown key {key!r}; {closest(key, _FIELDS)}")
        good, wanted = _FIELDS[key]
        if not good(value):
            raise _fault(path, f"{key} must be {wanted}, got {value!r}")
    kind = row.get("kind", "")
    if kind not in KINDS:
        raise _fault(path, f"kind {kind!r} is no kind of critic; {closest(kind, KINDS)}" if kind else "kind is missing")
    if "question" in row and kind != "rubric":
        raise _fault(path, f"question is for kind 'rubric': a critic of kind {kind!r} is asked nothing")
    return Reranking(**{**row, "model": _model(row, path), "critic": _critic(row, path)})


def _model(row: dict[str, Any], path: Path) -> Reference:
    if "model" not in row:
        raise _fault(path, "model is missing: name the checkpoint that answers")
    return _named(row["model"], "model", _ANSWERING, path)


def _critic(row: dict[str, Any], path: Path) -> Reference | None:
    kind = row["kind"]
    if kind == "loglik":
        if "critic" in row:
            raise _fault(path, "kind 'loglik' takes the model's own likelihood; leave critic out")
        return None
    if "critic" not in row:
        raise _fault(path, f"critic is missing: kind {kind!r} needs one")
    return _named(row["critic"], "critic", _ASKED[kind], path)


def _named(text: str, key: str, schemes: tuple[Scheme, ...], path: Path) -> Reference:
    try:
        reference = Reference.parse(text)
    except BadReferenceError as e:
        raise _fault(path, f"{key}: {e}") from e
    if reference.scheme not in schemes:
        known = ["a model directory or hub name", *(f"{s}:..." for s in schemes if s is not Scheme.MODEL)]
        raise _fault(path, f"{key} = {text!r} cannot do that; name {' or '.join(known)}")
    return reference


def _fault(path: Path, what: str) -> BadReferenceError:
    return BadReferenceError(f"rerank:{path}: {what}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_warm(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0


_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "model": (_is_text, "a checkpoint reference"),
    "critic": (_is_text, "a checkpoint reference"),
    "kind": (_is_text, f"one of {', '.join(KINDS)}"),
    "n": (_is_count, "a whole number of at least 1"),
    "temperature": (_is_warm, "a number above 0"),
    "question": (_is_text, "a text"),
}
