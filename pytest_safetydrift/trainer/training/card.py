"""The training card: what a checkpoint is, and what it was made of."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from pytest_safetydrift import __version__
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.ranks import world_size
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["compose_card"]

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def compose_card(method: Method, work: Work, fitted: Fitted, seconds: float) -> dict[str, Any]:
    """The card as JSON values.

    "attack_families_trained_on" holds the base's own too: what a parent was taught is held out for no child. Where the
    data do not say which attacks their refusals are under it is null, and the gate takes no family for held out.
    """
    parent = work.base.card
    return {
        "method": method.name,
        "summary": method.summary,
        "version": __version__,
        "base": {"reference": work.base.reference, "digest": work.base.digest},
        "parents": [
            *parent.get("parents", []),
            *([parent["base"]] if isinstance(parent.get("base"), dict) else []),
        ],
        "data_sha256": dict(work.files),
        **_taught(parent, fitted),
        "config": method.to_json(),
        "config_digest": method.digest,
        "seed": method.seed,
        "steps": fitted.steps,
        "tokens": fitted.tokens,
        "seconds": round(seconds, 1),
        **fitted.facts,
        "processes": world_size(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _LIBRARIES if find_spec(name)},
    }


def _taught(parent: Mapping[str, Any], fitted: Fitted) -> dict[str, Any]:
    """Attacks and families; unknown where the data or a parent that was trained do not say."""
    inherited = parent.get("attack_families_trained_on", [])
    if fitted.attacks is None or not isinstance(inherited, list):
        return {"attacks_trained_on": None, "attack_families_trained_on": None}
    attacks = [*parent.get("attacks_trained_on", []), *fitted.attacks]
    return {
        "attacks_trained_on": list(dict.fromkeys(attacks)),
        "attack_families_trained_on": list(dict.fromkeys([*inherited, *fitted.families])),
    }
