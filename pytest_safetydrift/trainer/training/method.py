"""A method: the frozen configuration of one way of training, and what it does with a base."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence, Sized
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.training.checks import check_least, check_numbers
from pytest_safetydrift.trainer.training.option import option

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.training.estimate import Estimate
    from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["Method", "Tuning"]


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """One way of making a checkpoint. Subclasses add fields, `name` and `summary`, and are all there is of a method.

    base  reference of the checkpoint to start from: a directory, a hub model, BASE+ADAPTER, demo:NAME
    seed  of every draw
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    base: str = option(
        told="checkpoint to start from: a directory, a hub model, BASE+ADAPTER, demo:NAME", metavar="REF"
    )
    seed: int = option(0, told="of every draw")

    @abstractmethod
    def inputs(self) -> tuple[Path, ...]:
        """The files that are read; their digests are the card's. Raises `CorpusError` where one is missing."""

    @abstractmethod
    def estimate(self) -> Estimate:
        """What it would cost; reads the data and the base's tokenizer, loads no weights."""

    @abstractmethod
    def fit(self, work: Work) -> Fitted:
        """Train, going on from the last whole step of `work`, and leave the checkpoint in `work.result`."""

    def to_json(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @property
    def digest(self) -> str:
        """Of the method and every field: work of another configuration is not gone on with."""
        return digest([self.name, self.to_json()])


@dataclass(frozen=True, kw_only=True)
class Tuning(Method):
    """What every method with gradients has. Raises `UsageError` on an impossible value.

    batch       rows of one optimiser step, over all processes
    micro_batch rows that one process holds at a time, 0 for all its share; gradients add up to the same step
    steps       optimiser steps; 0 goes by `epochs`
    rate        peak learning rate of AdamW, after `warmup` steps, then linear to 0
    lora_rank   of low-rank adapters (Hu et al. 2021) on `lora_targets`; 0 tunes all weights
    """

    batch: int = option(16, told="rows of one step, over all processes")
    micro_batch: int = option(0, told="rows that one process holds at a time; 0 for all of its share")
    epochs: float = option(1.0, told="passes over the data")
    steps: int = option(0, told="optimiser steps in place of epochs; 0 goes by epochs")
    rate: float = option(2e-5, told="peak learning rate")
    warmup: int = option(10, told="steps of rising rate")
    weight_decay: float = option(0.0, told="of AdamW")
    max_length: int = option(2048, told="tokens of prompt and answer; longer rows are left out and counted")
    lora_rank: int = option(0, told="rank of LoRA adapters; 0 tunes all weights")
    lora_alpha: float = option(0.0, told="scale of the adapters; 0 for twice the rank")
    lora_targets: tuple[str, ...] = option((), told="modules that get an adapter; repeatable; default: all linear ones")
    dtype: str = option(
        "auto",
        told="of the arithmetic; auto is float32 on a CPU, bfloat16 on a GPU that has it",
        choices=("auto", "float32", "bfloat16"),
    )
    save_every: int = option(100, told="steps between two whole saves to resume from")

    def __post_init__(self) -> None:
        check_least(self, batch=1, micro_batch=0, steps=0, warmup=0, max_length=8, lora_rank=0, save_every=1)
        check_numbers(self, above=("epochs", "rate"), least=("weight_decay", "lora_alpha"))
        if self.micro_batch and self.batch % self.micro_batch:
            raise UsageError(f"micro_batch must divide batch, got {self.micro_batch} and {self.batch}")

    def steps_for(self, rows: int) -> int:
        """Optimiser steps over so many rows, at least 1; the last batch is filled up from the next pass."""
        return self.steps or max(1, round(rows * self.epochs / self.batch))

    def tokens_for(self, rows: Sequence[Sized], steps: int) -> int:
        """Tokens of the rows over so many steps, padding left out."""
        return round(sum(map(len, rows)) / len(rows) * self.batch * steps)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
