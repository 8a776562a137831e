"""All that holds weights in a run: policy and critic, the frozen reference, the optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.trainer.ppo.actor import Actor
from pytest_safetydrift.trainer.ppo.critic import make_critic
from pytest_safetydrift.trainer.ppo.rollout import Sampler
from pytest_safetydrift.trainer.ppo.saves import Progressed, load_policy, load_rest
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.hugging import arithmetic, model_to_train
from pytest_safetydrift.trainer.training.work import Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.methods.ppo import PPO

__all__ = ["Players", "seat"]


@dataclass(frozen=True, slots=True)
class Players:
    """Ready to play, on their device.

    accelerator  of this process
    shared       the actor as accelerate wrapped it: its backward passes exchange gradients
    actor        the same, bare
    reference    the frozen base; None where it is the policy without its adapter
    """

    accelerator: Any
    shared: Any
    actor: Actor
    reference: Any | None
    optimiser: Any
    sampler: Sampler


def seat(config: PPO, work: Work) -> tuple[Players, Progressed]:
    """Load them from the base, or from the last whole step where there is one, and say where the run stands.

    Dropout is off for all of them: with it the same weights would give another probability at every call, and the ratio
    of an unmoved policy would not be 1.
    """
    import torch
    from accelerate import Accelerator

    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(), mixed_precision="bf16" if arithmetic(config) == "bfloat16" else "no"
    )
    last = work.last_whole()
    policy = model_to_train(config, work.base)
    if last:
        policy = load_policy(last, policy)
    bare = Actor(policy, *make_critic(config.critic, work.base, policy, config.reward)).eval()
    shared = accelerator.prepare(bare)
    actor = accelerator.unwrap_model(shared)
    optimiser = _optimiser(config, actor)
    progressed = load_rest(last, actor, optimiser) if last else Progressed(0, config.beta)
    reference = None if config.lora_rank else _frozen(work.base).to(accelerator.device)
    sampler = Sampler(work.base, actor.policy, temperature=config.temperature, room=config.max_new_tokens)
    return Players(accelerator, shared, actor, reference, optimiser, sampler), progressed


def _optimiser(config: PPO, actor: Actor) -> Any:
    """One AdamW, whose first group is the policy and whose second the critic; both hold their peak rate as `peak`."""
    import torch

    groups = [
        {"params": parameters, "lr": rate, "peak": rate}
        for parameters, rate in zip(actor.groups(), (config.rate, config.critic_rate), strict=True)
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=config.weight_decay)


def _frozen(base: Base) -> Any:
    return base.model().eval().requires_grad_(False)
