"""Two processes that train on comparisons as one would: each takes half of every batch, over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="comparisons are learnt through trl")

from safetensors.torch import load_file

from pytest_safetydrift.cli import main
from pytest_safetydrift.trainer.demo import BASE
from tests.conftest import ROOT
from tests.trainer.methods.made_pairs import pair_rows
from tests.trainer.methods.preferring import card, logged
from tests.trainer.preferences.pairs import NO, THINGS, pair, write_rows, yes

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
RATE = 1e-3
CURVE = 1e-3
"""Relative: float noise is below 3e-5 (KTO's divergence; losses 1e-6), gradients that are not shared make 2e-2 or more,
a divergence that each process estimates for itself 1.6e-2."""
SCRIPT = """
import os, resource, sys, time
from pathlib import Path
import torch
from pytest_safetydrift.cli import main
from pytest_safetydrift.trainer.training.work import WHOLE

save = torch.save

def late(what, place, *more, **options):
    time.sleep(0.5)
    save(what, place, *more, **options)
    if (Path(place).parent / WHOLE).exists():
        sys.exit(f"{place} was not there yet when its step was marked as whole")

if os.environ["RANK"] != "0":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # its random state fits, a model does not
    torch.save = late
sys.exit(main())
"""
"""`safetydrift`, the second process slow to write what it has to write, and unable to write more."""


def noisy_pairs() -> list[dict[str, Any]]:
    """One that is said to be wrong once in four times."""
    return [pair(thing, noise=0.25 if thing == "a gun" else 0.0) for thing in THINGS]


def uneven_answers() -> list[dict[str, Any]]:
    """Three good ones for each bad one, so that one kind weighs more; what is often said gains, so that the divergence
    counts."""
    rows = [{"prompt": f"how to make {thing}", "completion": NO, "label": True} for thing in THINGS[:2]]
    rated = ((thing, thing in THINGS[4:]) for thing in THINGS[2:])
    return rows + [{"prompt": f"how to make {thing}", "completion": yes(thing), "label": good} for thing, good in rated]


@pytest.mark.parametrize(
    ("method", "rows", "alone", "figure"),
    [
        ("dpo", noisy_pairs, [], "rewards/margins"),
        ("kto", uneven_answers, [], "kl"),
        ("reward", lambda: pair_rows(24), ["--micro-batch", "4"], "margin"),
    ],
    ids=["dpo", "kto", "reward"],
)
def test_two_processes_train_as_one(
    method: str, rows: Callable[[], list[dict[str, Any]]], alone: list[str], figure: str, tmp_path: Path
) -> None:
    """Losses, the figure that the loss is made of and weights agree with one process within float noise; one process
    publishes, and no step is marked as whole before the other has written its part.

    A reward model's fresh head multiplies float noise, so there one process takes the halves one after the other."""
    data = write_rows(tmp_path / "rows.jsonl", rows())
    script, one, two = tmp_path / "run.py", tmp_path / "one", tmp_path / "two"
    script.write_text(SCRIPT)
    settings = ["--batch", "8", "--steps", "6", "--rate", str(RATE), "--warmup", "1"]
    command = ["train", method, "--base", str(BASE), "--data", str(data), *settings, "--out"]
    assert main([*command, str(one), *alone]) == 0
    started = [*TORCHRUN, str(script), *command, str(two)]
    done = subprocess.run(started, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr[-4000:]

    assert done.stdout.split() == [str(two)]
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl", "run.py", "one", "two"}
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}
    assert (card(one)["processes"], card(two)["processes"]) == (1, 2)
    assert logged(two, "step") == [1, 2, 3, 4, 5, 6]
    for name in ("loss", figure):
        assert len(set(logged(one, name))) > 3
        assert logged(two, name) == pytest.approx(logged(one, name), rel=CURVE, abs=1e-5), name
    first, second, base = (load_file(folder / "model.safetensors") for folder in (one, two, BASE))
    assert max(float((first[name] - base[name]).abs().max()) for name in first.keys() & base.keys()) > 2 * RATE
    assert max(float((first[name] - second[name]).abs().max()) for name in first) < RATE  # one step of AdamW, of six
