"""The parts of a transformer that can be patched, ranked and tuned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytest_safetydrift.core.errors import UsageError, closest

__all__ = ["Kind", "Part", "kinds_named"]


class Kind(StrEnum):
    """What a part is."""

    LAYER = "layer"  # attention, MLP and norms of one layer
    MLP = "mlp"
    ATTENTION = "attention"
    HEAD = "head"


_INSIDE = {
    Kind.LAYER: frozenset({Kind.LAYER, Kind.MLP, Kind.ATTENTION, Kind.HEAD}),
    Kind.ATTENTION: frozenset({Kind.ATTENTION, Kind.HEAD}),
    Kind.MLP: frozenset({Kind.MLP}),
    Kind.HEAD: frozenset({Kind.HEAD}),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One part; layers and heads count from 0, and only a head has a head's number. Raises ValueError elsewise."""

    layer: int
    kind: Kind
    head: int | None = None

    def __post_init__(self) -> None:
        if self.layer < 0 or (self.head is not None and self.head < 0):
            raise ValueError(f"layers and heads count from 0, got {self}")
        if (self.kind is Kind.HEAD) != (self.head is not None):
            raise ValueError(f"a head's number belongs to a head and to nothing else, got {self}")

    def __str__(self) -> str:
        if self.kind is Kind.LAYER:
            return f"layer {self.layer}"
        return f"layer {self.layer} {self.kind}" + ("" if self.head is None else f" {self.head}")

    @property
    def order(self) -> tuple[int, str, int]:
        """A key that puts parts in one order, whatever their effects."""
        return self.layer, self.kind, -1 if self.head is None else self.head

    def overlaps(self, other: Part) -> bool:
        """Whether the two share weights: they are the same, or one lies inside the other."""
        if self.layer != other.layer:
            return False
        if self.kind is other.kind:
            return self.head == other.head
        return other.kind in _INSIDE[self.kind] or self.kind in _INSIDE[other.kind]

    def to_json(self) -> dict[str, Any]:
        """For a file."""
        row: dict[str, Any] = {"layer": self.layer, "kind": str(self.kind)}
        return row if self.head is None else {**row, "head": self.head}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Part:
        """The inverse of `to_json`; raises ValueError or KeyError on anything else."""
        return cls(int(row["layer"]), Kind(row["kind"]), row.get("head"))


def kinds_named(names: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds of these names, each once; raises `UsageError` on none and on an unknown one."""
    known = [str(kind) for kind in Kind]
    found = tuple(dict.fromkeys(names))
    if not found:
        raise UsageError(f"no kind of part is named; known: {', '.join(known)}")
    for name in found:
        if name not in known:
            raise UsageError(f"unknown kind of part {name!r}; {closest(name, known)}")
    return tuple(map(Kind, found))
