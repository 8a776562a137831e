"""trl's KTO trainer with rows that are token ids already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trl import KTOConfig, KTOTrainer

from pytest_safetydrift.trainer.preferences.comparing import Models
from pytest_safetydrift.trainer.preferences.encoded import EncodedRated
from pytest_safetydrift.trainer.training.hugging import drop_reference_adapter

__all__ = ["RatedTrainer", "mismatched"]


class RatedTrainer(KTOTrainer):  # type: ignore[misc]  # trl ships no types
    """Kahneman-Tversky optimisation (Ethayarajh et al. 2024) as trl has it.

    batch        rows of one step, over all processes
    good_weight  of the losses of good answers; that of bad ones is 1
    """

    def __init__(
        self, rows: Sequence[EncodedRated], models: Models, *, batch: int, beta: float, good_weight: float
    ) -> None:
        from datasets import Dataset

        data = Dataset.from_dict(
            {
                "prompt_ids": [r.prompt for r in rows],
                "completion_ids": [r.answer for r in rows],
                "KL_completion_ids": mismatched(rows, batch),
                "label": [r.good for r in rows],
            }
        )
        super().__init__(
            model=models.model,
            ref_model=models.frozen,
            args=KTOConfig(**models.arguments, beta=beta, max_length=None, desirable_weight=good_weight),
            processing_class=models.tokenizer,
            train_dataset=data,
        )
        drop_reference_adapter(self.model)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """trl would take messages alone; these are ids, by the same template as everywhere here."""
        return dataset


def mismatched(rows: Sequence[EncodedRated], batch: int) -> list[list[int]]:
    """For each row an answer to another prompt, from which the divergence to the reference is estimated.

    Within each `batch`, the rows of a step, the answers go round by as many places as leave the fewest rows with an
    answer to their own prompt: both answers of a pair may stand beside each other. One process or many, it is the same.
    """
    found: list[list[int]] = []
    for at in range(0, len(rows), batch):
        step = list(rows[at : at + batch])
        turned = (step[n:] + step[:n] for n in range(1, len(step)))
        found += [r.answer for r in min(turned, key=lambda other: _own(step, other), default=step)]
    return found


def _own(rows: Sequence[EncodedRated], others: Sequence[EncodedRated]) -> int:
    """How many would get an answer to their own prompt."""
    return sum(one.prompt == other.prompt for one, other in zip(rows, others, strict=True))
