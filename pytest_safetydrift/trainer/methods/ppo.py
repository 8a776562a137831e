"""Proximal policy optimisation: answers are drawn, scored by a reward, and made more or less likely."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, ClassVar

from pytest_safetydrift.core.errors import UsageError, closest
from pytest_safetydrift.trainer.methods.rewarded import Rewarded
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.checks import check_least, check_numbers
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.ranks import world_size
from pytest_safetydrift.trainer.training.work import Fitted, Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.reward.divergence import AdaptiveKL

__all__ = ["CRITICS", "PPO"]

CRITICS = ("auto", "own", "shared", "reward")
"""auto is "shared" with LoRA, which is chosen where a second copy of the base is too much, else "own"."""


@dataclass(frozen=True, kw_only=True)
class PPO(Rewarded):
    """Clipped objective, critic, generalised advantages and an adaptive price of divergence from the frozen base
    (Schulman et al. 2017; Ziegler et al. 2019; Ouyang et al. 2022). `batch` answers are drawn in each of `steps`.

    Raises `UsageError` on an impossible value.
    """

    name: ClassVar[str] = "ppo"
    summary: ClassVar[str] = "proximal policy optimisation on a reward model, on rules, or on both"

    minibatch: int = option(16, told="answers of one optimiser step, over all processes; divides batch")
    inner: int = option(4, told="passes over a step's answers")
    rate: float = option(3e-6, told="peak learning rate of the policy")
    critic_rate: float = option(1e-5, told="peak learning rate of the critic")
    critic: str = option(
        "auto",
        told="own: a copy of the base; shared: a linear head on the policy's hidden states; reward: begins as the "
        "reward model; auto: shared with LoRA, else own",
        choices=CRITICS,
    )
    clip: float = option(0.2, told="how far from 1 the ratio of probabilities counts")
    value_clip: float = option(0.2, told="how far a value counts as moved, in units of reward; 0 does not clip")
    gamma: float = option(1.0, told="discount of later rewards")
    lam: float = option(0.95, told="of the generalised advantage estimate")
    beta: float = option(0.05, told="price of divergence from the base at the start, reward for each nat")
    target_kl: float = option(6.0, told="nats an answer, on average, that the price is steered towards")
    gain: float = option(0.1, told="how fast the price is steered; 0 keeps it fixed")
    stop_kl: float = option(0.0, told="leave a step's answers once the policy moved so many nats a token; 0 never does")

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        try:
            self.steering(self.beta)  # it checks its own values
        except ValueError as error:
            raise UsageError(str(error)) from None

    def steering(self, beta: float) -> AdaptiveKL:
        """What moves the price of divergence, standing at `beta`."""
        from pytest_safetydrift.trainer.reward.divergence import AdaptiveKL

        return AdaptiveKL(beta, self.target_kl, self.gain)

    @property
    def micro(self) -> int:
        """Rows that one process holds at a time. Raises `UsageError` where a minibatch cannot be shared out evenly."""
        share, rest = divmod(self.minibatch, world_size())
        micro = min(self.micro_batch or share, share)
        if rest or not share or share % micro:
            raise UsageError(
                f"minibatch {self.minibatch} cannot be shared by {world_size()} processes in parts of "
                f"{self.micro_batch or 'any size'}; make it a multiple"
            )
        return micro

    def estimate(self) -> Estimate:
        """Every answer is counted as long as it may be."""

        self.inputs()
        base = open_base(self.base)
        prompts, too_long = self.prompts(base)
        steps = self.steps_for(len(prompts))
        long = sum(len(p.ids) for p in prompts) / len(prompts) + self.max_new_tokens
        own = self.critic in ("own", "reward") or (self.critic == "auto" and not self.lora_rank)
        measured = 3 + own + bool(self.reward)  # prompt, policy and reference once each, critic and reward model
        parameters = count_parameters(base.checkpoint)
        trained = count_trained(base.checkpoint, self.lora_rank, self.lora_targets)
        return Estimate(
            rows=len(prompts),
            too_long=too_long,
            steps=steps,
            tokens=round(steps * self.batch * self.inner * long),
            generated=steps * self.batch * self.max_new_tokens,
            parameters=parameters,
            trained=trained + parameters * own,
            passes=ceil(measured / self.inner) + 3 * own,
            models=(not self.lora_rank) + own + bool(self.reward),
            notes=(f"optimiser steps: {steps * self.inner * self.batch // self.minibatch:,}",),
        )

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        from pytest_safetydrift.trainer.ppo.fit import fit

        return fit(self, work)


def _check(config: PPO) -> None:
    """Numbers that nobody else looks at."""
    check_least(config, minibatch=1, inner=1)
    if config.batch < 2 or config.batch % config.minibatch:
        raise UsageError(
            f"batch must be at least 2 and a multiple of minibatch, got {config.batch} and {config.minibatch}"
        )
    if config.micro_batch and config.minibatch % config.micro_batch:
        raise UsageError(f"micro_batch must divide minibatch, got {config.micro_batch} and {config.minibatch}")
    if not 0 < config.clip < 1:
        raise UsageError(f"clip must be in (0, 1), got {config.clip}")
    check_numbers(config, above=("critic_rate",), least=("value_clip", "stop_kl"))
    if not (0 <= config.gamma <= 1 and 0 <= config.lam <= 1):
        raise UsageError(f"gamma and lam must be in [0, 1], got {config.gamma} and {config.lam}")
    if config.critic not in CRITICS:
        raise UsageError(f"unknown critic {config.critic!r}; {closest(config.critic, CRITICS)}")
    if config.critic == "reward" and not config.reward:
        raise UsageError("--critic reward begins as the reward model, and there is none: name it with --reward")
