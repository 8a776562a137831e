"""How an engine is to be run: what the command line's engine options become."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from pytest_safetydrift.core.errors import UsageError, closest

__all__ = ["DTYPES", "KINDS", "EngineOptions", "read_engine_args"]

KINDS = ("auto", "transformers", "vllm")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Everything about an engine that is not the checkpoint. Raises `UsageError` on an impossible value.

    kind               which local engine: see `KINDS`; "auto" is vLLM where a GPU and vLLM are, else transformers
    dtype              see `DTYPES`; "auto" is float32 on a CPU, on a GPU the checkpoint's own
    engine_args        (name, value) pairs handed to vLLM's EngineArgs or transformers' from_pretrained; a
                       value is read as JSON where it is JSON, else taken as text
    allow_pickle       load pickled weights where there are no safetensors
    trust_remote_code  run Python files that the checkpoint brings
    device             "" as the machine has it, "cpu", or a CUDA_VISIBLE_DEVICES list such as "0" or "0,1"
    batch_tokens       tokens (prompt and answer, padding counted) in one batch of the transformers engine; 0
                       lets the engine fit it to memory
    timeout_s, concurrency, served_identity
                       of a server: seconds for one answer, requests in flight, and the identity that the
                       user vouches for ("" where none)
    """

    kind: str = "auto"
    dtype: str = "auto"
    engine_args: tuple[tuple[str, str], ...] = ()
    allow_pickle: bool = False
    trust_remote_code: bool = False
    device: str = ""
    batch_tokens: int = 0
    timeout_s: float = 120.0
    concurrency: int = 32
    served_identity: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"unknown engine {self.kind!r}; {closest(self.kind, KINDS)}")
        if self.dtype not in DTYPES:
            raise UsageError(f"unknown dtype {self.dtype!r}; {closest(self.dtype, DTYPES)}")
        if self.batch_tokens < 0:
            raise UsageError(f"batch_tokens must be >= 0, got {self.batch_tokens}")
        if not self.timeout_s > 0:
            raise UsageError(f"timeout_s must be > 0, got {self.timeout_s}")
        if self.concurrency < 1:
            raise UsageError(f"concurrency must be >= 1, got {self.concurrency}")

    @property
    def arguments(self) -> dict[str, Any]:
        """`engine_args` by name, dashes read as underscores and values as JSON where they are JSON."""
        return {name.replace("-", "_"): _value(text) for name, text in self.engine_args}

    @property
    def dummy_weights(self) -> bool:
        """Whether vLLM is asked to make weights up (load_format=dummy): for benchmarks of shapes without weights."""
        return self.arguments.get("load_format") == "dummy"

    def to_json(self) -> dict[str, Any]:
        """For the pipe to an engine's process."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> EngineOptions:
        """The inverse of `to_json`."""
        pairs = tuple((name, value) for name, value in row["engine_args"])
        return cls(**{**row, "engine_args": pairs})


def read_engine_args(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`EngineOptions.engine_args` from what `--engine-arg` was given; raises `UsageError` where it is no NAME=VALUE."""
    pairs = []
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--engine-arg {text!r}: write NAME=VALUE")
        pairs.append((name, value))
    return tuple(pairs)


def _value(text: str) -> Any:
    spelled = {"True": True, "False": False, "None": None}
    if text in spelled:
        return spelled[text]
    try:
        return json.loads(text)
    except ValueError:
        return text
