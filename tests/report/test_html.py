"""The page as bytes: nothing live in it, everything findable, bounded in size."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.text import visible
from pytest_safetydrift.report.html import render_html
from tests.report.hostile import PAYLOADS, poisoned
from tests.report.sample import COMPLIES, evidence, sample_record, small_record

CSS = Path(render_html.__code__.co_filename).parent / "templates" / "report.css"

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "script", "header", "main", "section", "footer", "div", "span"),
    *("h1", "h2", "h3", "h5", "p", "a", "b", "strong", "code", "pre", "time", "ul", "li", "dl", "dt", "dd", "br"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "label", "input"),
    *("svg", "desc", "path", "circle", "rect", "text"),
}


class Page(HTMLParser):
    """Tags, attributes, ids, links and text of a page, as a browser would tokenise it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.inside: list[str] = []
        self.text: dict[str, str] = {}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        where = next((t for t in reversed(self.inside) if t in ("pre", "style", "script", "title")), "page")
        self.text[where] = self.text.get(where, "") + data

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def flat(text: str) -> str:
    """Whitespace as a page shows it."""
    return " ".join(text.split())


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_no_text_from_the_record_makes_a_tag_an_attribute_or_a_link(payload: str) -> None:
    """Only the template's tags are there; no event handler, no inline style, no link that leaves the page."""
    page = Page(render_html(poisoned(small_record(), payload)))
    assert set(page.tags) <= TAGS
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("style", "src", "srcdoc")]
    assert all(link.startswith("#") for link in page.values("href"))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_every_text_of_a_transcript_is_shown_whole_in_pre(payload: str) -> None:
    """Prompts, turns and answers are there, made visible, and nowhere but in preformatted text."""
    record = poisoned(small_record(), payload)
    page = Page(render_html(record))
    for e in record.evidence:
        for text in (e.prompt, e.baseline_answer, e.candidate_answer, *(t.content for t in e.conversation)):
            assert visible(text) in page.text["pre"]
            assert flat(visible(text)) not in flat(page.text["page"])


def test_the_policy_admits_the_page_s_own_style_and_script_alone() -> None:
    """The hashes in the Content-Security-Policy are those of the bytes on the page; all else is forbidden."""
    html = render_html(sample_record())
    policy = next(v for v in Page(html).values("content") if v.startswith("default-src"))
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_every_link_leads_somewhere_and_no_id_is_doubled() -> None:
    """Permalinks are unique and resolve on the page."""
    page = Page(render_html(sample_record()))
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.values("href")} <= set(ids)


def test_sixty_pairs_of_answers_stay_below_200_kb() -> None:
    """A report with sixty transcript pairs of usual length is small enough to attach to anything."""
    record = sample_record()
    answers = ("A sentence of an answer with some words in it. " * 9, "I am sorry, I can not help with that. " * 3)
    pairs = tuple(evidence(i, "demo:v2b", f"gate-{i % 3}", answers=answers) for i in range(60))
    html = render_html(replace(record, evidence=pairs))
    assert html.count('class="pair') == 60
    assert len(html.encode()) < 200_000


def test_rendering_is_pure() -> None:
    """The same record gives the same bytes, also after it has been read back from disk."""
    record = sample_record()
    assert render_html(record) == render_html(RunRecord.loads(record.dumps()))


def test_redaction_hides_prompts_and_answers_and_says_so() -> None:
    """The redacted page keeps outcomes and figures and holds no text of a transcript."""
    record = replace(
        sample_record(), evidence=(evidence(1, "demo:v2b", "false-refusal-base64", answers=("x", COMPLIES)),)
    )
    html = render_html(record, redact=True)
    assert "redacted in this report" in html
    assert "redacted in this report" not in render_html(record)
    assert f"[redacted, {len(COMPLIES)} characters]" in html
    for text in (COMPLIES, record.evidence[0].prompt, record.evidence[0].conversation[0].content):
        assert text not in html


def test_an_undecided_gate_says_why_in_words() -> None:
    """Reason, what would decide it, and no figure in the place of a missing one."""
    text = flat(Page(render_html(sample_record())).text["page"])
    assert "Undecided: the answers show neither that the bar is met nor that it is missed." in text
    assert "It takes about 340 more prompts." in text
    assert "Undecided: more answers could not be scored than the policy allows: 29 beside 121 scored pairs." in text
    assert "none scored" in text


def test_an_empty_record_claims_nothing() -> None:
    """Without candidates, gates and rates the page says so three times and shows no pass."""
    record = replace(sample_record(), verdict="INCONCLUSIVE", checkpoints=(), gates=(), rates=(), evidence=())
    text = flat(Page(render_html(record)).text["page"])
    assert "No candidate was judged." in text
    assert "Nothing was measured." in text
    assert "PASS" not in text


def test_a_checkpoint_that_could_not_be_judged_says_why() -> None:
    """The error stands in the candidate's section, and an empty gate list is no pass."""
    record = sample_record()
    broken = replace(record.checkpoints[1], error="shard 2 of 3 is missing", verdict="INCONCLUSIVE")
    text = flat(Page(render_html(replace(record, checkpoints=(broken,), gates=(), evidence=()))).text["page"])
    assert "It could not be judged: shard 2 of 3 is missing" in text
    assert "No gate was decided for this checkpoint." in text


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), [
    ("ink", "paper"), ("quiet", "paper"), ("link", "paper"), ("ink", "card"),
    ("pass", "pass-wash"), ("fail", "fail-wash"), ("open", "open-wash"), ("fail", "paper"), ("quiet", "open-wash"),
])  # fmt: skip
def test_text_has_the_contrast_that_wcag_aa_asks_for(ink: str, ground: str, scheme: int) -> None:
    """Every pair of text and ground reaches 4.5 to 1 in both colour schemes (WCAG 2.2, 1.4.3)."""
    blocks = re.findall(r":root \{(.*?)\}", CSS.read_text("utf-8"), re.S)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", blocks[scheme]))
    a, b = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
    assert (a + 0.05) / (b + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    r, g, b = (_linear(int(digits[i : i + 2], 16) / 255) for i in (0, 2, 4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _linear(c: float) -> float:
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4  # type: ignore[no-any-return]
