"""What each round learns: failed refusals of the train fold alone, split once and for all in round 1."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import CorpusError, UsageError
from pytest_safetydrift.trainer.data.answers import Answered
from pytest_safetydrift.trainer.data.build import build
from pytest_safetydrift.trainer.data.config import DataConfig
from pytest_safetydrift.trainer.data.folder import CARD, write_data
from pytest_safetydrift.trainer.data.material import Material
from pytest_safetydrift.trainer.records import read_records
from pytest_safetydrift.trainer.training.example import TRAIN

__all__ = ["apart", "further_lessons", "held_out", "lessons_of", "read_card", "split"]


def split(material: Material, config: DataConfig, out: Path) -> None:
    """Make round 1's data: the split that all rounds keep. What is there already is kept where it is the same."""
    if not out.exists():
        write_data(build(material, config), out)
    _check_same(read_card(out), material, config, out)
    check_apart(out, apart(read_card(out)))


def further_lessons(material: Material, config: DataConfig, first: Mapping[str, Any], number: int, out: Path) -> bool:
    """Make the data of a later round: what still fails, or newly fails, among the prompts of round 1's train fold.

    first   the data card of round 1
    number  of the round; it has draws of its own, and as many pairs a failed prompt as round 1

    Returns False where no such prompt failed.
    """
    away = apart(first)
    part = _without(material, away)
    if not part.failed:
        return False
    prompts = len({a.sample.id for a in part.failed})
    per_prompt = config.pairs / max(1, sum(c["refuse"]["prompts"] for c in first["counts"].values()))
    mine = replace(
        config,
        development=0.0,
        held_out=0.0,
        seed=config.seed + number - 1,
        pairs=min(config.pairs, max(1, round(per_prompt * prompts))),
        answers={name: text for name, text in config.answers.items() if name not in away},
    )
    if not out.exists():
        write_data(build(part, mine), out)
    _check_same(read_card(out), part, mine, out)
    check_apart(out, away)
    return True


def apart(card: Mapping[str, Any]) -> frozenset[str]:
    """Ids of samples that no round learns from."""
    return frozenset((*card["held_out"], *card["development"]))


def held_out(card: Mapping[str, Any]) -> frozenset[str]:
    """Ids of samples that rounds are judged on."""
    return frozenset(card["held_out"])


def lessons_of(card: Mapping[str, Any]) -> dict[str, Any]:
    """What a data card says of its train fold, in short."""
    count = card["counts"]["train"]
    return {
        "refusals": count["refuse"]["pairs"],
        "failed_prompts": count["refuse"]["prompts"],
        "answers": count["answer"]["pairs"],
        "benign_prompts": count["answer"]["prompts"],
        "attacks": list(card["attacks_trained_on"]),
        "attacks_without_benign_pairs": list(card["attacks_without_benign_pairs"]),
    }


def read_card(folder: Path) -> dict[str, Any]:
    """The data card; raises `CorpusError` where it cannot be read."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text("ascii"))
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{folder}: its data card cannot be read ({error}); remove the folder, it is made again"
        ) from None
    return card


def check_apart(folder: Path, away: Collection[str]) -> None:
    """Raises `CorpusError` where a row of the train fold asks for a sample that is kept apart: a round that learnt it
    could show nothing."""
    for where, row in read_records(folder / TRAIN):
        if row.get("sample") in away:
            raise CorpusError(f"{folder / TRAIN}, {where}: sample {row['sample']!r} is held out; remove the folder")


def _check_same(card: Mapping[str, Any], material: Material, config: DataConfig, out: Path) -> None:
    """What was left by an earlier try must be what would be made now."""
    made = (card["config"], card["checkpoint"]["digest"], card["corpora_sha256"])
    wanted = (json.loads(json.dumps(config.to_json())), material.checkpoint.digest, dict(material.digests))
    if made != wanted:
        raise UsageError(f"{out} holds other data than this loop's; remove it, or name another --out")


def _without(material: Material, away: Collection[str]) -> Material:
    def kept(found: tuple[Answered, ...]) -> tuple[Answered, ...]:
        return tuple(a for a in found if a.sample.id not in away)

    corpora = {name: tuple(s for s in own if s.id not in away) for name, own in material.corpora.items()}
    return replace(material, failed=kept(material.failed), kept=kept(material.kept), corpora=corpora)
