"""The order in which rows are seen: decided beforehand, so that a resumed run sees what is left of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

__all__ = ["draw_order"]

_BLOCK = 8  # batches that are sorted together: each block is a fair draw of the rows


def draw_order(lengths: Sequence[int], *, batch: int, steps: int, seed: int) -> list[int]:
    """Row numbers, `batch` x `steps` of them: pass after pass over all rows, in batches of like length.

    lengths  of the rows in tokens: little of a batch is padding, and which rows meet is still chance

    One process or many, and any micro batch, see the same rows in the same step.
    """
    r = Random(f"order/{seed}")
    drawn: list[int] = []
    while len(drawn) < batch * steps:
        rows = list(range(len(lengths)))
        r.shuffle(rows)
        drawn += rows
    order: list[int] = []
    drawn = drawn[: batch * steps]
    for start in range(0, len(drawn), _BLOCK * batch):
        block = sorted(drawn[start : start + _BLOCK * batch], key=lengths.__getitem__)
        batches = [block[at : at + batch] for at in range(0, len(block), batch)]
        r.shuffle(batches)
        order += [row for chosen in batches for row in chosen]
    return order
