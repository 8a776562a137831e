"""What a loop is told, and the rules it ends by: all of it declared before anything runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError, closest
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.report.words import counted

__all__ = ["AIMED", "EFFECTS", "PATIENCE", "Plan"]

AIMED = ("attack_success", "attack_success_strict")
"""What refusals are trained for; every other metric is what it may cost."""

PATIENCE = 2
"""Rounds without fewer failures than the best before, after which a loop stops."""

EFFECTS = ("held-out", "all")
_BUDGETS = ("minutes", "steps_budget")
"""They may be raised when a loop is gone on with: they are no bars."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is improved, how, judged by what, and how long. Raises `UsageError` on an impossible value.

    base          reference of the checkpoint to improve
    baseline      what the user's own gates compare with; "" for the base
    method        name of a training method
    method_args, data_args
                  NAME=VALUE texts: options of `safetydrift train METHOD` and of `safetydrift train data`
    pytest_args   suites and options of the gate
    rounds        trainings, at most
    minutes       a round does not begin where it would end after so many, as far as the longest one before tells;
                  None for no limit
    steps_budget  optimiser steps over all rounds; None for no limit
    effects       "held-out" where metrics other than attack success have to pass on held-out prompts too, "all" where
                  all prompts, learnt ones included, speak for them
    margin        how much worse than round 0 other metrics may get, in (0, 1], where the policy's gate has no margin
    root          pytest's root folder: corpora and policy are found from it
    store         folder of stored answers
    launcher      what starts training in place of this Python, such as "torchrun --standalone --nproc_per_node 8"
    device        of the gate: "" as the machine has it, "cpu", or a CUDA_VISIBLE_DEVICES list
    """

    base: str
    baseline: str = ""
    method: str = "sft"
    method_args: tuple[str, ...] = ()
    data_args: tuple[str, ...] = ()
    pytest_args: tuple[str, ...] = ()
    rounds: int = 3
    minutes: float | None = None
    steps_budget: int | None = None
    effects: str = "held-out"
    margin: float = 0.05
    root: Path = Path()
    store: Path = Path(".safetydrift")
    launcher: str = ""
    device: str = ""

    def __post_init__(self) -> None:
        for reference in (self.base, self.against):
            Reference.parse(reference)
        if self.rounds < 1:
            raise UsageError(f"rounds must be >= 1, got {self.rounds}")
        if self.minutes is not None and not (isfinite(self.minutes) and self.minutes > 0):
            raise UsageError(f"minutes must be above 0, got {self.minutes}")
        if self.steps_budget is not None and self.steps_budget < 1:
            raise UsageError(f"steps-budget must be >= 1, got {self.steps_budget}")
        if self.effects not in EFFECTS:
            raise UsageError(f"effects {self.effects!r} is none; {closest(self.effects, EFFECTS)}")
        if not 0 < self.margin <= 1:
            raise UsageError(f"margin must be in (0, 1], got {self.margin}")

    @property
    def against(self) -> str:
        """What the user's own gates compare with."""
        return self.baseline or self.base

    @property
    def shown(self) -> tuple[str, ...]:
        """The metrics whose gates have to pass on held-out prompts."""
        return AIMED if self.effects == "all" else tuple(METRICS)

    @property
    def rules(self) -> tuple[str, ...]:
        """How it ends, in words."""
        budget = [counted(self.rounds, "round")]
        budget += [f"{self.minutes:g} minutes"] if self.minutes is not None else []
        budget += [f"{self.steps_budget:,} optimiser steps"] if self.steps_budget is not None else []
        shown = "each of its gates of rates" if self.effects == "held-out" else "every gate of attack success"
        chances = f"; each of {self.rounds} rounds may pass, so alpha is divided by {self.rounds} there"
        return (
            f"pass: the policy passes on all prompts, and {shown} passes on the held-out prompts alone, of which no "
            f"round learns{chances if self.rounds > 1 else ''}",
            "stop: a gate of another metric (utility, false refusal, ...) fails that did not fail in round 0, or is "
            f"shown to be worse than in round 0 by more than its margin, {100 * self.margin:g} points where the policy "
            "has none; the best round before stays the answer",
            f"stop: {PATIENCE} rounds bring no fewer failures on the held-out prompts than the best before",
            "stop: nothing fails any more and the prompts are too few to show it; INCONCLUSIVE is no pass",
            f"stop: the budget is used up ({', '.join(budget)})",
        )

    def to_json(self) -> dict[str, Any]:
        """Every field, as JSON has it."""
        return {k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v
                for k, v in asdict(self).items()}  # fmt: skip

    @property
    def terms(self) -> dict[str, Any]:
        """What may not change while a loop goes on: everything but its budgets of time and steps."""
        return {name: value for name, value in self.to_json().items() if name not in _BUDGETS}
