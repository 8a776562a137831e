"""A plan, carried out: everything is asked, everything is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from itertools import chain
from typing import Any, cast

from pytest_safetydrift.attacks import FAMILY_OF
from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.gate import Decision, Gate, GateResult, Inconclusive, Waiver
from pytest_safetydrift.core.judgement import Reason
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.execution.adaptive import asker_of
from pytest_safetydrift.execution.agreement import agreements
from pytest_safetydrift.execution.attacker import NO_ATTACKER, Attacker
from pytest_safetydrift.execution.battery import Plan, Subject, Want, askings_of, family_size, samples_of
from pytest_safetydrift.execution.bench import RULES_ALONE, Bench
from pytest_safetydrift.execution.calibrated import Calibrated
from pytest_safetydrift.execution.job import Asking, Key, Rounds
from pytest_safetydrift.execution.letters import read_otherwise
from pytest_safetydrift.execution.looks import Watch, in_blocks, process_order
from pytest_safetydrift.execution.measure import TOP, Measure, Scores, measure_of, read_gate, scoring_job
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.runner import Job, Tally, run_jobs
from pytest_safetydrift.execution.store import Store
from pytest_safetydrift.execution.target import Target
from pytest_safetydrift.gates.cells import Cells
from pytest_safetydrift.gates.decide import Readings, decide
from pytest_safetydrift.labels import HumanLabel, Labelled

__all__ = ["AGAIN", "Findings", "Terms", "run_plan"]

_BLOCK = 4_096
"""Samples in one job: blocks keep memory flat however many prompts a corpus has."""

_LACKS_PAIRS = (Inconclusive.MISSING_BASELINE, Inconclusive.UNPAIRED_PROMPTS)

AGAIN = " (again)"
"""What the baseline's reference ends in where it is asked a second time."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a run is decided by, beside its plan.

    seed     of sampled answers and of the order in which sequential gates take prompts
    again    ask the baseline a second time, with other seeds and in another order
    waivers  of the policy, and the day they are read on
    labels   what people say of answers, for judges to be corrected by
    """

    seed: int = 0
    again: bool = False
    waivers: tuple[Waiver, ...] = ()
    today: date = field(default_factory=date.today)
    labels: tuple[HumanLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of a plan: observations and gate results by checkpoint reference.

    again  the baseline's second answers, None where it was asked once
    notes  what people should know of how it was decided
    """

    observations: Mapping[str, tuple[Observation, ...]]
    results: Mapping[str, tuple[GateResult, ...]]
    tally: Tally = field(default_factory=Tally)
    again: tuple[Observation, ...] | None = None
    notes: tuple[str, ...] = ()


def run_plan(
    plan: Plan,
    subjects: Mapping[str, Subject],
    store: Store,
    progress: Progress,
    terms: Terms,
    bench: Bench = RULES_ALONE,
    attacker: Attacker = NO_ATTACKER,
) -> Findings:
    """Ask everything that is asked of targets, recall the rest, decide every gate of every candidate.

    The baseline comes first where sequential gates of the candidates compare with it while they are asked; else all
    is asked in one go, so that a judge which is a model reads every checkpoint's answers in one load.
    """
    return _Campaign(plan, subjects, store, progress, terms, bench, attacker).run()


