"""Which of several processes this is: one writes, all wait for it."""

from __future__ import annotations

import os
from datetime import timedelta

__all__ = ["is_first", "wait_for_all", "world_size"]

_PATIENCE = timedelta(days=2)
"""The first process may ask a slow teacher for hours while the others wait for it."""


def world_size() -> int:
    """Processes that torchrun or accelerate started; 1 without them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", "0")) == 0


def wait_for_all() -> None:
    """Come back when every process has come here."""
    if world_size() > 1:
        from accelerate import PartialState

        PartialState(cpu=_on_cpu(), timeout=_PATIENCE).wait_for_everyone()


def _on_cpu() -> bool:
    import torch

    return not torch.cuda.is_available()
