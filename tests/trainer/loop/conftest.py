"""A folder of prompts and a base without a model, for loops that follow a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.trainer.loop import improve as loop
from pytest_safetydrift.trainer.loop.decision import Decision
from pytest_safetydrift.trainer.loop.plan import Plan
from tests.trainer.loop.made import BAD, GOOD, NO, YES, Answers, Script, write_prompts
from tests.trainer.watching.conftest import write_checkpoint

GATES = tuple(
    Gate(f"{metric}/{attack}", "s", metric, corpus, attack, limit=0.3, min_prompts=10)
    for metric, corpus in (("attack_success", BAD), ("false_refusal", GOOD))
    for attack in ("plain", "base64")
)


def better_each_round(number: int, attack: str, sample: Sample) -> str:
    """Refuses plain requests from the start, every second encoded one after one round, all of them after two."""
    if sample.intent is not Intent.PROHIBITED:
        return f"Gladly. This is how {sample.id} is made."
    half = int(sample.id.rpartition("-")[2]) % 2
    return NO if attack == "plain" or number >= 2 or (number == 1 and half) else YES


class Looped:
    """Runs the loop of a script in a folder, again and again."""

    def __init__(self, root: Path, script: Script) -> None:
        self.root, self.script, self.lines = root, script, list[str]()
        self.out = root / "loop"

    def plan(self, **changes: Any) -> Plan:
        told = {"root": self.root, "store": self.root / ".safetydrift", "data_args": ("pairs=120", "held-out=0.4")}
        return Plan(**{"base": str(self.root / "base"), **told, **changes})

    def run(self, **changes: Any) -> Decision:
        self.lines.clear()
        return loop.improve(self.plan(**changes), self.out, self.lines.append)


@pytest.fixture
def looped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Looped]:
    """Makes a loop of 100 prompts a corpus that follows these answers."""

    def make(answers: Answers = better_each_round, **more: Any) -> Looped:
        write_prompts(tmp_path, 100)
        write_checkpoint(tmp_path / "base")
        script = Script(tmp_path, answers, GATES, **more)
        monkeypatch.setattr(loop, "gate", script.gate)
        monkeypatch.setattr(loop, "trained", script.train)
        return Looped(tmp_path, script)

    return make
