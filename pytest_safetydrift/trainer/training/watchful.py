"""What looks on while a transformers Trainer works: progress, numbers that are not finite, whole saves."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from transformers import TrainerCallback, TrainerState, TrainingArguments

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.files import write_whole
from pytest_safetydrift.trainer.training.ranks import wait_for_all
from pytest_safetydrift.trainer.training.work import WHOLE

__all__ = ["Finite", "Marks", "Told", "mark_whole"]

_EVERY_SECONDS = 15.0
_SHOWN = ("loss", "reward", "rewards/margins", "kl")


class Finite(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Stops at the first loss or gradient that is NaN or infinite, before a step that holds it is saved."""

    def __init__(self, steps: Path) -> None:
        self._steps = steps

    def on_log(
        self, _args: Any, state: TrainerState, _control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """Raises `TrainingError`."""
        broken = [n for n in ("loss", "grad_norm") if not math.isfinite(float((logs or {}).get(n, 0.0)))]
        if broken:
            raise TrainingError(
                f"step {state.global_step}: {' and '.join(broken)} not finite; {kept(self._steps)}; lower --rate, "
                "raise --warmup, or look at the rows of this step"
            )


class Marks(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Marks a save as whole, once all its files are there and its weights are finite."""

    def on_save(self, args: TrainingArguments, state: TrainerState, _control: Any, **_: Any) -> None:
        """Only where this process writes. transformers comes here after this process's part of the save, and each
        process writes its own random state: marked before it is there, a step could not be gone on from."""
        wait_for_all()
        if state.is_world_process_zero:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class Told(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Says on standard error how far it is, every quarter of a minute and at the end.

    Figures are means since the last line: rows of one step are alike in length, and so often of one class, that a step
    alone misleads.
    """

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._first = 0
        self._since: dict[str, list[float]] = {}

    def on_train_begin(self, _args: Any, state: TrainerState, _control: Any, **_: Any) -> None:
        """Begin to count."""
        self._began = self._said = time.monotonic()
        self._first = state.global_step

    def on_log(
        self, _args: Any, state: TrainerState, _control: Any, logs: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        """One line."""
        for name in _SHOWN:
            if logs and name in logs:
                self._since.setdefault(name, []).append(float(logs[name]))
        now, done = time.monotonic(), state.global_step - self._first
        last = state.global_step == state.max_steps and "train_runtime" not in (logs or {})
        if not state.is_world_process_zero or done < 1 or not (last or now - self._said >= _EVERY_SECONDS):
            return
        self._said = now
        left = (now - self._began) / done * (state.max_steps - state.global_step)
        told = ", ".join(f"{name} {fmean(values):.4g}" for name, values in self._since.items())
        steps = max(map(len, self._since.values()), default=0)
        self._since.clear()
        place = f"step {state.global_step}/{state.max_steps}"
        print(f"{place}  {told} (mean of the last {steps})  {left:.0f} s left", file=sys.stderr, flush=True)


def mark_whole(step: Path) -> None:
    """Write the mark, last of all and by a rename. Raises `TrainingError` on weights that are not finite."""
    import torch
    from safetensors import safe_open

    for path in sorted(step.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  a safetensors file is no mapping
                if not torch.isfinite(file.get_tensor(name).float()).all():
                    raise TrainingError(f"{step.name}: {name} is not finite; {kept(step.parent)}; lower --rate")
    sizes = {str(p.relative_to(step)): p.stat().st_size for p in sorted(step.rglob("*")) if p.is_file()}
    write_whole(step / WHOLE, json.dumps(sizes, indent=1) + "\n")


def kept(steps: Path) -> str:
    """Where the last good step is, for an error's text."""
    from pytest_safetydrift.trainer.training.work import last_whole

    last = last_whole(steps)
    return f"the last good step is kept in {last}" if last else "no step was saved before (see --save-every)"
