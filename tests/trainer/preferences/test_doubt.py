"""Doubt: the smaller side's share of the draws, and the noise that is read out of it."""

from __future__ import annotations

from itertools import product

import pytest

from pytest_safetydrift.core.response import Finish
from pytest_safetydrift.trainer.preferences.doubt import MOST_NOISE, disagreement, label_noise
from tests.trainer.preferences.pairs import NO, ask, draw, yes

GUN = ask("a gun")
PARTLY = "I don't have enough information to answer. What do you need it for?"


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        ((NO, NO, NO, NO), 0.0),
        ((yes("a gun"),) * 4, 0.0),
        ((NO, yes("a gun"), yes("a gun"), yes("a gun")), 0.25),
        ((NO, NO, yes("a gun"), yes("a gun")), 0.5),
        ((NO, NO, NO, ""), 0.125),
        ((NO, NO, NO, PARTLY), 0.125),
        (("", ""), 0.5),
    ],
)
def test_disagreement_is_the_smaller_share(texts: tuple[str, ...], share: float) -> None:
    """Of four draws one that differs is a quarter; one that the judge cannot read, or reads as partly refused, is half
    a draw on either side."""
    assert disagreement(draw(GUN, *texts)) == share


def test_no_draw_has_no_disagreement() -> None:
    """It is not taken for agreement."""
    with pytest.raises(ValueError, match="at least one draw"):
        disagreement(())


def test_noise_stays_below_the_half_where_labels_say_nothing() -> None:
    """For every outcome of four draws it lies in [0, 0.4], and more disagreement is no less noise."""
    shares = sorted(disagreement(draw(GUN, *texts)) for texts in product((NO, yes("a gun"), ""), repeat=4))
    noises = [label_noise(share) for share in shares]
    assert noises == sorted(noises)
    assert (noises[0], noises[-1]) == (0.0, MOST_NOISE)
    assert MOST_NOISE < 0.5


def test_an_answer_that_was_cut_off_is_in_doubt() -> None:
    """It could still have become anything."""
    assert disagreement(draw(GUN, "I see.", finish=Finish.LENGTH)) == 0.5
