"""One step's answers, drawn and scored by all processes, and known to each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_safetydrift.trainer.ppo.experience import Measured, measure
from pytest_safetydrift.trainer.ppo.players import Players
from pytest_safetydrift.trainer.ppo.prompts import Prompt
from pytest_safetydrift.trainer.ppo.rollout import Answer
from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.signal import Scored
from pytest_safetydrift.trainer.training.asked import Asked

__all__ = ["Rewards", "Rolled", "read_step", "roll"]


class Rewards(Protocol):
    """Scores answers; `Signal` does."""

    def __call__(self, asked: Sequence[Asked], texts: Sequence[str], finished: Sequence[bool]) -> list[Scored]:
        """One score an answer, in order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Rolled:
    """One row of a step."""

    prompt: Prompt
    answer: Answer
    scored: Scored
    measured: Measured

    @property
    def kl(self) -> float:
        """Nats of the whole answer, to the reference."""
        return float(self.measured.kl.sum())


def roll(
    players: Players,
    prompts: Sequence[Prompt],
    seeds: Sequence[int],
    rewards: Rewards,
    *,
    temperature: float,
    micro: int,
) -> list[Rolled]:
    """An answer to each prompt by its own seed. Each process draws a share of them and is told of the rest."""
    from accelerate.utils import gather_object

    accelerator = players.accelerator
    own = range(len(prompts))[accelerator.process_index :: accelerator.num_processes]
    asked = [prompts[row] for row in own]
    with accelerator.autocast():
        answers = players.sampler.draw(asked, [seeds[row] for row in own])
        measured = measure(
            players.actor,
            players.reference,
            [(p.ids, a.ids) for p, a in zip(asked, answers, strict=True)],
            temperature=temperature,
            micro=micro,
            device=accelerator.device,
        )
    scored = rewards([p.asked for p in asked], [a.text for a in answers], [a.finished for a in answers])
    found = dict(zip(own, zip(answers, scored, measured, strict=True), strict=True))
    everyone = dict(gather_object(list(found.items())))
    return [Rolled(prompt, *everyone[row]) for row, prompt in enumerate(prompts)]


def read_step(step: int, rolled: Sequence[Rolled]) -> Reading:
    """What the watch looks at."""
    lengths = [len(r.answer.ids) for r in rolled]
    return Reading.of(
        step,
        [(r.prompt.asked.sample.intent, r.scored.judgement) for r in rolled],
        rewards=[r.scored.raw for r in rolled],
        kl=[r.kl for r in rolled],
        lengths=lengths,
        entropy=sum(float(r.measured.entropy.sum()) for r in rolled) / sum(lengths),
    )
