"""Ways of making a checkpoint: one frozen configuration each, with what it does. Each is imported when it is named, so
that a command that trains nothing does not pay for all of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

__all__ = [
    "DPO",
    "GRPO",
    "KTO",
    "NAMES",
    "PPO",
    "RLOO",
    "SFT",
    "Constitutional",
    "Rejection",
    "Reward",
    "Targeted",
    "method_named",
]

_HOMES = {
    "sft": ("sft", "SFT"),
    "targeted": ("targeted", "Targeted"),
    "dpo": ("dpo", "DPO"),
    "kto": ("kto", "KTO"),
    "constitutional": ("constitutional", "Constitutional"),
    "rejection": ("rejection", "Rejection"),
    "reward": ("reward", "Reward"),
    "ppo": ("ppo", "PPO"),
    "grpo": ("grpo", "GRPO"),
    "rloo": ("grpo", "RLOO"),
}
"""Module and class of each, in the order of `safetydrift train --help`."""

NAMES = tuple(_HOMES)
"""As the command line has them."""


def method_named(name: str) -> type[Method]:
    """The method of one of `NAMES`; raises KeyError for any other."""
    module, kind = _HOMES[name]
    found: type[Method] = getattr(import_module(f"{__name__}.{module}"), kind)
    return found


def __getattr__(name: str) -> Any:
    for method, (_, kind) in _HOMES.items():
        if kind == name:
            return method_named(method)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
