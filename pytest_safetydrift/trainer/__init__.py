"""Makes checkpoints, and has them judged while it does. The public name loads on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.watching.callback import SafetyDriftCallback

__all__ = ["SafetyDriftCallback"]

_HOMES = {"SafetyDriftCallback": "watching.callback"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
