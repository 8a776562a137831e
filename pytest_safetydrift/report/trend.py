"""The trend of an improvement loop as one HTML page: a chart a metric, a row a round, a cell a gate and round."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.record import GateEntry, RateEntry
from pytest_safetydrift.report import words
from pytest_safetydrift.report.html import TEMPLATES, environment, source_hash
from pytest_safetydrift.report.view import worst_first

__all__ = ["Chart", "Leg", "Mark", "Row", "Trend", "charts_of", "render_trend", "rows_of"]

WIDTH, HEIGHT = 340, 190
"""Of one chart, in the SVG's own units."""

_LEFT, _RIGHT, _TOP, _FLOOR = 44.0, 14.0, 16.0, 158.0
_REACHES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Leg:
    """One round; its report is in `round-N/run`, beside the page.

    verdict    of the policy on all prompts; `why` where no gate says it
    failures   of `questions` on prompts that no round learns from
    rates      one a metric and corpus, with its interval
    held_out   gates on those prompts alone
    drift      gates against round 0, on all prompts
    learnt     what it was trained on, a line each; () for round 0
    """

    number: int
    checkpoint: str
    verdict: str
    why: str
    failures: int
    questions: int
    rates: tuple[RateEntry, ...]
    held_out: tuple[GateEntry, ...]
    drift: tuple[GateEntry, ...]
    learnt: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Trend:
    """A loop so far.

    state, tone, sentence  how it stands: a word, "pass", "fail" or "inconclusive", and why
    answer                 number of the best round
    rules, facts           what was declared before it began
    on_held_out            metrics whose rates are of held-out prompts alone; the others' are of all
    """

    name: str
    state: str
    tone: str
    sentence: str
    answer: int
    rules: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    on_held_out: tuple[str, ...]
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A rate of one round: y of the estimate and of both ends of its interval, and the same in words."""

    round: int
    x: float
    y: float
    low: float
    high: float
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A metric over the rounds. `path` joins the estimates and breaks where a round has none; `x` is of every round.
    `top`, `bottom` say the ends of the scale, at `y_top` and `y_bottom`."""

    title: str
    where: str
    better: str
    marks: tuple[Mark, ...]
    path: str
    xs: tuple[tuple[int, float], ...]
    top: str
    bottom: str
    y_top: float = _TOP
    y_bottom: float = _FLOOR
    left: float = _LEFT
    right: float = WIDTH - _RIGHT


@dataclass(frozen=True, slots=True)
class Row:
    """A gate over the rounds: `on` which prompts, and its entry in each round, None where it was not decided."""

    gate: GateEntry
    on: str
    cells: tuple[GateEntry | None, ...]


def render_trend(trend: Trend) -> str:
    """The whole page. Pure: the same trend gives the same bytes. Every text is made visible and escaped as in the
    report, and the Content-Security-Policy admits the page's own style and no script at all."""
    from markupsafe import Markup

    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("report.css", "trend.css"))
    return (
        environment()
        .get_template("trend.html")
        .render(
            trend=trend,
            figures=charts_of(trend),
            rows=rows_of(trend),
            style=Markup(style),  # noqa: S704 - the package's own files
            style_hash=source_hash(style),
            width=WIDTH,
            height=HEIGHT,
        )
    )


def charts_of(trend: Trend) -> tuple[Chart, ...]:
    """A chart for each metric and corpus that any round has measured, in the order of `METRICS`."""
    keys = dict.fromkeys((r.metric, r.corpus) for leg in trend.legs for r in leg.rates)
    order = {name: place for place, name in enumerate(METRICS)}
    found = (_chart(trend, *key) for key in sorted(keys, key=lambda k: order.get(k[0], len(order))))
    return tuple(chart for chart in found if chart.marks)


def rows_of(trend: Trend) -> tuple[Row, ...]:
    """Every gate on held-out prompts, then every one against round 0, those that do not pass at last first."""
    held, drift = ([leg.held_out for leg in trend.legs], [leg.drift for leg in trend.legs])
    return (*_rows(held, "held-out prompts"), *_rows(drift, "all prompts, against round 0"))


def _rows(decided: Sequence[tuple[GateEntry, ...]], on: str) -> Iterator[Row]:
    by_id = [{gate.id: gate for gate in gates} for gates in decided]
    last = {name: gate for gates in by_id for name, gate in gates.items()}
    for gate in worst_first(last.values()):
        yield Row(gate, on, tuple(gates.get(gate.id) for gates in by_id))


def _chart(trend: Trend, metric: str, corpus: str) -> Chart:
    found = {leg.number: r for leg in trend.legs for r in leg.rates if (r.metric, r.corpus) == (metric, corpus)}
    better = METRICS[metric].better if metric in METRICS else "lower"
    start, end = _scale(found.values(), better)
    xs = _places([leg.number for leg in trend.legs])
    marks = tuple(
        Mark(number, xs[number], _y(rate.hits / rate.n, start, end), _y(rate.low or 0.0, start, end),
             _y(1.0 if rate.high is None else rate.high, start, end), _said(number, rate))
        for number, rate in found.items() if rate.n
    )  # fmt: skip
    on = "held-out prompts" if metric in trend.on_held_out else "all prompts"
    asked = next((r.attack for r in found.values()), "")
    return Chart(
        words.title(metric),
        f"{corpus}, {asked}; {on}",
        better,
        marks,
        _path(marks),
        tuple(xs.items()),
        f"{end * 100:g}%",
        f"{start * 100:g}%",
    )


def _said(number: int, rate: RateEntry) -> str:
    unscored = f", {rate.unscored} unscored" if rate.unscored else ""
    return (
        f"round {number}: {words.percent(rate.hits / rate.n)} {words.interval(rate.low, rate.high)}, "
        f"{rate.hits} of {rate.n}{unscored}"
    )


def _scale(rates: Iterable[RateEntry], better: str) -> tuple[float, float]:
    """From the good end as far as any interval reaches."""
    measured = [r for r in rates if r.n]
    if better == "lower":
        reach = max((1.0 if r.high is None else r.high for r in measured), default=1.0)
        return 0.0, _reached(reach)
    return 1 - _reached(max((1 - (r.low or 0.0) for r in measured), default=1.0)), 1.0


def _reached(reach: float) -> float:
    return next((end for end in _REACHES if end >= reach), 1.0)


def _places(numbers: Sequence[int]) -> dict[int, float]:
    """x of each round; one alone stands in the middle."""
    room = WIDTH - _RIGHT - _LEFT
    step = room / max(1, len(numbers))
    return {number: round(_LEFT + step * (place + 0.5), 1) for place, number in enumerate(numbers)}


def _y(rate: float, start: float, end: float) -> float:
    share = min(max((rate - start) / (end - start), 0.0), 1.0)
    return round(_FLOOR - share * (_FLOOR - _TOP), 1)


def _path(marks: Sequence[Mark]) -> str:
    parts = []
    for before, mark in zip((None, *marks), marks, strict=False):
        joined = before is not None and before.round + 1 == mark.round
        parts.append(f"{'L' if joined else 'M'}{mark.x} {mark.y}")
    return "".join(parts)
