"""An attribution as a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.stats import Mean
from pytest_safetydrift.trainer.targeted.attribution import Attribution, Metric, PartEffect, Places
from pytest_safetydrift.trainer.targeted.parts import Part

__all__ = ["from_json", "load", "save", "to_json"]


def to_json(attribution: Attribution) -> dict[str, Any]:
    """All of it; an effect is told as [estimate, low, high]."""
    return {
        "complying": {"digest": attribution.digests[0], "log_odds": attribution.complying},
        "refusing": {"digest": attribution.digests[1], "log_odds": attribution.refusing},
        "metric": str(attribution.metric),
        "places": str(attribution.places),
        "prompts": attribution.prompts,
        "left_out": attribution.left_out,
        "effects": [{**e.part.to_json(), "effect": list(e.effect)} for e in attribution.effects],
        "trace": [list(effect) for effect in attribution.trace],
    }


def from_json(row: dict[str, Any]) -> Attribution:
    """The inverse of `to_json`; raises KeyError, TypeError or ValueError on anything else."""
    complying, refusing = row["complying"], row["refusing"]
    return Attribution(
        effects=tuple(PartEffect(Part.from_json(e), _mean(e["effect"])) for e in row["effects"]),
        trace=tuple(map(_mean, row["trace"])),
        metric=Metric(row["metric"]),
        places=Places(row["places"]),
        complying=float(complying["log_odds"]),
        refusing=float(refusing["log_odds"]),
        prompts=int(row["prompts"]),
        left_out=int(row["left_out"]),
        digests=(str(complying["digest"]), str(refusing["digest"])),
    )


def save(attribution: Attribution, file: Path) -> None:
    """Write it; raises `ReportError` where that fails."""
    try:
        file.write_text(json.dumps(to_json(attribution), indent=1, allow_nan=False) + "\n", encoding="ascii")
    except OSError as error:
        raise ReportError(f"{file}: {error}; name a writable place") from error


def load(file: Path, *, complying: str = "") -> Attribution:
    """Read it; raises `UsageError` where the file is none, and where it is of another complying checkpoint than the one
    of the digest `complying`, if that is told."""
    try:
        found = from_json(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is no attribution: {type(error).__name__}: {error}") from error
    if complying and found.digests[0] != complying:
        raise UsageError(
            f"{file} was made of the checkpoint {found.digests[0][:12] or '(not told)'} and not of {complying[:12]}: "
            "effects of one checkpoint say nothing of another; make it again"
        )
    return found


def _mean(values: Any) -> Mean:
    estimate, low, high = map(float, values)
    return Mean(estimate, low, high)
