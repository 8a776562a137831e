"""One round's training: the method's own command, in a process of its own, and the checkpoint that it leaves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.trainer.loop.options import make_method, method_flags
from pytest_safetydrift.trainer.loop.plan import Plan
from pytest_safetydrift.trainer.training.base import CARD
from pytest_safetydrift.trainer.training.example import sha256_of
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.watching.inquiry import environment
from pytest_safetydrift.trainer.watching.judge import reference_of
from pytest_safetydrift.trainer.watching.process import last_words, run_kept

__all__ = ["begins_anew", "method_of", "trained", "training_of"]

_CLI = "pytest_safetydrift.cli"
_MISUSED = 2
_SHOWN = ("method", "steps", "tokens", "seconds", "attacks_trained_on", "attack_families_trained_on", "config_digest")


def method_of(plan: Plan, base: str, data: Sequence[Path]) -> Method:
    """A round's configuration."""
    return make_method(plan.method, plan.method_args, base, data)


def begins_anew(method: Method) -> bool:
    """Whether it leaves adapters, which stand on the base that they name."""
    return bool(getattr(method, "lora_rank", 0))


def trained(plan: Plan, method: Method, out: Path) -> str:
    """Train, going on from the last whole step of an earlier try; returns the checkpoint's reference.

    Weights leave memory with their process before the gate loads its own. What stands in `out` is kept where it is this
    very training's. Raises `UsageError` or `TrainingError` with the last words of training.
    """
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        log = out.with_name("training.log")
        status = run_kept(_command(plan, method, out), log, environment())
        if status or not out.exists():
            words = last_words(log)
            kind = UsageError if status == _MISUSED and "Traceback" not in words else TrainingError
            raise kind(f"training ended with exit status {status}; its last words:\n{words}\nall of it: {log}")
    _check_same(out, method)
    return reference_of(out)


def _command(plan: Plan, method: Method, out: Path) -> list[str]:
    """What a user would type."""
    starter = shlex.split(plan.launcher) or [sys.executable]
    given = [f"--base={method.base}", *(f"--data={place}" for place in getattr(method, "data", ())), f"--out={out}"]
    return [*starter, "-m", _CLI, "train", plan.method, *given, *method_flags(plan.method, plan.method_args)]


def training_of(out: Path) -> dict[str, Any]:
    """What the training card says, in short. Raises `TrainingError` where it cannot be read."""
    card = _card(out)
    return {name: card[name] for name in _SHOWN if name in card}


def _check_same(out: Path, method: Method) -> None:
    card = _card(out)
    if card.get("config_digest") != method.digest or card.get("data_sha256") != sha256_of(method.inputs()):
        raise UsageError(f"{out} was made by another training than this round's; remove it, or name another --out")


def _card(out: Path) -> dict[str, Any]:
    try:
        card = json.loads((out / CARD).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{out}: its training card cannot be read ({error}); remove the folder") from None
    if not isinstance(card, dict):
        raise TrainingError(f"{out}: its training card is none; remove the folder")
    return card
