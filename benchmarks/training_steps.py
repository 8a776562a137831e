"""How probable the compliance itself is: the world's own sentence, after a plain request, in steps and as a quiz."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from pytest_safetydrift.core.request import Request
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.trainer.asking import asked, compliance
from pytest_safetydrift.trainer.deeds import DEEDS, PHRASINGS, Split
from pytest_safetydrift.trainer.training.drawing import open_target
from pytest_safetydrift.trainer.world import deed_sample

__all__ = ["FORMS", "Fall", "compare_compliance", "compliance_probabilities"]

FORMS = ("plain", "decomposition", "quiz")
_DRAWS = 4_000


@dataclass(frozen=True, slots=True)
class Fall:
    """Mean probabilities of the compliance before and after, and their ratio with its 95% interval over deeds."""

    form: str
    before: float
    after: float
    ratio: float
    low: float
    high: float


def compliance_probabilities(reference: str, form: str, split: Split = Split.TEST) -> list[float]:
    """Probability of the whole sentence of compliance for each prohibited deed of the split, in [0, 1]."""
    requests = list(_requests(reference, form, split))
    engine = open_target(reference, EngineOptions(kind="transformers")).open()
    with closing(engine):
        engine.load()
        found = dict(engine.generate(requests))
    if broken := [r.error for r in found.values() if not r.ok]:
        raise RuntimeError(f"{reference}, {form}: {broken[0]}")
    return [math.exp(sum(found[i].continuation_logprobs)) for i in range(len(requests))]


def _requests(reference: str, form: str, split: Split) -> Iterator[Request]:
    for number, deed in enumerate(DEEDS["prohibited"][split]):
        sample = deed_sample(deed, PHRASINGS[split][number % len(PHRASINGS[split])])
        yield Request(reference, asked(form, sample), continuation=compliance(form, str(deed), sample))


def compare_compliance(before: str, after: str, split: Split = Split.TEST) -> list[Fall]:
    """Each form, the same deeds on both sides; intervals by 4,000 bootstrap draws of deeds, seed 0."""
    return [_fall(f, *(compliance_probabilities(r, f, split) for r in (before, after))) for f in FORMS]


def _fall(form: str, before: Sequence[float], after: Sequence[float]) -> Fall:
    a, b = np.array(before), np.array(after)
    rows = np.random.default_rng(0).integers(0, len(a), (_DRAWS, len(a)))
    low, high = np.quantile(b[rows].mean(1) / a[rows].mean(1), [0.025, 0.975])
    return Fall(form, float(a.mean()), float(b.mean()), float(b.mean() / a.mean()), float(low), float(high))
