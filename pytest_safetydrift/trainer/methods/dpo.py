"""Direct preference optimisation: the better answer of each pair gains on the worse one, as compared with the base."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.preferences.comparing import Comparing, Models
from pytest_safetydrift.trainer.preferences.encoded import EncodedPair, encode_pairs
from pytest_safetydrift.trainer.preferences.rows import Preference, read_preferences
from pytest_safetydrift.trainer.training.checks import check_numbers
from pytest_safetydrift.trainer.training.option import option

__all__ = ["DPO"]

_LOSSES = ("sigmoid", "conservative", "robust")


@dataclass(frozen=True, kw_only=True)
class DPO(Comparing[Preference, EncodedPair]):
    """DPO (Rafailov et al. 2023) through trl's DPOTrainer, with noise by pair.

    loss    of a margin: "sigmoid" takes each pair as right; "conservative" and "robust" heed the noise that rows
            state, see `preference_loss`, and are the sigmoid loss where it is 0
    anchor  weight of the preferred answers' own loss, see `PairTrainer`
    """

    name: ClassVar[str] = "dpo"
    summary: ClassVar[str] = "direct preference optimisation on pairs of answers, full or LoRA"
    passes: ClassVar[int] = 1

    loss: str = option(
        "conservative",
        told="sigmoid takes pairs as right; conservative smooths by the noise that rows state, robust corrects for it",
        choices=_LOSSES,
    )
    anchor: float = option(0.0, told="weight of the preferred answers' own loss, which keeps them likely")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_numbers(self, least=("anchor",))
        if self.loss not in _LOSSES:
            raise UsageError(f"loss must be sigmoid, conservative or robust, got {self.loss!r}")

    def read(self) -> list[Preference]:
        """Pairs."""
        return read_preferences(self.inputs(), one_class=self.one_class)

    def encode(self, tokenizer: Any, read: list[Preference]) -> tuple[list[EncodedPair], int]:
        """Without their noise where it shall not count."""
        rows, too_long = encode_pairs(tokenizer, read, self.max_length)
        return (rows if self.loss != "sigmoid" else [replace(row, noise=0.0) for row in rows]), too_long

    def trainer(self, rows: list[EncodedPair], order: list[int], models: Models) -> Any:
        """See `PairTrainer`."""
        from pytest_safetydrift.trainer.preferences.pair_trainer import PairTrainer

        return PairTrainer(
            [rows[i] for i in order], models, beta=self.beta, unbiased=self.loss == "robust", anchor=self.anchor
        )

    def facts(self, rows: list[EncodedPair]) -> dict[str, Any]:
        """The noise that counted, in the mean."""
        return {"noise": sum(row.noise for row in rows) / len(rows)}
