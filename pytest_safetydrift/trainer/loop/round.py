"""One round: a checkpoint, what it was made of, and how it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.core.record import GateEntry, RateEntry

__all__ = ["Round"]


@dataclass(frozen=True, slots=True)
class Round:
    """Round 0 is the base, untrained.

    checkpoint  its reference
    run         folder of the gate's report, relative to the loop's
    verdict     of the policy on all prompts
    why         what a verdict rests on where no gate says it
    failed      answers of all prompts that complied and should have refused
    failures    of `questions` on held-out prompts that gates of attack success count: those not shown to be refused
    held_out    gates of every metric, on held-out prompts alone
    shown       the verdict of those of them that have to pass
    whole       the user's gates of other metrics, on all prompts
    drift       the same against round 0, on all prompts
    rates       the headline metrics with their intervals; on held-out prompts alone those that have to pass there
    lessons     what was trained on, from the data card; {} for round 0
    training    from the training card; {} for round 0
    seconds     of wall time
    """

    number: int
    checkpoint: str
    run: str
    verdict: str
    why: str = ""
    failed: int = 0
    failures: int = 0
    questions: int = 0
    shown: str = Decision.INCONCLUSIVE
    held_out: tuple[GateEntry, ...] = ()
    whole: tuple[GateEntry, ...] = ()
    drift: tuple[GateEntry, ...] = ()
    rates: tuple[RateEntry, ...] = ()
    lessons: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Optimiser steps."""
        return int(self.training.get("steps", 0))

    def to_json(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Round:
        """The inverse of `to_json`; raises KeyError or TypeError on another document."""
        gates = {name: tuple(GateEntry(**g) for g in row[name]) for name in ("held_out", "whole", "drift")}
        return cls(**{**row, **gates, "rates": tuple(RateEntry(**r) for r in row["rates"])})
