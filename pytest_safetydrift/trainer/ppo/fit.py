"""PPO from its configuration to the finished policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.trainer.ppo.loop import Loop
from pytest_safetydrift.trainer.ppo.players import seat
from pytest_safetydrift.trainer.ppo.prompts import schedule
from pytest_safetydrift.trainer.reward.model import also_taught
from pytest_safetydrift.trainer.training.hugging import save
from pytest_safetydrift.trainer.training.taught import taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.methods.ppo import PPO

__all__ = ["fit"]


def fit(config: PPO, work: Work) -> Fitted:
    """Train, going on from the last whole step, and leave the policy in `work.result`; raises as `Loop.run` does."""
    _ = config.micro  # refuses a minibatch that cannot be shared out, before anything is loaded
    prompts, too_long = config.prompts(work.base)
    questions = schedule(prompts, batch=config.batch, steps=config.steps_for(len(prompts)), seed=config.seed)
    signal = config.signal(work, prompts)
    players, progressed = seat(config, work)
    loop = Loop(config, work, players, questions, signal, progressed)
    stop = loop.run()
    save(players.actor.policy, work)
    log = loop.progressed.log
    own = taught(p.asked.row for p in prompts)
    return Fitted(
        steps=loop.progressed.step,
        tokens=_tokens(log, config),
        log=log,
        facts={
            "questions": len(prompts),
            "questions_too_long": too_long,
            "shaping": asdict(signal.shaping) if signal.shaping else None,
            "beta": loop.progressed.beta,
            "stopped": asdict(stop) if stop else None,
        },
        **also_taught(config.reward, own),
    )


def _tokens(log: Sequence[Mapping[str, Any]], config: PPO) -> int:
    """Drawn, and under a gradient."""
    passes: list[float] = [row.get("taken", 0) * config.minibatch / config.batch for row in log]
    read: list[int] = [row["asked"] + row["drawn"] for row in log]
    return sum(int(row["drawn"]) for row in log) + round(
        sum(tokens * times for tokens, times in zip(read, passes, strict=True))
    )
