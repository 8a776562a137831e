"""The battery: every gate that will be looked at, planned as one piece of work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_safetydrift.attacks import get_attack
from pytest_safetydrift.core.errors import CorpusError, UsageError
from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.core.probe import Observation, Probe
from pytest_safetydrift.core.quantity import QUANTITIES
from pytest_safetydrift.core.sample import HAZARDS, Sample
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.job import Asking
from pytest_safetydrift.execution.measure import Measure, compares, measure_of
from pytest_safetydrift.execution.target import Target
from pytest_safetydrift.gates.foresight import Foresight, foresee
from pytest_safetydrift.harness.asking import are_documents
from pytest_safetydrift.harness.name import check_probe, is_task
from pytest_safetydrift.judges.checks import check_samples

__all__ = [
    "Plan",
    "Subject",
    "Want",
    "askings_of",
    "categories_of",
    "family_size",
    "foresee_plan",
    "make_plan",
    "samples_of",
]


@dataclass(frozen=True, slots=True)
class Want:
    """One gate put to one candidate: what one test item shows."""

    checkpoint: str
    gate: Gate
    probe: Probe


@dataclass(frozen=True, slots=True)
class Subject:
    """A checkpoint with the world whose prompts it knows.

    target    None where nothing can be asked: `recall` then has its observations, or `error` says why
    recall    observations of an earlier run by asking, in place of answers
    trained_on
              attack families that its own training card says it was trained on, () where there is none
    """

    reference: str
    world: World
    target: Target | None = None
    recall: Callable[[Asking, Sequence[Sample]], Sequence[Observation]] | None = None
    error: str = ""
    trained_on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be asked of whom.

    askings    distinct pieces of work, in the order of the tests, by checkpoint reference
    measures   what is scored for gates over quantities, in the same order, by checkpoint reference
    sizes      first-turn requests of the distinct pieces of work, by checkpoint reference
    planned    requests that the tests would make one by one, first turns only
    choices    multiple choice is read by the log-probabilities of its letters, on all sides
    silent     who tells none, where others do and all are therefore read by their text
    """

    wants: tuple[Want, ...]
    baseline: str
    askings: Mapping[str, tuple[Asking, ...]]
    measures: Mapping[str, tuple[Measure, ...]]
    sizes: Mapping[str, int]
    planned: int
    choices: bool = False
    silent: tuple[str, ...] = ()

    @property
    def distinct(self) -> int:
        """First-turn requests after doubles are dropped."""
        return sum(self.sizes.values())

    @property
    def asked(self) -> tuple[str, ...]:
        """References of the checkpoints that anything is asked of."""
        return tuple(self.sizes)


def make_plan(wants: Sequence[Want], subjects: Mapping[str, Subject], baseline: str) -> Plan:
    """Gather the work of all wants; no model is loaded and no request is built.

    `baseline` is "" where there is none. Raises `UsageError` where two probes would put one cell
    (corpus, attack) to a checkpoint in two different ways: its gates could not tell them apart. Raises `CorpusError`
    where checks that a judge will want of a sample cannot be read.
    """
    order: dict[str, dict[Asking | Measure, None]] = {}
    shown: dict[tuple[str, str], Want] = {}  # two tests may show one gate: it is decided once
    planned = 0
    for want in wants:
        shown.setdefault((want.checkpoint, want.gate.id), want)
        for reference in _asked_by(want, baseline):
            world = subjects[reference].world
            for piece in _work(want, reference, world):
                order.setdefault(reference, {})[piece] = None
                planned += _size(piece, world, again=reference == baseline)
    askings = {ref: tuple(p for p in found if isinstance(p, Asking)) for ref, found in order.items()}
    measures = {ref: tuple(p for p in found if isinstance(p, Measure)) for ref, found in order.items()}
    _refuse_doubles(askings.values())
    _refuse_unreadable(askings, subjects)
    sizes = {
        ref: sum(_size(piece, subjects[ref].world, again=ref == baseline) for piece in found)
        for ref, found in order.items()
    }
    return Plan(tuple(shown.values()), baseline, askings, measures, sizes, planned)


def _work(want: Want, reference: str, world: World) -> tuple[Asking | Measure, ...]:
    """The pieces of work of a gate, be it over answers or over a quantity."""
    measure = measure_of(want.gate)
    if measure is None:
        return askings_of(want, reference, world)
    if is_task(measure.corpus):
        raise UsageError(f"gate {want.gate.id!r}: {measure.corpus} is answered and not scored; name prompts")
    return (measure,)


def _refuse_doubles(askings: Iterable[Sequence[Asking]]) -> None:
    for found in askings:
        cells = [a.cell for a in found]
        doubled = {c for c in cells if cells.count(c) > 1}
        if doubled:
            corpus, attack = min(doubled)
            raise UsageError(f"two probes ask {corpus!r} by {attack!r} with other judges or sampling; run them apart")


