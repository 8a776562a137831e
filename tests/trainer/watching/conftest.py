"""A double of pytest, and checkpoints made of bare files."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.verdict import Verdict
from tests.engines.local.conftest import write_safetensors

COMMAND = (sys.executable, str(Path(__file__).parent / "double.py"))
PATIENCE_S = 60.0


class Double:
    """What the double is told to do, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.says_file, self.asked_file = folder / "says.json", folder / "asked.jsonl"
        self.says({})

    def says(self, told: dict[str, dict[str, Any]]) -> None:
        """By the checkpoint's name, or "*" for all."""
        self.says_file.write_text(json.dumps(told))

    def asked(self) -> list[dict[str, Any]]:
        """A row a call."""
        return (
            [json.loads(line) for line in self.asked_file.read_text().splitlines()] if self.asked_file.exists() else []
        )

    def names(self) -> list[str]:
        """The checkpoints that it was asked about, in order."""
        return [row["name"] for row in self.asked()]


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Double:
    folder = tmp_path / "double"
    folder.mkdir()
    made = Double(folder)
    monkeypatch.setenv("DOUBLE_SAYS", str(made.says_file))
    monkeypatch.setenv("DOUBLE_ASKED", str(made.asked_file))
    return made


@pytest.fixture
def inquiry(double: Double) -> Inquiry:
    """Asks the double."""
    return Inquiry(command=COMMAND)


def write_checkpoint(folder: Path, seed: int = 0) -> Path:
    """All the files of a checkpoint and no model in them; another seed, another content."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "seed": seed}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    write_safetensors(folder / "model.safetensors")
    (folder / "optimizer.pt").write_bytes(b"state")
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The folder that a training saves to."""
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def save(runs: Path) -> Callable[[int], Path]:
    """Saves the checkpoint of a step."""
    return lambda step: write_checkpoint(runs / f"checkpoint-{step}", step)


def until(true: Callable[[], object], what: str) -> None:
    """Wait for it to be true; fails the test where it never is."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def told(verdicts: list[Verdict]) -> dict[str, str]:
    """Verdicts by the checkpoint's name."""
    return {v.name: str(v.verdict) for v in verdicts}


def remove(folder: Path) -> None:
    """As a rotation does."""
    shutil.rmtree(folder)
