"""Pairs and rated answers as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.preferences.rows import Preference, Rated
from pytest_safetydrift.trainer.training.encode import encode_answer, encode_prompt

__all__ = ["EncodedPair", "EncodedRated", "encode_pairs", "encode_rated"]


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """Ids of the prompt and of what follows it in either case, end tokens included, and the pair's noise."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]
    noise: float

    def __len__(self) -> int:
        """Tokens of both sequences."""
        return 2 * len(self.prompt) + len(self.chosen) + len(self.rejected)

    @property
    def longest(self) -> int:
        """Tokens of the longer one."""
        return len(self.prompt) + max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class EncodedRated:
    """Ids of the prompt and of one answer, its end token included, and whether it is good."""

    prompt: list[int]
    answer: list[int]
    good: bool

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)

    @property
    def longest(self) -> int:
        """The same; there is one sequence."""
        return len(self)


Row = TypeVar("Row", EncodedPair, EncodedRated)


def encode_pairs(tokenizer: Any, pairs: Sequence[Preference], max_length: int) -> tuple[list[EncodedPair], int]:
    """Every pair whose both sequences fit into `max_length` tokens, and how many did not.

    Raises `CorpusError` where none fits, and where two texts are one to the chat template; `CheckpointError` as
    `encode_answer` does.
    """
    return _fitting([_pair(tokenizer, p, number) for number, p in enumerate(pairs, 1)], max_length)


def encode_rated(tokenizer: Any, rated: Sequence[Rated], max_length: int) -> tuple[list[EncodedRated], int]:
    """Every answer that fits into `max_length` tokens with its prompt, and how many did not; raises likewise, and where
    only good or only bad ones fit."""
    rows = []
    for r in rated:
        prompt = encode_prompt(tokenizer, r.messages)
        rows.append(EncodedRated(prompt, encode_answer(tokenizer, r.messages, r.answer, prompt), r.good))
    fitting, too_long = _fitting(rows, max_length)
    if len({row.good for row in fitting}) < 2:
        raise CorpusError(
            f"of the answers that fit into {max_length} tokens all are {'good' if fitting[0].good else 'bad'}; raise "
            "--max-length"
        )
    return fitting, too_long


def _pair(tokenizer: Any, pair: Preference, number: int) -> EncodedPair:
    prompt = encode_prompt(tokenizer, pair.messages)
    chosen, rejected = (encode_answer(tokenizer, pair.messages, a, prompt) for a in (pair.chosen, pair.rejected))
    if chosen == rejected:
        raise CorpusError(f"row {number}: chosen and rejected are the same to this model's chat template; drop the row")
    return EncodedPair(prompt, chosen, rejected, pair.noise)


def _fitting(rows: list[Row], max_length: int) -> tuple[list[Row], int]:
    fitting = [row for row in rows if row.longest <= max_length]
    if not fitting:
        shortest = min(row.longest for row in rows)
        raise CorpusError(f"no row fits into {max_length} tokens, the shortest has {shortest}; raise --max-length")
    return fitting, len(rows) - len(fitting)
