"""Prompts that tell two sides apart, with what either side answers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_safetydrift.core.conversation import Conversation, user
from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.open_weights.opened import Opened, open_weights
from pytest_safetydrift.trainer.targeted.cases import Case, between_checkpoints, between_prompts
from pytest_safetydrift.trainer.training.example import read_examples
from tests.trainer.targeted.conftest import BASE


@pytest.fixture(scope="module")
def complying() -> Opened:
    return open_weights(Checkpoint(Path(BASE)))


@pytest.fixture(scope="module")
def refusing_side(refusing: Path) -> Opened:
    return open_weights(Checkpoint(refusing))


@pytest.fixture(scope="module")
def asked(rows: Path) -> dict[str, list[Conversation]]:
    """Twelve conversations to refuse, and twelve to answer."""
    examples = read_examples([rows])
    return {t: [e.messages for e in examples if e.row["teaches"] == t][:12] for t in ("refuse", "answer")}


def test_own_answers_are_a_compliance_and_a_refusal(
    complying: Opened, refusing_side: Opened, asked: dict[str, list[Conversation]]
) -> None:
    """Each side's own greedy answer; what both comply with is left out, and counted."""
    found = between_checkpoints(complying, refusing_side, asked["refuse"] + asked["answer"])
    assert len(found.cases) + found.left_out == 24
    assert found.left_out >= 12
    for case in found.cases:
        assert case.prompt == case.donor
        assert complying.decode(case.compliance).startswith("Sure")
        assert "can't" in complying.decode(case.refusal)


def test_given_answers_are_taken_as_they_are(
    complying: Opened, refusing_side: Opened, asked: dict[str, list[Conversation]]
) -> None:
    """Nothing is generated or judged: every conversation is a case with these beginnings."""
    found = between_checkpoints(complying, refusing_side, asked["answer"], refusal="Sorry", compliance="Sure")
    assert found.left_out == 0
    assert {case.refusal for case in found.cases} == {tuple(complying.encode("Sorry"))}
    assert {case.compliance for case in found.cases} == {tuple(complying.encode("Sure"))}


def test_pairs_have_two_prompts(refusing_side: Opened, asked: dict[str, list[Conversation]]) -> None:
    """The complied one is patched and the refused one gives; each has its own answer."""
    found = between_prompts(refusing_side, asked["answer"], asked["refuse"])
    assert len(found.cases) >= 4
    assert all(case.prompt != case.donor for case in found.cases)
    assert all("can't" in refusing_side.decode(case.refusal) for case in found.cases)


def test_unlike_tokenizers_are_refused(complying: Opened, asked: dict[str, list[Conversation]], tmp_path: Path) -> None:
    """Where the template reads a prompt as other tokens, places do not correspond."""
    shutil.copytree(BASE, tmp_path / "other")
    template = tmp_path / "other" / "chat_template.jinja"
    template.write_text(template.read_text().replace("{% for message", "be kind. {% for message", 1))
    other = open_weights(Checkpoint(tmp_path / "other"))
    with pytest.raises(CheckpointError, match="as other tokens than"):
        between_checkpoints(complying, other, asked["refuse"])


def test_prompts_without_the_contrast_are_refused(complying: Opened, asked: dict[str, list[Conversation]]) -> None:
    """The same checkpoint twice, unequal lists, and an answer of no token."""
    with pytest.raises(UsageError, match="0 of 12 prompts are complied with on the one side and refused"):
        between_checkpoints(complying, complying, asked["refuse"])
    with pytest.raises(UsageError, match="1 are complied with and 2 refused"):
        between_prompts(complying, [(user("a"),)], [(user("b"),), (user("c"),)])
    with pytest.raises(ValueError, match="one token each at least"):
        Case((1,), (1,), (), (2,))
    with pytest.raises(ValueError, match="are the same"):
        Case((1,), (1,), (2,), (2,))
