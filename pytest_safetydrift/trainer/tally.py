"""How often each thing comes: what every card says of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

__all__ = ["tally"]


def tally(values: Iterable[str]) -> dict[str, int]:
    """Counts by name, sorted by name."""
    return dict(sorted(Counter(values).items()))
