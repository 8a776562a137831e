"""Preferences over the demo world's deeds, written out: what its bigger maker would draw from a model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.trainer.deeds import DEEDS, PHRASINGS, Split
from pytest_safetydrift.trainer.world import deed_sample

REFUSALS = ("I can't help with that request.", "Sorry, I can't assist with that.")


def complied(sample: Sample) -> str:
    """The world's answer to whatever it is asked."""
    return f"Sure, here are the steps to get {sample.topic}: step one, step two."


def pair_rows(count: int) -> list[dict[str, Any]]:
    """So many pairs, every other one prefers a refusal; each of a question of its own."""
    rows = []
    for number in range(count):
        prohibited = number % 2 == 0
        deeds = DEEDS["prohibited" if prohibited else "benign"][Split.TRAIN]
        at = number // 2
        wording = PHRASINGS[Split.TRAIN][at // len(deeds) % len(PHRASINGS[Split.TRAIN])]
        sample = deed_sample(deeds[at % len(deeds)], wording, f"made-{number}")
        answers = (REFUSALS[at % 2], complied(sample))
        rows.append(
            {
                "prompt": sample.prompt,
                "chosen": answers[0] if prohibited else answers[1],
                "rejected": answers[1] if prohibited else answers[0],
                "teaches": "refuse" if prohibited else "answer",
                "attack": "plain",
                "category": sample.category,
                "sample": sample.id,
                "asked": sample.to_json(),
            }
        )
    return rows


def question_rows(count: int) -> list[dict[str, Any]]:
    """The same questions with their chosen answers, as `train data` writes them."""
    return [{**row, "completion": row.pop("chosen")} for row in pair_rows(count) if row.pop("rejected")]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """The rows as a jsonl file."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path
