"""The teacher: any checkpoint or endpoint, loaded once for a whole dialogue, its answers kept to go on from."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

from pytest_safetydrift.core.errors import EngineError, TrainingError
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.execution.job import Rounds
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.runner import Job, run_jobs
from pytest_safetydrift.execution.store import Store
from pytest_safetydrift.trainer.training.drawing import STORE, open_target

__all__ = ["Dialogue", "check_usable", "consult", "told"]

T = TypeVar("T")
Dialogue: TypeAlias = Generator[list[Request], list[Response], list[T]]
"""Yields the requests of one round and is sent their responses, in the same order; returns what came of it."""


def consult(reference: str, start: Callable[[], Dialogue[T]], *, folder: Path, expected: int) -> list[T]:
    """Take a dialogue to its end and return what it returns.

    folder    holds the store of answers, as of `draw_answers`: a second call asks nothing again but what failed
    expected  answers, for the display of progress

    Raises `EngineError` or `CheckpointError` where the teacher cannot answer at all.
    """
    target = open_target(reference, EngineOptions())
    folder.mkdir(parents=True, exist_ok=True)
    with closing(Store(folder / STORE, run="training")) as store:
        store.forget_run()  # an endpoint that was out of reach when an earlier try ended may be back
        job = Job("teacher", reference, lambda: cast(Rounds, start()))  # the runner files whatever a job returns
        found, tally = run_jobs([job], {reference: target}, store, Progress(expected, sys.stderr))
    if tally.errors:
        raise EngineError(f"{reference}: {tally.errors[reference]}")
    return cast(list[T], found.get("teacher", []))


def told(reference: str) -> dict[str, Any]:
    """Who it is, for the card."""
    identity = open_target(reference, EngineOptions()).identity
    return {"reference": reference, "digest": identity.checkpoint, "verified": identity.verified}


def check_usable(reference: str, unusable: Sequence[tuple[str, str]], total: int, most: float) -> None:
    """Raises `TrainingError` where more than that share of what was asked came to nothing, with examples.

    unusable  why, and what the teacher said, for each
    """
    if len(unusable) <= most * total:
        return
    counts = ", ".join(f"{count} {why}" for why, count in Counter(why for why, _ in unusable).most_common())
    examples = "; ".join(f"{why}: {one_line(said, 80)!r}" for why, said in dict(unusable).items())
    raise TrainingError(
        f"{reference}: of {total} answers {len(unusable)} came to nothing for what this teacher said ({counts}), more "
        f"than the share of {most:g} that --unusable allows; for example {examples}; name a teacher that follows "
        "instructions, or raise --teacher-tokens where answers are cut off"
    )
