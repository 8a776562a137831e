"""Which parts are tuned: those with the largest effects, or a random control of the same size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from random import Random

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.targeted.attribution import Attribution
from pytest_safetydrift.trainer.targeted.layout import Layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part

__all__ = ["Choice", "choose_count", "choose_random", "choose_share"]

_DRAWS = 1_000
_NEAR = 0.05  # most that a control's size may differ by, as a share of what it is the control of


@dataclass(frozen=True, slots=True)
class Choice:
    """Parts that share no weights with each other.

    numbers  trainable numbers in them
    total    numbers in the whole model
    """

    parts: tuple[Part, ...]
    numbers: int
    total: int

    @property
    def share(self) -> float:
        """Of the model's numbers, in (0, 1]."""
        return self.numbers / self.total


def choose_share(attribution: Attribution, layout: Layout, share: float, kinds: Sequence[Kind]) -> Choice:
    """From the largest effect down, each part that fits into what is left of this share of the model's numbers.

    share  in (0, 1]
    kinds  among which is chosen; a part that shares weights with a chosen one is passed over

    A part without an effect above 0 is never chosen. Raises `UsageError` where nothing can be.
    """
    if not (isfinite(share) and 0 < share <= 1):
        raise UsageError(f"the share of numbers to tune must be in (0, 1], got {share}")
    ranked, left = _ranked(attribution, kinds), int(share * layout.total)
    chosen: list[Part] = []
    for part in ranked:
        size = layout.numbers([part])
        if size <= left and not _touches(part, chosen):
            chosen.append(part)
            left -= size
    if not chosen:
        least = min(layout.numbers([part]) for part in ranked)
        raise UsageError(
            f"{share:.2%} of {layout.total} numbers are {left}, and the smallest part that has an effect has {least}: "
            f"take a share of {least / layout.total:.4f} or more, or add the kind {Kind.HEAD}"
        )
    return _choice(chosen, layout)


def choose_count(attribution: Attribution, layout: Layout, count: int, kinds: Sequence[Kind]) -> Choice:
    """The `count` parts with the largest effects, under the rules of `choose_share`. Raises `UsageError` where there
    are fewer."""
    chosen: list[Part] = []
    for part in _ranked(attribution, kinds):
        if len(chosen) < count and not _touches(part, chosen):
            chosen.append(part)
    if not 1 <= count == len(chosen):
        raise UsageError(f"{count} parts were asked for, and {len(chosen)} with an effect above 0 can be chosen")
    return _choice(chosen, layout)


def choose_random(choice: Choice, layout: Layout, seed: int) -> Choice:
    """The control of a choice: as many parts of each kind, drawn from all of that kind, effects unseen.

    Parts of the choice may be drawn again, as chance has it, though never all of them. The control has as many numbers;
    where parts of a kind differ in size, the draw that comes nearest, within a twentieth. Raises `UsageError` where
    there is none.
    """
    r, wanted = Random(seed), Counter(part.kind for part in choice.parts)
    pools = {kind: layout.parts([kind]) for kind in sorted(wanted)}
    best: Choice | None = None
    for _ in range(_DRAWS):
        drawn = [part for kind, pool in pools.items() for part in r.sample(pool, wanted[kind])]
        if set(drawn) == set(choice.parts) or any(_touches(part, drawn[:i]) for i, part in enumerate(drawn)):
            continue
        found = _choice(drawn, layout)
        if best is None or _off(found, choice) < _off(best, choice):
            best = found
        if best.numbers == choice.numbers:
            return best
    if best is None or _off(best, choice) > _NEAR * choice.numbers:
        raise UsageError(
            f"no random control of {len(choice.parts)} parts and {choice.numbers} numbers was found that is another "
            "choice: take a smaller share, or smaller kinds of parts"
        )
    return best


def _ranked(attribution: Attribution, kinds: Sequence[Kind]) -> list[Part]:
    ranked = [e.part for e in attribution.of(kinds) if e.effect.estimate > 0]
    if not ranked:
        raise UsageError(f"no part of the kinds {', '.join(kinds)} has an effect above 0; choose among other kinds")
    return ranked


def _touches(part: Part, chosen: Sequence[Part]) -> bool:
    return any(part.overlaps(other) for other in chosen)


def _off(found: Choice, choice: Choice) -> int:
    return abs(found.numbers - choice.numbers)


def _choice(parts: Sequence[Part], layout: Layout) -> Choice:
    return Choice(tuple(sorted(parts, key=lambda p: p.order)), layout.numbers(parts), layout.total)
