"""Whole steps of a PPO run on the disk: policy, critic, optimiser, the price of divergence and the log."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.trainer.ppo.actor import Actor
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.watchful import kept, mark_whole
from pytest_safetydrift.trainer.training.work import Work, numbered

__all__ = ["Progressed", "load_policy", "load_rest", "save_step"]

_REST = "ppo"
"""Beside the policy, which is a checkpoint as any other that `safetydrift watch` can judge."""
_KEPT = 2


@dataclass(frozen=True, slots=True)
class Progressed:
    """Where a run stands, but for its weights. Draws have no state: each is a function of seed, step and row.

    step  steps done
    beta  the price of divergence for the next one
    log   one row a step
    """

    step: int
    beta: float
    log: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Every number comes back as it was."""
        return {"step": self.step, "beta": self.beta, "log": [dict(row) for row in self.log]}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Progressed:
        """The inverse of `to_json`."""
        return cls(row["step"], row["beta"], tuple(row["log"]))


def save_step(work: Work, actor: Actor, optimiser: Any, progressed: Progressed) -> None:
    """Write checkpoint-N, mark it whole, and let go of all but the last two; one process writes.

    Raises `TrainingError` where it cannot be written, as on a full disk: the half is removed and the last whole step
    stays.
    """
    if is_first():
        folder = work.steps / f"checkpoint-{progressed.step}"
        try:
            _write(folder, work, actor, optimiser, progressed)
            mark_whole(folder)
        except Exception as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, TrainingError):
                raise
            # a full disk shows as OSError, as a RuntimeError of torch's writer or as an error of safetensors
            raise TrainingError(
                f"step {progressed.step} cannot be saved: {type(error).__name__}: {one_line(str(error), 240)}; "
                f"{kept(work.steps)}; free some space, and the same command goes on from it"
            ) from error
        done = [path for step, path in numbered(work.steps).items() if step <= progressed.step]
        for old in done[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
    wait_for_all()


def load_policy(step: Path, fresh: Any) -> Any:
    """The policy of a saved step: its weights, or its adapter's on the `fresh` adapted base."""
    import torch

    if hasattr(fresh, "peft_config"):
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        set_peft_model_state_dict(fresh, load_file(step / "adapter_model.safetensors"))
        return fresh
    model = type(fresh).from_pretrained(step, dtype=torch.float32, local_files_only=True)
    model.config.use_cache = False
    return model


def load_rest(step: Path, actor: Actor, optimiser: Any) -> Progressed:
    """Critic and optimiser of a saved step into these, and where the run stood."""
    import torch
    from safetensors.torch import load_file

    actor.load_state_dict(load_file(step / _REST / "critic.safetensors"), strict=False)
    optimiser.load_state_dict(torch.load(step / _REST / "optimiser.pt", map_location="cpu", weights_only=True))
    return Progressed.from_json(json.loads((step / _REST / "state.json").read_text("utf-8")))


def _write(folder: Path, work: Work, actor: Actor, optimiser: Any, progressed: Progressed) -> None:
    import torch
    from safetensors.torch import save_file

    rest = folder / _REST
    shutil.rmtree(folder, ignore_errors=True)
    rest.mkdir(parents=True)
    actor.policy.save_pretrained(folder)
    work.base.copy_chat(folder)
    save_file({name: tensor.contiguous() for name, tensor in actor.critic_state.items()}, rest / "critic.safetensors")
    torch.save(optimiser.state_dict(), rest / "optimiser.pt")
    (rest / "state.json").write_text(json.dumps(progressed.to_json()) + "\n", "utf-8")
