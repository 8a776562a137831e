"""The folder that a training set is written to: all of it, or nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import ReportError
from pytest_safetydrift.trainer.data.build import TrainingData
from pytest_safetydrift.trainer.data.card import compose_card
from pytest_safetydrift.trainer.data.folds import Fold
from pytest_safetydrift.trainer.files import check_new, publish

__all__ = ["CARD", "write_data"]

CARD = "data_card.json"


def write_data(data: TrainingData, out: Path) -> dict[str, Any]:
    """Write the pairs (`train.jsonl`, `development.jsonl`, `held_out.jsonl`), the held-out prompts as corpus files for
    the gate (`held_out/CORPUS.jsonl`) and the card; returns the card.

    Everything is ASCII and the same for the same data, byte for byte. Raises `UsageError` where the folder exists, and
    `ReportError` where it cannot be written.
    """
    check_new(out)
    files = {name: "".join(_line(row) for row in rows) for name, rows in _rows(data).items()}
    card = compose_card(data, {name: hashlib.sha256(text.encode("ascii")).hexdigest() for name, text in files.items()})
    try:
        publish({**files, CARD: json.dumps(card, indent=1, allow_nan=False) + "\n"}, out)
    except OSError as e:
        raise ReportError(f"{out}: {e}; nothing was written there, name a writable folder with --out") from e
    return card


def _rows(data: TrainingData) -> dict[str, Iterator[dict[str, Any]]]:
    found: dict[str, Iterator[dict[str, Any]]] = {
        f"{fold}.jsonl": (pair.to_json() for pair in pairs) for fold, pairs in data.pairs.items()
    }
    for corpus, samples in data.material.corpora.items():
        if held := [s for s in samples if data.folds[s.id] is Fold.HELD_OUT]:
            found[f"{Fold.HELD_OUT}/{_slug(corpus)}.jsonl"] = (s.to_json() for s in held)
    return found


def _slug(corpus: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", corpus.removesuffix(".jsonl").lower()).strip("-")


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row) + "\n"
