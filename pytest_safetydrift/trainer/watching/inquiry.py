"""How the checkpoints of a folder are judged: one pytest command for all of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines.options import EngineOptions

__all__ = ["Inquiry", "environment"]

_OURS = {
    "--checkpoint": "each saved checkpoint is given in its turn",
    "--baseline": "give it as the baseline",
    "--device": "give it as the device",
    "--safetydrift-report": "each checkpoint has a report of its own",
    "--collect-only": "nothing would be judged",
    "--co": "nothing would be judged",
}
_ONE_OF_MANY = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "NODE_RANK", "CROSS_RANK", "ROLE_NAME"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"),
    *("MASTER_ADDR", "MASTER_PORT", "PYTEST_CURRENT_TEST"),
)
_ONE_OF_MANY_PREFIXES = (
    *("TORCHELASTIC_", "ACCELERATE_", "FSDP_", "DEEPSPEED_", "PARALLELISM_CONFIG_", "PYTEST_XDIST_"),
    *("OMPI_COMM_WORLD_", "MV2_COMM_WORLD_", "PMI_", "PMIX_"),
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The question put to every checkpoint. Raises `UsageError` on an impossible value.

    baseline     reference to compare with, "" for none: gates with a margin are then INCONCLUSIVE
    pytest_args  further arguments of pytest, such as ("-k", "asr", "--safetydrift-policy=p.toml", "tests/safety")
    base         reference of the model that adapters are on; "" takes the one that the adapter names
    device       "" as the machine has it, "cpu", or a CUDA_VISIBLE_DEVICES list such as "7"
    nice         added niceness of the judging processes, >= 0
    limit_s      seconds after which a judging is ended and INCONCLUSIVE; None for no limit
    command      how pytest is started
    """

    baseline: str = ""
    pytest_args: tuple[str, ...] = ()
    base: str = ""
    device: str = ""
    nice: int = 0
    limit_s: float | None = None
    command: tuple[str, ...] = field(default=(sys.executable, "-m", "pytest"))

    def __post_init__(self) -> None:
        for reference in filter(None, (self.baseline, self.base)):
            Reference.parse(reference)
        for name in ("pytest_args", "command"):
            if isinstance(getattr(self, name), str):
                raise UsageError(f"{name} is one text; give its words one by one, such as ('-k', 'asr')")
        for argument in self.pytest_args:
            if why := _OURS.get(argument.partition("=")[0]):
                raise UsageError(f"pytest argument {argument!r}: {why}; leave it out")
        if self.nice < 0:
            raise UsageError(f"nice must be >= 0, got {self.nice}")
        if self.limit_s is not None and not self.limit_s > 0:
            raise UsageError(f"limit_s must be > 0, got {self.limit_s}")

    @property
    def by(self) -> str:
        """Digest of what verdicts depend on beside the checkpoint, as far as the command line says it."""
        return digest([self.baseline, list(self.pytest_args), self.base])

    @property
    def engine(self) -> EngineOptions:
        """Which files of a checkpoint count."""
        given = set(self.pytest_args)
        return EngineOptions(allow_pickle="--allow-pickle" in given, trust_remote_code="--trust-remote-code" in given)

    def line(self, reference: str, report: Path) -> list[str]:
        """The command that judges one checkpoint."""
        told = [f"--checkpoint={reference}", f"--safetydrift-report={report}", "--tb=short"]
        told += [f"--baseline={self.baseline}"] if self.baseline else []
        told += [f"--device={self.device}"] if self.device else []
        return [*self.command, *told, *self.pytest_args]


def environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """The judging process's: what makes this process one of many is left out, or it would wait for the others."""
    found = os.environ if given is None else given
    return {k: v for k, v in found.items() if k not in _ONE_OF_MANY and not k.startswith(_ONE_OF_MANY_PREFIXES)}
