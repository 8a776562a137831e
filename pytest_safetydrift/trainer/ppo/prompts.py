"""What answers are drawn to: prohibited and allowed questions, half of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.training.asked import Asked, distinct
from pytest_safetydrift.trainer.training.encode import encode_prompt

__all__ = ["Prompt", "encode_prompts", "schedule"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with its token ids, up to where the answer begins."""

    asked: Asked
    ids: tuple[int, ...]


def encode_prompts(tokenizer: Any, asked: Sequence[Asked], most: int) -> tuple[list[Prompt], int]:
    """Every distinct question of at most `most` tokens, and how many are longer.

    Raises `CorpusError` where prohibited or allowed questions are missing: from one class alone a policy learns to
    refuse everything, or nothing.
    """
    prompts = [Prompt(a, tuple(encode_prompt(tokenizer, a.messages))) for a in distinct(asked)]
    fitting = [p for p in prompts if len(p.ids) <= most]
    for name, found in _classes(fitting).items():
        if not found:
            left_out = f" of at most {most} tokens ({len(prompts) - len(fitting)} are longer)" if prompts else ""
            raise CorpusError(
                f"no {name} question{left_out}; refusing is weighed against answering, which needs both: add rows with "
                f"`teaches` {'refuse' if name == 'prohibited' else 'answer'}, as `safetydrift train data` makes them"
            )
    return fitting, len(prompts) - len(fitting)


def schedule(prompts: Sequence[Prompt], *, batch: int, steps: int, seed: int) -> list[tuple[Prompt, ...]]:
    """The questions of each step: half of them prohibited, the odd one allowed, each class in pass after pass.

    It is decided beforehand, so one process or many, and a run that goes on, ask the same in the same step.
    """
    classes = _classes(prompts)
    shares = {"prohibited": batch // 2, "allowed": batch - batch // 2}
    drawn = {
        name: _passes(classes[name], share * steps, Random(f"ppo/{seed}/{name}")) for name, share in shares.items()
    }
    return [
        tuple(p for name, share in shares.items() for p in drawn[name][step * share : (step + 1) * share])
        for step in range(steps)
    ]


def _classes(prompts: Sequence[Prompt]) -> dict[str, list[Prompt]]:
    return {
        "prohibited": [p for p in prompts if p.asked.prohibited],
        "allowed": [p for p in prompts if not p.asked.prohibited],
    }


def _passes(prompts: list[Prompt], wanted: int, r: Random) -> list[Prompt]:
    drawn: list[Prompt] = []
    while len(drawn) < wanted:
        drawn += r.sample(prompts, len(prompts))
    return drawn[:wanted]
