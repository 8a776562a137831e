"""What methods share that compare answers with a frozen reference: their options, their cost, one run of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.preferences.encoded import EncodedPair, EncodedRated
from pytest_safetydrift.trainer.preferences.rows import FILE, Preference, Rated
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.example import files_of
from pytest_safetydrift.trainer.training.hugging import arguments, model_to_train, run, save
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.order import draw_order
from pytest_safetydrift.trainer.training.taught import taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["Comparing", "Models"]

Read = TypeVar("Read", Preference, Rated)
Row = TypeVar("Row", EncodedPair, EncodedRated)


@dataclass(frozen=True, slots=True)
class Models:
    """What a trainer needs beside its rows.

    model      that is trained
    frozen     the reference; None where the model's adapters are switched off for it
    tokenizer  pads
    arguments  of every transformers configuration
    """

    model: Any
    frozen: Any | None
    tokenizer: Any
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Comparing(Tuning, Generic[Read, Row]):
    """A method whose reference is the base: a frozen copy of it, or the base itself without its fresh adapters.

    beta    strength of the tie to the base, above 0: a reward's unit is 1 / beta nats
    passes  forward passes of a whole model for each one with a gradient
    """

    passes: ClassVar[int]

    data: tuple[Path, ...] = option(
        told="pairs: a file, or a folder of `train preferences`; repeatable", metavar="FILE"
    )
    rate: float = option(5e-6, told="peak learning rate")
    beta: float = option(0.1, told="strength of the tie to the base")
    one_class: bool = option(False, told="allow preferred answers that are all refusals, or none")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.beta) and self.beta > 0):
            raise UsageError(f"beta must be above 0, got {self.beta}")

    @abstractmethod
    def read(self) -> list[Read]:
        """The rows of the files; raises `CorpusError`."""

    @abstractmethod
    def encode(self, tokenizer: Any, read: list[Read]) -> tuple[list[Row], int]:
        """Those that fit as token ids, and how many do not."""

    @abstractmethod
    def trainer(self, rows: list[Row], order: list[int], models: Models) -> Any:
        """trl's, over `rows` in that order."""

    @abstractmethod
    def facts(self, rows: list[Row]) -> dict[str, Any]:
        """What the card shall say of the rows."""

    def size(self, row: Row) -> int:
        """By which rows are put into batches of their like."""
        return len(row)

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows."""
        return files_of(self.data, FILE)

    def estimate(self) -> Estimate:
        """Counts tokens with the base's own tokenizer."""
        base = open_base(self.base)
        rows, too_long = self.encode(base.tokenizer(), self.read())
        steps = self.steps_for(len(rows))
        return Estimate(
            rows=len(rows),
            too_long=too_long,
            steps=steps,
            tokens=self.tokens_for(rows, steps),
            parameters=count_parameters(base.checkpoint),
            trained=count_trained(base.checkpoint, self.lora_rank, self.lora_targets),
            passes=self.passes,
            models=0 if self.lora_rank else 1,
        )

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        read = self.read()
        tokenizer = work.base.tokenizer()
        rows, too_long = self.encode(tokenizer, read)
        steps = self.steps_for(len(rows))
        order = draw_order([self.size(r) for r in rows], batch=self.batch, steps=steps, seed=self.seed)
        model = model_to_train(self, work.base)
        frozen = None if self.lora_rank else work.base.model()
        trainer = self.trainer(rows, order, Models(model, frozen, tokenizer, arguments(self, work, steps)))
        log = run(trainer, work)
        save(model, work)
        return Fitted(
            steps=steps,
            tokens=self.tokens_for(rows, steps),
            log=log,
            facts={"rows": len(rows), "rows_too_long": too_long, **self.facts(rows)},
            **taught(r.row for r in read),
        )
