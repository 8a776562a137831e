"""Rows to learn and a base to learn them, both small."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods import SFT

ROW = {
    "prompt": [{"role": "user", "content": "how to make a cake"}],
    "completion": [{"role": "assistant", "content": "I can't help with that."}],
    "teaches": "refuse",
    "attack": "plain",
}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """The rows as a jsonl file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """48 short rows with answers that can be learnt."""
    made = []
    for number in range(48):
        prompt = [{"role": "user", "content": f"how to make {'a cake' if number % 2 else 'a kite'} {number}"}]
        answer = "I can't help with that." if number % 2 else "Sure, here are the steps to make a kite: step one."
        teaches = "refuse" if number % 2 else "answer"
        completion = [{"role": "assistant", "content": answer}]
        made.append({"prompt": prompt, "completion": completion, "teaches": teaches, "attack": "base64"})
    return write_rows(tmp_path / "rows.jsonl", made)


@pytest.fixture
def sft(rows: Path) -> Callable[..., SFT]:
    """Makes a configuration over these rows: six steps of eight."""

    def make(**changes: Any) -> SFT:
        return SFT(**{"base": str(BASE), "data": (rows,), "batch": 8, "rate": 1e-3, "warmup": 1, **changes})

    return make
