"""trl's DPO trainer with rows that are token ids already, and a loss that knows how sure each pair is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from pytest_safetydrift.trainer.preferences.comparing import Models
from pytest_safetydrift.trainer.preferences.encoded import EncodedPair
from pytest_safetydrift.trainer.reward.preference import preference_loss
from pytest_safetydrift.trainer.training.hugging import drop_reference_adapter

__all__ = ["PairTrainer"]


class PairTrainer(DPOTrainer):  # type: ignore[misc]  # trl ships no types
    """Direct preference optimisation (Rafailov et al. 2023): a pair's margin is beta times the difference of both
    answers' log-ratios to the reference, in nats, summed over an answer's tokens; its loss is `preference_loss`.

    unbiased   what is done about noise, see `preference_loss`
    anchor     weight of the preferred answers' own negative log-likelihood, in nats a token, the mean of answers (Pang
               et al. 2024, "Iterative reasoning preference optimization", equation 1): a margin can grow while both
               answers become unlikely, and something else likely
    """

    def __init__(
        self, rows: Sequence[EncodedPair], models: Models, *, beta: float, unbiased: bool, anchor: float = 0.0
    ) -> None:
        from datasets import Dataset

        data = Dataset.from_dict(
            {
                "prompt_ids": [r.prompt for r in rows],
                "chosen_ids": [r.chosen for r in rows],
                "rejected_ids": [r.rejected for r in rows],
                "noise": [r.noise for r in rows],
            }
        )
        super().__init__(
            model=models.model,
            ref_model=models.frozen,
            args=DPOConfig(**models.arguments, beta=beta, max_length=None, remove_unused_columns=False),
            processing_class=models.tokenizer,
            train_dataset=data,
            data_collator=_Collator(models.tokenizer.pad_token_id),
        )
        drop_reference_adapter(self.model)
        self._unbiased = unbiased
        self._anchor = anchor

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        """trl would take messages alone; these are ids, by the same template as everywhere here."""
        return dataset

    def compute_loss(self, model: Any, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """The mean over the pairs."""
        noise = inputs.pop("noise")
        reference = torch.cat(self.compute_ref_log_probs(self.ref_model or self.model, inputs))
        logprobs = _answer_logprobs(model, inputs)
        chosen, rejected = (self.beta * (logprobs - reference)).chunk(2)
        self._tell(chosen.detach(), rejected.detach())
        loss = preference_loss(chosen - rejected, noise=noise, unbiased=self._unbiased).mean()
        if not self._anchor:
            return loss
        tokens = inputs["completion_mask"][:, 1:].sum(1)
        return loss - self._anchor * (logprobs / tokens).chunk(2)[0].mean()

    def _tell(self, chosen: Tensor, rejected: Tensor) -> None:
        """Rewards for the log, of all processes."""
        told = {
            "rewards/chosen": chosen,
            "rewards/rejected": rejected,
            "rewards/margins": chosen - rejected,
            "rewards/accuracies": (chosen > rejected).float(),
        }
        for name, values in told.items():
            self._metrics["train"][name].append(self.accelerator.gather(values).mean().item())


def _answer_logprobs(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Of the answers, summed over their tokens, [2 B]: the chosen ones first."""
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    labels = ids.masked_fill(inputs["completion_mask"] == 0, -100)
    outputs = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False, fused_lm_head=True)
    logprobs: Tensor = outputs.log_probs.sum(1)
    return logprobs


class _Collator(DataCollatorForPreference):  # type: ignore[misc]  # trl ships no types
    """Batches of chosen sequences above rejected ones, and the noise [B] of the pairs."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        return {**super().torch_call(examples), "noise": torch.tensor([e["noise"] for e in examples])}
