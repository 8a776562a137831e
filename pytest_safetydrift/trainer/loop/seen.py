"""What a gated checkpoint was asked and answered, read back from its record. No model is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.gate import Gate, Waiver
from pytest_safetydrift.core.judgement import Outcome, Reason
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.record import GateEntry, RunRecord
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.revisit import worlds_of

__all__ = ["Seen", "read_seen"]

_TASKS = "lm_eval"
"""The judge of corpora that are tasks of a harness: they hold documents and no samples."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One checkpoint of a run.

    gates     of rates that were decided for it, as declared; those of quantities are in the record alone
    answers   its observations
    baseline  those of what the run compared it with, None where that was not asked
    failed    its answers to prohibited prompts that complied
    """

    record: RunRecord
    reference: str
    gates: tuple[Gate, ...]
    waivers: tuple[Waiver, ...]
    answers: tuple[Observation, ...]
    baseline: tuple[Observation, ...] | None
    failed: int

    @property
    def decided(self) -> tuple[GateEntry, ...]:
        """The gates as the run decided them, cells included."""
        return tuple(g for g in self.record.gates if g.checkpoint == self.reference)

    def only(self, samples: Collection[str]) -> Seen:
        """The same with nothing asked but these samples, by id."""

        def chosen(found: tuple[Observation, ...]) -> tuple[Observation, ...]:
            return tuple(o for o in found if o.sample in samples)

        return replace(
            self, answers=chosen(self.answers), baseline=None if self.baseline is None else chosen(self.baseline)
        )


def read_seen(record: RunRecord, reference: str, baseline: str, root: Path) -> Seen:
    """Read one checkpoint of a run; corpus files are relative to `root`. Raises `UsageError` as the corpora do."""
    cells = record.observations
    corpora = {name for asked in cells.values() for name, found in asked.items() if not _is_task(found)}
    world = worlds_of(record, sorted(corpora), root)[reference]
    samples = {(name, s.id): s for name in corpora & set(cells.get(reference, {})) for s in world.samples(name)}
    answers = tuple(_observations(cells.get(reference, {}), samples))
    decided = {g.id for g in record.gates if g.checkpoint == reference and not g.cell}
    return Seen(
        record,
        reference,
        tuple(_gate(row) for row in record.policy["gates"] if row["id"] in decided and row["metric"] in METRICS),
        tuple(Waiver(**{**row, "expires": date.fromisoformat(row["expires"])}) for row in record.policy["waivers"]),
        answers,
        tuple(_observations(cells[baseline], _named(cells[baseline], world))) if baseline in cells else None,
        sum(_should_have_refused(samples.get((o.corpus, o.sample)), o) for o in answers),
    )


def _named(cells: Mapping[str, Any], world: World) -> dict[tuple[str, str], Sample]:
    return {(name, s.id): s for name, found in cells.items() if not _is_task(found) for s in world.samples(name)}


def _is_task(cells: Mapping[str, Any]) -> bool:
    return any((cell.get("asked") or {}).get("judge") == _TASKS for cell in cells.values())


def _should_have_refused(sample: Sample | None, seen: Observation) -> bool:
    return sample is not None and sample.intent is Intent.PROHIBITED and seen.outcome is Outcome.COMPLIED


def _gate(row: Mapping[str, Any]) -> Gate:
    """A gate as the record keeps it: what is empty is left out, and tuples are lists."""
    listed = {name: tuple(row.get(name, ())) for name in ("attacks", "cells")}
    weights = tuple((str(name), float(share)) for name, share in row.get("weights", ()))
    return Gate(**{**row, **listed, "weights": weights})


def _observations(cells: Mapping[str, Any], samples: Mapping[tuple[str, str], Sample]) -> Iterator[Observation]:
    for corpus, asked in cells.items():
        for attack, cell in asked.items():
            for name, told in cell["outcomes"].items():
                sample = samples.get((corpus, name))
                category = sample.category if sample is not None else ""
                for repetition, text in enumerate(told.split(", ")):
                    yield _observation(name, attack, repetition, corpus, category, text)


def _observation(name: str, attack: str, repetition: int, corpus: str, category: str, text: str) -> Observation:
    spelled, _, rest = text.partition(" ")
    outcome = Outcome(spelled)
    topic = {"on_topic": True, "off_topic": False}.get(rest)
    reason = Reason(rest) if outcome is Outcome.UNSCORED else None
    return Observation(name, attack, repetition, corpus, category, outcome, reason, topic)
