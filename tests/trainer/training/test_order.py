"""The order of rows, and the configuration that it follows from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.methods import SFT
from pytest_safetydrift.trainer.training.order import draw_order


@given(st.lists(st.integers(1, 99), min_size=1, max_size=60), st.integers(1, 9), st.integers(1, 12), st.integers(0, 3))
@settings(max_examples=50, deadline=None)
def test_every_pass_sees_every_row_once(lengths: list[int], batch: int, steps: int, seed: int) -> None:
    """Rows differ in how often they are seen by one at most, however often they are passed over."""
    order = draw_order(lengths, batch=batch, steps=steps, seed=seed)
    assert len(order) == batch * steps
    counts = [order.count(row) for row in range(len(lengths))]
    assert max(counts) - min(counts) <= 1


def test_batches_are_of_like_length_and_in_random_order() -> None:
    """Little of a batch is padding, and long batches do not all come last."""
    lengths = list(range(64))
    order = draw_order(lengths, batch=8, steps=8, seed=0)
    batches = [order[at : at + 8] for at in range(0, 64, 8)]
    assert all(max(b) - min(b) == 7 for b in batches)
    assert batches != sorted(batches)
    assert order != draw_order(lengths, batch=8, steps=8, seed=1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"batch": 0}, "batch must be at least 1, got 0"),
        ({"rate": 0.0}, "rate must be a number above 0"),
        ({"rate": float("nan")}, "rate must be a number above 0"),
        ({"weight_decay": -1.0}, "weight_decay must be a number of at least 0"),
        ({"batch": 8, "micro_batch": 3}, "micro_batch must divide batch"),
        ({"save_every": 0}, "save_every must be at least 1"),
    ],
)
def test_impossible_numbers_are_refused(changes: dict[str, Any], why: str) -> None:
    """Before a file is opened."""
    with pytest.raises(UsageError, match=why):
        SFT(base="x", data=(Path("y"),), **changes)


def test_steps_follow_from_rows_and_epochs() -> None:
    """Unless they are given."""
    assert SFT(base="x", data=(), batch=8, epochs=2).steps_for(40) == 10
    assert SFT(base="x", data=(), batch=8).steps_for(3) == 1
    assert SFT(base="x", data=(), steps=7).steps_for(1000) == 7