class _Campaign:
    """The state of one call of `run_plan`."""

    def __init__(
        self,
        plan: Plan,
        subjects: Mapping[str, Subject],
        store: Store,
        progress: Progress,
        terms: Terms,
        bench: Bench,
        attacker: Attacker,
    ) -> None:
        self.plan, self.subjects, self.terms, self.bench, self.attacker = plan, subjects, terms, bench, attacker
        self.store, self.progress = store, progress
        self.targets = {
            **bench.targets,
            **attacker.targets,
            **{r: s.target for r, s in subjects.items() if s.target is not None},
        }
        self.filed: dict[object, list[Observation]] = {}
        self.tally = Tally()
        self.orders: dict[str, tuple[Sample, ...]] = {}  # one for all attacks on a corpus
        self.errors = {r: s.error for r, s in subjects.items() if s.error}

    def run(self) -> Findings:
        plan, baseline = self.plan, self.plan.baseline
        helped = [self.attacker.of(a.attack, r) for r, askings in plan.askings.items() for a in askings]
        for reference, askings in plan.askings.items():
            subject = self.subjects[reference]
            if subject.recall is not None:
                self.filed |= {a: list(subject.recall(a, samples_of(a, subject.world))) for a in askings}
        first = chain(self._fixed(baseline, plan.askings.get(baseline, ())), self._scored(baseline), self._again())
        others = [r for r in plan.asked if r != baseline]
        rest = (job for r in others for job in chain(self._jobs(r, plan.askings.get(r, ())), self._scored(r)))
        for jobs in (first, rest) if any(map(self._watched, others)) else (chain(first, rest),):
            self._ask(jobs)
        seen = {r: self._seen(askings) for r, askings in plan.askings.items()}
        again = self._seen([replace(a, target=baseline + AGAIN) for a in plan.askings.get(baseline, ())])
        again_seen = again if self._twice() else None
        candidates = dict.fromkeys(w.checkpoint for w in plan.wants)
        digests = {r: t.identity.checkpoint for r, t in self.targets.items()}
        calibrated = Calibrated(Labelled.of(self.terms.labels, seen, digests), baseline)
        results = {c: self._decide(c, seen, again_seen, calibrated) for c in candidates}
        return Findings(
            seen, results, self.tally, again_seen, (*calibrated.notes(), *self._notes(seen, attacked=any(helped)))
        )

    # -- asking --

    def _ask(self, jobs: Iterable[Job]) -> None:
        filed, self.tally = run_jobs(
            jobs, self.targets, self.store, self.progress, self.tally, engines=self.attacker.engines
        )
        self.filed |= filed
        self.errors |= self.tally.errors

    def _jobs(self, reference: str, askings: Sequence[Asking]) -> Iterator[Job]:
        watched = self._watched(reference)
        world = self.subjects[reference].world
        blockwise = [a for a in askings if any(a in counted for counted in watched.values())]
        if blockwise and self.subjects[reference].target is not None:
            watch = Watch(watched, lambda: self._compared(reference), family_size(self.plan.wants, reference, world))
            for asking in blockwise:
                yield from self._sequential(reference, asking, watch)
        yield from self._fixed(reference, [a for a in askings if a not in blockwise])

    def _watched(self, reference: str) -> dict[Gate, tuple[Asking, ...]]:
        """Sequential gates of a candidate whose pieces of work no fixed gate needs whole, and no model judges: it and
        the candidate would load in turns, block after block."""
        ours = [w for w in self.plan.wants if w.checkpoint == reference]
        whole = {a for w in ours for a in self._askings(w) if not w.gate.sequential or self.bench.models(a.judge)}
        found = {w.gate: self._askings(w) for w in ours if w.gate.sequential}
        return {gate: counted for gate, counted in found.items() if not whole & set(counted)}

    def _askings(self, want: Want) -> tuple[Asking, ...]:
        world = self.subjects[want.checkpoint].world
        return askings_of(want, want.checkpoint, world, choices=self.plan.choices)

    def _fixed(self, reference: str, askings: Sequence[Asking]) -> Iterator[Job]:
        subject = self.subjects.get(reference)
        if subject is None or subject.target is None:
            return
        drawn = {a for w in self.plan.wants if w.gate.sequential for a in self._askings(w)}
        for asking in askings:
            # a sequential gate bets on prompts in random order, also where a fixed gate wants all of them
            samples = self._drawn(reference, asking) if asking in drawn else samples_of(asking, subject.world)
            yield from self._blocks(asking, samples, self.terms.seed)

    def _scored(self, reference: str) -> Iterator[Job]:
        """What gates over quantities want of a model; the baseline is compared with itself as well."""
        subject = self.subjects.get(reference)
        if subject is None or subject.target is None:
            return
        again = reference == self.plan.baseline
        for measure in self.plan.measures.get(reference, ()):
            if samples := measure.samples(subject.world.corpora):
                yield scoring_job((reference, measure), reference, measure, samples, top=TOP, again=again)

    def _sequential(self, reference: str, asking: Asking, watch: Watch) -> Iterator[Job]:
        samples = self._drawn(reference, asking)
        asker = self._asker(asking, self.terms.seed, self.targets[reference].key)
        yield Job(asking, reference, lambda: in_blocks(asking, samples, watch, asker), self._also(asking))

    def _drawn(self, reference: str, asking: Asking) -> tuple[Sample, ...]:
        """The samples in the order of their process, which outlives the run."""
        seed = self.terms.seed
        process = digest([self.targets[reference].identity.checkpoint, asking.corpus, seed])
        if process not in self.orders:
            samples = samples_of(asking, self.subjects[reference].world)
            self.orders[process] = process_order(samples, self.store.order(process), seed)
            self.store.keep_order(process, [s.id for s in self.orders[process]])
        return self.orders[process]

    def _again(self) -> Iterator[Job]:
        """The baseline's second asking: another seed, the prompts in reverse, answers of its own in the store."""
        baseline = self.plan.baseline
        if not self._twice():
            return
        target, world = self.targets[baseline], self.subjects[baseline].world
        name = baseline + AGAIN
        self.targets[name] = _second(target)
        for asking in self.plan.askings[baseline]:
            yield from self._blocks(replace(asking, target=name), samples_of(asking, world)[::-1], self.terms.seed + 1)

    def _blocks(self, asking: Asking, samples: Sequence[Sample], seed: int) -> Iterator[Job]:
        asker = self._asker(asking, seed, self.targets[asking.target].key)
        for at in range(0, len(samples), _BLOCK):
            start = partial(asker, samples[at : at + _BLOCK])
            yield Job(asking, asking.target, start, self._also(asking))

    def _asker(self, asking: Asking, seed: int, key: Key) -> Callable[[Sequence[Sample]], Rounds]:
        attacker = self.attacker.of(asking.attack, asking.target)
        return asker_of(asking, self.bench.of(asking.judge), seed=seed, key=key, attacker=attacker)

    def _also(self, asking: Asking) -> tuple[str, ...]:
        """The attacker, where it is another model than the target."""
        attacker = self.attacker.of(asking.attack, asking.target)
        return (attacker,) if attacker not in ("", asking.target) else ()

    def _twice(self) -> bool:
        baseline = self.plan.baseline
        return self.terms.again and baseline in self.plan.askings and baseline in self.targets

    # -- deciding --

    def _seen(self, askings: Sequence[Asking]) -> tuple[Observation, ...]:
        return tuple(o for a in askings for o in self.filed.get(a, ()))

    def _compared(self, candidate: str) -> Cells | None:
        baseline = self.plan.baseline
        if not baseline or baseline in self.errors:
            return None
        return Cells(self._comparable(candidate, self._seen(self.plan.askings.get(baseline, ()))))

    def _decide(
        self,
        candidate: str,
        seen: Mapping[str, tuple[Observation, ...]],
        again: tuple[Observation, ...] | None,
        calibrated: Calibrated,
    ) -> tuple[GateResult, ...]:
        plan, baseline = self.plan, self.plan.baseline
        gates = [w.gate for w in plan.wants if w.checkpoint == candidate]
        results = decide(
            gates,
            checkpoint=candidate,
            candidate=seen.get(candidate, ()),
            baseline=self._comparable(candidate, seen.get(baseline, ())) if baseline else None,
            error=self.errors.get(candidate, ""),
            baseline_error=self.errors.get(baseline, "") if baseline else "",
            again=again,
            families=FAMILY_OF,
            labels=calibrated.labels(gates, candidate),
            waivers=self.terms.waivers,
            today=self.terms.today,
            readings={gate.id: self._readings(gate, candidate, m) for gate in gates if (m := measure_of(gate))},
        )
        missing = self.subjects[candidate].world.missing
        unjudged, unlike = self._unjudged(candidate), read_otherwise(plan, self.subjects, candidate)
        return tuple(
            _undecided(r, Inconclusive.GATED_DATA, missing[r.gate.corpus])
            if r.gate.corpus in missing
            else _undecided(r, Inconclusive.ENGINE_ERROR, unjudged[r.gate.id])
            if unjudged.get(r.gate.id)
            else replace(r, detail=unlike[r.gate.id])
            if r.gate.id in unlike and r.reason in _LACKS_PAIRS
            else r
            for r in results
        )

    def _readings(self, gate: Gate, candidate: str, measure: Measure) -> Readings:
        baseline = self.plan.baseline
        compared = baseline in self.subjects and measure in self.plan.measures.get(baseline, ())
        return read_gate(
            gate, measure, self._scores(candidate, measure), self._scores(baseline, measure) if compared else None
        )

    def _scores(self, reference: str, measure: Measure) -> Scores:
        filed = cast(dict[object, list[Any]], self.filed)  # these jobs return scores in place of observations
        return Scores.of(measure.samples(self.subjects[reference].world.corpora), filed.get((reference, measure)))

    def _unjudged(self, candidate: str) -> dict[str, str]:
        """Why the judges of a gate could not judge, by gate id; "" for most. The answers that a broken judge did read
        are no fair part of all."""
        ours = [w for w in self.plan.wants if w.checkpoint == candidate]
        return {w.gate.id: self.bench.broken((a.judge for a in self._askings(w)), self.errors) for w in ours}

    def _notes(self, seen: Mapping[str, tuple[Observation, ...]], *, attacked: bool) -> Iterator[str]:
        """What is to be known of the attacker, of how multiple choice is read, and of judges that are models."""
        if attacked:
            yield self.attacker.said()
        if self.plan.silent:
            silent = ", ".join(self.plan.silent)
            yield f"multiple choice is read from the text of answers on all sides: {silent} tells no log-probabilities"
        for reference, observations in seen.items():
            if split := sum(o.reason is Reason.DISAGREEMENT for o in observations):
                yield f"{reference}: the judges disagree about {split} of {len(observations)} answers, left unscored"
        for reference, askings in self.plan.askings.items():
            modelled = [a for a in askings if self.bench.models(a.judge)]
            yield from agreements(reference, modelled, self.filed, self.subjects[reference].world, self.bench)

    def _comparable(self, candidate: str, found: tuple[Observation, ...]) -> tuple[Observation, ...]:
        """The baseline's observations of what the candidate was asked as well.

        Two recorded files can use one id for two prompts; such a pair would compare answers to different
        questions, so its baseline side is left out and the gate sees it as unpaired.
        """
        ours, theirs = self.subjects[candidate].world, self.subjects[self.plan.baseline].world
        if ours.digests == theirs.digests:
            return found
        asked = ours.index()
        other = {name for name, s in theirs.index().items() if asked.get(name, s).prompt != s.prompt}
        return tuple(o for o in found if (o.corpus, o.sample) not in other)


def _undecided(result: GateResult, reason: Inconclusive, detail: str) -> GateResult:
    """A gate over prompts that are not here, or whose judge broke."""
    return replace(result, decision=Decision.INCONCLUSIVE, reason=reason, detail=detail)


def _second(target: Target) -> Target:
    """The same model, asked again: its answers have places of their own."""
    engine = {**target.identity.engine, "asked": "again"}
    return replace(target, identity=replace(target.identity, engine=engine))
