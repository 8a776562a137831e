"""A run that dies after a whole save, and a log read back: what the tests of methods share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.run import LOG, train


def logged(out: Path, name: str = "loss") -> list[float]:
    """One figure of the log, step by step."""
    return [json.loads(line)[name] for line in (out / LOG).read_text().splitlines()]


def card(out: Path) -> Any:
    return json.loads((out / "training_card.json").read_text())


def die_after_a_save(method: Method, out: Path, monkeypatch: pytest.MonkeyPatch, saves: int = 1) -> list[Path]:
    """Train until so many steps are wholly saved, and be stopped there; returns their folders."""
    from pytest_safetydrift.trainer.training import watchful

    mark = watchful.mark_whole
    marked: list[Path] = []

    def dying(step: Path) -> None:
        mark(step)
        marked.append(step)
        if len(marked) == saves:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(watchful, "mark_whole", dying)
        with pytest.raises(KeyboardInterrupt):
            train(method, out)
    assert not out.exists()
    return marked
