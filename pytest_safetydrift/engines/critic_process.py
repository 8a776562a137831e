"""A reward model by reference: who it is, and its engine in a process of its own."""

from __future__ import annotations

from dataclasses import replace

from pytest_safetydrift.core.engine import Identity
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines import EngineOptions, identify
from pytest_safetydrift.engines.places import locate
from pytest_safetydrift.engines.process import EngineProcess
from pytest_safetydrift.engines.spec import EngineSpec

__all__ = ["identify_reward", "open_reward"]


def identify_reward(reference: Reference, options: EngineOptions) -> Identity:
    """Who rates, down to the bytes of the checkpoint; errors as of `identify`."""
    return identify(reference, _by_transformers(options))


def open_reward(reference: Reference, options: EngineOptions) -> EngineProcess:
    """The engine of a reward model's directory or hub name, to be loaded."""
    checkpoint = locate(reference, allow_pickle=options.allow_pickle)
    return EngineProcess(EngineSpec("reward", checkpoint, _by_transformers(options)))


def _by_transformers(options: EngineOptions) -> EngineOptions:
    """Only transformers runs classifiers here, whatever engine answers; that engine's arguments are not for it."""
    return replace(options, kind="transformers", engine_args=())
