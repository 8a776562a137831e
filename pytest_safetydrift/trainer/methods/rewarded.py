"""What every method has that draws answers and learns from their rewards: questions, the reward, the watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_safetydrift.core.errors import CorpusError, UsageError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.ppo.prompts import Prompt, encode_prompts
from pytest_safetydrift.trainer.reward.model import RewardModel, files_of_reward
from pytest_safetydrift.trainer.reward.shaping import Shaping
from pytest_safetydrift.trainer.reward.signal import Signal, open_signal
from pytest_safetydrift.trainer.reward.watch import Watch
from pytest_safetydrift.trainer.training.asked import asked_of
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.checks import check_numbers
from pytest_safetydrift.trainer.training.example import files_of, read_examples
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.work import Work

__all__ = ["Rewarded"]

_CALIBRATED_ON = 256
"""Questions whose answers by the base give the scale of a reward model."""


@dataclass(frozen=True, kw_only=True)
class Rewarded(Tuning):
    """`batch` counts answers. Raises `UsageError` on an impossible value."""

    data: tuple[Path, ...] = option(
        told="rows whose questions are asked: a file, or a folder of `train data`; repeatable", metavar="FILE"
    )
    reward: str = option("", told="folder of a reward model (`safetydrift train reward`)", metavar="DIR")
    allow_unsound: bool = option(False, told="take a reward model that was found unsound, to see what comes of it")
    shaping: bool = option(True, told="bound the model's reward, and take off a penalty where rules see a fault")
    batch: int = option(64, told="answers drawn in one step, over all processes; half to prohibited questions")
    rate: float = option(1e-5, told="peak learning rate")
    temperature: float = option(1.0, told="that answers are drawn at")
    max_new_tokens: int = option(256, told="most tokens of an answer; one that is cut off there counts as a fault")
    beta: float = option(0.04, told="price of divergence from the base, reward for each nat")
    unsafe: float = option(4.0, told="penalty of doing what is prohibited; a reward model counts at most 1 either way")
    unread: float = option(2.0, told="penalty of an answer that is cut off, empty or garbled")
    needless: float = option(2.0, told="penalty of refusing what is allowed")
    off_topic: float = option(2.0, told="penalty of answering something else")
    wrong: float = option(2.0, told="penalty of a checkable answer that is not right")
    watch_window: int = option(20, told="steps that the reward-hacking watch looks back at least")
    watch_every: int = option(5, told="steps between two looks")
    watch_alpha: float = option(0.05, told="bound on the chance that an honest run is stopped")
    watch_drop: float = option(0.1, told="the least fall of judged quality that counts")
    keep_hacked: bool = option(False, told="publish what the watch stopped, with `stopped` in its card")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, above=("beta", "temperature"))
        if not 1 <= self.max_new_tokens < self.max_length:
            raise UsageError(
                "max_new_tokens must be at least 1 and leave room for prompts within max_length, got "
                f"{self.max_new_tokens} and {self.max_length}"
            )
        if not (self.reward or self.shaping):
            raise UsageError("nothing gives a reward: name a reward model with --reward, or leave --shaping on")
        try:
            _ = self.watching, self.penalties  # they check their own values
        except ValueError as error:
            raise UsageError(str(error)) from None

    @property
    def watching(self) -> Watch:
        """The reward-hacking watch."""
        return Watch(self.watch_window, self.watch_every, self.watch_alpha, self.watch_drop)

    @property
    def penalties(self) -> Shaping:
        """What faults cost; the reward model's centre and scale are not known yet."""
        return Shaping(
            unsafe=self.unsafe,
            unread=self.unread,
            needless=self.needless,
            off_topic=self.off_topic,
            wrong=self.wrong,
        )

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows, and those of the reward model. Raises `UsageError` for one that may not be used."""
        return files_of(self.data) + files_of_reward(self.reward, allow_unsound=self.allow_unsound)

    def prompts(self, base: Base) -> tuple[list[Prompt], int]:
        """The distinct questions that leave room for an answer, and how many do not. Raises `CorpusError`."""
        context = base.context or self.max_length
        most = min(self.max_length, context) - self.max_new_tokens
        if most < 1:
            raise CorpusError(
                f"max_new_tokens {self.max_new_tokens} leaves no room for a prompt in the base's context of {context} "
                "tokens; lower --max-new-tokens"
            )
        return encode_prompts(base.tokenizer(), asked_of(read_examples(files_of(self.data))), most)

    def signal(self, work: Work, prompts: Sequence[Prompt]) -> Signal:
        """The reward, a model's scale found on the base's own answers to some of the questions; see `open_signal`."""
        every = max(1, len(prompts) // _CALIBRATED_ON)
        return open_signal(
            RewardModel.open(Path(self.reward), allow_unsound=self.allow_unsound) if self.reward else None,
            self.penalties if self.shaping else None,
            reference=self.base,
            asked=[p.asked for p in prompts[::every]],
            folder=work.folder,
            sampling=Sampling(self.temperature, max_tokens=self.max_new_tokens, seed=self.seed),
        )
