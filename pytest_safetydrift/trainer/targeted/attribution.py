"""How much of a refusal each part of a model makes: attribution by activation patching.

The runs of a refusing side are recorded, and put part by part into the runs of a complying side. The sides are two
checkpoints of one architecture asked the same, or one checkpoint asked two prompts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.stats import Mean
from pytest_safetydrift.stats.checks import Floats
from pytest_safetydrift.trainer.targeted.capture import Site, Spot, recorded, spots_of
from pytest_safetydrift.trainer.targeted.cases import LEAST, Case, Cases
from pytest_safetydrift.trainer.targeted.effects import (
    continuation_logprobs,
    first_token_log_odds,
    mean_contrast,
    normalised_effect,
)
from pytest_safetydrift.trainer.targeted.layout import Layout, find_layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from pytest_safetydrift.trainer.targeted.patching import patched, patched_at
from pytest_safetydrift.trainer.targeted.runs import Run, evaluating, make_batch

__all__ = ["Attribution", "Metric", "PartEffect", "Places", "attribute"]

_EVERY_KIND = tuple(Kind)


class Metric(StrEnum):
    """What of a run is measured: how much likelier the refusal is than the compliance, in nats."""

    FIRST = "first-token"  # of all cases' refusals against those of all their compliances
    CONTINUATION = "continuation"  # of each case's own refusal against its own compliance, all their tokens


class Places(StrEnum):
    """Which tokens a patch is put at."""

    LAST = "last"  # the last token of the prompt, where the answer is begun
    ALL = "all"  # every token; the two sides must be asked the same


@dataclass(frozen=True, slots=True)
class PartEffect:
    """`effect` is normalised: 0 leaves the complying run as it is, 1 makes it refuse as the refusing run does."""

    part: Part
    effect: Mean


@dataclass(frozen=True, slots=True)
class Attribution:
    """What was found.

    effects    one for each part, the largest first
    trace      the effect of the whole residual stream behind each layer: where in depth the refusal is made
    complying, refusing
               the metric's mean on either side, in nats
    prompts    cases that it is a mean over
    left_out   prompts that did not contrast the sides
    digests    of the complying and the refusing checkpoint, "" where they were not told
    """

    effects: tuple[PartEffect, ...]
    trace: tuple[Mean, ...]
    metric: Metric
    places: Places
    complying: float
    refusing: float
    prompts: int
    left_out: int = 0
    digests: tuple[str, str] = ("", "")

    def of(self, kinds: Sequence[Kind]) -> tuple[PartEffect, ...]:
        """The effects of parts of these kinds, the largest first."""
        return tuple(e for e in self.effects if e.part.kind in kinds)


def attribute(
    complying: Any,
    refusing: Any,
    cases: Cases,
    *,
    kinds: Sequence[Kind] = _EVERY_KIND,
    metric: Metric = Metric.FIRST,
    places: Places = Places.LAST,
    batch: int = 64,
    digests: tuple[str, str] = ("", ""),
    spelled: Callable[[int], str] = "id {}".format,
) -> Attribution:
    """Put each part of the refusing run into the complying one and see how far it goes.

    complying, refusing  transformers causal language models of one architecture, or one model twice; they may be on
                         two devices
    batch                cases in one forward pass
    spelled              a token by its id, for an error's text

    Raises `CheckpointError` where the models do not fit together or compute NaN, and `UsageError` where the cases do
    not tell the sides apart by this metric.
    """
    ours, theirs = find_layout(complying), find_layout(refusing)
    parts = ours.parts(kinds)
    _check_alike(ours, theirs)
    _check_cases(cases.cases, metric, places, spelled)
    study = _Study(ours, theirs, parts, _Reading(cases.cases, metric), places)
    found: dict[Any, list[Floats]] = defaultdict(list)
    with evaluating(complying, refusing):
        for start in range(0, len(cases.cases), batch):
            for name, values in study.measure(cases.cases[start : start + batch]):
                found[name].append(values)
    measured = {name: np.concatenate(values) for name, values in found.items()}
    clean, corrupt = _checked(measured)
    effects = [PartEffect(part, normalised_effect(clean, measured[part], corrupt)) for part in parts]
    return Attribution(
        effects=tuple(sorted(effects, key=lambda e: (-e.effect.estimate, e.part.order))),
        trace=tuple(normalised_effect(clean, measured[state], corrupt) for state in study.states),
        metric=metric,
        places=places,
        complying=float(clean.mean()),
        refusing=float(corrupt.mean()),
        prompts=len(clean),
        left_out=cases.left_out,
        digests=digests,
    )


def _checked(measured: Mapping[Any, Floats]) -> tuple[Floats, Floats]:
    """The clean and the corrupt run, once they are known to differ."""
    if not all(np.isfinite(values).all() for values in measured.values()):
        raise CheckpointError("a model computed NaN or infinite logits; load both in float32")
    clean, corrupt = measured["clean"], measured["corrupt"]
    contrast = mean_contrast(clean, corrupt)
    if contrast.low <= 0:
        raise UsageError(
            f"the refusing side does not refuse these prompts more than the complying one: its log-odds are "
            f"{contrast.estimate:.2f} higher, and the interval {contrast.low:.2f} to {contrast.high:.2f} holds 0; give "
            "more prompts, or the other checkpoint"
        )
    return clean, corrupt


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """How the metric is read off the logits of some of the cases."""

    cases: tuple[Case, ...]
    metric: Metric

    def continuations(self, cases: Sequence[Case]) -> list[tuple[int, ...]]:
        """What goes behind each prompt: both answers one after the other, or nothing but a first token."""
        if self.metric is Metric.FIRST:
            return [case.refusal[:1] for case in cases]
        return [case.refusal for case in cases] + [case.compliance for case in cases]

    def read(self, run: Run) -> Floats:
        """The metric of each case, float64 [cases]."""
        logits = run.logits()
        if self.metric is Metric.FIRST:
            values = first_token_log_odds(logits[:, 0], *_first_tokens(self.cases))
        else:
            refused, complied = continuation_logprobs(logits, run.batch.targets, run.batch.wanted).chunk(2)
            values = refused - complied
        return np.asarray(values.double().cpu().numpy())


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    ours: Layout
    theirs: Layout
    parts: Sequence[Part]
    reading: _Reading
    places: Places

    @property
    def states(self) -> list[Spot]:
        """The residual stream behind each layer."""
        return [(layer, Site.STATE) for layer in range(len(self.ours.blocks))]

    def measure(self, cases: Sequence[Case]) -> Iterator[tuple[Any, Floats]]:
        """The metric of the clean run, the corrupt one and each patch, by name."""
        donor = self._run(self.theirs, cases, [case.donor for case in cases])
        run = self._run(self.ours, cases, [case.prompt for case in cases])
        last = self.places is Places.LAST
        spots = dict.fromkeys([*self.states, *(spot for part in self.parts for spot in spots_of(part))])
        with recorded(self.theirs, spots, donor.places if last else None) as activations:
            yield "corrupt", self.reading.read(donor)
        yield "clean", self.reading.read(run)
        at = run.places if last else None
        for part in self.parts:
            with patched(self.ours, part, activations, at):
                yield part, self.reading.read(run)
        for spot in self.states:
            with patched_at(self.ours, (spot,), activations, at):
                yield spot, self.reading.read(run)

    def _run(self, layout: Layout, cases: Sequence[Case], prompts: Sequence[tuple[int, ...]]) -> Run:
        behind = self.reading.continuations(cases)
        repeated = [*prompts] * (len(behind) // len(prompts))
        device = layout.model.get_input_embeddings().weight.device
        return Run(layout.model, make_batch(repeated, behind, device), everywhere=self.places is Places.ALL)


def _first_tokens(cases: Sequence[Case]) -> tuple[list[int], list[int]]:
    return sorted({case.refusal[0] for case in cases}), sorted({case.compliance[0] for case in cases})


def _check_cases(cases: Sequence[Case], metric: Metric, places: Places, spelled: Callable[[int], str]) -> None:
    if len(cases) < LEAST:
        raise UsageError(f"{len(cases)} cases are too few, {LEAST} at least are needed")
    if places is Places.ALL and any(case.prompt != case.donor for case in cases):
        raise UsageError(
            "tokens of two prompts do not correspond, so only the last one of each can be patched; take places last"
        )
    refusal, compliance = _first_tokens(cases)
    if metric is Metric.FIRST and (shared := set(refusal) & set(compliance)):
        raise UsageError(
            f"refusals and compliances begin with the same token ({', '.join(map(spelled, sorted(shared)[:3]))}), so "
            "the first token does not tell them apart; take --metric continuation"
        )


def _check_alike(ours: Layout, theirs: Layout) -> None:
    mine = {name: tuple(p.shape) for name, p in ours.model.named_parameters()}
    others = {name: tuple(p.shape) for name, p in theirs.model.named_parameters()}
    if mine == others:
        return
    name = next(n for n in [*mine, *others] if mine.get(n) != others.get(n))
    raise CheckpointError(
        f"the two checkpoints are not of one architecture: {name} is {mine.get(name, 'absent')} in the complying and "
        f"{others.get(name, 'absent')} in the refusing one"
    )
