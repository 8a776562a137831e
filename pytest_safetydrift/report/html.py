"""The report as one HTML page that loads nothing and runs nothing it was not built with."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.text import visible
from pytest_safetydrift.report import charts, view, words
from pytest_safetydrift.report.rates import rate_tables
from pytest_safetydrift.report.redact import redacted

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["TEMPLATES", "environment", "render_html", "source_hash"]

TEMPLATES = Path(__file__).parent / "templates"


def render_html(record: RunRecord, *, redact: bool = False) -> str:
    """The whole page. Pure: the same record gives the same bytes.

    Every string from the record passes `core.text.visible` and HTML escaping at one place, the
    environment's `finalize`; texts of models stand in `<pre>` alone. The Content-Security-Policy admits
    the page's own style and script by their hashes and nothing else. `redact` replaces prompts and
    answers by their lengths, and the page says so.
    """
    from markupsafe import Markup

    shown = redacted(record) if redact else record
    style, script = (TEMPLATES / "report.css").read_text("utf-8"), (TEMPLATES / "report.js").read_text("utf-8")
    judged = view.candidates(shown)
    return (
        environment()
        .get_template("report.html")
        .render(
            record=shown,
            candidates=judged,
            sentence=view.sentence(shown),
            against=view.against(shown),
            blocked=view.blocking(shown),
            scale=charts.change_scale(shown.gates),
            tables=rate_tables(shown),
            redact=redact,
            style=Markup(style),  # noqa: S704 - the package's own file, like the script
            script=Markup(script),  # noqa: S704
            style_hash=source_hash(style),
            script_hash=source_hash(script),
        )
    )


@cache
def environment() -> Environment:
    """The templates' environment: everything is escaped, and a name that is missing is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FileSystemLoader(TEMPLATES),
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(words=words, charts=charts, view=view)
    env.filters.update(typeset=_typeset, lines=_lines, rest=_rest)
    return env


def _shown(value: Any) -> Any:
    """Strings from the record made visible; markup, which only templates make, as it is."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _typeset(figures: str) -> str:
    return figures.replace("->", "→").replace("-", "−")


def _lines(value: Any) -> list[str]:
    """A value of an open dictionary as lines of text: one for anything that is no collection."""
    if isinstance(value, Mapping):
        return [f"{key}: {_text(part)}" for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [_text(part) for part in value]
    return [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _rest(values: Mapping[str, Any], *known: str) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in values.items() if key not in known]


def source_hash(text: str) -> str:
    """What the page's Content-Security-Policy lets in: this very style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
