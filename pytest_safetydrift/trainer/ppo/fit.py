"""PPO from its configuration to the finished policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.ppo.loop import Loop
from pytest_safetydrift.trainer.ppo.players import seat
from pytest_safetydrift.trainer.ppo.prompts import Prompt, encode_prompts, schedule
from pytest_safetydrift.trainer.ppo.rollout import context_of
from pytest_safetydrift.trainer.reward.model import RewardModel, also_taught
from pytest_safetydrift.trainer.reward.signal import Signal, open_signal
from pytest_safetydrift.trainer.training.asked import asked_of
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.example import files_of, read_examples, sha256_of
from pytest_safetydrift.trainer.training.hugging import save
from pytest_safetydrift.trainer.training.taught import taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.methods.ppo import PPO

__all__ = ["fit", "read_prompts"]

_CALIBRATED_ON = 256
"""Questions whose answers by the base give the scale of a reward model."""


def fit(config: PPO, work: Work) -> Fitted:
    """Train, going on from the last whole step, and leave the policy in `work.result`; raises as `Loop.run` does."""
    _ = config.micro  # refuses a minibatch that cannot be shared out, before anything is loaded
    prompts, too_long = read_prompts(config, work.base)
    questions = schedule(prompts, batch=config.batch, steps=config.steps_for(len(prompts)), seed=config.seed)
    signal = _signal(config, work, prompts)
    players, progressed = seat(config, work)
    loop = Loop(config, work, players, questions, signal, progressed)
    stop = loop.run()
    save(players.actor.policy, work)
    log = loop.progressed.log
    own = taught(p.asked.row for p in prompts)
    return Fitted(
        steps=loop.progressed.step,
        tokens=_tokens(log, config),
        files=sha256_of(config.inputs()),
        log=log,
        facts={
            "questions": len(prompts),
            "questions_too_long": too_long,
            "shaping": asdict(signal.shaping) if signal.shaping else None,
            "beta": loop.progressed.beta,
            "stopped": asdict(stop) if stop else None,
        },
        **(also_taught(Path(config.reward), own) if config.reward else own),
    )


def read_prompts(config: PPO, base: Base) -> tuple[list[Prompt], int]:
    """The distinct questions of the data that leave room for an answer, and how many do not. Raises `CorpusError`."""
    most = min(config.max_length, context_of(base) or config.max_length) - config.max_new_tokens
    if most < 1:
        raise CorpusError(
            f"max_new_tokens {config.max_new_tokens} leaves no room for a prompt in the base's context of "
            f"{context_of(base)} tokens; lower --max-new-tokens"
        )
    return encode_prompts(base.tokenizer(), asked_of(read_examples(files_of(config.data))), most)


def _signal(config: PPO, work: Work, prompts: Sequence[Prompt]) -> Signal:
    """A reward model's rewards are brought to the scale of the penalties by those of the base's own answers."""
    every = max(1, len(prompts) // _CALIBRATED_ON)
    return open_signal(
        RewardModel.open(Path(config.reward), allow_unsound=config.allow_unsound) if config.reward else None,
        config.penalties if config.shaping else None,
        reference=config.base,
        asked=[p.asked for p in prompts[::every]],
        folder=work.folder,
        sampling=Sampling(config.temperature, max_tokens=config.max_new_tokens, seed=config.seed),
    )


def _tokens(log: Sequence[Mapping[str, Any]], config: PPO) -> int:
    """Drawn, and under a gradient."""
    passes: list[float] = [row.get("taken", 0) * config.minibatch / config.batch for row in log]
    read: list[int] = [row["asked"] + row["drawn"] for row in log]
    return sum(int(row["drawn"]) for row in log) + round(
        sum(tokens * times for tokens, times in zip(read, passes, strict=True))
    )
