"""The maths of attribution, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from pytest_safetydrift.trainer.targeted.effects import (
    continuation_logprobs,
    first_token_log_odds,
    mean_contrast,
    normalised_effect,
)


def test_log_odds_of_first_tokens_by_hand() -> None:
    """Probabilities .1, .2, .3, .4: refusals 0 and 1 against compliance 3 are log(.3 / .4), whatever is added."""
    logits = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()
    wanted = math.log(0.3 / 0.4)
    assert first_token_log_odds(logits, [0, 1], [3]).item() == pytest.approx(wanted, abs=1e-6)
    assert first_token_log_odds(logits + 5.0, [1, 0, 1], [3]).item() == pytest.approx(wanted, abs=1e-6)


def test_one_token_a_side_is_the_logit_difference() -> None:
    """As Zhang & Nanda have it."""
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 9.0]])
    assert first_token_log_odds(logits, [0], [1]).tolist() == pytest.approx([3.0, -3.0])


@pytest.mark.parametrize(("refusal", "compliance"), [([], [1]), ([1], []), ([1, 2], [2])])
def test_sides_without_tokens_of_their_own_are_refused(refusal: list[int], compliance: list[int]) -> None:
    """Nothing can be told from none, nor from a token that both begin with."""
    with pytest.raises(ValueError, match="first tokens of its own"):
        first_token_log_odds(torch.zeros(1, 4), refusal, compliance)


def test_continuations_are_summed_without_padding_by_hand() -> None:
    """Two tokens of probability 1/4 and 1/2 are log 1/8; the padded place does not count, whatever stands there."""
    logits = torch.tensor([[[1.0, 1.0, 2.0], [1.0, 1.0, 0.0], [1.0, 1.0, 2.0]]]).log()
    targets = torch.tensor([[0, 1, 2]])
    two = continuation_logprobs(logits, targets, torch.tensor([[True, True, False]]))
    three = continuation_logprobs(logits, targets, torch.tensor([[True, True, True]]))
    assert two.item() == pytest.approx(math.log(1 / 8), abs=1e-6)
    assert three.item() == pytest.approx(math.log(1 / 16), abs=1e-6)


def test_effects_by_hand() -> None:
    """Of ways of 2 and 4, the patch goes 1 and 1: 2 of 6. Residuals are 1/3 and -1/3, so the half width is
    t(1, .975) * sqrt(2/9 / 2) / 3."""
    found = normalised_effect(np.array([0.0, 0.0]), np.array([1.0, 1.0]), np.array([2.0, 4.0]), confidence=0.5)
    half = 1.0 * math.sqrt((2 / 9) / 2) / 3  # t with one degree of freedom has its upper quartile at 1
    assert found.estimate == pytest.approx(1 / 3)
    assert (found.low, found.high) == pytest.approx((1 / 3 - half, 1 / 3 + half))


def test_nothing_all_and_more_than_all() -> None:
    """The clean run is 0, the corrupt one 1, twice the way 2 and the wrong way -1, with no room for doubt."""
    clean, corrupt = np.array([-3.0, -2.0, -4.0]), np.array([1.0, 2.0, 1.5])
    for effect in (0.0, 1.0, 2.0, -1.0):
        found = normalised_effect(clean, clean + effect * (corrupt - clean), corrupt)
        assert found == pytest.approx((effect, effect, effect))


def test_scale_and_shift_do_not_matter() -> None:
    """The metric in other units, or from another zero, gives the same effect and interval."""
    r = np.random.default_rng(0)
    clean, patched, corrupt = r.normal(-4, 1, 20), r.normal(-2, 1, 20), r.normal(5, 1, 20)
    found = normalised_effect(clean, patched, corrupt)
    assert found == pytest.approx(normalised_effect(3 * clean - 7, 3 * patched - 7, 3 * corrupt - 7))
    assert found.low < found.estimate < found.high


def test_the_interval_covers_what_it_says() -> None:
    """Of 400 draws of 30 prompts with a true ratio of .4, the 90% interval holds it in 87% to 93%."""
    r, held = np.random.default_rng(1), 0
    for _ in range(400):
        way = r.normal(10, 3, 30)
        moved = 0.4 * way + r.normal(0, 2, 30)
        found = normalised_effect(np.zeros(30), moved, way, confidence=0.9)
        held += found.low <= 0.4 <= found.high
    assert 0.87 <= held / 400 <= 0.93


def test_runs_that_do_not_differ_have_no_effects() -> None:
    """A ratio to nothing is refused, as are runs the wrong way round, one prompt, and unequal lengths."""
    same = np.array([1.0, 2.0, 3.0])
    for corrupt in (same, same - 5):
        with pytest.raises(ValueError, match="do not differ"):
            normalised_effect(same, same, corrupt)
    with pytest.raises(ValueError, match="at least two"):
        mean_contrast(np.array([0.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="all three"):
        normalised_effect(same, same[:2], same + 1)
