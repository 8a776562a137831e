"""trl's reward trainer with each pair's own noise in the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from trl import RewardTrainer

from pytest_safetydrift.trainer.reward.preference import preference_loss

__all__ = ["NoisyRewardTrainer"]


class NoisyRewardTrainer(RewardTrainer):  # type: ignore[misc]  # trl ships no types
    """Takes rows of `chosen_ids`, `rejected_ids` and `noise`; the loss is `preference_loss`, conservative."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        collate: Any = self.data_collator  # type: ignore[has-type]

        def with_noise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
            return {**collate(rows), "noise": torch.tensor([row["noise"] for row in rows])}

        self.data_collator = with_noise

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """See trl; its own loss is of pairs without noise."""
        noise = inputs.pop("noise")
        _, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        better, worse = outputs.logits.squeeze(-1).chunk(2)
        loss = preference_loss(better - worse, noise=noise).mean()
        return (loss, outputs) if return_outputs else loss
