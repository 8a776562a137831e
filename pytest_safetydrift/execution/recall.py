"""Observations of an earlier run, in place of a baseline's answers: `run:reports/baselines/x.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.errors import CheckpointError, ReportError
from pytest_safetydrift.core.judgement import Outcome, Reason
from pytest_safetydrift.core.own import versioned
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.attacker import NO_ATTACKER, Attacker
from pytest_safetydrift.execution.bench import RULES_ALONE, Bench
from pytest_safetydrift.execution.job import Asking

__all__ = ["Recall", "Remembered", "asking_of", "protocol", "recall_from", "remember"]

Recall: TypeAlias = Callable[[Asking, Sequence[Sample]], Sequence[Observation]]
Remembered: TypeAlias = dict[str, dict[str, dict[str, Any]]]
"""corpus -> attack -> {"protocol": digest, "asked": how, "outcomes": {sample id: "complied off_topic, refused"}}"""


def protocol(asking: Asking, world: World, bench: Bench = RULES_ALONE, attacker: Attacker = NO_ATTACKER) -> str:
    """Digest of all that must be equal for two observations to be pairs, beside the checkpoint:
    the prompts, the attack, the attacker's digest where one helped, the judge's version (and its model's digest), the
    sampling, and whether multiple choice was read by log-probabilities."""
    s = asking.sampling
    return digest(
        [
            world.digests.get(asking.corpus, ""),
            versioned(asking.attack) + attacker.mark(asking.attack),
            bench.of(asking.judge).id,
            [s.temperature, s.top_p, s.top_k, s.max_tokens, list(s.stop)],
            asking.repetitions,
            asking.system,
            *(["choices"] if asking.choices else []),  # what is read by its text keeps the digest that it had
        ]
    )


def remember(
    askings: Iterable[Asking],
    observations: Iterable[Observation],
    world: World,
    bench: Bench = RULES_ALONE,
    attacker: Attacker = NO_ATTACKER,
) -> Remembered:
    """What a record keeps of a checkpoint's observations: small, and readable in a diff."""
    kept: Remembered = {}
    for a in askings:
        asked = {"judge": a.judge, "sampling": asdict(a.sampling), "repetitions": a.repetitions, "system": a.system}
        asked |= {"choices": True} if a.choices else {}
        kept.setdefault(a.corpus, {})[a.attack] = {
            "protocol": protocol(a, world, bench, attacker),
            "asked": asked,
            "outcomes": {},
        }
    for o in observations:
        outcomes = kept[o.corpus][o.attack]["outcomes"]
        outcomes[o.sample] = f"{outcomes[o.sample]}, {_spell(o)}" if o.sample in outcomes else _spell(o)
    return kept


def asking_of(kept: Mapping[str, Any], reference: str, corpus: str, attack: str) -> Asking:
    """How a remembered cell was asked; raises `ReportError` where an older record does not say."""
    asked = kept.get("asked")
    if asked is None:
        raise ReportError("this record does not say how its answers were asked; run again with this version")
    sampling = Sampling(**{**asked["sampling"], "stop": tuple(asked["sampling"]["stop"])})
    return Asking(
        reference,
        corpus,
        attack,
        asked["judge"],
        sampling,
        asked["repetitions"],
        asked["system"],
        asked.get("choices", False),
    )


def recall_from(
    reference: Reference, world: World, bench: Bench = RULES_ALONE, attacker: Attacker = NO_ATTACKER
) -> Recall:
    """Read a record's candidate back; raises `CheckpointError` where the file cannot serve as a baseline.

    Cells whose protocol differs come back empty, so that their pairs are missing and their gates
    INCONCLUSIVE: a baseline recorded on other prompts or by another judge is no baseline.
    """
    place, _, wanted = reference.place.partition("#")
    file = Path(place) / "record.json" if Path(place).is_dir() else Path(place)
    try:
        record = RunRecord.loads(file.read_text("utf-8"), where=str(file))
    except OSError as e:
        raise CheckpointError(f"baseline {reference.text!r}: {e}; record one first and name its record.json") from e
    except ReportError as e:
        raise CheckpointError(f"baseline {reference.text!r}: {e}") from e
    kept = record.observations
    candidates = [c.reference for c in record.checkpoints if c.role == "candidate"]
    name = wanted or (candidates[0] if len(candidates) == 1 else "")
    if name not in kept:
        raise CheckpointError(
            f"baseline {reference.text!r}: say which checkpoint of the record is meant, run:{place}#NAME with one of "
            f"{', '.join(kept) or '(none)'}"
        )
    return lambda asking, samples: _read(kept[name], asking, samples, protocol(asking, world, bench, attacker))


def _read(kept: Mapping[str, Any], asking: Asking, samples: Sequence[Sample], wanted: str) -> list[Observation]:
    cell = kept.get(asking.corpus, {}).get(asking.attack)
    if cell is None or cell["protocol"] != wanted:
        return []
    outcomes = cell["outcomes"]
    return [
        _unspell(asking, sample, repetition, text)
        for sample in samples
        if sample.id in outcomes
        for repetition, text in enumerate(outcomes[sample.id].split(", "))
    ]


def _spell(o: Observation) -> str:
    topic = {None: "", True: " on_topic", False: " off_topic"}[o.on_topic]
    return f"{o.outcome} {o.reason}" if o.reason else f"{o.outcome}{topic}"


def _unspell(asking: Asking, sample: Sample, repetition: int, text: str) -> Observation:
    outcome, _, rest = text.partition(" ")
    topic = {"on_topic": True, "off_topic": False}.get(rest)
    reason = Reason(rest) if outcome == Outcome.UNSCORED else None
    return Observation(
        sample.id, asking.attack, repetition, asking.corpus, sample.category, Outcome(outcome), reason, topic
    )
