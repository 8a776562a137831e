"""The page of a loop: what it shows, and that no text in it does anything."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_safetydrift.core.record import RateEntry
from pytest_safetydrift.core.text import visible
from pytest_safetydrift.report.trend import HEIGHT, WIDTH, Trend, charts_of, render_trend, rows_of
from pytest_safetydrift.trainer.loop.decision import decide
from pytest_safetydrift.trainer.loop.page import trend_of
from tests.report.hostile import PAYLOADS
from tests.report.sample import paired
from tests.report.test_browser import opened
from tests.report.test_html import Page, flat
from tests.trainer.loop.made import PLAN, gate_of, made

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LESSONS = {"refusals": 900, "failed_prompts": 53, "answers": 800, "benign_prompts": 66, "attacks": ["base64"],
           "attacks_without_benign_pairs": ["story"]}  # fmt: skip


def rate(metric: str, hits: int, low: float, high: float, n: int = 80) -> RateEntry:
    return RateEntry("c", metric, f"{metric}.jsonl", "plain, base64", "", hits, n, 0, low, high)


ROUNDS = [
    made(0, 36, rates=(rate("attack_success", 40, 0.4, 0.6), rate("utility", 78, 0.91, 0.99)),
         held_out=(gate_of("attack_success", "FAIL", "asr/base64", estimate=0.5, low=0.4, high=0.6, n=80),)),
    made(1, 9, rates=(rate("attack_success", 8, 0.05, 0.18), rate("utility", 72, 0.81, 0.95)), lessons=LESSONS,
         training={"steps": 60, "tokens": 112705}, why="an engine said so",
         held_out=(gate_of("attack_success", "INCONCLUSIVE", "asr/base64", estimate=0.1, low=0.05, high=0.18, n=80,
                           reason="needs_more_prompts"),),
         drift=(gate_of("false_refusal", "FAIL", "fr/base64", **paired(0.0, 0.3, 0.05, 100)),)),
]  # fmt: skip


@pytest.fixture(scope="module")
def trend() -> Trend:
    return trend_of(PLAN, ROUNDS, decide(PLAN, ROUNDS))


def test_a_chart_a_metric_over_the_rounds(trend: Trend) -> None:
    """Estimates with their intervals inside the drawing: down where a rate falls, whiskers around the dot."""
    asr, utility = charts_of(trend)
    assert (asr.title, utility.title) == ("attack success rate", "utility")
    assert asr.where.endswith("held-out prompts")
    assert utility.where.endswith("held-out prompts")
    plan = replace(PLAN, effects="all")
    assert [c.where.rpartition("; ")[2] for c in charts_of(trend_of(plan, ROUNDS, decide(plan, ROUNDS)))] == [
        "held-out prompts",
        "all prompts",
    ]
    first, second = asr.marks
    assert first.y < second.y
    for mark in (*asr.marks, *utility.marks):
        assert 0 <= mark.high < mark.y < mark.low <= HEIGHT
        assert 0 <= mark.x <= WIDTH
    assert (asr.bottom, utility.top) == ("0%", "100%")
    assert asr.path.count("L") == 1


def test_a_round_without_a_rate_leaves_a_gap() -> None:
    """Nothing is drawn through what was not measured, and a metric that was never measured has no chart."""
    none = RateEntry("c", "attack_success", "attack_success.jsonl", "plain", "", 0, 0, 40, None, None)
    rounds = [
        replace(r, rates=(none,)) if n == 1 else r
        for n, r in enumerate([ROUNDS[0], *ROUNDS[1:], made(2, 1, rates=ROUNDS[0].rates)])
    ]
    asr, _ = charts_of(trend_of(PLAN, rounds, decide(PLAN, rounds)))
    assert [m.round for m in asr.marks] == [0, 2]
    assert "L" not in asr.path
    assert charts_of(trend_of(PLAN, [made(0, 3, rates=(none,))], decide(PLAN, [made(0, 3)]))) == ()


def test_gates_stand_beside_each_other_round_by_round(trend: Trend) -> None:
    """A gate that a round did not decide is a hole in its row, not a figure."""
    rows = {row.gate.id: row for row in rows_of(trend)}
    assert [c.decision for c in rows["asr/base64"].cells if c] == ["FAIL", "INCONCLUSIVE"]
    assert rows["fr/base64"].cells[0] is None
    assert rows["fr/base64"].on == "all prompts, against round 0"


def test_the_page_says_it_all(trend: Trend) -> None:
    """Verdict, reason, answer, rules, what was trained on, figures, links to the rounds' reports."""
    page = Page(render_trend(trend))
    text = flat(page.text["page"])
    for told in ("STOPPED", "round 1 pays for it: fr/base64", "the answerround 0", "36 of 40", "9 of 40",
                 "900 refusals of 53 failed prompts", "no benign pairs under story", "60 steps, 112,705 tokens",
                 "an engine said so", "+30.0 points", *PLAN.rules):  # fmt: skip
        assert flat(told) in text
    assert page.values("href") == ["round-0/run/report.html", "round-1/run/report.html"]


def test_the_policy_of_the_page_admits_its_style_and_no_script(trend: Trend) -> None:
    """By the hash of what stands in the page."""
    html = render_trend(trend)
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    assert style is not None
    wanted = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    (policy,) = [v for k, v in Page(html).attributes if k == "content" and "default-src" in v]
    assert policy == f"default-src 'none'; style-src 'sha256-{wanted}'; base-uri 'none'; form-action 'none'"


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_text_makes_a_tag_an_attribute_or_a_link(trend: Trend, payload: str) -> None:
    """With a payload behind every text: no tags and attributes but those without it, and no link leaves the page's
    folder. Each text is there to be read."""
    html = render_trend(_poisoned(trend, payload))
    page, clean = Page(html), Page(render_trend(trend))
    assert set(page.tags) <= set(clean.tags)
    assert {name for name, _ in page.attributes} <= {name for name, _ in clean.attributes}
    assert page.tags.count("a") == clean.tags.count("a")
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("style", "src")]
    assert page.values("href") == clean.values("href")
    assert flat(visible(trend.sentence + payload)) in flat(page.text["page"])


@pytest.mark.browser
def test_in_a_browser_nothing_runs_or_fetches_and_it_fits_a_narrow_screen(chromium: Browser, trend: Trend) -> None:
    """All payloads at once, in light and dark; wide tables scroll by themselves."""
    html = render_trend(_poisoned(trend, " ".join(PAYLOADS.values())))
    for scheme, width in (("light", 1200), ("dark", 400)):
        with opened(chromium, html, viewport={"width": width, "height": 800}, color_scheme=scheme) as (page, log):
            assert log == []
            assert page.evaluate("window.pwned") is None
            assert page.evaluate("getComputedStyle(document.querySelector('.curve .join')).fill") == "none"
    with opened(chromium, render_trend(trend), viewport={"width": 400, "height": 800}) as (page, log):
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert log == []


def _poisoned(value: Any, payload: str) -> Any:
    """The payload behind every text; tones and decisions steer the page and are none."""
    if isinstance(value, str):
        return value + payload
    if isinstance(value, tuple):
        return tuple(_poisoned(v, payload) for v in value)
    if is_dataclass(value) and not isinstance(value, type):
        steers = ("tone", "on_held_out", "metric", "better")
        return replace(value, **{f.name: _poisoned(getattr(value, f.name), payload)
                                 for f in fields(value) if f.name not in steers})  # fmt: skip
    return value
