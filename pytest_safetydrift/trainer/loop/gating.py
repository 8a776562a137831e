"""Gating one checkpoint: pytest in a process of its own, and what it leaves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from pytest_safetydrift.core.errors import EngineError, UsageError
from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.trainer.loop.plan import Plan
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.watching.inquiry import Inquiry, environment
from pytest_safetydrift.trainer.watching.judge import Case, read_verdict
from pytest_safetydrift.trainer.watching.process import last_words, run_kept
from pytest_safetydrift.trainer.watching.verdict import Verdict

__all__ = ["Gated", "gate", "inquiry_of"]

_MISUSED = (4, 5)
"""pytest's exit codes for wrong usage and for no test."""
_OURS = {"--rootdir": "--root", "--safetydrift-store": "--store"}


@dataclass(frozen=True, slots=True)
class Gated:
    """A run that came to its end, and the seconds that it took."""

    verdict: Verdict
    record: RunRecord
    seconds: float


def inquiry_of(plan: Plan) -> Inquiry:
    """How every checkpoint of a loop is gated; raises `UsageError` for pytest arguments that are the loop's to give."""
    for argument in plan.pytest_args:
        if own := _OURS.get(argument.partition("=")[0]):
            raise UsageError(f"pytest argument {argument!r}: the loop needs to know it too; give it as {own}")
    told = (f"--rootdir={plan.root.absolute()}", f"--safetydrift-store={plan.store.absolute()}")
    return Inquiry(baseline=plan.against, pytest_args=(*told, *plan.pytest_args), device=plan.device)


def gate(reference: str, report: Path, inquiry: Inquiry) -> Gated:
    """Gate a checkpoint into a report's folder; stored answers are reused.

    Raises `UsageError` where pytest was told something that cannot be, and `EngineError` where the run broke: neither
    says anything of the checkpoint, and the same command goes on from there.
    """
    began = time.monotonic()
    digest = open_base(reference).digest
    report.mkdir(parents=True, exist_ok=True)
    (report / "record.json").unlink(missing_ok=True)
    log = report / "pytest.log"
    status = run_kept(inquiry.line(reference, report), log, environment())
    if status in _MISUSED:
        raise UsageError(f"pytest refuses to gate {reference}; its last words:\n{last_words(log)}")
    verdict = read_verdict(Case(None, report, report), report, status, reference, digest)
    if not verdict.lasting:
        raise EngineError(f"gating {reference} broke: {verdict.why or last_words(log)}\nall of it: {log}")
    record = RunRecord.loads((report / "record.json").read_text("utf-8"), where=str(report / "record.json"))
    return Gated(verdict, record, time.monotonic() - began)
