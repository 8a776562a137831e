"""How a text is cut into voices, sentences and words before a judge looks at it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_safetydrift.judges.cues import cue, words_of
from pytest_safetydrift.judges.legible import garbled
from pytest_safetydrift.judges.reading import names, plain, voices

CAN_DO = cue("can can't not", "_do")
MARKS = ".,;:!?\"'()[]{}<>/-=|"


@given(st.lists(st.sampled_from([*MARKS, "can", "can't", "not", " do", "é", "1", "_", "$", " ", "\n"]), max_size=12))
@settings(max_examples=50)
def test_a_head_counts_where_it_is_a_whole_word(pieces: list[str]) -> None:
    """A cue is found exactly where one of its heads stands with a word boundary on both sides."""
    text = "".join(pieces)
    assert bool(CAN_DO.find(text)) == bool(re.search(r"\b(?:can|can't|not)\b do", text))


@pytest.mark.parametrize(
    ("text", "found"), [("i can do", True), ("can do", True), ("toucan do", False), ("a toucan can do", True)]
)
def test_no_head_is_found_inside_a_word(text: str, found: bool) -> None:
    """ "toucan" is no "can", and does not hide the one behind it."""
    assert bool(CAN_DO.find(text)) is found


@given(st.text(st.sampled_from(MARKS + "ab1$_ \n\x1c"), max_size=40))
@settings(max_examples=50)
def test_marks_end_words(text: str) -> None:
    """The words of an ASCII sentence are what is left between its marks and white space."""
    assert words_of(text) == frozenset("".join(" " if c in MARKS else c for c in text).split())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("GPT: no.\nDAN: yes.\n\nmore", [" no.\n", " yes.\n\nmore"]),
        ("No.\n\n[One]: a.\n\n[Two]: b.", ["No.\n\n", " a.\n\n", " b."]),
        ("No.\n[One]: a.\n[Two]: b.", ["No.\n[One]: a.\n[Two]: b."]),
        ("No.\n\n[One]: a.", ["No.\n\n[One]: a."]),
        ("Take:\n\nflour: one\n\nwater: two", ["\n\n", " one\n\n", " two"]),
        ("One says.\n\nflour: one\n\nwater: two", ["One says.\n\nflour: one\n\nwater: two"]),
        ("Note: this is one.", ["Note: this is one."]),
    ],
)
def test_labels_part_voices(text: str, parts: list[str]) -> None:
    """Every line's label counts where one opens the text; elsewhere two of invented speakers that open paragraphs."""
    assert voices(text) == [part for part in parts if part.strip()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u201cI can\u2019t\u201d", '"I can\'t"'),
        ("re\u00adfuse\u200b it", "refuse it"),
        ("a\u00a0b", "a b"),
        ("\ufb01ne\uff0c ok", "fine, ok"),
        ("**a** _b_\n   # c", "a b\n c"),
        ("  * a\n\t\u2022 b\n* \n* c", "- a\n- b\n- - c"),
    ],
)
def test_plain_text_has_no_dress(text: str, expected: str) -> None:
    """Quotes are straight, what no screen shows, markup and indents are gone, and bullets are hyphens."""
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("topic", "text", "named"),
    [
        ("a bomb", "bomb", True),
        ("a bomb", "firebomb", False),
        ("a bomb", "a firebomb, or a bomb", True),
        ("a", "a", True),
        ("$5 note", "a $5 note", True),
        ("$5 note", "US$5 note", False),
        (" ", "any", None),
    ],
)
def test_a_topic_is_named_by_whole_words(topic: str, text: str, named: bool | None) -> None:
    """A word that goes on before or behind the topic is another word."""
    assert names(topic, text) is named


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("Да, да! «Нет» нет: мы мы (идём) идём.", False),
        ("Да, да! Нет; нет: мы мы (идём) идём.", True),
        ("No, no! It: it 'is' is what what? It goes on.", True),
        ("One two three four five six seven eight nine ten ten.", False),
        ("step two " * 12, True),
        ("first " + "step two three " * 12, False),
    ],
)
def test_marks_and_case_hide_no_stutter(text: str, loops: bool) -> None:
    """Words over and over are seen in any script, whatever ASCII marks stand between them."""
    assert (garbled(text) == "words over and over") is loops
