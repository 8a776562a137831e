"""The folder that preferences are written to: all of it, or nothing."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from pytest_safetydrift import __version__
from pytest_safetydrift.core.errors import ReportError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.trainer.files import check_new, publish
from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
from pytest_safetydrift.trainer.preferences.make import Made, make_preferences
from pytest_safetydrift.trainer.preferences.rows import FILE
from pytest_safetydrift.trainer.tally import tally
from pytest_safetydrift.trainer.training.asked import asked_of, distinct
from pytest_safetydrift.trainer.training.drawing import draw_answers, open_target
from pytest_safetydrift.trainer.training.example import read_examples, sha256_of
from pytest_safetydrift.trainer.training.taught import taught

__all__ = ["CARD", "write_preferences"]

CARD = "preferences_card.json"


def write_preferences(config: PreferenceConfig, out: Path) -> dict[str, Any]:
    """Draw, judge and pair, write the pairs and their card; returns the card.

    Answers are kept in `OUT.drawing` until the end: killed on the way, the same call asks only what is missing.
    Everything is ASCII, and the same for the same answers, byte for byte. Raises `UsageError` where the folder exists
    or nothing can be compared, `ReportError` where it cannot be written, `EngineError` where the model cannot answer.
    """
    check_new(out)
    asked = distinct(asked_of(read_examples(config.files)))
    if config.questions:
        asked = Random(f"questions/{config.seed}").sample(asked, min(config.questions, len(asked)))
    work = out.with_name(f"{out.name}.drawing")
    draws = draw_answers(config.base, asked, folder=work, n=config.draws, sampling=config.sampling)
    made = make_preferences(asked, draws, config)
    text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in made.rows)
    card = _card(config, made, len(asked), {FILE: hashlib.sha256(text.encode("ascii")).hexdigest()})
    try:
        publish({FILE: text, CARD: json.dumps(card, indent=1, allow_nan=False) + "\n"}, out)
    except OSError as error:
        raise ReportError(f"{out}: {error}; free some space, or name another folder with --out") from error
    shutil.rmtree(work, ignore_errors=True)
    return card


def _card(config: PreferenceConfig, made: Made, asked: int, files: Mapping[str, str]) -> dict[str, Any]:
    """As JSON values. Where rows do not say how they were asked, what they teach to refuse is null, not nothing."""
    known = taught(made.rows)
    noise = [float(row["noise"]) for row in made.rows]
    return {
        "method": "preferences",
        "version": __version__,
        "base": {"reference": config.base, "digest": open_target(config.base, EngineOptions()).identity.checkpoint},
        "data_sha256": sha256_of(config.files),
        "config": config.to_json(),
        "questions": asked,
        "pairs": len(made.rows),
        "by_teaches": tally(row["teaches"] for row in made.rows),
        "by_why": tally(row["why"] for row in made.rows),
        "by_attack": tally(str(row["attack"]) for row in made.rows),
        "skipped": dict(made.skipped),
        "noise": {"mean": round(sum(noise) / len(noise), 4), "largest": max(noise)},
        "attacks_trained_on": None if known["attacks"] is None else list(known["attacks"]),
        "attack_families_trained_on": None if known["attacks"] is None else list(known["families"]),
        "files": dict(files),
    }
