"""Answers drawn from the policy as it stands, each by random numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.response import Finish
from pytest_safetydrift.engines.chat import Chat, Job
from pytest_safetydrift.engines.decoding import Decoder
from pytest_safetydrift.engines.loading import end_tokens, load_chat
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.ppo.prompts import Prompt
from pytest_safetydrift.trainer.training.base import Base

__all__ = ["Answer", "Sampler", "row_seed"]

_OPTIONS = EngineOptions(kind="transformers")
_BUDGET = 1 << 15  # tokens of a batch of answers, their prompts counted


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its token ids with the end token where one was drawn, and whether it came to that end."""

    ids: tuple[int, ...]
    text: str
    finished: bool


class Sampler:
    """Draws answers with a key-value cache from the whole distribution, so that the ratio of PPO is of what was drawn.

    room  most tokens of an answer; one that reaches it is cut off there and counts as unfinished
    """

    def __init__(self, base: Base, policy: Any, *, temperature: float, room: int) -> None:
        chat, config = load_chat(base.checkpoint, _OPTIONS)
        ends = end_tokens(chat, base.checkpoint.directory, config)
        self._decoder = Decoder(policy, Chat(chat.tokenizer, chat.context), ends, _BUDGET)
        self._temperature = temperature
        self._room = room

    def draw(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> list[Answer]:
        """One answer to each prompt by its own seed, whatever else is in the batch.

        Raises `TrainingError` where the policy computes NaN.
        """
        jobs = [
            Job(index, list(prompt.ids), self._room, Sampling(temperature=self._temperature, seed=seed))
            for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
        ]
        found = dict(self._decoder.run(jobs))
        for response in found.values():
            if not response.ok:
                raise TrainingError(f"the policy cannot answer: {response.error}; lower --rate")
        return [Answer(r.token_ids, r.text, r.finish is Finish.STOP) for r in (found[j.index] for j in jobs)]


def row_seed(seed: int, step: int, row: int) -> int:
    """Of one answer, by the run's seed, the step and the row's place in it: no generator has a state to save."""
    return Random(f"answer/{seed}/{step}/{row}").getrandbits(32)
