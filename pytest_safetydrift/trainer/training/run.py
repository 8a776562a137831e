"""One training run from its configuration to a published checkpoint."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.files import check_new
from pytest_safetydrift.trainer.training.base import CARD, open_base
from pytest_safetydrift.trainer.training.card import compose_card
from pytest_safetydrift.trainer.training.example import sha256_of
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.work import Fitted, Work, open_work

__all__ = ["LOG", "train"]

LOG = "training_log.jsonl"


def train(method: Method, out: Path) -> Path:
    """Make the checkpoint and return its folder, which appears by one rename when all of it is there.

    Killed on the way, the same call goes on from the last whole step, which is kept in `OUT.training` until the end;
    from where it goes on, and what Ctrl-C leaves, is said on standard error.
    Under torchrun or `accelerate launch` every process calls it, and the first writes. Raises `UsageError` for an
    impossible configuration, data or an `out` that exists, `CheckpointError` for an unsound base, and `TrainingError`
    where training diverges or cannot save.
    """
    out = Path(out)
    check_new(out)
    base = open_base(method.base)
    began = time.monotonic()
    with open_work(base, out, {"method": method.name, **method.to_json()}, sha256_of(method.inputs())) as work:
        with _telling(work):
            fitted = method.fit(work)
            if is_first():
                _complete(method, work, fitted, time.monotonic() - began)
        if is_first():
            try:
                work.result.rename(out)
            except OSError as error:
                raise TrainingError(f"{out}: {error}; the checkpoint is whole in {work.result}") from error
            shutil.rmtree(work.folder, ignore_errors=True)
            if fitted.said:
                print(fitted.said, file=sys.stderr)
        wait_for_all()
    return out


@contextmanager
def _telling(work: Work) -> Iterator[None]:
    """Says what an earlier try left, and what there is to go on from after Ctrl-C; one process speaks."""
    if is_first() and (reached := work.reached()):
        print(f"going on from {reached.what} of {reached.folder}", file=sys.stderr, flush=True)
    try:
        yield
    except KeyboardInterrupt:
        if is_first():
            reached = work.reached()
            left = (
                f"the same command goes on from {reached.what} ({reached.folder})"
                if reached
                else "nothing was saved yet; a smaller --save-every saves sooner"
            )
            print(f"interrupted; {left}", file=sys.stderr)
        raise


def _complete(method: Method, work: Work, fitted: Fitted, seconds: float) -> None:
    """Card, log and what the method kept, beside the weights."""
    card = compose_card(method, work, fitted, seconds)
    try:
        if work.kept.is_dir():
            shutil.copytree(work.kept, work.result, dirs_exist_ok=True)
        (work.result / LOG).write_text("".join(json.dumps(row) + "\n" for row in fitted.log), "utf-8")
        (work.result / CARD).write_text(json.dumps(card, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise TrainingError(f"{work.result}: {error}; free some space and give the same command again") from error
