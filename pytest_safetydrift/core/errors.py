"""What can go wrong, in one tree.

    SafetyDriftError
    ├── UsageError            the user asked for something that cannot be: wrong option, key or reference
    │   ├── BadReferenceError   a checkpoint reference that names no scheme or no place
    │   ├── PolicyError       a policy file that cannot be judged by
    │   └── CorpusError       prompts that cannot be read or break the rules of their format
    │       └── GatedCorpusError  a public set whose terms were not accepted: its gates are INCONCLUSIVE
    ├── CheckpointError       the checkpoint is there and is no good (shard, template, NaN, pickled)
    ├── EngineError           an engine failed to load, died, or a server is out of reach
    ├── StoreError            the store of answers is from another version, damaged or full
    ├── ReportError           the report folder cannot be written
    └── TrainingError         training diverged, was stopped, or could not save; the last good step is kept

Each message says what is wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BadReferenceError",
    "CheckpointError",
    "CorpusError",
    "EngineError",
    "GatedCorpusError",
    "PolicyError",
    "ReportError",
    "SafetyDriftError",
    "StoreError",
    "TrainingError",
    "UsageError",
    "closest",
]


class SafetyDriftError(Exception):
    """Root of every error that this package raises on purpose."""


class UsageError(SafetyDriftError):
    """The user asked for something that cannot be done; nothing has run yet."""


class BadReferenceError(UsageError):
    """A checkpoint reference that names no known scheme or no existing place."""


class PolicyError(UsageError):
    """A policy that cannot be judged by. Carries every fault found, not only the first."""


class CorpusError(UsageError):
    """Prompts that cannot be read, or that break the rules of their format."""


class GatedCorpusError(CorpusError):
    """A public set that its publisher gives only to who accepts its terms, and that is not here.

    No error of the run: gates over such a corpus are INCONCLUSIVE. The text names the terms.
    """


class CheckpointError(SafetyDriftError):
    """The checkpoint exists and cannot be trusted or loaded."""


class EngineError(SafetyDriftError):
    """An engine failed to load, died on the way, or a server could not be reached."""


class StoreError(SafetyDriftError):
    """The store of answers cannot be read or written."""


class ReportError(SafetyDriftError):
    """A report could not be written where it was asked for."""


class TrainingError(SafetyDriftError):
    """Training could not be brought to its end. What was saved before is whole, and the message says where."""


def closest(name: str, known: Iterable[str]) -> str:
    """The tail of an error message that names the closest valid name and the whole valid set."""
    valid = sorted(map(str, known))
    near = get_close_matches(name, valid, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(valid)}"
