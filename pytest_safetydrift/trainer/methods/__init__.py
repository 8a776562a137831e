"""Ways of making a checkpoint: one frozen configuration each, with what it does."""

from __future__ import annotations

from pytest_safetydrift.trainer.methods.dpo import DPO
from pytest_safetydrift.trainer.methods.kto import KTO
from pytest_safetydrift.trainer.methods.sft import SFT
from pytest_safetydrift.trainer.methods.targeted import Targeted
from pytest_safetydrift.trainer.training.method import Method

__all__ = ["DPO", "KTO", "METHODS", "SFT", "Targeted"]

METHODS: tuple[type[Method], ...] = (SFT, Targeted, DPO, KTO)
"""In the order of `safetydrift train --help`."""
