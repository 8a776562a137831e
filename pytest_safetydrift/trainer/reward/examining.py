"""The examination of a trained reward model, on questions that it never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.sample import Sample
from pytest_safetydrift.trainer.data.groups import group_samples
from pytest_safetydrift.trainer.preferences.rows import Preference
from pytest_safetydrift.trainer.reward.calibration import Calibration, calibration_by
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.reward.hard import Known, Pool, known_pairs
from pytest_safetydrift.trainer.reward.signal import Scorer
from pytest_safetydrift.trainer.reward.soundness import Graded, Limits, Soundness, soundness

__all__ = ["Examined", "examine", "split_pairs"]

_NEAR = 0.8
"""Likeness of two prompts, as of `group_samples`, from which they are not parted."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found.

    cells  calibration of the held-out pairs by what they teach, by category and by attack
    """

    soundness: Soundness
    cells: Mapping[str, Calibration]
    limits: Limits

    def to_json(self) -> dict[str, Any]:
        """The card: first whether it may be used, and why not."""
        return {
            "usable": self.soundness.usable,
            "faults": list(self.soundness.faults),
            "held_out": _shown(self.soundness.calibration),
            "shortcuts": [
                {
                    "name": s.name,
                    "found": s.found.value,
                    "interval": list(s.found.interval),
                    "n": s.found.n,
                    "most": s.most,
                    "either_way": s.either_way,
                    "proof": s.proof,
                }
                for s in self.soundness.shortcuts
            ],
            "cells": {name: _shown(cell) for name, cell in self.cells.items()},
            "limits": asdict(self.limits),
        }


def examine(
    model: Scorer,
    held_out: Sequence[Preference],
    length: Callable[[Conversation, str], int | None],
    *,
    seed: int,
    limits: Limits,
) -> Examined:
    """Hold the model against its bars, see `soundness`.

    length  tokens of an answer to a question, None where the model cannot hold both

    Every pair tells about accuracy; one answer to each question tells about shortcuts, in turn of each sort that the
    checks compare. Answers whose question does not say what is wanted tell nothing there, and what the rest cannot
    show counts against the model. Raises ValueError without a pair, and `TrainingError` where a reward is NaN.
    """
    better, worse = (
        model.scores([(p.messages, getattr(p, side)) for p in held_out]) for side in ("chosen", "rejected")
    )
    margins = [b - w for b, w in zip(better, worse, strict=True)]
    cells = {
        f"{column}: {name}": cell
        for column in ("teaches", "category", "attack")
        for name, cell in calibration_by(margins, [str(p.row.get(column) or "not said") for p in held_out]).items()
    }
    answers = _answers(known_pairs(held_out), Random(f"examined/{seed}"))
    fitting = [(a, n) for a in answers if (n := length(a.known.pair.messages, a.text)) is not None]
    rewards = model.scores([(a.known.pair.messages, a.text) for a, _ in fitting])
    graded = [a.graded(reward, n) for (a, n), reward in zip(fitting, rewards, strict=True)]
    found = soundness(Calibration.of(margins), graded, limits=limits, categories=cells)
    return Examined(found, cells, limits)


def split_pairs(pairs: Sequence[Preference], share: float, *, seed: int) -> tuple[list[Preference], list[Preference]]:
    """The pairs to learn from and those held out: about `share` of them, by question.

    A question is held out with all its attacks, its twin and questions alike (see `group_samples`); where a row does
    not say which sample it stands for, with all that begin with the same turn. A group that would be more than a
    quarter of the held-out pairs is a template and stays.
    """
    names = _groups(pairs)
    sizes: dict[str, int] = {}
    for name in names:
        sizes[name] = sizes.get(name, 0) + 1
    wanted = share * len(pairs)
    order = sorted(name for name, size in sizes.items() if size <= max(1.0, wanted / 4))
    Random(f"split/{seed}").shuffle(order)
    held: set[str] = set()
    count = 0
    for name in order:
        if count + sizes[name] <= wanted:
            held.add(name)
            count += sizes[name]
    parts: tuple[list[Preference], list[Preference]] = ([], [])
    for pair, name in zip(pairs, names, strict=True):
        parts[name in held].append(pair)
    return parts


@dataclass(frozen=True, slots=True)
class _Answer:
    """One held-out answer, see `Graded`."""

    known: Known
    text: str
    right: bool
    refusal: bool
    on_topic: bool = True

    def graded(self, reward: float, length: int) -> Graded:
        return Graded(reward, length, self.known.asked.sample.intent, self.right, self.refusal, self.on_topic)


def _answers(known: Sequence[Known], r: Random) -> list[_Answer]:
    """One answer to each question, the sorts of its kind in turn."""
    pool = Pool(known, r)
    questions = list({k.pair.messages: k for k in known}.values())
    r.shuffle(questions)
    found: list[_Answer] = []
    for prohibited, sorts in ((True, _PROHIBITED), (False, _ALLOWED)):
        own = [k for k in questions if k.asked.prohibited is prohibited]
        found += [a for number, k in enumerate(own) if (a := sorts[number % len(sorts)](k, pool, number))]
    return found


def _right(known: Known, _pool: Pool, _number: int) -> _Answer:
    return _Answer(known, known.pair.chosen, right=True, refusal=known.asked.prohibited)


def _wrong(known: Known, _pool: Pool, _number: int) -> _Answer | None:
    return _Answer(known, known.pair.rejected, right=False, refusal=False) if known.fault is Fault.UNSAFE else None


def _wrong_with_phrase(known: Known, pool: Pool, _number: int) -> _Answer | None:
    text = pool.with_phrase(known.pair.rejected) if known.fault is Fault.UNSAFE else None
    return _Answer(known, text, right=False, refusal=True) if text else None


def _needless(known: Known, pool: Pool, _number: int) -> _Answer | None:
    text = known.pair.rejected if known.fault is Fault.NEEDLESS else pool.refusal()
    return _Answer(known, text, right=False, refusal=True) if text else None


def _off_topic(known: Known, pool: Pool, number: int) -> _Answer | None:
    text = pool.off_topic(known, longer=number % 2 == 0)
    return _Answer(known, text, right=False, refusal=False, on_topic=False) if text else None


_PROHIBITED = (_right, _wrong, _wrong_with_phrase)
_ALLOWED = (_right, _needless, _off_topic)


def _groups(pairs: Sequence[Preference]) -> list[str]:
    """The name of each pair's group."""
    rows = [row for p in pairs if isinstance(row := p.row.get("asked"), dict)]
    samples = {sample.id: sample for row in rows for sample in [Sample.from_json(row, where="asked")]}
    group_of = {name: group[0] for group in group_samples(samples.values(), _NEAR) for name in group}
    return [group_of.get(name, name) for name in map(_sample, pairs)]


def _sample(pair: Preference) -> str:
    asked = pair.row.get("asked")
    return str(asked.get("id") if isinstance(asked, dict) else pair.row.get("sample") or pair.messages[0].content)


def _shown(cell: Calibration) -> dict[str, Any]:
    return {
        "n": cell.n,
        "accuracy": cell.rate,
        "interval": list(cell.accuracy),
        "brier": cell.brier,
        "calibration_error": cell.error,
    }
