"""Cues: the words by which a sentence shows its move.

A cue is a few head words and what may follow one of them. A sentence is searched only for the cues whose
head words it has, in the order of their rank, until one is found: that is what makes judging cheap.
Patterns are written with free line breaks and "_" for each space. They are grammar and word classes (who
acts, negation, a verb of helping, a word of value), never phrases of a data set.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

__all__ = ["Cue", "Cues", "any_of", "cue", "opening", "unspaced", "words_of"]

T = TypeVar("T")
Guard = Callable[[str, frozenset[str]], bool]
"""What must hold of a sentence and its words beside a cue."""
_WORD = re.compile(r"[^\W\d_]+")
_MARKS = b".,;:!?\"'()[]{}<>/-=|"
_APART = bytes.maketrans(_MARKS, b" " * len(_MARKS))
"""For bytes, which are translated in a tenth of the time that text takes."""


class Cue(NamedTuple):
    """A pattern, and the words of which a sentence must have one.

    find     `search` of the pattern, or `match` where it stands at the opening
    words    none: every sentence is searched, or, where `foreign`, every one that is not ASCII
    foreign  written in letters that no ASCII sentence has
    """

    find: Callable[[str], object]
    words: tuple[str, ...]
    foreign: bool = False


def cue(heads: str, rest: str = "", among: str = "") -> Cue:
    """Head words and what follows one of them. A cue whose heads are common names `among`, rarer words of
    which it needs one as well."""
    whole = "|".join(map(_whole, heads.split()))
    return Cue(_compiled(rf"(?:{whole})\b{rest}").search, tuple((among or heads).split()))


def opening(pattern: str, words: str = "") -> Cue:
    """A pattern at the opening of a sentence, and words of which it always has one."""
    return Cue(_compiled(rf"\W*(?:{pattern})").match, tuple(words.split()))


def unspaced(pattern: str) -> Cue:
    """A pattern of a script that is not Latin: its words are inflected, or not spaced."""
    return Cue(_compiled(pattern).search, (), foreign=True)


def any_of(words: str) -> str:
    """A group that matches one of the words; "_" stands for a space."""
    return f"(?:{'|'.join(words.split())})"


def words_of(sentence: str) -> frozenset[str]:
    """The words of a sentence as cues know them: an apostrophe or a hyphen ends one."""
    if sentence.isascii():
        return frozenset(sentence.encode().translate(_APART).decode().split())
    return frozenset(_WORD.findall(sentence))


def _whole(head: str) -> str:
    """A head into which no word goes on. That stands behind it, so that a search looks for its letters: a word boundary
    before them would be tried at every character."""
    return rf"{head}(?<!\w{head})"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(pattern.split()).replace("_", " "))


class Cues(Generic[T]):
    """Ranked cues, found by their words: what they tell, the cues, and what must hold beside them."""

    __slots__ = ("_always", "_always_foreign", "_by_word", "_ranked", "_words")

    def __init__(self, *ranked: tuple[T, Iterable[Cue], Guard | None]) -> None:
        told = [(cue, tells, guard) for tells, cues, guard in ranked for cue in cues]
        self._ranked = [(cue.find, tells, guard) for cue, tells, guard in told]
        self._always = frozenset(i for i, (cue, *_) in enumerate(told) if not cue.words and not cue.foreign)
        self._always_foreign = self._always | {i for i, (cue, *_) in enumerate(told) if cue.foreign}
        self._by_word: dict[str, set[int]] = {}
        for i, (cue, *_) in enumerate(told):
            for word in cue.words:
                self._by_word.setdefault(word, set()).add(i)
        self._words = frozenset(self._by_word)

    def first(self, sentence: str, words: frozenset[str]) -> T | None:
        """What the first cue tells that the sentence, whose words are given, shows; None where it shows none."""
        always = self._always if sentence.isascii() else self._always_foreign
        for rank in sorted(always.union(*map(self._by_word.__getitem__, self._words & words))):
            find, tells, guard = self._ranked[rank]
            if find(sentence) and (guard is None or guard(sentence, words)):
                return tells
        return None
