"""Forward passes of a batch, of which what lies before the last prompt token is computed once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

__all__ = ["Batch", "Run", "evaluating", "make_batch"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows of prompt and continuation, prompts padded on the left and continuations on the right.

    ids      int64 [rows, tokens]; the last token of every prompt stands in column `place`
    mask     int64 [rows, tokens], 0 on padding
    targets  int64 [rows, scored]: the continuations, whose last token needs no forward pass and is not in `ids`
    wanted   bool [rows, scored], False on padding
    """

    ids: Tensor
    mask: Tensor
    place: int
    targets: Tensor
    wanted: Tensor


def make_batch(prompts: Sequence[Sequence[int]], continuations: Sequence[Sequence[int]], device: Any) -> Batch:
    """One row for each prompt and its continuation, which has one token at least."""
    left, right = max(map(len, prompts)), max(map(len, continuations))
    rows = list(zip(prompts, continuations, strict=True))
    ids = [[0] * (left - len(p)) + [*p, *c[:-1]] + [0] * (right - len(c)) for p, c in rows]
    mask = [[0] * (left - len(p)) + [1] * (len(p) + len(c) - 1) + [0] * (right - len(c)) for p, c in rows]
    targets = [[*c] + [0] * (right - len(c)) for c in continuations]
    wanted = [[True] * len(c) + [False] * (right - len(c)) for c in continuations]
    tensors = (torch.tensor(rows, device=device) for rows in (ids, mask, targets, wanted))
    return Batch(next(tensors), next(tensors), left - 1, *tensors)


class Run:
    """A model over one batch, to be run many times with patches at the last prompt token or anywhere.

    everywhere  whether all tokens go through the model each time, so that patches can be anywhere. Else keys and values
                before the last prompt token are computed once and never patched: a patch there changes nothing earlier
    """

    def __init__(self, model: Any, batch: Batch, *, everywhere: bool) -> None:
        self._model, self.batch = model, batch
        self._positions = (batch.mask.cumsum(-1) - 1).clamp(min=0)
        self._cache = None if everywhere or not batch.place else self._read_prefix()
        self._start = 0 if self._cache is None else batch.place
        self._slices = "logits_to_keep" in inspect.signature(model.forward).parameters

    @property
    def places(self) -> Tensor:
        """Where the last prompt token stands in each row of what goes through the model, int64 [rows]."""
        return torch.full((len(self.batch.ids),), self.batch.place - self._start, device=self.batch.ids.device)

    def logits(self) -> Tensor:
        """Logits [rows, scored, vocabulary] of the continuations' tokens, in the model's dtype."""
        scored = self.batch.targets.shape[1]
        sliced = {"logits_to_keep": scored} if self._slices else {}
        cached = {} if self._cache is None else {"past_key_values": self._cache, "use_cache": True}
        found: Tensor = self._model(
            input_ids=self.batch.ids[:, self._start :],
            attention_mask=self.batch.mask,
            position_ids=self._positions[:, self._start :],
            **({"use_cache": False} | cached | sliced),
        ).logits
        if self._cache is not None:
            self._cache.crop(-scored)
        return found[:, -scored:]

    def _read_prefix(self) -> Any:
        """Keys and values of all that is before the last prompt token; None where the model's cache cannot go back,
        as with sliding windows."""
        cache = DynamicCache(config=self._model.config)
        if any(type(layer) is not DynamicLayer for layer in cache.layers):
            return None
        place = self.batch.place
        self._model.get_decoder()(
            input_ids=self.batch.ids[:, :place],
            attention_mask=self.batch.mask[:, :place],
            position_ids=self._positions[:, :place],
            past_key_values=cache,
            use_cache=True,
        )
        return cache


@contextmanager
def evaluating(*models: Any) -> Iterator[None]:
    """No gradients and no dropout while inside; each model is left in the mode that it was in."""
    modes = [model.training for model in models]
    try:
        for model in models:
            model.eval()
        with torch.inference_mode():
            yield
    finally:
        for model, mode in zip(models, modes, strict=True):
            model.train(mode)
