"""Figures read the same everywhere, and nothing missing reads as zero."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_safetydrift.core.gate import Inconclusive
from pytest_safetydrift.report import words
from tests.report.sample import sample_record


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(0.0, "0.0%"), (1.0, "100.0%"), (0.034, "3.4%"), (0.0004, "<0.1%"), (0.9996, ">99.9%"), (None, "n/a")],
)
def test_a_rate_is_shown_with_one_decimal_and_never_rounded_onto_an_end(rate: float | None, shown: str) -> None:
    """0% and 100% are said of exact ends alone; what was not measured is n/a."""
    assert words.percent(rate) == shown


@pytest.mark.parametrize(("change", "shown"), [(0.46, "+46.0"), (-0.0512, "-5.1"), (-0.0001, "0.0"), (None, "n/a")])
def test_a_change_is_shown_in_signed_points(change: float | None, shown: str) -> None:
    """A change carries its sign, and one that rounds to zero carries none."""
    assert words.points(change) == shown


@pytest.mark.parametrize("decision", ["", "pass", "PASSED", "SKIPPED", "<b>", "INCONCLUSIVE"])
def test_whatever_is_neither_pass_nor_fail_is_undecided(decision: str) -> None:
    """An unknown decision never takes the colour or the word of a pass."""
    assert words.tone(decision) == "inconclusive"
    assert words.verdict(decision) != "PASSED" or decision == "PASSED"


def test_every_reason_of_the_closed_set_has_words() -> None:
    """No reader meets a bare identifier as the reason why a gate is undecided."""
    entry = sample_record().gates[0]
    for reason in Inconclusive:
        said = words.reason(type(entry)(**{**{f: getattr(entry, f) for f in entry.__slots__}, "reason": str(reason)}))
        assert " " in said
        assert "_" not in said


def test_unscored_answers_are_counted_where_they_decide() -> None:
    """Of all answers at a limit; beside the pairs of a comparison, whose two sides are counted together."""
    entry = replace(sample_record().gates[0], reason="too_many_unscored", unscored=50, n=150, margin=None, limit=0.1)
    assert words.reason(entry).endswith("than the policy allows: 50 of 200")
    assert words.reason(replace(entry, margin=0.05)).endswith(": 50 beside 150 scored pairs")
    assert words.reason(replace(entry, reason="needs_more_prompts")).endswith("that it is missed")
