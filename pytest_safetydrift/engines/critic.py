"""A reward model behind the engine's seam: what it answers to a conversation is a number."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CheckpointError, EngineError
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.devices import device_of, dtype_of
from pytest_safetydrift.engines.loading import load_chat, load_weights
from pytest_safetydrift.engines.options import EngineOptions

__all__ = ["RewardEngine"]

_BATCH = 1 << 14  # tokens in one forward pass, padding counted


class RewardEngine:
    """A sequence classifier of one label, run by transformers. See `core.engine.Engine`.

    A request's conversation is whole: its last turn is the assistant's answer that is rated, not a prefill. The
    response's text is the reward in decimal notation, finite; where it is not, the response is an ERROR. Rewards are
    compared with each other alone, so they have no scale.
    """

    def __init__(self, checkpoint: Checkpoint, options: EngineOptions | None = None) -> None:
        self._checkpoint = checkpoint
        self._options = options or EngineOptions()
        self._budget = self._options.batch_tokens or _BATCH
        self._model: Any = None

    def load(self) -> None:
        """Load tokenizer and weights; raises `CheckpointError` for what is no reward model, or `EngineError`."""
        directory = self._checkpoint.directory
        if self._checkpoint.adapter is not None:
            raise CheckpointError(f"{self._checkpoint.adapter}: a critic's adapter must be merged into its base")
        chat, config = load_chat(self._checkpoint, self._options)
        if config.num_labels != 1:
            raise CheckpointError(
                f"{directory}: a reward model has one label, this one has {config.num_labels}; make one with "
                'safetydrift train reward, or ask this model with kind = "rubric"'
            )
        import torch

        device = device_of(self._options.device)
        if device == "cuda" and not torch.cuda.is_available():
            raise EngineError(f"torch {torch.__version__} can use no GPU here; install a CUDA build, or run on the CPU")
        from transformers import AutoModelForSequenceClassification

        dtype, placed = dtype_of(self._checkpoint.config, self._options), {"device_map": device}
        kind = AutoModelForSequenceClassification
        self._model = load_weights(kind, self._checkpoint, self._options, dtype, placed).eval()
        self._tokenizer, self._context = chat.tokenizer, chat.context
        self._padding = config.get_text_config().pad_token_id

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Response]]:
        """See `core.engine.Engine`; what cannot be rated comes first, then batch by batch, short ones first."""
        if self._model is None:
            raise EngineError("the reward model was asked before load() or after close()")
        import torch

        rows: list[tuple[int, list[int]]] = []
        for index, request in enumerate(requests):
            try:
                rows.append((index, self._encode(request.messages)))
            except ValueError as error:
                yield index, Response.failed(str(error))
        rows.sort(key=lambda row: len(row[1]), reverse=True)
        while rows:
            batch = self._batch(rows)
            try:
                rewards = self._rewards([ids for _, ids in batch])
            except torch.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise EngineError(f"out of device memory for one answer: {one_line(str(error))}") from None
                self._budget //= 2
                torch.cuda.empty_cache()
                continue
            del rows[-len(batch) :]
            for (index, ids), reward in zip(batch, rewards, strict=True):
                yield index, _response(reward, len(ids))

    def close(self) -> None:
        """Drop the model."""
        self._model = None
        gc.collect()

    def _batch(self, rows: list[tuple[int, list[int]]]) -> list[tuple[int, list[int]]]:
        """The shortest rows that fit together; without a padding token the classifier takes one at a time."""
        batch = rows[-1:]
        while self._padding is not None and len(batch) < len(rows):
            row = rows[-len(batch) - 1]
            if (len(batch) + 1) * len(row[1]) > self._budget:
                break
            batch.insert(0, row)
        return batch

    def _encode(self, messages: Conversation) -> list[int]:
        """Token ids of the conversation in the critic's own template; raises ValueError where it cannot be rated."""
        turns = [{"role": m.role, "content": m.content} for m in messages]
        if not turns or turns[-1]["role"] != "assistant":
            raise ValueError("there is no answer to rate: the last turn is not the assistant's")
        try:
            text = self._tokenizer.apply_chat_template(turns, tokenize=False)
        except Exception as error:
            what = one_line(str(error))
            raise ValueError(f"the critic's chat template refuses this conversation: {what}") from error
        for turn in [*(t for t in turns if t["role"] != "assistant"), turns[-1]]:
            if turn["content"].strip() not in text:
                raise ValueError(f"the critic's chat template leaves out or changes the {turn['role']} turn")
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if self._context is not None and len(ids) > self._context:
            raise ValueError(f"{len(ids)} tokens are too long for the critic's context of {self._context} tokens")
        return ids

    def _rewards(self, rows: list[list[int]]) -> list[float]:
        """One reward a row; rows are padded on the right, where a causal classifier looks for the last token."""
        import torch

        longest, padding = max(map(len, rows)), self._padding or 0
        ids = torch.tensor([row + [padding] * (longest - len(row)) for row in rows], device=self._model.device)
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows], device=self._model.device)
        with torch.inference_mode():
            logits = self._model(input_ids=ids, attention_mask=mask).logits
        rewards: list[float] = logits.float().squeeze(-1).tolist()
        return rewards


def _response(reward: float, tokens: int) -> Response:
    if not isfinite(reward):
        return Response.failed(f"the reward model computed {reward}")
    return Response(repr(reward), prompt_tokens=tokens)
