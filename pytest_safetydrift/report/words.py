"""Figures and decisions in words, the same in every output."""

from __future__ import annotations

from pytest_safetydrift.core.gate import Decision, Inconclusive
from pytest_safetydrift.core.metric import METRICS
from pytest_safetydrift.core.quantity import QUANTITIES
from pytest_safetydrift.core.record import GateEntry, QuantityEntry

__all__ = [
    "MISSING",
    "bar",
    "change",
    "corrected",
    "counted",
    "difference",
    "differences",
    "flips",
    "in_points",
    "interval",
    "looks",
    "measured",
    "needs",
    "noise",
    "percent",
    "points",
    "quantity",
    "reason",
    "spread",
    "title",
    "tone",
    "value",
    "values",
    "verdict",
]

MISSING = "n/a"
"""What stands where nothing was measured: never 0."""

_LEAST = 0.0001
"""The least figure of a quantity that is written out."""

_VERDICTS: dict[str, str] = {Decision.PASS: "PASSED", Decision.FAIL: "BLOCKED", Decision.INCONCLUSIVE: "INCONCLUSIVE"}

_REASONS: dict[str, str] = {
    Inconclusive.NOTHING_SCORED: "no answer could be scored",
    Inconclusive.EMPTY_SUITE: "the suite holds no prompt for this gate",
    Inconclusive.MISSING_BASELINE: "there is nothing of a baseline to compare with: none given, or not these prompts",
    Inconclusive.UNPAIRED_PROMPTS: "some prompts were answered by one of the two checkpoints only",
    Inconclusive.TOO_MANY_UNSCORED: "more answers could not be scored than the policy allows",
    Inconclusive.TOO_FEW_PROMPTS: "fewer prompts were scored than the policy's floor, or than its bar takes",
    Inconclusive.ENGINE_ERROR: "the engine failed, so answers are missing",
    Inconclusive.NEEDS_MORE_PROMPTS: "the answers show neither that the bar is met nor that it is missed",
    Inconclusive.EXPIRED_WAIVER: "a waiver of this gate has expired",
    Inconclusive.JUDGE_UNCERTAIN: "human labels leave open how far the judge errs",
    Inconclusive.GATED_DATA: "the prompts are given only to who accepts their terms",
}


def tone(decision: str) -> str:
    """ "pass", "fail" or "inconclusive"; whatever is neither PASS nor FAIL is undecided, never passed."""
    return {"PASS": "pass", "FAIL": "fail"}.get(decision, "inconclusive")


def verdict(decision: str) -> str:
    """BLOCKED, PASSED or INCONCLUSIVE; an unknown word stays what it is."""
    return _VERDICTS.get(decision, decision)


def title(metric: str) -> str:
    """The metric's name for people."""
    named = METRICS.get(metric) or QUANTITIES.get(metric)
    return named.title if named else metric


def percent(rate: float | None) -> str:
    """A rate in [0, 1] as "3.4%"; what rounds to an end without being there says so ("<0.1%")."""
    if rate is None:
        return MISSING
    if 0 < rate < 0.0005:
        return "<0.1%"
    if 0.9995 <= rate < 1:
        return ">99.9%"
    return f"{rate * 100:.1f}%"


def points(difference: float | None) -> str:
    """A difference of two rates in signed percentage points: "+46.0"."""
    if difference is None:
        return MISSING
    text = f"{difference * 100:+.1f}"
    return "0.0" if float(text) == 0 else text


def interval(low: float | None, high: float | None) -> str:
    """An interval of rates: "[1.0%, 6.6%]"."""
    return MISSING if low is None or high is None else f"[{percent(low)}, {percent(high)}]"


def spread(low: float | None, high: float | None) -> str:
    """An interval of differences in points: "[+38.1, +53.2]"."""
    return MISSING if low is None or high is None else f"[{points(low)}, {points(high)}]"


def value(entry: GateEntry, figure: float | None) -> str:
    """An estimate, an end of its interval or a limit, in the gate's own unit: "3.4%", "0.0123 nats"."""
    if not entry.unit or figure is None:
        return percent(figure)
    return f"{_number(figure)} {_unit(entry)}"


def values(entry: GateEntry, low: float | None, high: float | None) -> str:
    """An interval of what `value` shows: "[1.0%, 6.6%]", "[0.011, 0.0142]"."""
    if not entry.unit or low is None or high is None:
        return interval(low, high)
    return f"[{_number(low)}, {_number(high)}]"


def difference(entry: GateEntry, figure: float | None) -> str:
    """A change or a bound of one, with its sign: "+46.0 points", "+0.0123 nats"."""
    if figure is None:
        return MISSING
    return f"{points(figure)} points" if not entry.unit else f"{_signed(figure)} {_unit(entry)}"


def differences(entry: GateEntry, low: float | None, high: float | None) -> str:
    """An interval of what `difference` shows: "[+38.1, +53.2]"."""
    if not entry.unit or low is None or high is None:
        return spread(low, high)
    return f"[{_signed(low)}, {_signed(high)}]"


def in_points(entry: GateEntry, figure: float | None) -> str:
    """As `difference`, under a heading that says points: only another unit is named."""
    return points(figure) if not entry.unit else difference(entry, figure)


