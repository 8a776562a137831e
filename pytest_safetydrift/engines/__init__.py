"""Engines: whatever answers, behind one seam. Nothing heavy is imported before an engine loads.

`identify` tells who would answer, without loading it; `open_engine` gives the engine, not loaded yet.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_safetydrift.core.engine import Engine, Identity
from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.fields import FieldMapping
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.engines.options import EngineOptions

if TYPE_CHECKING:
    from pytest_safetydrift.engines.openai_ import OpenAIEngine
    from pytest_safetydrift.engines.recorded import RecordedEngine
    from pytest_safetydrift.engines.scripted import ScriptedEngine
    from pytest_safetydrift.engines.spec import EngineSpec

__all__ = ["EngineOptions", "identify", "open_engine"]

_LOCAL = (Scheme.MODEL, Scheme.DEMO)


def identify(
    reference: Reference,
    options: EngineOptions | None = None,
    *,
    directory: Path | None = None,
    mapping: FieldMapping | None = None,
) -> Identity:
    """Who answers for `reference`, down to the bytes of the checkpoint and the version of the engine.

    directory  where a `demo:` checkpoint was made; it stands in for a reference's own place, not for its adapter
    mapping    columns of a `recorded:` file

    Loads no model and imports no model library. Raises `CheckpointError`, `BadReferenceError`,
    `CorpusError` or `EngineError` where there is nothing that could answer.
    """
    options = options or EngineOptions()
    if reference.scheme not in _LOCAL:
        return _elsewhere(reference, options, mapping).identity()
    from pytest_safetydrift.engines.facts import engine_facts
    from pytest_safetydrift.engines.identity import checkpoint_identity

    spec = _spec(reference, options, directory)
    return Identity(checkpoint_identity(spec.checkpoint, options), engine_facts(spec))


def open_engine(
    reference: Reference,
    options: EngineOptions | None = None,
    *,
    directory: Path | None = None,
    mapping: FieldMapping | None = None,
) -> Engine:
    """The engine for `reference`, to be loaded; a local model runs in a process of its own.

    Arguments and errors as in `identify`; a checkpoint's own faults show when it loads.
    """
    options = options or EngineOptions()
    if reference.scheme not in _LOCAL:
        return _elsewhere(reference, options, mapping)
    from pytest_safetydrift.engines.process import EngineProcess

    return EngineProcess(_spec(reference, options, directory))


def _spec(reference: Reference, options: EngineOptions, directory: Path | None) -> EngineSpec:
    from pytest_safetydrift.engines.devices import default_engine
    from pytest_safetydrift.engines.places import locate
    from pytest_safetydrift.engines.spec import EngineSpec

    if reference.scheme is Scheme.DEMO and directory is None:
        raise UsageError(f"{reference.text} is made on first use; run: safetydrift train demo")
    kind = options.kind if options.kind != "auto" else default_engine(options.device)
    return EngineSpec(kind, locate(reference, directory, allow_pickle=options.allow_pickle), options)


def _elsewhere(
    reference: Reference, options: EngineOptions, mapping: FieldMapping | None
) -> OpenAIEngine | RecordedEngine | ScriptedEngine:
    if reference.scheme is Scheme.OPENAI:
        from pytest_safetydrift.engines.openai_ import OpenAIEngine

        return OpenAIEngine(
            reference.place,
            reference.url,
            timeout_s=options.timeout_s,
            concurrency=options.concurrency,
            served_identity=options.served_identity,
        )
    if reference.scheme is Scheme.RECORDED:
        from pytest_safetydrift.engines.recorded import RecordedEngine

        return RecordedEngine(Path(reference.place), mapping)
    if reference.scheme is Scheme.SCRIPTED:
        from pytest_safetydrift.engines.scripted import load_scripted

        return load_scripted(reference.place)
    if reference.scheme is Scheme.RERANK:
        raise UsageError(f"{reference.text}: a model with a critic is two engines; it is gated, and opened by no tool")
    raise UsageError(f"{reference.text}: a recorded run is a baseline to compare with; nothing can be asked of it")
