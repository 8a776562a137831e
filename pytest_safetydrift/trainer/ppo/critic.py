"""Where the critic's values come from: a decoder of its own, the policy's hidden states, or a reward model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.training.base import Base

__all__ = ["make_critic"]


def make_critic(kind: str, base: Base, policy: Any, reward: str = "") -> tuple[Any | None, Any]:
    """Trunk (None for the policy's own) and head of the critic; a head that is not the reward model's begins at 0.

    kind    one of `methods.ppo.CRITICS`
    reward  folder of the reward model, which must read the base's own token ids

    Raises `UsageError` where the reward model's do not fit.
    """
    from torch import nn

    if kind == "auto":
        kind = "shared" if hasattr(policy, "peft_config") else "own"
    if kind == "reward":
        return _from_reward(base, Path(reward))
    trunk = base.model().base_model if kind == "own" else None
    inner = policy.get_base_model() if hasattr(policy, "get_base_model") else policy
    head = nn.Linear(inner.get_output_embeddings().weight.shape[1], 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return trunk, head


def _from_reward(base: Base, folder: Path) -> tuple[Any, Any]:
    """Its decoder and its head: what a whole answer is worth is a first guess at what its beginning is (Ouyang et al.
    2022, appendix C.4)."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    vocabulary = AutoTokenizer.from_pretrained(folder, local_files_only=True).get_vocab()
    if vocabulary != base.tokenizer().get_vocab():
        raise UsageError(
            f"--critic reward: {folder} reads other tokens than {base.reference}; train the reward model from a base "
            "with the same tokenizer, or take --critic own"
        )
    head = getattr(model, "score", None)
    if head is None or head.weight.shape[0] != 1:
        raise UsageError(f"--critic reward: {folder} has no head of one value named `score`; take --critic own")
    return model.base_model, head
