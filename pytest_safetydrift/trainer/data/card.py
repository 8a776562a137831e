"""The data card: what a training set is, what it was made from, and what it kept away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_safetydrift import __version__
from pytest_safetydrift.attacks.registry import families
from pytest_safetydrift.core.record import CheckpointEntry
from pytest_safetydrift.trainer.data.build import TrainingData
from pytest_safetydrift.trainer.data.folds import Fold
from pytest_safetydrift.trainer.data.pairs import Pair, Teaches
from pytest_safetydrift.trainer.data.ways import families_of
from pytest_safetydrift.trainer.tally import tally

__all__ = ["compose_card"]


def compose_card(data: TrainingData, files: Mapping[str, str]) -> dict[str, Any]:
    """The card as JSON values; `files` are the SHA-256 of the written files by their names.

    "attacks_trained_on" and "attack_families_trained_on" are what a training card says of its checkpoint: only the
    other families show transfer. "attacks_without_benign_pairs" are taught by refusals alone, and so may teach to
    refuse the form. "held_out" are ids of the prompts that the new checkpoint may be judged on.
    """
    taught = {p.attack for p in data.pairs[Fold.TRAIN] if p.teaches is Teaches.REFUSE}
    answered = {p.attack for p in data.pairs[Fold.TRAIN] if p.teaches is Teaches.ANSWER}
    trained = [attack for attack in data.attacks if attack.id in taught]
    known = tuple(dict.fromkeys(family for attack in trained for family in families_of(attack)))
    material = data.material
    return {
        "method": "data",
        "version": __version__,
        "run": material.run,
        "record_sha256": material.record_sha256,
        "corpora_sha256": dict(material.digests),
        "checkpoint": _named(material.checkpoint),
        "replayed": [_named(entry) for entry in material.replayed],
        "seed": data.config.seed,
        "config": data.config.to_json(),
        "answers_to_prohibited": dict(sorted(material.prohibited.items())),
        "attacks_trained_on": [attack.id for attack in trained],
        "attack_families_trained_on": list(known),
        "attack_families_held_out": [family for family in families() if family not in known],
        "attacks_without_benign_pairs": [attack.id for attack in trained if attack.id not in answered],
        "attacks_left_out": dict(data.left_out),
        "prompts_not_in_english": list(data.foreign),
        "counts": {str(fold): _counts(pairs) for fold, pairs in data.pairs.items()},
        "development": _ids(data, Fold.DEVELOPMENT),
        "held_out": _ids(data, Fold.HELD_OUT),
        "files": dict(files),
    }


def _named(entry: CheckpointEntry) -> dict[str, str]:
    return {"reference": entry.reference, "digest": entry.digest}


def _ids(data: TrainingData, fold: Fold) -> list[str]:
    return sorted(name for name, own in data.folds.items() if own is fold)


def _counts(pairs: Sequence[Pair]) -> dict[str, Any]:
    """How many there are, of how many prompts, and what they are, refusals and answers apart."""
    counted: dict[str, Any] = {"pairs": len(pairs), "prompts": len({p.sample.id for p in pairs})}
    for teaches in Teaches:
        part = [p for p in pairs if p.teaches is teaches]
        counted[teaches] = {
            "pairs": len(part),
            "prompts": len({p.sample.id for p in part}),
            "answers": len({p.answer for p in part}),
            "by_attack": tally(p.attack for p in part),
            "by_family": tally(p.family for p in part),
            "by_category": tally(p.sample.category for p in part),
            "by_corpus": tally(p.corpus for p in part),
        }
    return counted
