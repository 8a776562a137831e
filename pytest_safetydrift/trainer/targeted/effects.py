"""What is measured of a run, and how much of the way from one run to another a patch goes.

Sources: Vig et al. 2020 (arXiv 2004.12265) for the intervention; Meng et al. 2022 (arXiv 2202.05262), section 2, for
runs of one model; Zhang & Nanda 2024 (arXiv 2309.16042), sections 2 and 4, for logit differences and their
normalisation. They are departed from where the effect is one ratio of means and not a mean of ratios, see
`normalised_effect`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from pytest_safetydrift.stats import Mean
from pytest_safetydrift.stats.checks import Floats, check_fraction, floats
from pytest_safetydrift.trainer.reward.logprobs import token_logprobs

__all__ = ["continuation_logprobs", "first_token_log_odds", "mean_contrast", "normalised_effect"]


def first_token_log_odds(logits: Tensor, refusal: Sequence[int], compliance: Sequence[int]) -> Tensor:
    """log P(answer begins with a token of `refusal`) - log P(it begins with one of `compliance`), float32 [rows].

    logits  [rows, vocabulary] at the last token of the prompt

    For one token on each side it is the logit difference. Raises ValueError where a side has none, or both have one.
    """
    if not refusal or not compliance or set(refusal) & set(compliance):
        raise ValueError(f"each side needs first tokens of its own, got {sorted(refusal)} and {sorted(compliance)}")
    rows = logits.float()
    return rows[:, sorted(set(refusal))].logsumexp(-1) - rows[:, sorted(set(compliance))].logsumexp(-1)


def continuation_logprobs(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Summed natural log-probability of each row's continuation, float32 [rows].

    logits   [rows, tokens, vocabulary], those at place t are of `targets` at t
    targets  int64 [rows, tokens]
    mask     bool [rows, tokens], True on tokens of the continuation
    """
    return (token_logprobs(logits.float(), targets) * mask).sum(-1)


def normalised_effect(clean: Floats, patched: Floats, corrupt: Floats, *, confidence: float = 0.95) -> Mean:
    """How much of the way from the clean run to the corrupt one the patch goes: 0 none of it, 1 all of it.

    clean    the metric per prompt [prompts] of the run that is patched, left as it is
    patched  with the patch
    corrupt  of the run that the patch is from

    It is mean(patched - clean) / mean(corrupt - clean), which no single prompt on which the two runs hardly differ can
    throw about. The interval over prompts, taken as independent, is that of a ratio estimate (Cochran 1977, Sampling
    Techniques, section 6.4), by Student's t with prompts - 1 degrees of freedom. It can be below 0 or above 1. Raises
    ValueError for fewer than two prompts and where `mean_contrast` is not above 0 with that confidence.
    """
    start, moved, end = floats(clean, "clean"), floats(patched, "patched"), floats(corrupt, "corrupt")
    if not len(start) == len(moved) == len(end):
        raise ValueError(f"each prompt needs all three runs: {len(start)}, {len(moved)} and {len(end)}")
    contrast = mean_contrast(start, end, confidence=confidence)
    if contrast.low <= 0:
        raise ValueError(f"the runs do not differ: the mean contrast is {contrast.estimate:.3g}, its interval holds 0")
    ratio = float((moved - start).mean()) / contrast.estimate
    half = _half(moved - start - ratio * (end - start), confidence) / contrast.estimate
    return Mean(ratio, ratio - half, ratio + half)


def mean_contrast(clean: Floats, corrupt: Floats, *, confidence: float = 0.95) -> Mean:
    """Mean of corrupt - clean over prompts and its t-interval; raises ValueError for fewer than two prompts."""
    difference = floats(corrupt, "corrupt") - floats(clean, "clean")
    mean, half = float(difference.mean()), _half(difference, confidence)
    return Mean(mean, mean - half, mean + half)


def _half(values: Floats, confidence: float) -> float:
    """Half the width of the t-interval of a mean."""
    check_fraction(confidence, "confidence")
    from scipy.special import stdtrit

    if len(values) < 2:
        raise ValueError("an interval over prompts needs at least two of them")
    spread = float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(stdtrit(len(values) - 1, (1 + confidence) / 2)) * spread
