"""What is chosen for training, and its random control."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.stats import Mean
from pytest_safetydrift.trainer.targeted.attribution import Attribution, Metric, PartEffect, Places
from pytest_safetydrift.trainer.targeted.choice import choose_count, choose_random, choose_share
from pytest_safetydrift.trainer.targeted.layout import Layout, find_layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from tests.trainer.targeted.conftest import make_llama

HEADS = [Part(layer, Kind.HEAD, head) for layer in (0, 1) for head in range(4)]


def attribution(*ranked: tuple[Part, float]) -> Attribution:
    effects = tuple(PartEffect(part, Mean(e, e - 0.1, e + 0.1)) for part, e in ranked)
    return Attribution(effects, (), Metric.FIRST, Places.LAST, -5.0, 5.0, 10)


@pytest.fixture(scope="module")
def layout(llama: Any) -> Layout:
    return find_layout(llama)


def test_the_largest_effects_that_fit(layout: Layout) -> None:
    """With room for two heads the first two are taken; an MLP that does not fit is passed over."""
    head = layout.numbers([HEADS[0]])
    ranked = attribution((Part(0, Kind.MLP), 0.9), (HEADS[5], 0.5), (HEADS[1], 0.4), (HEADS[2], 0.3))
    found = choose_share(ranked, layout, (2 * head + 1) / layout.total, tuple(Kind))
    assert found.parts == (HEADS[1], HEADS[5])
    assert found.numbers == 2 * head
    assert found.share == 2 * head / layout.total


def test_nothing_is_chosen_twice(layout: Layout) -> None:
    """Heads of a chosen attention are passed over, and attention of a chosen head; other kinds are not looked at."""
    ranked = attribution(
        (Part(0, Kind.ATTENTION), 0.9), (HEADS[0], 0.8), (HEADS[4], 0.7), (Part(1, Kind.ATTENTION), 0.6)
    )
    assert choose_share(ranked, layout, 1.0, tuple(Kind)).parts == (Part(0, Kind.ATTENTION), HEADS[4])
    assert choose_share(ranked, layout, 1.0, [Kind.HEAD]).parts == (HEADS[0], HEADS[4])
    assert choose_count(ranked, layout, 2, tuple(Kind)).parts == (Part(0, Kind.ATTENTION), HEADS[4])


def test_parts_without_an_effect_are_not_chosen(layout: Layout) -> None:
    """However much room there is; and where no part has one, that is an error."""
    ranked = attribution((HEADS[0], 0.2), (HEADS[1], 0.0), (HEADS[2], -0.1))
    assert choose_share(ranked, layout, 1.0, [Kind.HEAD]).parts == (HEADS[0],)
    with pytest.raises(UsageError, match="kinds mlp has an effect above 0"):
        choose_share(ranked, layout, 1.0, [Kind.MLP])
    with pytest.raises(UsageError, match="2 parts were asked for, and 1"):
        choose_count(ranked, layout, 2, [Kind.HEAD])


def test_a_share_too_small_for_any_part_says_what_would_do(layout: Layout) -> None:
    """The error names the least share."""
    with pytest.raises(UsageError, match=r"smallest part that has an effect has 1024: take a share of 0\.0\d+"):
        choose_share(attribution((HEADS[0], 0.2)), layout, 0.001, [Kind.HEAD])
    with pytest.raises(UsageError, match="in \\(0, 1\\], got 0"):
        choose_share(attribution((HEADS[0], 0.2)), layout, 0.0, [Kind.HEAD])


def test_the_control_has_the_same_size_and_mix(layout: Layout) -> None:
    """Of twenty seeds each gives as many numbers and parts of each kind, and none is the choice."""
    chosen = choose_count(
        attribution((Part(0, Kind.MLP), 0.9), (HEADS[0], 0.5), (HEADS[1], 0.4)), layout, 3, tuple(Kind)
    )
    drawn = [choose_random(chosen, layout, seed) for seed in range(20)]
    for control in drawn:
        assert control.numbers == chosen.numbers
        assert Counter(p.kind for p in control.parts) == {Kind.MLP: 1, Kind.HEAD: 2}
        assert control.parts != chosen.parts
        assert len(set(control.parts)) == 3
    assert len({control.parts for control in drawn}) > 10
    assert drawn[3] == choose_random(chosen, layout, 3)


def test_a_control_that_cannot_be_is_refused(layout: Layout) -> None:
    """All heads of the model have no other choice of as many."""
    whole = choose_count(attribution(*((h, 0.5) for h in HEADS)), layout, 8, [Kind.HEAD])
    with pytest.raises(UsageError, match="no random control"):
        choose_random(whole, layout, 0)


def test_controls_of_unlike_parts_come_as_near_as_they_can() -> None:
    """Where one layer's MLP is another size, the control of the like ones leaves it out."""
    import torch

    model = make_llama(layers=3)
    for name in ("gate_proj", "up_proj"):
        setattr(model.model.layers[1].mlp, name, torch.nn.Linear(32, 8, bias=False))
    model.model.layers[1].mlp.down_proj = torch.nn.Linear(8, 32, bias=False)
    layout = find_layout(model)
    chosen = choose_count(attribution((Part(0, Kind.MLP), 0.9)), layout, 1, [Kind.MLP])
    assert {choose_random(chosen, layout, seed).parts for seed in range(8)} == {(Part(2, Kind.MLP),)}
