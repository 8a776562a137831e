"""The loop of PPO: draw, score, look, update, save."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.core.errors import SafetyDriftError, TrainingError
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.trainer.ppo.experience import Batch
from pytest_safetydrift.trainer.ppo.players import Players
from pytest_safetydrift.trainer.ppo.prompts import Prompt
from pytest_safetydrift.trainer.ppo.rolled import Rewards, Rolled, read_step, roll
from pytest_safetydrift.trainer.ppo.rollout import row_seed
from pytest_safetydrift.trainer.ppo.saves import Progressed, save_step
from pytest_safetydrift.trainer.ppo.update import Updating
from pytest_safetydrift.trainer.reward.reading import Reading
from pytest_safetydrift.trainer.reward.watch import Alarm, Stop
from pytest_safetydrift.trainer.training.ranks import is_first
from pytest_safetydrift.trainer.training.watchful import kept
from pytest_safetydrift.trainer.training.work import Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.methods.ppo import PPO

__all__ = ["Loop", "rate_factor"]

_EVERY_SECONDS = 15.0


@dataclass(slots=True)
class Loop:
    """A run on its way; `progressed` is where it stands, and with the weights all that it is."""

    config: PPO
    work: Work
    players: Players
    schedule: list[tuple[Prompt, ...]]
    rewards: Rewards
    progressed: Progressed
    _said: float = field(default_factory=time.monotonic)

    def run(self) -> Stop | None:
        """All steps that are left; what stopped it before the end, where --keep-hacked wants what it was stopped at.

        Raises `TrainingError`: numbers that are not finite, a reward that was hacked, a save that failed. The last
        whole step stays.
        """
        while self.progressed.step < len(self.schedule):
            with self._named():
                stop = self._step()
            if stop:
                return stop
            step = self.progressed.step
            self._tell()
            if step % self.config.save_every == 0 or step == len(self.schedule):
                save_step(self.work, self.players.actor, self.players.optimiser, self.progressed)
        return None

    def _step(self) -> Stop | None:
        step, config, beta = self.progressed.step, self.config, self.progressed.beta
        rolled = roll(
            self.players,
            self.schedule[step],
            [row_seed(config.seed, step, row) for row in range(config.batch)],
            self.rewards,
            temperature=config.temperature,
            micro=config.micro,
        )
        reading = read_step(step, rolled)
        stop = config.watching.look([*map(_reading, self.progressed.log), reading])
        if stop and (stop.alarm is Alarm.NOT_FINITE or not config.keep_hacked):
            raise TrainingError(stop.why)
        row = {**reading.to_json(), **_means(rolled), "beta": beta}
        if stop:
            self.progressed = replace(self.progressed, log=(*self.progressed.log, row))
            return stop
        row |= self._update(step, rolled)
        self.progressed = replace(
            self.progressed,
            step=step + 1,
            beta=config.steering(beta).after(reading.kl).beta,
            log=(*self.progressed.log, row),
        )
        return None

    def _update(self, step: int, rolled: list[Rolled]) -> dict[str, Any]:
        config, optimiser = self.config, self.players.optimiser
        batch = Batch.of(
            [(r.prompt.ids, r.answer.ids) for r in rolled],
            [r.measured for r in rolled],
            [r.scored.shaped for r in rolled],
            beta=self.progressed.beta,
            gamma=config.gamma,
            lam=config.lam,
        )
        factor = rate_factor(step, len(self.schedule), config.warmup)
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor
        updating = Updating(
            inner=config.inner,
            minibatch=config.minibatch,
            micro=config.micro,
            clip=config.clip,
            value_clip=config.value_clip or None,
            temperature=config.temperature,
            stop_moved=config.stop_kl,
            seed=config.seed,
        )
        updates = updating.run(self.players.shared, optimiser, batch, self.players.accelerator, step)
        return {**asdict(updates), "rate": config.rate * factor}

    def _tell(self) -> None:
        """A line on standard error, every quarter of a minute and at the end."""
        now, done = time.monotonic(), self.progressed.step
        if is_first() and (now - self._said >= _EVERY_SECONDS or done == len(self.schedule)):
            self._said = now
            row = self.progressed.log[-1]
            told = ", ".join(f"{name} {row[name]:.4g}" for name in ("reward", "quality", "kl", "entropy", "beta"))
            print(f"step {done}/{len(self.schedule)}  {told}", file=sys.stderr, flush=True)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors say at which step they came, and from where to go on."""
        try:
            yield
        except Exception as error:
            if isinstance(error, SafetyDriftError) and not isinstance(error, TrainingError):
                raise
            said = str(error) if isinstance(error, TrainingError) else f"{type(error).__name__}: {error}"
            place = f"step {self.progressed.step}: {one_line(said, 400)}"
            raise TrainingError(f"{place}; {kept(self.work.steps)}") from error


def rate_factor(step: int, steps: int, warmup: int) -> float:
    """Of the peak rate in (0, 1]: rising over `warmup` steps, then linear, to 0 one step after the last."""
    rising = min(warmup, steps - 1)
    return (step + 1) / (rising + 1) if step < rising else (steps - step) / (steps - rising)


def _reading(row: Mapping[str, Any]) -> Reading:
    return Reading.from_json(dict(row))


def _means(rolled: list[Rolled]) -> dict[str, float]:
    """What is trained on beside what is looked at, and the tokens that were drawn and those that they answer."""
    count = len(rolled)
    return {
        "shaped": sum(r.scored.shaped for r in rolled) / count,
        "finished": sum(r.answer.finished for r in rolled) / count,
        "drawn": sum(len(r.answer.ids) for r in rolled),
        "asked": sum(len(r.prompt.ids) for r in rolled),
    }
