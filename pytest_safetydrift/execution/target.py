"""A target: a checkpoint that is ready to be asked, and has not been loaded yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pytest_safetydrift.core.engine import Engine, Identity
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.request import Request

__all__ = ["Target"]

_LOCAL = ("transformers", "vllm")
_SERVED_SINCE = (0, 32)
"""The version of vLLM whose server was seen to tell the log-probability of any token that is named. Older ones may pass
the wish over, and other servers tell of the likeliest few: a letter that is not among them would be no answer."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the runner needs of a checkpoint.

    reference  as the user named it
    identity   what its answers depend on; part of every store key
    open       makes its engine, not loaded yet
    key        the content address of a request's answer
    """

    reference: Reference
    identity: Identity
    open: Callable[[], Engine]
    key: Callable[[Request], str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.identity.keys())

    @property
    def tells_choices(self) -> bool:
        """Whether its engine is known to answer `Request.choices`, whatever the choices."""
        facts = self.identity.engine
        served = facts.get("software") == "vllm" and _release(str(facts.get("version", ""))) >= _SERVED_SINCE
        return facts.get("name") in _LOCAL or served

    def bound_to(self, run: str) -> Target:
        """The same target, with answers that are good for this run only where its identity is not verified."""
        if self.identity.verified:
            return self
        engine = {**self.identity.engine, "run": run}
        return replace(self, identity=replace(self.identity, engine=engine))


def _release(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
