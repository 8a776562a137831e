"""A local engine before it exists: small enough to cross a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_safetydrift.core.engine import Engine
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.options import EngineOptions

__all__ = ["EngineSpec"]


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Which engine shall run which checkpoint, and how. `kind` is "transformers", "vllm" or "reward" (a classifier)."""

    kind: str
    checkpoint: Checkpoint
    options: EngineOptions

    def engine(self) -> Engine:
        """The engine in this process; it imports its library when it loads."""
        if self.kind == "vllm":
            from pytest_safetydrift.engines.vllm_ import VllmEngine

            return VllmEngine(self.checkpoint, self.options)
        if self.kind == "reward":
            from pytest_safetydrift.engines.critic import RewardEngine

            return RewardEngine(self.checkpoint, self.options)
        from pytest_safetydrift.engines.transformers_ import TransformersEngine

        return TransformersEngine(self.checkpoint, self.options)

    def to_json(self) -> dict[str, Any]:
        """For the pipe to an engine's process."""
        return {"kind": self.kind, "checkpoint": self.checkpoint.to_json(), "options": self.options.to_json()}

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> EngineSpec:
        """The inverse of `to_json`."""
        return cls(row["kind"], Checkpoint.from_json(row["checkpoint"]), EngineOptions.from_json(row["options"]))
