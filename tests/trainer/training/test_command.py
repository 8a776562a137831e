"""`safetydrift train sft` as users call it: dry run, kill, full disk, two processes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from pytest_safetydrift.cli import main
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.training.run import LOG
from pytest_safetydrift.trainer.training.work import WHOLE, last_whole

CLI = [sys.executable, "-m", "pytest_safetydrift.cli", "train", "sft"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def arguments(rows: Path, out: Path, *more: str) -> list[str]:
    shared = ["--base", str(BASE), "--data", str(rows), "--out", str(out), "--batch", "8", "--warmup", "1"]
    return [*shared, "--rate", "1e-3", *more]


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def test_a_dry_run_says_the_cost_and_loads_no_weights(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, steps, tokens, memory and a rough time; nothing is written."""
    from pytest_safetydrift.engines import loading

    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    assert main(["train", "sft", *arguments(rows, tmp_path / "out", "--dry-run")]) == 0
    told = capsys.readouterr().out
    assert "rows: 48\nsteps: 6\n" in told
    assert "parameters: 984,192, of them trained 984,192" in told
    assert "memory: 0.01 GiB" in told
    assert "time: roughly" in told
    assert not list(tmp_path.glob("out*"))


def test_a_dry_run_counts_an_adapter_s_numbers(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Four layers, each with four 128 x 128 and three 128 x 384 modules: rank 2 adds 2 (in + out) each."""
    assert main(["train", "sft", *arguments(rows, tmp_path / "out", "--dry-run", "--lora-rank", "2")]) == 0
    assert f"of them trained {4 * 2 * (4 * 256 + 3 * 512):,}\n" in capsys.readouterr().out


def test_killed_it_goes_on_to_the_same_curve(rows: Path, tmp_path: Path) -> None:
    """kill -9 after a whole save; the same command ends with the losses of a run that was left alone."""
    more = ("--save-every", "3", "--steps", "24")
    straight, out = tmp_path / "straight", tmp_path / "out"
    subprocess.run([*CLI, *arguments(rows, straight, *more)], check=True, capture_output=True, env=ENVIRONMENT)
    process = subprocess.Popen([*CLI, *arguments(rows, out, *more)], stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    steps = tmp_path / "out.training" / "steps"
    while process.poll() is None and not list(steps.glob(f"checkpoint-*/{WHOLE}")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert last_whole(steps) is not None
    subprocess.run([*CLI, *arguments(rows, out, *more)], check=True, capture_output=True, env=ENVIRONMENT)
    assert losses(out) == pytest.approx(losses(straight), rel=1e-6)


def test_a_save_that_fails_leaves_the_last_whole_step(rows: Path, tmp_path: Path) -> None:
    """Where a file cannot grow, as on a full disk, the error says what is kept, and no half of a step is."""
    out = tmp_path / "out"

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000_000, 6_000_000))  # the weights fit, AdamW's moments do not

    first = [*CLI, *arguments(rows, out, "--steps", "6", "--save-every", "2")]
    done = subprocess.run(first, capture_output=True, text=True, env=ENVIRONMENT, preexec_fn=small_files, check=False)
    assert done.returncode == 2, done.stderr
    assert "step 2:" in done.stderr
    assert "no step was saved before" in done.stderr
    assert not out.exists()
    assert last_whole(tmp_path / "out.training" / "steps") is None
    again = subprocess.run(first, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert again.returncode == 0, again.stderr
    assert len(losses(out)) == 6


def test_two_processes_train_as_one(rows: Path, tmp_path: Path) -> None:
    """Each takes half of every batch, over gloo: losses and weights agree with one process within float noise."""
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run([*CLI, *arguments(rows, one)], check=True, capture_output=True, env=ENVIRONMENT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*torchrun, "-m", *CLI[2:], *arguments(rows, two)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((two / "training_card.json").read_text())["processes"] == 2
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    first, second = load_file(one / "model.safetensors"), load_file(two / "model.safetensors")
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < 1e-3


def test_a_batch_that_processes_cannot_share_is_refused(rows: Path, tmp_path: Path) -> None:
    """Before training."""
    odd = {**ENVIRONMENT, "WORLD_SIZE": "1"}
    done = subprocess.run(
        [*CLI, *arguments(rows, tmp_path / "out", "--micro-batch", "5")],
        capture_output=True,
        text=True,
        env=odd,
        check=False,
    )
    assert done.returncode == 2
    assert "micro_batch must divide batch, got 5 and 8" in done.stderr


def test_an_interrupt_is_told(
    rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends with the shell's code for it, and not in silence."""
    from pytest_safetydrift.trainer.methods import sft as module

    monkeypatch.setattr(module, "fine_tune", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["train", "sft", *arguments(rows, tmp_path / "out")]) == 128 + signal.SIGINT
    assert "interrupted; nothing was saved yet" in capsys.readouterr().err


def test_an_adapter_is_told_with_its_base(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the folder alone, as of a whole model; what to judge it by stands on standard error."""
    out = tmp_path / "out"
    assert main(["train", "sft", *arguments(rows, out, "--steps", "1", "--lora-rank", "2")]) == 0
    told = capsys.readouterr()
    assert told.out == f"{out}\n"
    assert told.err.splitlines()[-1].endswith(f": {BASE}+{out}")
    assert main(["train", "sft", *arguments(rows, tmp_path / "whole", "--steps", "1")]) == 0
    assert f"{BASE}+" not in capsys.readouterr().err


def test_rows_of_one_kind_are_warned_of(rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refusals alone teach to refuse everything: allowed, and said, in the dry run and in training."""
    alone = tmp_path / "alone.jsonl"
    alone.write_text("".join(line + "\n" for line in rows.read_text().splitlines() if '"refuse"' in line))
    assert main(["train", "sft", *arguments(alone, tmp_path / "out", "--dry-run")]) == 0
    assert "every row teaches a refusal" in capsys.readouterr().out
    assert main(["train", "sft", *arguments(alone, tmp_path / "out", "--steps", "1")]) == 0
    assert "note: every row teaches a refusal" in capsys.readouterr().err
