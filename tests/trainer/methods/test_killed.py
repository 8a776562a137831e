"""A reward model whose training is killed from outside, in the middle of its steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="reward models are trained through trl")

import torch
from safetensors.torch import load_file

from pytest_safetydrift.cli import main
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.reward.model import REWARD_CARD
from pytest_safetydrift.trainer.training.run import LOG
from pytest_safetydrift.trainer.training.work import WHOLE, last_whole
from tests.conftest import ROOT
from tests.trainer.methods.made_pairs import pair_rows, write
from tests.trainer.methods.preferring import logged

CLI = [sys.executable, "-m", "pytest_safetydrift.cli"]
STEPS = 12
SETTINGS = ["--steps", str(STEPS), "--batch", "8", "--rate", "1e-3", "--warmup", "1", "--save-every", "3"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums are added up in one order, here as in the processes that are killed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def mark_log(step: Path) -> int:
    """Rename a figure in the log that a saved step holds, to know its rows again; how many steps they are."""
    state = step / "trainer_state.json"
    text = state.read_text()
    state.write_text(text.replace('"learning_rate"', '"learning_pace"'))  # of one length: sizes are looked over
    return int(json.loads(text)["global_step"])


@pytest.mark.usefixtures("one_thread")
def test_killed_it_goes_on_to_the_same_curve(tmp_path: Path) -> None:
    """kill -9 after a whole save; the same command goes on from there and ends with steps, losses and weights of a run
    that was left alone."""
    data = write(tmp_path / "preferences.jsonl", pair_rows(24))
    straight, out = tmp_path / "straight", tmp_path / "out"

    def command(place: Path) -> list[str]:
        return ["train", "reward", "--base", str(BASE), "--data", str(data), *SETTINGS, "--out", str(place)]

    assert main(command(straight)) == 0
    process = subprocess.Popen([*CLI, *command(out)], stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    steps = tmp_path / "out.training" / "steps"
    while process.poll() is None and not list(steps.glob(f"checkpoint-*/{WHOLE}")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    saved = last_whole(steps)
    assert saved is not None
    done = mark_log(saved)
    assert 0 < done < STEPS
    again = subprocess.run([*CLI, *command(out)], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0, again.stderr

    lines = (out / LOG).read_text().splitlines()
    assert ["learning_pace" in line for line in lines] == [step <= done for step in range(1, STEPS + 1)]
    assert logged(out, "step") == logged(straight, "step") == list(range(1, STEPS + 1))
    assert len(set(logged(straight))) == STEPS
    assert logged(out) == pytest.approx(logged(straight), rel=0, abs=1e-6)
    first, second = load_file(straight / "model.safetensors"), load_file(out / "model.safetensors")
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-5
    assert (out / REWARD_CARD).exists()
    assert not (tmp_path / "out.training").exists()
