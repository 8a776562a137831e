"""Checkpoint references: one string form wherever a model is named."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from urllib.parse import urlsplit

from pytest_safetydrift.core.errors import BadReferenceError, closest

__all__ = ["DEMO_NAMES", "Reference", "Scheme"]

DEMO_NAMES = ("base", "v1", "v2a", "v2b", "v3")
"""The checkpoints of the demo world."""


class Scheme(StrEnum):
    """Where a checkpoint is."""

    MODEL = "model"  # a directory or a hub name, written without a scheme
    OPENAI = "openai"
    RECORDED = "recorded"
    RUN = "run"
    DEMO = "demo"
    SCRIPTED = "scripted"
    RERANK = "rerank"


_FILES = (Scheme.RECORDED, Scheme.RUN, Scheme.RERANK)


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference.

    text      as the user wrote it
    scheme    see `Scheme`
    place     directory, hub name, served name, file (recorded, run, rerank), demo name, or `module:attribute` of a
              scripted double
    revision  a hub revision behind "@", "" where none was given
    adapter   a LoRA adapter's directory or hub name behind "+" of a model or a demo name, "" where none was given
    url       base URL of an OpenAI-compatible server, "" elsewhere
    """

    text: str
    scheme: Scheme
    place: str
    revision: str = ""
    adapter: str = ""
    url: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference; raises `BadReferenceError` that says what is wrong and names the closest scheme.

        No file is looked at: a reference can be well formed and lead nowhere.
        """
        if not text.strip():
            raise BadReferenceError("an empty checkpoint reference; give a model directory, openai:..., or demo:v1")
        head, colon, rest = text.partition(":")
        if not colon or PurePath(text).is_absolute() or "/" in head or head.startswith("."):
            return cls._model(text)
        if head not in set(Scheme) - {Scheme.MODEL}:
            known = [s.value for s in Scheme if s is not Scheme.MODEL]
            raise BadReferenceError(f"checkpoint {text!r}: unknown scheme {head!r}; {closest(head, known)}")
        if not rest:
            raise BadReferenceError(f"checkpoint {text!r}: nothing follows the scheme")
        if head == Scheme.OPENAI:
            return cls._openai(text, rest)
        if head == Scheme.DEMO:
            return cls._demo(text, rest)
        return cls(text, Scheme(head), rest)

    @classmethod
    def _model(cls, text: str) -> Reference:
        base, plus, adapter = text.partition("+")
        place, at, revision = base.rpartition("@") if "@" in base else (base, "", "")
        if not place or (plus and not adapter) or (at and not revision):
            raise BadReferenceError(f"checkpoint {text!r}: write DIRECTORY, ORG/NAME@REVISION or BASE+ADAPTER")
        return cls(text, Scheme.MODEL, place, revision, adapter)

    @classmethod
    def _openai(cls, text: str, rest: str) -> Reference:
        name, at, url = rest.partition("@")
        if not name or not at or not _is_http(url):
            raise BadReferenceError(f"checkpoint {text!r}: write openai:SERVED-NAME@http://HOST:PORT/v1")
        return cls(text, Scheme.OPENAI, name, url=url.rstrip("/"))

    @classmethod
    def _demo(cls, text: str, rest: str) -> Reference:
        name, plus, adapter = rest.partition("+")
        if name not in DEMO_NAMES:
            raise BadReferenceError(f"checkpoint {text!r}: no such demo checkpoint; {closest(name, DEMO_NAMES)}")
        if plus and not adapter:
            raise BadReferenceError(f"checkpoint {text!r}: write demo:NAME or demo:NAME+ADAPTER")
        return cls(text, Scheme.DEMO, name, adapter=adapter)

    @property
    def label(self) -> str:
        """A short name for test ids and folders: no slashes, no URL."""
        if self.scheme in (Scheme.MODEL, Scheme.DEMO):
            name = f"demo:{self.place}" if self.scheme is Scheme.DEMO else PurePath(self.place).name or self.place
            return f"{name}+{PurePath(self.adapter).name}" if self.adapter else name
        return PurePath(self.place).stem if self.scheme in _FILES else self.place


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # an unclosed bracket
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
