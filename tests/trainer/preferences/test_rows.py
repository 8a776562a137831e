"""Reading pairs: what is no pair is an error that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.preferences.rows import read_preferences, read_rated
from tests.trainer.preferences.pairs import NO, THINGS, pair, write_rows, yes


def read(tmp_path: Path, *rows: dict[str, Any], **options: bool) -> Any:
    return read_preferences([write_rows(tmp_path / "pairs.jsonl", rows)], **options)


def rated(tmp_path: Path, *rows: dict[str, Any], **options: bool) -> Any:
    return read_rated([write_rows(tmp_path / "rated.jsonl", rows)], **options)


def test_texts_and_messages_read_alike(tmp_path: Path) -> None:
    """A pair may be spelled as texts or as chat messages; without noise it is a sure one."""
    texts = {"prompt": "how to make a gun", "chosen": NO, "rejected": yes("a gun")}
    one, other, last = read(tmp_path, texts, pair("a gun"), pair("soup", noise=0.25))
    assert (one.messages, one.chosen, one.rejected, one.noise) == (other.messages, NO, other.rejected, 0.0)
    assert last.noise == 0.25


@pytest.mark.parametrize("missing", ["chosen", "rejected"])
@pytest.mark.parametrize("value", [None, "", []])
def test_an_unpaired_row_is_named(tmp_path: Path, missing: str, value: object) -> None:
    """A row that lacks one of the two answers is an error with its line and the way out."""
    with pytest.raises(CorpusError, match=rf"line 2: unpaired, it has no {missing} answer; add .*train kto"):
        read(tmp_path, pair("soup"), {**pair("a gun"), missing: value})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"rejected": NO + " "}, "the same text, so neither is better"),
        ({"noise": 0.5}, r"noise must be a number in \[0, 0.5\), got 0.5"),
        ({"noise": -0.1}, "noise must be a number"),
        ({"noise": True}, "noise must be a number"),
        ({"noise": "0.1"}, "noise must be a number"),
        ({"prompt": [{"role": "assistant", "content": "Hi"}]}, "the prompt ends with the assistant's turn"),
        ({"chosen": [{"role": "user", "content": "Hi"}]}, "one turn of the assistant"),
        ({"chosen": [{"role": "assistant", "content": " "}]}, "an empty turn"),
    ],
)
def test_a_row_that_cannot_teach_is_refused(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    """Each with its own reason."""
    with pytest.raises(CorpusError, match=why):
        read(tmp_path, {**pair("a gun"), "chosen": NO, **change}, pair("soup"))


def test_a_row_without_a_prompt_says_what_it_has(tmp_path: Path) -> None:
    """The columns that are there are listed."""
    with pytest.raises(CorpusError, match="no prompt beside the answers; it has chosen, rejected"):
        read(tmp_path, {"chosen": NO, "rejected": "Sure."})


def test_pairs_that_all_prefer_refusals_are_refused(tmp_path: Path) -> None:
    """They teach to refuse everything, whatever the rows say of themselves."""
    rows = [{**pair(thing), "teaches": "answer"} for thing in THINGS[:4]]
    with pytest.raises(CorpusError, match="all 4 preferred answers are refusals"):
        read(tmp_path, *rows)
    assert len(read(tmp_path, *rows, one_class=True)) == 4


def test_pairs_that_all_prefer_answers_are_refused(tmp_path: Path) -> None:
    """They teach to refuse nothing."""
    with pytest.raises(CorpusError, match="none of the preferred answers is a refusal"):
        read(tmp_path, *map(pair, THINGS[4:]))
    assert len(read(tmp_path, *map(pair, THINGS[4:]), one_class=True)) == 4


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """There is nothing to train on."""
    with pytest.raises(CorpusError, match="no rows"):
        read(tmp_path)


def test_a_pair_is_a_good_and_a_bad_answer(tmp_path: Path) -> None:
    """For methods that rate single answers each pair gives two."""
    found = rated(tmp_path, pair("a gun"), pair("soup"))
    assert [(r.answer, r.good) for r in found] == [
        (NO, True),
        (yes("a gun"), False),
        (yes("soup"), True),
        (NO, False),
    ]


def test_rated_rows_need_no_counterpart(tmp_path: Path) -> None:
    """Prompt, completion and label are enough; 1 and 0 are labels too."""
    rows = [("a gun", NO, True), ("soup", yes("soup"), 1), ("a bomb", yes("a bomb"), 0)]
    found = rated(tmp_path, *({"prompt": f"make {t}", "completion": a, "label": good} for t, a, good in rows))
    assert [r.good for r in found] == [True, True, False]


@pytest.mark.parametrize("label", [None, "good", "true", 2, [True]])
def test_a_label_is_true_or_false(tmp_path: Path, label: object) -> None:
    """Anything else is no label."""
    with pytest.raises(CorpusError, match="line 1: label must be true for a good answer or false"):
        rated(tmp_path, {"prompt": "hi", "completion": NO, "label": label})


@pytest.mark.parametrize(("label", "which"), [(True, "good"), (False, "bad")])
def test_answers_of_one_label_are_refused(tmp_path: Path, label: bool, which: str) -> None:
    """Where all are good, or all are bad, there is nothing to tell apart."""
    rows = [{"prompt": "hi", "completion": text, "label": label} for text in (NO, "Hello.")]
    with pytest.raises(CorpusError, match=f"all 2 answers are labelled {which}"):
        rated(tmp_path, *rows)


def test_good_answers_that_are_all_refusals_are_refused(tmp_path: Path) -> None:
    """As with pairs."""
    rows = [{"prompt": "hi", "completion": NO, "label": True}, {"prompt": "hi", "completion": "Hello.", "label": False}]
    with pytest.raises(CorpusError, match="all 1 preferred answers are refusals"):
        rated(tmp_path, *rows)
    assert len(rated(tmp_path, *rows, one_class=True)) == 2
