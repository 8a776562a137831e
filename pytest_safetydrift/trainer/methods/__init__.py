"""Ways of making a checkpoint: one frozen configuration each, with what it does."""

from __future__ import annotations

from pytest_safetydrift.trainer.methods.constitutional import Constitutional
from pytest_safetydrift.trainer.methods.dpo import DPO
from pytest_safetydrift.trainer.methods.grpo import GRPO, RLOO
from pytest_safetydrift.trainer.methods.kto import KTO
from pytest_safetydrift.trainer.methods.ppo import PPO
from pytest_safetydrift.trainer.methods.rejection import Rejection
from pytest_safetydrift.trainer.methods.reward import Reward
from pytest_safetydrift.trainer.methods.sft import SFT
from pytest_safetydrift.trainer.methods.targeted import Targeted
from pytest_safetydrift.trainer.training.method import Method

__all__ = ["DPO", "GRPO", "KTO", "METHODS", "PPO", "RLOO", "SFT", "Constitutional", "Rejection", "Reward", "Targeted"]

METHODS: tuple[type[Method], ...] = (SFT, Targeted, DPO, KTO, Constitutional, Rejection, Reward, PPO, GRPO, RLOO)
"""In the order of `safetydrift train --help`."""
