"""Runs in processes of their own: killed, without room on the disk, and two that train as one."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pytest_safetydrift.trainer.training.run import LOG
from pytest_safetydrift.trainer.training.work import WHOLE, last_whole
from tests.conftest import ROOT

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
SCRIPT = """
import sys
from pathlib import Path
from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.methods.ppo import PPO
from pytest_safetydrift.trainer.training.run import train

base, data, out, steps = sys.argv[1:]
method = PPO(
    base=base, data=(Path(data),), batch=8, minibatch=4, inner=2, steps=int(steps), rate=1e-3, critic_rate=1e-3,
    warmup=1, max_new_tokens=6, max_length=96, save_every=2,
)
try:
    train(method, Path(out))
except TrainingError as error:
    sys.exit(f"TrainingError: {error}")
"""


STEPS = 12


@pytest.fixture(scope="module")
def command(tiny: Path, questions: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A script that trains into a folder."""
    script = tmp_path_factory.mktemp("ppo") / "run.py"
    script.write_text(SCRIPT)
    return lambda out: [str(script), str(tiny), str(questions), str(out), str(STEPS)]


@pytest.fixture(scope="module")
def straight(command: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes of it in one process that is left alone."""
    out = tmp_path_factory.mktemp("ppo") / "straight"
    done = run(command(out))
    assert done.returncode == 0, done.stderr
    return out


def rows(out: Path) -> list[dict[str, Any]]:
    """The log, without what a step does not know, and without shares of tokens beyond a bar: float noise at the bar
    moves a whole token."""
    read = [json.loads(line) for line in (out / LOG).read_text().splitlines()]
    return [{n: v for n, v in row.items() if v is not None and not n.endswith("clipped")} for row in read]


def run(command: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    started = [sys.executable, *command]
    return subprocess.run(started, capture_output=True, text=True, env=ENVIRONMENT, check=False, **more)


def close(first: list[dict[str, Any]], second: list[dict[str, Any]], tolerance: float) -> bool:
    """Whether two logs say the same, their numbers within `tolerance`."""
    assert len(first) == len(second)
    return all(a == pytest.approx(b, rel=tolerance, abs=tolerance) for a, b in zip(first, second, strict=True))


def test_killed_it_goes_on_to_the_same_curve(command: Any, straight: Path, tmp_path: Path) -> None:
    """kill -9 after a whole save; the same command ends with the log of a run that was left alone."""
    out, steps = tmp_path / "out", tmp_path / "out.training" / "steps"
    process = subprocess.Popen([sys.executable, *command(out)], stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    while process.poll() is None and not list(steps.glob(f"checkpoint-*/{WHOLE}")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert last_whole(steps) is not None
    again = run(command(out))
    assert again.returncode == 0, again.stderr
    assert close(rows(out), rows(straight), 1e-6)


def test_a_save_that_fails_leaves_no_half_of_a_step(command: Any, tmp_path: Path) -> None:
    """Where a file cannot grow, as on a full disk, the error says so and what is kept."""
    out = tmp_path / "out"

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))  # the policy fits, AdamW's moments do not

    done = run(command(out), preexec_fn=small_files)
    assert done.returncode == 1, done.stderr
    assert "step 2 cannot be saved:" in done.stderr
    assert "no step was saved before" in done.stderr
    assert not out.exists()
    assert not list((tmp_path / "out.training" / "steps").glob("checkpoint-*"))


def test_two_processes_train_as_one(command: Any, straight: Path, tmp_path: Path) -> None:
    """Each draws and learns half of every batch, over gloo: log and weights agree with one process within float
    noise, since questions, seeds, whitening and minibatches are one process's."""
    two = tmp_path / "two"
    done = run(["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *command(two)])
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((two / "training_card.json").read_text())["processes"] == 2
    assert close(rows(two), rows(straight), 1e-3)
    first, second = load_file(straight / "model.safetensors"), load_file(two / "model.safetensors")
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-3
