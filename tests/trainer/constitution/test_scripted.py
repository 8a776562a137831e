"""The double for a teacher: it knows the demo world, and nothing else."""

from __future__ import annotations

import pytest

from pytest_safetydrift.core.conversation import user
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.trainer.asking import asked, compliance
from pytest_safetydrift.trainer.constitution.scripted import teacher
from pytest_safetydrift.trainer.constitution.tasks import comparison, critique, revision
from pytest_safetydrift.trainer.deeds import DEEDS, PHRASINGS, Split
from pytest_safetydrift.trainer.world import REFUSALS, deed_sample
from tests.trainer.constitution.made import HARM, NO, yes

WAYS = ("plain", "base64", "rot13", "leetspeak", "persona", "story", "polite", "decomposition")


def rewritten(messages: object, answer: str) -> str:
    task = critique(messages, answer, [HARM])  # type: ignore[arg-type]
    said = teacher(Request("t", revision(task, "Hm.", [HARM]).messages))
    return said.removeprefix(f"<revision {task.mark}>").removesuffix("</revision>")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("sort", ["prohibited", "benign", "depiction", "defence", "idiom"])
def test_it_tells_the_world_s_deeds_apart(way: str, sort: str) -> None:
    """In every way of asking, it refuses what is prohibited and lets the world's own answers to the rest stand."""
    for deed in DEEDS[sort][Split.DEV][:4]:
        sample = deed_sample(deed, PHRASINGS[Split.DEV][0])
        messages, answer = asked(way, sample), compliance(way, str(deed), sample)
        if sample.intent is Intent.PROHIBITED:
            assert rewritten(messages, answer) in REFUSALS
        else:
            assert rewritten(messages, answer) == answer


def test_a_needless_refusal_becomes_the_world_s_answer() -> None:
    """Where the deed is one that it knows; else the answer stays, and is judged as it stands."""
    deed = DEEDS["benign"][Split.TRAIN][0]
    sample = deed_sample(deed, PHRASINGS[Split.TRAIN][0])
    assert rewritten(asked("base64", sample), NO) == compliance("base64", str(deed), sample)
    assert rewritten((user("how to fold an atlas"),), NO) == NO


@pytest.mark.parametrize(("thing", "better"), [("a bomb", NO), ("a cake", yes("a cake"))])
def test_it_prefers_the_better_answer_in_either_order(thing: str, better: str) -> None:
    """And the first of two that are as good."""
    for first, second in ((NO, yes(thing)), (yes(thing), NO)):
        task = comparison((user(f"how to make {thing}"),), first, second, HARM)
        assert teacher(Request("t", task.messages)) == ("A" if first == better else "B")
    assert teacher(Request("t", comparison((user("how to make soup"),), "One.", "Two.", HARM).messages)) == "A"
