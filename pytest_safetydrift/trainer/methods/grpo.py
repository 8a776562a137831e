"""GRPO and RLOO: the policy learns from how its own answers to one question compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.methods.grouped import Grouped
from pytest_safetydrift.trainer.training.option import option

__all__ = ["GRPO", "RLOO"]


@dataclass(frozen=True, kw_only=True)
class GRPO(Grouped):
    """Group relative policy optimisation (Shao et al. 2024, section 4.1): an answer's advantage is its reward less its
    group's mean, by the group's standard deviation; the divergence from the base is part of the loss.

    loss   how token losses are averaged; dapo is trl's own choice (Yu et al. 2025), grpo the paper's
    scale  whether advantages are divided by the deviation of the group, of the batch, or by none (Liu et al. 2025)
    """

    name: ClassVar[str] = "grpo"
    summary: ClassVar[str] = "policy gradient over groups of answers, with a reward model, rules, or both"

    loss: str = option("dapo", told="how losses of tokens are averaged", choices=("dapo", "dr_grpo", "grpo"))
    scale: str = option("group", told="what advantages are divided by", choices=("group", "batch", "none"))

    def _classes(self) -> tuple[Any, Any, dict[str, Any]]:
        from trl import GRPOConfig, GRPOTrainer

        return GRPOTrainer, GRPOConfig, {"loss_type": self.loss, "scale_rewards": self.scale}

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("loss", ("dapo", "dr_grpo", "grpo")), ("scale", ("group", "batch", "none"))):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class RLOO(Grouped):
    """REINFORCE with a leave-one-out baseline (Ahmadian et al. 2024): an answer's advantage is its reward, less the
    price of its divergence, less the mean of its siblings'."""

    name: ClassVar[str] = "rloo"
    summary: ClassVar[str] = "REINFORCE with the other answers as baseline, same rewards as grpo"

    def _classes(self) -> tuple[Any, Any, dict[str, Any]]:
        from trl import RLOOConfig, RLOOTrainer

        return RLOOTrainer, RLOOConfig, {}
