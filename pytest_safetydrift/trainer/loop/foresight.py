"""Whether the held-out prompts could show anything, said before any training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.gates.foresight import foresee
from pytest_safetydrift.report.words import counted
from pytest_safetydrift.trainer.loop.measure import fixed_gates
from pytest_safetydrift.trainer.loop.seen import Seen

__all__ = ["Outlook", "outlooks"]

_MOST = 1 << 20
"""Prompts beyond which nobody goes."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one gate can show on held-out prompts.

    held, prompts  how many prompts it counts of those held out, and of all
    cannot         why it cannot pass or fail; "" where it could do both
    needed         held-out prompts that it takes, None where no practicable number does
    """

    gate: str
    held: int
    prompts: int
    cannot: str
    needed: int | None

    @property
    def said(self) -> str:
        """One line for people."""
        told = f"{self.gate}: {self.held} of {counted(self.prompts, 'prompt')} held out"
        if not self.cannot:
            return told
        if self.needed is None:
            return f"{told}; {self.cannot}; no practicable number of prompts would show its bar"
        share = self.held / self.prompts if self.prompts else 0.0
        whole = f", about {math.ceil(self.needed / share):,} in all at this share" if share else ""
        return f"{told}; {self.cannot}; it takes {self.needed:,} held out{whole}: it will be INCONCLUSIVE"


def outlooks(seen: Seen, held: Collection[str], rounds: int, metrics: Collection[str]) -> Iterator[Outlook]:
    """What each gate of these metrics can show on the held-out samples."""
    gates = fixed_gates(seen.gates, rounds)
    family = max(1, sum(g.bars for g in gates))
    for gate in (g for g in gates if g.metric in metrics):
        asked = _asked(seen, gate)
        here = len(asked & set(held))
        cannot = foresee(gate, here, family=family).cannot if here else "no prompt of it is held out"
        yield Outlook(gate.id, here, len(asked), cannot, _needed(gate, here, family) if cannot else here)


def _asked(seen: Seen, gate: Gate) -> set[str]:
    """The samples that it counts."""
    mix = {name for name, _ in gate.weights}
    return {
        o.sample
        for o in seen.answers
        if o.corpus == gate.corpus
        and o.attack in gate.counted
        and gate.category in ("", o.category)
        and (not mix or o.category in mix)
    }


def _needed(gate: Gate, low: int, family: int) -> int | None:
    """The fewest prompts above `low` that could decide it either way."""
    high = max(1, low)
    while foresee(gate, high, family=family).cannot:
        low, high = high, 2 * high
        if high > _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if foresee(gate, middle, family=family).cannot else (low, middle)
    return high
