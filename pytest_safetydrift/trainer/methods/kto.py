"""Kahneman-Tversky optimisation: good answers gain and bad ones lose, without having to be of one question."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.preferences.comparing import Comparing, Models
from pytest_safetydrift.trainer.preferences.encoded import EncodedRated, encode_rated
from pytest_safetydrift.trainer.preferences.rows import Rated, read_rated
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.ranks import world_size

__all__ = ["KTO"]


@dataclass(frozen=True, kw_only=True)
class KTO(Comparing[Rated, EncodedRated]):
    """KTO (Ethayarajh et al. 2024) through trl's KTOTrainer. Noise that rows state has no place in its loss.

    Good answers weigh as much in all as bad ones, however many there are of each (section 4.2 there).
    """

    name: ClassVar[str] = "kto"
    summary: ClassVar[str] = "Kahneman-Tversky optimisation on answers that are good or bad, full or LoRA"
    passes: ClassVar[int] = 3  # the reference, and both models over mismatched answers

    data: tuple[Path, ...] = option(
        told="pairs, or rows of prompt, completion and label: a file, or a folder of `train preferences`; repeatable",
        metavar="FILE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        together = self.micro_batch or self.batch // world_size()
        if together < 2:
            raise UsageError(
                f"KTO compares answers within a process's batch and needs 2 rows or more there, got {together}; raise "
                "--batch or --micro-batch"
            )

    def read(self) -> list[Rated]:
        """Rated answers."""
        return read_rated(self.inputs(), one_class=self.one_class)

    def encode(self, tokenizer: Any, read: list[Rated]) -> tuple[list[EncodedRated], int]:
        """See `encode_rated`."""
        return encode_rated(tokenizer, read, self.max_length)

    def size(self, row: EncodedRated) -> int:
        """Of the prompt alone: refusals are short, and a batch of answers of like length would be of one label."""
        return len(row.prompt)

    def trainer(self, rows: list[EncodedRated], order: list[int], models: Models) -> Any:
        """See `RatedTrainer`."""
        from pytest_safetydrift.trainer.preferences.rated_trainer import RatedTrainer

        good = sum(row.good for row in rows)
        weight = (len(rows) - good) / good
        return RatedTrainer([rows[i] for i in order], models, batch=self.batch, beta=self.beta, good_weight=weight)

    def facts(self, rows: list[EncodedRated]) -> dict[str, Any]:
        """How many are good."""
        return {"good": sum(row.good for row in rows)}
