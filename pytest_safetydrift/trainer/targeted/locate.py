"""Where a base and a refusing checkpoint, or two prompts of the base, part ways: from references to an attribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.engines.open_weights.opened import Opened, open_weights
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.records import read_records
from pytest_safetydrift.trainer.targeted.attribution import Attribution, Metric, attribute
from pytest_safetydrift.trainer.targeted.cases import between_checkpoints, between_prompts
from pytest_safetydrift.trainer.targeted.parts import Kind
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.example import Example, conversation

__all__ = ["asked_to_refuse", "locate_in_checkpoints", "locate_in_prompts", "read_pairs"]

_OPTIONS = EngineOptions(kind="transformers", dtype="float32")


def locate_in_checkpoints(
    base: Base, refusing: Base, asked: Sequence[Conversation], kinds: Sequence[Kind], metric: Metric
) -> Attribution:
    """What makes `refusing` refuse where `base` complies, on the conversations where it does. Both are loaded at once.

    Raises `UsageError` where too few conversations tell them apart, and `CheckpointError` where they do not fit.
    """
    ours, theirs = _open(base), _open(refusing)
    cases = between_checkpoints(ours, theirs, asked)
    digests = base.digest, refusing.digest
    return attribute(
        ours.model, theirs.model, cases, kinds=kinds, metric=metric, digests=digests, spelled=_spelling(ours)
    )


def locate_in_prompts(
    base: Base, pairs: Sequence[tuple[Conversation, Conversation]], kinds: Sequence[Kind], metric: Metric
) -> Attribution:
    """What makes `base` refuse the second conversation of each pair where it complies with the first.

    Raises `UsageError` where too few pairs are answered so.
    """
    opened = _open(base)
    complied, refused = zip(*pairs, strict=True)
    cases = between_prompts(opened, complied, refused)
    digests = base.digest, base.digest
    return attribute(
        opened.model, opened.model, cases, kinds=kinds, metric=metric, digests=digests, spelled=_spelling(opened)
    )


def asked_to_refuse(examples: Sequence[Example], most: int, seed: int) -> list[Conversation]:
    """Up to `most` different conversations of the rows that teach a refusal, drawn at random; of all rows where none
    says what it teaches."""
    taught = [e for e in examples if e.row.get("teaches") == "refuse"] or list(examples)
    asked = list(dict.fromkeys(e.messages if e.answer is not None else e.messages[:-1] for e in taught))
    return Random(seed).sample(asked, min(most, len(asked)))


def read_pairs(file: Path) -> list[tuple[Conversation, Conversation]]:
    """Rows of `complied` and `refused`, texts or messages. Raises `CorpusError` naming file and row."""
    return [
        (_turns(row, "complied", f"{file}, {where}"), _turns(row, "refused", f"{file}, {where}"))
        for where, row in read_records(file)
    ]


def _turns(row: dict[str, Any], column: str, where: str) -> Conversation:
    if column not in row:
        raise CorpusError(f"{where}: no {column}; a row has a prompt that is complied with and one that is refused")
    return conversation(row[column], "user", f"{where}: {column}")


def _spelling(opened: Opened) -> Callable[[int], str]:
    """How the checkpoint's tokenizer writes a token, in quotes; special ones too."""
    return lambda token: repr(opened.chat.tokenizer.decode([token]))


def _open(base: Base) -> Opened:
    return open_weights(base.checkpoint, _OPTIONS)
