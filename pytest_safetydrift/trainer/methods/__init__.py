"""Ways of making a checkpoint: one frozen configuration each, with what it does."""

from __future__ import annotations

from pytest_safetydrift.trainer.methods.sft import SFT
from pytest_safetydrift.trainer.training.method import Method

__all__ = ["METHODS", "SFT"]

METHODS: tuple[type[Method], ...] = (SFT,)
"""In the order of `safetydrift train --help`."""
