"""The checkpoint that training starts from."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.engines.places import locate
from pytest_safetydrift.trainer.files import read_or_empty

__all__ = ["CARD", "Base", "open_base"]

CARD = "training_card.json"
_CHAT = (
    *("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model"),
    *("chat_template*", "generation_config.json"),
)
_OPTIONS = EngineOptions(kind="transformers")


@dataclass(frozen=True, slots=True)
class Base:
    """A checkpoint on this machine whose files were found sound.

    reference  as the user wrote it
    digest     of weights, adapter, tokenizer and chat template: its identity for the gate
    """

    reference: str
    checkpoint: Checkpoint
    digest: str

    def tokenizer(self, *, padding_side: str = "right") -> Any:
        """The tokenizer with its chat template; one without a token for padding pads with the one that ends."""
        from pytest_safetydrift.engines.loading import load_chat

        tokenizer = load_chat(self.checkpoint, _OPTIONS)[0].tokenizer
        tokenizer.padding_side = padding_side
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def model(self, dtype: str = "float32") -> Any:
        """The causal language model on the CPU in training mode, an adapter of the base merged into it."""
        from pytest_safetydrift.engines.loading import load_model

        model = load_model(self.checkpoint, _OPTIONS, dtype, "cpu")
        if hasattr(model, "merge_and_unload"):
            model = model.merge_and_unload()
        return model.requires_grad_(True).train()  # an adapter that was merged leaves its base frozen

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the model."""
        return self.checkpoint.config

    @property
    def card(self) -> dict[str, Any]:
        """Its own training card, {} where it has none."""
        return read_or_empty(self.checkpoint.folders[-1] / CARD)

    @property
    def context(self) -> int | None:
        """Tokens that the model's positions cover, None where its configuration sets no limit."""
        text = self.config.get("text_config") or self.config
        return int(text.get("max_position_embeddings") or 0) or None

    def copy_chat(self, out: Path) -> None:
        """Tokenizer, chat template and generation settings, byte for byte: loaded and saved again a tokenizer may be
        spelled otherwise, and would be another checkpoint's."""
        folder = self.checkpoint.tokenizer
        for path in {p for pattern in _CHAT for p in folder.glob(pattern) if p.is_file()}:
            shutil.copyfile(path, out / path.name)


def open_base(reference: str) -> Base:
    """Find the checkpoint and look its files over; loads no weights.

    Raises `UsageError` for what cannot be trained, `BadReferenceError` and `CheckpointError` for what is not there or
    not sound.
    """
    parsed = Reference.parse(reference)
    if parsed.scheme is Scheme.DEMO:
        from pytest_safetydrift.execution.demo import demo_folders

        checkpoint = locate(parsed, demo_folders([parsed.place])[parsed.place])
    elif parsed.scheme is Scheme.MODEL:
        checkpoint = locate(parsed)
    else:
        raise UsageError(f"{reference}: answers can be had from it and weights cannot; name a model directory to train")
    return Base(reference, checkpoint, checkpoint_identity(checkpoint, _OPTIONS))
