"""Judging one saved checkpoint: a pytest run of its own, and what its record and exit code say."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from pytest_safetydrift.core.errors import CheckpointError, ReportError, SafetyDriftError
from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.core.record import CheckpointEntry, GateEntry, RunRecord
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.engines.places import locate
from pytest_safetydrift.engines.shards import read_object
from pytest_safetydrift.trainer.watching.complete import is_adapter
from pytest_safetydrift.trainer.watching.inquiry import Inquiry, environment
from pytest_safetydrift.trainer.watching.ledger import Ledger
from pytest_safetydrift.trainer.watching.place import Place
from pytest_safetydrift.trainer.watching.process import last_words, run_kept
from pytest_safetydrift.trainer.watching.verdict import FAILED, PASSED, GateLine, Verdict

__all__ = ["Case", "Judge", "read_verdict", "reference_of"]


@dataclass(frozen=True, slots=True)
class Case:
    """One saved checkpoint: its step, where it was saved, and the files set aside for judging."""

    step: int | None
    folder: Path
    aside: Path

    def undecided(self, why: str) -> Verdict:
        """The verdict where nothing could be measured."""
        return Verdict(self.step, str(self.folder), Decision.INCONCLUSIVE, why=why)


class Judge:
    """Judges the checkpoints of one folder, all by the same question. Whatever goes wrong is INCONCLUSIVE."""

    def __init__(self, place: Place, inquiry: Inquiry, *, again: bool = False) -> None:
        """`again` judges also what an earlier process has judged."""
        self._place, self._inquiry = place, inquiry
        self._ledger = Ledger(place.verdicts)
        self._before = frozenset((v.digest, v.by) for v in self._ledger.rows() if v.lasting)
        self._again = again

    def remembers(self, verdict: Verdict) -> bool:
        """Whether an earlier process has come to this verdict, and it was taken from there."""
        return not self._again and (verdict.digest, verdict.by) in self._before

    def judge(self, case: Case, cancelled: Event) -> Verdict | None:
        """The verdict, which is in the file of verdicts then; None where it was cancelled. Takes minutes."""
        began = time.monotonic()
        try:
            reference = reference_of(case.aside, self._inquiry.base)
            digest = self._digest(case, reference)
            if earlier := self._known(digest):
                verdict = replace(earlier, step=case.step, folder=str(case.folder))
                return verdict if verdict == earlier else self._kept(verdict)
            found = self._asked(case, reference, digest, cancelled)
        except (SafetyDriftError, OSError, ValueError) as error:
            found = replace(case.undecided(str(error)), by=self._inquiry.by)
        if found is None:
            return None
        return self._kept(replace(found, seconds=time.monotonic() - began))

    def _known(self, digest: str) -> Verdict | None:
        if self._again and (digest, self._inquiry.by) in self._before:
            return None
        return self._ledger.known(digest, self._inquiry.by)

    def _asked(self, case: Case, reference: str, digest: str, cancelled: Event) -> Verdict | None:
        report = self._place.report(case.folder.name, digest, self._inquiry.by)
        status = run_kept(
            self._inquiry.line(reference, report),
            report / "pytest.log",
            environment(),
            nice=self._inquiry.nice,
            limit_s=self._inquiry.limit_s,
            cancelled=cancelled,
        )
        if status is None and cancelled.is_set():
            return None
        found = replace(read_verdict(case, report, status, reference, digest), digest=digest, by=self._inquiry.by)
        if self._digest(case, reference) != digest:
            return replace(found, verdict=Decision.INCONCLUSIVE, gates=(), why="it changed while it was judged")
        return found

    def _digest(self, case: Case, reference: str) -> str:
        checkpoint = locate(Reference.parse(reference)) if is_adapter(case.aside) else Checkpoint(case.aside)
        return checkpoint_identity(checkpoint, self._inquiry.engine)

    def _kept(self, verdict: Verdict) -> Verdict:
        try:
            self._ledger.add(verdict)
        except OSError as error:
            return replace(verdict, why=f"{verdict.why}\n{self._place.verdicts} cannot be written: {error}".strip())
        return verdict


def reference_of(folder: Path, base: str = "") -> str:
    """How a checkpoint's folder is named to pytest: an adapter on its base. Raises `CheckpointError` without a base."""
    if not is_adapter(folder):
        return str(folder.absolute())
    settings = read_object(folder / "adapter_config.json")
    named = base or str(settings.get("base_model_name_or_path") or "")
    if not named:
        raise CheckpointError(f"{folder.name}: the adapter names no base model; name it as the base")
    if not base and Path(named).is_dir():
        named = str(Path(named).absolute())
    elif not base and settings.get("revision"):
        named = f"{named}@{settings['revision']}"
    return f"{named}+{folder.absolute()}"


def read_verdict(case: Case, report: Path, status: int | None, reference: str, digest: str) -> Verdict:
    """What a finished run says of one checkpoint: PASS takes a record of this very checkpoint, its PASS and exit
    code 0. A gate, or an ordinary test beside it, that failed is FAIL; everything else is INCONCLUSIVE."""
    told = Verdict(case.step, str(case.folder), Decision.INCONCLUSIVE, status, report=str(report))
    ended = "it took longer than its limit" if status is None else f"pytest ended with exit status {status}"
    words = last_words(report / "pytest.log")
    tail = f"; its last words:\n{words}" if words else ""
    try:
        text = (report / "record.json").read_text("utf-8")
        record = RunRecord.loads(text, where=str(report / "record.json"))
    except (OSError, ValueError) as error:
        lost = "left no record" if isinstance(error, FileNotFoundError) else f"its record cannot be read ({error})"
        return replace(told, report="", why=f"{ended} and {lost}{tail}")
    except ReportError as error:
        return replace(told, why=f"{ended}, and {error}{tail}")
    entry = next((c for c in record.checkpoints if c.reference == reference), None)
    if entry is None or entry.digest not in (digest, ""):
        return replace(told, why=f"{ended}, and the record is of another checkpoint")
    gates = tuple(_line(g) for g in record.gates if g.checkpoint == reference and _shown(g))
    decision, why = _decided(entry, status, gates, f"{ended}{tail}")
    return replace(told, gates=gates, selection=record.selection, verdict=decision, why=why)


def _decided(
    entry: CheckpointEntry, status: int | None, gates: tuple[GateLine, ...], ended: str
) -> tuple[Decision, str]:
    """The verdict, and why where no gate says it."""
    if entry.verdict == Decision.FAIL and any(g.decision == Decision.FAIL for g in gates):
        return Decision.FAIL, ""
    if status == FAILED:
        return Decision.FAIL, f"no gate failed, and a test beside them did: {ended}"
    if entry.verdict == Decision.PASS and status == PASSED and gates and entry.digest:
        return Decision.PASS, ""
    if any(g.decision == Decision.INCONCLUSIVE and g.blocks for g in gates):
        return Decision.INCONCLUSIVE, entry.error
    return Decision.INCONCLUSIVE, entry.error or (ended if gates else f"no gate was decided: {ended}")


def _shown(gate: GateEntry) -> bool:
    return not gate.cell or gate.decision == Decision.FAIL


def _line(gate: GateEntry) -> GateLine:
    return GateLine(gate.id, gate.decision, gate.reason, gate.estimate, gate.change, gate.unit, gate.blocks)
