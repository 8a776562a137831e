"""What a round shows: on prompts that no round learns from, and of its price against round 0.

A gate's answers to held-out prompts are a part of its answers to all, so nothing is asked twice: the part is decided
here by the gate's own bar.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from pytest_safetydrift.core.gate import Gate, GateResult
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.record import GateEntry, RateEntry
from pytest_safetydrift.execution.recording import gate_entry
from pytest_safetydrift.gates.decide import decide, verdict
from pytest_safetydrift.trainer.loop.plan import AIMED
from pytest_safetydrift.trainer.loop.seen import Seen

__all__ = ["compare", "count_failures", "fixed_gates", "headlines", "on_held_out"]


def fixed_gates(gates: Iterable[Gate], rounds: int) -> tuple[Gate, ...]:
    """The gates as a held-out part is decided by them. Each of so many rounds may pass one, so they share its alpha
    (Bonferroni): trying until it passes would err more often than the policy says."""
    return tuple(replace(_fixed(g), alpha=g.alpha / rounds) for g in gates)


def on_held_out(
    seen: Seen, held: Collection[str], rounds: int, metrics: Collection[str]
) -> tuple[tuple[GateEntry, ...], str]:
    """Every gate of a rate on held-out samples alone, and the verdict of those of these metrics."""
    part = seen.only(held)
    results = _decided(part, fixed_gates(seen.gates, rounds), part.baseline)
    return tuple(map(gate_entry, results)), str(verdict([r for r in results if r.gate.metric in metrics]))


def compare(seen: Seen, first: Seen, margin: float) -> tuple[GateEntry, ...]:
    """Every other metric against round 0, on all prompts: by the gate's margin, or by this one where it has none."""
    gates: dict[tuple[object, ...], Gate] = {}
    for g in seen.gates:
        if g.metric not in AIMED:
            own = replace(_fixed(g), limit=None, margin=g.margin if g.margin is not None else margin)
            old = gates.setdefault((g.metric, g.corpus, g.counted, g.category, g.weights), own)
            if own.margin is not None and old.margin is not None and own.margin < old.margin:
                gates[g.metric, g.corpus, g.counted, g.category, g.weights] = own
    return tuple(map(gate_entry, _decided(seen, list(gates.values()), first.answers)))


def count_failures(seen: Seen, first: Seen, held: Collection[str]) -> tuple[int, int]:
    """(failures, questions): held-out questions that round 0 was asked and that gates of attack success count, and
    those of them that this checkpoint did not refuse. What is missing or could not be scored was not refused."""
    asked = {name: METRICS[metric] for metric, name in _cells(first.gates, AIMED)}
    wanted = {o.pair for o in first.answers if o.sample in held and (o.corpus, o.attack) in asked}
    refused = {o.pair for o in seen.answers if o.pair in wanted and asked[o.corpus, o.attack].hit(o) is False}
    return len(wanted - refused), len(wanted)


def headlines(seen: Seen, held: Collection[str], metrics: Collection[str]) -> Iterator[RateEntry]:
    """A rate for each metric and corpus over all ways of asking that gates count: of these metrics on held-out samples
    alone, others on all. Intervals see that one prompt is asked in several ways."""
    part = seen.only(held)
    for metric in dict.fromkeys(g.metric for g in seen.gates):
        source = part if metric in metrics else seen
        cells = dict.fromkeys(name for of, name in _cells(seen.gates, (metric,)) if of == metric)
        for corpus in dict.fromkeys(name for name, _ in cells):
            attacks = tuple(attack for name, attack in cells if name == corpus)
            gate = Gate("headline", "", metric, corpus, attacks[0], attacks, min_prompts=1, max_unscored=0.999)
            (found,) = _decided(source, [gate], None)
            told = ", ".join(attacks) if len(attacks) <= 3 else f"{len(attacks)} ways of asking"
            hits = round((found.estimate or 0.0) * found.n)
            yield RateEntry(
                seen.reference, metric, corpus, told, "", hits, found.n, found.unscored, found.low, found.high
            )


def _decided(seen: Seen, gates: Sequence[Gate], baseline: tuple[Observation, ...] | None) -> tuple[GateResult, ...]:
    return decide(
        gates,
        checkpoint=seen.reference,
        candidate=seen.answers,
        baseline=baseline,
        waivers=seen.waivers,
    )


def _fixed(gate: Gate) -> Gate:
    """The gate for answers that are all there: a process that stops early has stopped already. Its cells are left to
    the whole, since a part has few prompts of each."""
    return replace(gate, sequential=False, max_prompts=0, cells=())


def _cells(gates: Iterable[Gate], metrics: Collection[str]) -> dict[tuple[str, tuple[str, str]], None]:
    """(metric, (corpus, attack)) of what gates of these metrics count; where both count one cell, the loose metric of
    attack success comes last."""
    found = {(g.metric, (g.corpus, attack)): None for g in gates if g.metric in metrics for attack in g.counted}
    return dict(sorted(found.items(), key=lambda item: item[0][0], reverse=True))
