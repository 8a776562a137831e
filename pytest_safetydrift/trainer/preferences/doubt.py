"""Doubt: how far a model's own draws disagree about a question, and how far a pair made of them may be wrong."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.drawing import Drawn

__all__ = ["MOST_NOISE", "disagreement", "label_noise"]

MOST_NOISE = 0.4
"""The unbiased loss divides by 1 - 2 noise: up to here a pair weighs at most five times as much as a clean one."""


def disagreement(draws: Sequence[Drawn]) -> float:
    """Share of the smaller side in [0, 1/2]: answers that did right against answers that did not, as judged.

    An answer that the judge could not read, or read as refusing in part, is half on either side, so the judge's own
    doubt counts as the model's wavering does. Raises ValueError without a draw.
    """
    if not draws:
        raise ValueError("disagreement needs at least one draw")
    right = sum(map(_right, draws)) / len(draws)
    return min(right, 1 - right)


def label_noise(share: float) -> float:
    """Estimate of the probability that a pair is the wrong way round, in [0, `MOST_NOISE`]: the disagreement, capped.

    If the model always did the same and the judge alone erred, independently at a rate e below 1/2, the share's
    expectation would be at most e and come to e with many draws. Since the model wavers too, what is seen is more than
    the judge's share in it: with many draws the estimate errs towards distrust, with few draws that agree by chance
    (probability (1 - e)^n + e^n) towards trust. An error that the judge makes in every draw is not seen at all.
    """
    return min(share, MOST_NOISE)


def _right(drawn: Drawn) -> float:
    if drawn.fault is Fault.UNREAD or drawn.judgement.outcome is Outcome.PARTLY_REFUSED:
        return 0.5
    return float(drawn.fault is None)
