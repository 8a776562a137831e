"""The verdict on one saved checkpoint, as a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.core.text import one_line

__all__ = ["FAILED", "INCONCLUSIVE", "INFRASTRUCTURE", "PASSED", "GateLine", "Verdict", "exit_code"]

PASSED, FAILED, INCONCLUSIVE, INFRASTRUCTURE = 0, 1, 10, 11
"""The plugin's exit codes for a run that came to its end."""

_ROOM = 300
"""Characters of a reason's beginning, and of its end, that a line for a log has."""


@dataclass(frozen=True, slots=True)
class GateLine:
    """What a verdict tells of one gate; figures as in `core.record.GateEntry`, rates in [0, 1] where `unit` is ""."""

    id: str
    decision: str
    reason: str = ""
    estimate: float | None = None
    change: float | None = None
    unit: str = ""
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one saved checkpoint was judged.

    step       the training step, None where the folder's name tells none
    folder     where the checkpoint was saved; it may be gone by now
    exit_code  pytest's, negative for a signal; None where it did not run to its end
    gates      every gate that was decided, and every cell that failed; () where nothing was measured
    report     folder of the run's report, "" where there is none
    seconds    wall time of the judging
    digest     identity of what was judged, "" where it could not be read
    by         digest of what it was judged by: two verdicts are comparable where it is equal
    selection  "" where all gates of the policy were decided, else such as "3 of 40 gates"
    why        what a verdict other than PASS rests on where no gate says it; may have several lines
    """

    step: int | None
    folder: str
    verdict: Decision
    exit_code: int | None = None
    gates: tuple[GateLine, ...] = ()
    report: str = ""
    seconds: float = 0.0
    digest: str = ""
    by: str = ""
    selection: str = ""
    why: str = ""

    @property
    def name(self) -> str:
        """The checkpoint's own name."""
        return Path(self.folder).name

    @property
    def failed(self) -> tuple[GateLine, ...]:
        """Gates and cells that failed and are not waived."""
        return tuple(g for g in self.gates if g.decision == Decision.FAIL and g.blocks)

    @property
    def undecided(self) -> tuple[GateLine, ...]:
        """Gates that could not be decided, and block."""
        return tuple(g for g in self.gates if g.decision == Decision.INCONCLUSIVE and g.blocks)

    @property
    def lasting(self) -> bool:
        """Whether the same question would be answered the same: nothing broke on the way."""
        return bool(self.gates) and self.exit_code in (PASSED, FAILED, INCONCLUSIVE)

    def stops(self, on_inconclusive: str) -> bool:
        """Whether a training is to stop, where `on_inconclusive` is "stop" for an INCONCLUSIVE one as well."""
        undecided = self.verdict is Decision.INCONCLUSIVE and on_inconclusive == "stop"
        return self.verdict is Decision.FAIL or undecided

    @property
    def line(self) -> str:
        """One line for a log."""
        blocking = self.failed or self.undecided
        told = ", ".join(_told(g) for g in blocking[:3]) + (", ..." if len(blocking) > 3 else "")
        why = told or _gist(self.why) or f"{len(self.gates)} gate{'s' * (len(self.gates) != 1)}"
        part = f" ({self.selection})" if self.selection else ""
        where = f"; {self.report}" if self.report else ""
        return f"{one_line(self.name)}: {self.verdict}{part}: {why}{where}"

    def logs(self) -> dict[str, str | int | float]:
        """Flat figures under "safetydrift/" for a training log; a gate's rate by its id, its change beside it."""
        told: dict[str, str | int | float] = {
            "safetydrift/verdict": str(self.verdict),
            "safetydrift/failed_gates": len(self.failed),
            "safetydrift/undecided_gates": len(self.undecided),
            "safetydrift/seconds": round(self.seconds, 3),
        }
        if self.step is not None:
            told["safetydrift/checkpoint"] = self.step
        for gate in self.gates:
            if gate.estimate is not None:
                told[f"safetydrift/{gate.id}"] = gate.estimate
            if gate.change is not None:
                told[f"safetydrift/{gate.id}/change"] = gate.change
        return told

    def to_json(self) -> dict[str, Any]:
        """For the file of verdicts and for a checkpoint's tag."""
        return {**asdict(self), "verdict": str(self.verdict), "gates": [asdict(g) for g in self.gates]}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Verdict:
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError on another document."""
        gates = tuple(GateLine(**g) for g in row["gates"])
        return cls(**{**row, "verdict": Decision(row["verdict"]), "gates": gates})


def exit_code(verdicts: Iterable[Verdict], *, unjudged: bool = False) -> int:
    """The plugin's exit code for several checkpoints: 1 where one failed; else 11 where a judging broke; else 10 where
    one is INCONCLUSIVE, none was judged or some are still `unjudged`; else 0."""
    found = list(verdicts)
    if any(v.verdict is Decision.FAIL for v in found):
        return FAILED
    open_ = [v for v in found if v.verdict is not Decision.PASS]
    if any(not v.lasting for v in open_):
        return INFRASTRUCTURE
    return INCONCLUSIVE if open_ or unjudged or not found else PASSED


def _gist(why: str) -> str:
    """Several lines on one: the first, which says what it is, and as many of the last as fit: errors stand there."""
    head, *lines = [line for line in why.splitlines() if line.strip()] or [""]
    if not lines:
        return one_line(head, _ROOM)
    kept = one_line(lines.pop(), _ROOM)
    while lines and len(longer := f"{one_line(lines[-1], _ROOM)} {kept}") <= _ROOM:
        kept = longer
        lines.pop()
    return f"{one_line(head, _ROOM)} {'… ' if lines else ''}{kept}"


def _told(gate: GateLine) -> str:
    """A gate and its figures: a rate in percent with its change in points, a quantity in its unit."""
    if gate.estimate is None:
        return f"{one_line(gate.id)} {gate.reason}".strip()
    if gate.unit:
        change = "" if gate.change is None else f" ({gate.change:+.4g})"
        return f"{one_line(gate.id)} {gate.estimate:.4g} {gate.unit}{change}"
    change = "" if gate.change is None else f" ({100 * gate.change:+.1f} points)"
    return f"{one_line(gate.id)} {gate.estimate:.1%}{change}"
