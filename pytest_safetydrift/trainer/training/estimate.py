"""What training would cost, before any of it is done."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Any

from pytest_safetydrift.engines.checkpoint import Checkpoint

__all__ = ["Estimate", "count_parameters", "count_trained", "machine_rate"]

_USED = 0.35
"""Share of a matrix product's speed that training reaches; small models on a CPU reach less."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a training run, roughly.

    rows, too_long    of the data; those that are left out for their length
    steps, tokens     optimiser steps, and tokens that gradients are taken over, prompts counted
    generated         tokens that models draw on the way
    parameters        of the model
    trained           of them that get gradients
    passes            forward passes of the whole model for each pass with a gradient, reference and critic counted
    models            whole copies in memory beside the one that is trained
    notes             what else is to be known
    """

    rows: int
    steps: int
    tokens: int
    parameters: int
    trained: int
    too_long: int = 0
    generated: int = 0
    passes: int = 0
    models: int = 0
    notes: tuple[str, ...] = ()

    @property
    def flops(self) -> float:
        """2 a parameter and token forwards, 4 backwards (Kaplan et al. 2020, section 2.1); attention is left out."""
        return self.parameters * (self.tokens * (6 + 2 * self.passes) + 2 * self.generated)

    @property
    def memory(self) -> int:
        """Bytes of weights, gradients and AdamW's two moments in float32; activations come on top."""
        return 4 * (self.parameters * (1 + self.models) + 3 * self.trained)

    def seconds(self, rate: float) -> float:
        """On a machine of `rate` floating-point operations a second."""
        return self.flops / (rate * _USED)

    def lines(self, rate: float) -> Iterator[str]:
        """For people."""
        left_out = f", {self.too_long} left out as too long" if self.too_long else ""
        drawn = f", and {self.generated:,} generated" if self.generated else ""
        yield f"rows: {self.rows:,}{left_out}"
        yield f"steps: {self.steps:,}"
        yield f"tokens: {self.tokens:,} with gradients{drawn}"
        yield f"parameters: {self.parameters:,}, of them trained {self.trained:,}"
        yield f"memory: {self.memory / 2**30:.2f} GiB, and activations on top"
        yield f"time: roughly {_span(self.seconds(rate))} on this machine, as one process"
        yield from self.notes


def machine_rate() -> float:
    """Floating-point operations a second of a float32 matrix product here (bfloat16 on a GPU), timed now."""
    import torch

    gpu = torch.cuda.is_available()
    size, device, dtype = (4096, "cuda", torch.bfloat16) if gpu else (512, "cpu", torch.float32)
    a = torch.randn(size, size, device=device, dtype=dtype)
    best = math.inf
    for _ in range(5):
        began = time.perf_counter()
        (a @ a).sum().item()
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def count_parameters(checkpoint: Checkpoint) -> int:
    """Numbers in the model's weight files, by their headers alone."""
    return sum(math.prod(shape) for _, shape in _shapes(checkpoint))


def count_trained(checkpoint: Checkpoint, rank: int, targets: Sequence[str] = ()) -> int:
    """Numbers that get a gradient: all, or those of adapters of `rank` on the `targets` (all linear modules but the
    head without any)."""
    if not rank:
        return count_parameters(checkpoint)
    chosen = [
        shape
        for name, shape in _shapes(checkpoint)
        if len(shape) == 2
        and (
            name.removesuffix(".weight").endswith(tuple(targets))
            if targets
            else not any(part in name for part in ("embed", "lm_head"))
        )
    ]
    return sum(rank * sum(shape) for shape in chosen)


def _shapes(checkpoint: Checkpoint) -> Iterator[tuple[str, list[int]]]:
    for path in sorted(checkpoint.directory.glob("*.safetensors")):
        with path.open("rb") as file:
            header: Mapping[str, Any] = json.loads(file.read(unpack("<Q", file.read(8))[0]))
        yield from ((name, tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def _span(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
