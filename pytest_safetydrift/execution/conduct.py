"""Conducting a run: one process of a session executes, the others wait and then read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from filelock import FileLock

from pytest_safetydrift.core.errors import StoreError
from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.attacker import Attacker
from pytest_safetydrift.execution.battery import Plan, Subject
from pytest_safetydrift.execution.bench import Bench
from pytest_safetydrift.execution.campaign import Findings, run_plan
from pytest_safetydrift.execution.letters import choose_reading
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.recording import RunFacts, compose_record
from pytest_safetydrift.execution.rerank import doubts
from pytest_safetydrift.execution.resolve import Setting, convene, engage, resolve
from pytest_safetydrift.execution.store import Store

__all__ = ["Conducted", "Workplace", "conduct"]


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folder that the processes of one run share. `run` is the run's id, equal in all of them."""

    folder: Path
    run: str

    def store(self) -> Store:
        """The answers, opened for this run."""
        return Store(self.folder / "answers.sqlite", run=self.run)

    @property
    def draft(self) -> Path:
        """The record, as the executing process wrote it."""
        return self.folder / "runs" / f"{self.run}.json"

    def read_draft(self) -> RunRecord:
        """The record; raises `ReportError` where it is damaged."""
        return RunRecord.loads(self.draft.read_text("ascii"), where=str(self.draft))

    def prepare(self) -> FileLock:
        """Make the folder and the lock; git ignores what is in it. The kernel frees the lock of a process that dies."""
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n", "ascii")
        except OSError as e:
            raise StoreError(f"store {self.folder}: {e}; name a writable folder with --safetydrift-store") from e
        return FileLock(self.folder / "leader.lock")

    def clear(self) -> None:
        """Forget the run: its record is written, its failures are in it."""
        self.draft.unlink(missing_ok=True)
        with closing(self.store()) as store:
            store.forget_run()


@dataclass(frozen=True, slots=True)
class Conducted:
    """What every process of the session has in the end: the same subjects and findings, one record."""

    subjects: Mapping[str, Subject]
    findings: Findings
    record: RunRecord


def conduct(
    plan: Plan,
    references: Sequence[Reference],
    worlds: Mapping[str, World],
    setting: Setting,
    facts: RunFacts,
    place: Workplace,
    stream: TextIO | None,
) -> Conducted:
    """Execute the plan, or read what another process of this run has executed meanwhile.

    Whoever comes second finds every answer in the store and replays the same generators over it, so all
    processes hold equal findings; only the first one's counts are true of the run, and it alone writes
    the record. If it is killed, the next goes on from the store.
    """
    with place.prepare():
        began = time.monotonic()
        bench = convene(setting)
        attacker = engage(setting)
        subjects = resolve(references, worlds, setting, bench, attacker)
        plan = choose_reading(plan, subjects)
        doubted = _doubted(subjects, bench, attacker)
        if stream is not None and not place.draft.exists():
            for note in doubted:
                print(f"safetydrift: {one_line(note, 600)}", file=stream, flush=True)
        with closing(place.store()) as store:
            progress = Progress(plan.distinct, stream)
            try:
                findings = run_plan(plan, subjects, store, progress, facts.terms, bench, attacker)
            finally:
                progress.finish()
            if not place.draft.exists():
                tally = findings.tally
                seconds = {"loading": tally.loading_seconds, "generating": tally.generating_seconds}
                facts = facts.noting(_same_as_baseline(plan, subjects) + doubted)
                record = compose_record(
                    facts,
                    plan,
                    findings,
                    subjects,
                    store,
                    seconds={**seconds, "total": time.monotonic() - began},
                    bench=bench,
                    attacker=attacker,
                )
                part = place.draft.with_suffix(".part")
                part.write_text(record.dumps(), "ascii")
                part.replace(place.draft)
        return Conducted(subjects, findings, place.read_draft())


def _doubted(subjects: Mapping[str, Subject], bench: Bench, attacker: Attacker) -> tuple[str, ...]:
    """What speaks against the critics of reranked models, be they judged, judging or attacking."""
    asked = (s.target for s in subjects.values() if s.target is not None)
    references = dict.fromkeys(t.reference for t in (*asked, *bench.targets.values(), *attacker.targets.values()))
    return tuple(filter(None, map(doubts, references)))


def _same_as_baseline(plan: Plan, subjects: Mapping[str, Subject]) -> tuple[str, ...]:
    baseline = subjects.get(plan.baseline)
    if baseline is None or baseline.target is None:
        return ()
    key = baseline.target.identity.key
    candidates = dict.fromkeys(w.checkpoint for w in plan.wants)
    same = [c for c in candidates if (t := subjects[c].target) is not None and t.identity.key == key]
    return tuple(f"the baseline equals the candidate {c}: every change is zero by construction" for c in same)