def _refuse_unreadable(askings: Mapping[str, Sequence[Asking]], subjects: Mapping[str, Subject]) -> None:
    for reference, found in askings.items():
        for asking in found:
            if asking.judge == "checks":
                check_samples(samples_of(asking, subjects[reference].world), f"corpus {asking.corpus!r}")


def family_size(wants: Sequence[Want], candidate: str, world: World) -> int:
    """How many bars Holm corrects over, at most: those of every gate, and of every cell that there may be."""
    total = 0
    for want in wants:
        if want.checkpoint == candidate:
            gate = want.gate
            parts = 0
            if gate.cells:
                asked = samples_of(askings_of(want, candidate, world)[0], world)
                parts = len({s.category for s in asked}) if "category" in gate.cells else 1
                parts *= len({get_attack(a).family for a in gate.counted}) if "family" in gate.cells else 1
            total += gate.bars * (1 + parts)
    return total


def foresee_plan(plan: Plan, worlds: Mapping[str, World]) -> dict[str, tuple[Foresight, ...]]:
    """What each gate could show with the prompts at hand, by candidate; nothing is loaded."""
    found: dict[str, tuple[Foresight, ...]] = {}
    for candidate in dict.fromkeys(w.checkpoint for w in plan.wants):
        family = family_size(plan.wants, candidate, worlds[candidate])
        ours = [w for w in plan.wants if w.checkpoint == candidate]
        found[candidate] = tuple(foresee(w.gate, _prompts(w, worlds[candidate]), family=family) for w in ours)
    return found


def _prompts(want: Want, world: World) -> int:
    """Prompts that the gate counts and at least one of its attacks applies to."""
    gate = want.gate
    mix = {category for category, _ in gate.weights}
    samples = _corpus(gate.corpus, world)
    counted = [s for s in samples if gate.category in ("", s.category) and (not mix or s.category in mix)]
    return sum(any(get_attack(a).applies(s) for a in gate.counted) for s in counted)


def _asked_by(want: Want, baseline: str) -> tuple[str, ...]:
    paired = baseline and compares(want.gate)
    return tuple(dict.fromkeys((want.checkpoint, baseline))) if paired else (want.checkpoint,)


def askings_of(want: Want, reference: str, world: World, *, choices: bool = False) -> tuple[Asking, ...]:
    """The pieces of work that a gate counts, one an attack; none for a quantity. An attack that draws in its own way,
    or is to be tried several times, has its way. `choices` as in `Plan`."""
    if want.gate.metric in QUANTITIES:
        return ()
    found = (_asking(want.probe, attack, reference, world) for attack in want.gate.counted)
    return tuple(a.lettered(samples_of(a, world)) if choices else a for a in found)


def _asking(probe: Probe, attack_id: str, reference: str, world: World) -> Asking:
    attack = get_attack(attack_id)
    drawn: dict[str, Any] = dict(attack.sampling)
    sampling = replace(probe.sampling, **drawn) if drawn else probe.sampling
    repetitions = max(probe.repetitions, attack.repetitions)
    check_probe(probe)
    judge = probe.judge_name
    judge = world.judge or judge if judge == "refusal" else judge
    return Asking(reference, probe.corpus, attack_id, judge, sampling, repetitions, probe.system)


def categories_of(worlds: Iterable[World]) -> dict[str, frozenset[str]]:
    """What a gate may give for its category, by corpus: those of its samples, and every hazard, for a corpus may have
    no sample of one."""
    found: dict[str, frozenset[str]] = {}
    for world in worlds:
        for corpus, samples in world.corpora.items():
            found[corpus] = found.get(corpus, frozenset(HAZARDS)) | {s.category for s in samples if s.category}
    return found


def samples_of(asking: Asking, world: World) -> tuple[Sample, ...]:
    """The corpus in this world; an absent one is empty, and its gates are INCONCLUSIVE for that."""
    return _corpus(asking.corpus, world)


def _corpus(name: str, world: World) -> tuple[Sample, ...]:
    try:
        return world.samples(name)
    except CorpusError:
        return ()


def _size(piece: Asking | Measure, world: World, *, again: bool) -> int:
    """First requests; a baseline is compared with itself as well."""
    if isinstance(piece, Measure):
        return len(piece.samples(world.corpora)) * (2 if again and QUANTITIES[piece.quantity].relative else 1)
    samples = samples_of(piece, world)
    if are_documents(samples):
        return sum(len(d.requests) for d in samples)
    return sum(map(get_attack(piece.attack).applies, samples)) * piece.repetitions
