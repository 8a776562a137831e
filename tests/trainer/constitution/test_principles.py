"""Principles: the built-in ones, and a file of the user's own."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.constitution.principles import Applies, Principle, choose_principles, read_principles

GOOD = """
[[principle]]
id = "kind"
applies = "all"
critique = "Is it unkind?"
revision = "Make it kind."
"""


def read(tmp_path: Path, text: str) -> tuple[Principle, ...]:
    file = tmp_path / "own.toml"
    file.write_text(text, "utf-8")
    return read_principles(file)


def test_the_built_in_ones_apply_to_questions_of_every_kind() -> None:
    """At least two each, and every one has a question that answers are compared by."""
    found = read_principles()
    assert all(sum(p.is_for(kind) for p in found) >= 2 for kind in (True, False))
    assert all(p.question.endswith("?") for p in found)


def test_a_file_of_one_s_own_is_read(tmp_path: Path) -> None:
    """Without `compare`, answers are compared by the critique."""
    (found,) = read(tmp_path, GOOD)
    assert (found.id, found.applies, found.critique, found.revision) == (
        "kind",
        Applies.ALL,
        "Is it unkind?",
        "Make it kind.",
    )
    assert found.question.endswith("Is it unkind?")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is none"),
        ("principle = 3", "there is none"),
        ("[[principle]\n", "own.toml: "),
        ("[other]\n" + GOOD, "unknown key 'other'; .*principle"),
        (GOOD.replace("revision", "revison"), r"number 1 \(kind\): unknown key 'revison'; did you mean 'revision'"),
        (GOOD.replace('revision = "Make it kind."', ""), r"number 1 \(kind\): missing revision"),
        (GOOD.replace('"Make it kind."', '"  "'), "revision must be a text that says something"),
        (GOOD.replace('"Make it kind."', "3"), "revision must be a text"),
        (GOOD.replace('"all"', '"everyone"'), "no such questions: 'everyone'; .*known: all, benign, prohibited"),
        (GOOD + GOOD, "'kind' comes twice"),
        (GOOD.replace('"all"', '"benign"'), "none applies to prohibited questions"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path: Path, text: str, why: str) -> None:
    """With the file, the principle and the key."""
    with pytest.raises(UsageError, match=why):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It is an error of use."""
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_principles(tmp_path / "none.toml")


def test_principles_are_drawn_from_those_that_apply() -> None:
    """No more than there are, each at most once, the same for the same seed."""
    found = read_principles()
    drawn = choose_principles(found, False, 99, Random(1))
    assert len(drawn) == len(set(drawn)) == sum(p.is_for(False) for p in found)
    assert drawn == choose_principles(found, False, 99, Random(1))
    assert all(p.applies is not Applies.PROHIBITED for p in drawn)