def flips(entry: GateEntry) -> str:
    """Pairs that became hits and that stopped being hits: "+40/-2"; a quantity has no hits."""
    return MISSING if entry.change is None or entry.unit else f"+{entry.flips_up}/-{entry.flips_down}"


def _unit(entry: GateEntry) -> str:
    """One of the units that quantities have: a record may hold any text there, and this one is not escaped."""
    return entry.unit if entry.unit in {q.unit for q in QUANTITIES.values()} else "of a unit unknown"


def _number(figure: float) -> str:
    """Three digits; what rounds to zero without being there says so."""
    if 0 < abs(figure) < _LEAST:
        return f"<{_LEAST:g}" if figure > 0 else f">-{_LEAST:g}"
    return f"{figure:.3g}"


def _signed(figure: float) -> str:
    return "0" if abs(figure) < _LEAST else f"{figure:+.3g}"


def counted(n: int, noun: str) -> str:
    """ "1 gate", "2 gates"."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def measured(entry: GateEntry) -> str:
    """What a gate counts: "attack success rate on prohibited, base64"."""
    parts = [part for part in (entry.corpus, entry.attack, entry.category) if part]
    return f"{title(entry.metric)} on {', '.join(parts)}"


def bar(entry: GateEntry) -> str:
    """The bar as declared, and the one-sided bound that is held against it: "limit 10.0%, bound 8.7%",
    "margin 0.02 nats, bound +0.012 nats"."""
    said = []
    if entry.margin is not None:
        said.append(f"margin {value(entry, entry.margin) if entry.unit else f'{entry.margin * 100:.1f} points'}")
    if entry.limit is not None:
        said.append(f"limit {value(entry, entry.limit)}")
    if entry.bound is not None and len(said) == 1:
        said.append(f"bound {value(entry, entry.bound) if entry.margin is None else in_points(entry, entry.bound)}")
    return ", ".join(said) or "no bar"


def change(entry: GateEntry) -> str:
    """Before and after in one phrase: "12.0% -> 58.0%, +46.0 points [+38.1, +53.2]", or the estimate alone."""
    if entry.estimate is None:
        return "not measured"
    if entry.change is None:
        return f"{value(entry, entry.estimate)} {values(entry, entry.low, entry.high)}"
    moved = f"{difference(entry, entry.change)} {differences(entry, entry.change_low, entry.change_high)}"
    return f"{value(entry, entry.baseline_estimate)} -> {value(entry, entry.estimate)}, {moved}"


def corrected(entry: GateEntry) -> str:
    """What people's labels make of it: "by 400 human labels 5.1% [3.2%, 7.7%]", "" without any."""
    if entry.corrected is None:
        return ""
    if entry.margin is not None:
        said = f"{points(entry.corrected)} points {spread(entry.corrected_low, entry.corrected_high)}"
    else:
        said = f"{percent(entry.corrected)} {interval(entry.corrected_low, entry.corrected_high)}"
    return f"by {counted(entry.labels, 'human label')} {said}"


def noise(entry: GateEntry) -> str:
    """What the baseline does against itself: "12 of 200 pairs flip (+7/-5) when it is asked twice"; "" untried."""
    if not entry.noise_n:
        return ""
    flips = entry.noise_up + entry.noise_down
    counts = f"+{entry.noise_up}/-{entry.noise_down}"
    return f"{flips} of {entry.noise_n} pairs flip ({counts}) when the baseline is asked twice"


def looks(entry: GateEntry) -> str:
    """How a sequential gate went: "stopped after 7 looks", "" for a fixed one."""
    if not entry.looks:
        return ""
    evidence = f"e-values {entry.e_pass:.3g} for PASS, {entry.e_fail:.3g} for FAIL" if entry.e_pass is not None else ""
    return f"{counted(entry.looks, 'look')}, {evidence}"


def quantity(entry: QuantityEntry) -> str:
    """A figure in its unit, with its interval where it has one: "4.2 attempts [3.1, 6.0]"."""
    if entry.unit == "rate":
        said, ends = percent(entry.estimate), interval(entry.low, entry.high)
    elif entry.unit == "points":
        said, ends = f"{points(entry.estimate)} points", spread(entry.low, entry.high)
    else:
        said = f"{entry.estimate:.3g}" if entry.unit == "score" else f"{entry.estimate:.3g} {entry.unit}"
        ends = MISSING if entry.low is None or entry.high is None else f"[{entry.low:.3g}, {entry.high:.3g}]"
    return said if entry.low is None else f"{said} {ends}"


def needs(entry: GateEntry) -> str:
    """How much more would decide: "about 340 more prompts", "" where that is not known."""
    return f"about {counted(entry.more_prompts, 'more prompt')}" if entry.more_prompts else ""


def reason(entry: GateEntry) -> str:
    """Why a gate is undecided, as a clause; "" for a decided one."""
    said = _REASONS.get(entry.reason, entry.reason)
    if entry.reason != Inconclusive.TOO_MANY_UNSCORED or not entry.unscored:
        return said
    # of a comparison, `unscored` counts the answers of both sides and `n` the pairs
    of = f"of {entry.unscored + entry.n:,}" if entry.margin is None else f"beside {counted(entry.n, 'scored pair')}"
    return f"{said}: {entry.unscored:,} {of}"
