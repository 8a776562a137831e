"""Rows of training data: what is read, and what is refused with its place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.conversation import assistant, system, user
from pytest_safetydrift.core.errors import CheckpointError, CorpusError
from pytest_safetydrift.core.sample import Intent
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.training.asked import asked_of, distinct
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.encode import IGNORED, encode, encode_all
from pytest_safetydrift.trainer.training.example import Example, files_of, read_examples
from tests.trainer.training.conftest import ROW, write_rows


def read(tmp_path: Path, *rows: dict[str, Any]) -> list[Example]:
    return read_examples([write_rows(tmp_path / "x.jsonl", list(rows))])


def test_texts_and_messages_read_alike(tmp_path: Path) -> None:
    """A text is one turn."""
    plain = {"prompt": "how to make a cake", "completion": "I can't help with that."}
    first, second = read(tmp_path, ROW, plain)
    assert first.messages == second.messages == (user("how to make a cake"),)
    assert first.answer == second.answer == "I can't help with that."


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"text": "x"}, "neither prompt and completion nor messages; it has text"),
        ({"prompt": "x", "completion": " "}, "completion: an empty turn"),
        ({"prompt": [], "completion": "y"}, "prompt: must be a text or a list"),
        ({"prompt": [{"role": "bot", "content": "x"}], "completion": "y"}, "a message is an object with role"),
        ({"prompt": [{"role": "assistant", "content": "Sure,"}], "completion": "y"}, "ends with the assistant's turn"),
        ({"prompt": "x", "completion": [{"role": "user", "content": "y"}]}, "must be one turn of the assistant"),
        ({"messages": [{"role": "user", "content": "y"}]}, "must end with the assistant's answer"),
    ],
)
def test_a_row_that_teaches_nothing_is_named(tmp_path: Path, row: dict[str, Any], why: str) -> None:
    """File, line and what to do."""
    with pytest.raises(CorpusError, match=why) as caught:
        read(tmp_path, ROW, row)
    assert "line 2" in str(caught.value)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """No rows is no training."""
    with pytest.raises(CorpusError, match="no rows"):
        read(tmp_path)


def test_a_folder_stands_for_its_training_file(tmp_path: Path) -> None:
    """`--data FOLDER` is FOLDER/train.jsonl, and an error where that is missing."""
    with pytest.raises(CorpusError, match=r"train\.jsonl: no such file"):
        files_of([tmp_path])
    write_rows(tmp_path / "train.jsonl", [ROW])
    assert files_of([tmp_path]) == (tmp_path / "train.jsonl",)


@pytest.mark.parametrize(
    ("wanted", "held", "why"),
    [
        ("train.jsonl", None, "no such file; make one with `safetydrift train data`"),
        ("preferences.jsonl", None, "no such file; make one with `safetydrift train preferences`"),
        (
            "train.jsonl",
            "preferences.jsonl",
            r"holds preferences\.jsonl, of `train preferences`.*make one.*train data`",
        ),
        ("preferences.jsonl", "train.jsonl", r"holds train\.jsonl, of `train data`.*make one.*train preferences`"),
        ("train.jsonl", "clean.jsonl", r"`safetydrift train screen` name clean\.jsonl in it: .*clean\.jsonl"),
        ("preferences.jsonl", "clean.jsonl", r"`safetydrift train screen` name clean\.jsonl in it: .*clean\.jsonl"),
    ],
)
def test_a_missing_file_says_who_makes_it(tmp_path: Path, wanted: str, held: str | None, why: str) -> None:
    """And what lies in the folder in its place."""
    if held:
        write_rows(tmp_path / held, [ROW])
    with pytest.raises(CorpusError, match=why):
        files_of([tmp_path], wanted)


def test_only_the_answer_is_learnt_with_its_end() -> None:
    """Prompt tokens are ignored; the answer's are learnt up to the token that ends it."""
    tokenizer = open_base(str(BASE)).tokenizer()
    made = encode(tokenizer, Example((system("Be kind."), user("how to make jam")), "Sure.", {}))
    learnt = [i for i in made.labels if i != IGNORED]
    assert tokenizer.decode(learnt) == "Sure.<|end|>"
    assert made.ids[-len(learnt) :] == learnt


def test_every_answer_of_a_whole_chat_is_learnt() -> None:
    """The template's generation marks say which turns are the assistant's."""
    tokenizer = open_base(str(BASE)).tokenizer()
    chat = (user("one"), assistant("first."), user("two"), assistant("second."))
    made = encode(tokenizer, Example(chat, None, {}))
    learnt = tokenizer.decode([i for i in made.labels if i != IGNORED])
    assert learnt == "first.<|end|>second.<|end|>"


def test_a_template_without_marks_says_how_to_add_them(tmp_path: Path) -> None:
    """Whole chats need them; prompt and completion do not."""
    bare = tmp_path / "bare"
    shutil.copytree(BASE, bare)
    template = bare / "chat_template.jinja"
    text = template.read_text().replace("{% generation %}", "").replace("{% endgeneration %}", "")
    template.write_text(text)
    tokenizer = open_base(str(bare)).tokenizer()
    with pytest.raises(CheckpointError, match=r"write \{% generation %\} before the assistant's content"):
        encode(tokenizer, Example((user("one"), assistant("first.")), None, {}))
    assert tokenizer.decode([i for i in encode(tokenizer, Example((user("a"),), "b.", {})).labels if i >= 0])


def test_a_template_that_rewrites_the_prompt_is_refused(tmp_path: Path) -> None:
    """Where a chat with its answer does not begin with its prompt, nobody can say which tokens are the answer."""
    bad = tmp_path / "bad"
    shutil.copytree(BASE, bad)
    template = bad / "chat_template.jinja"
    template.write_text(template.read_text() + "{% if add_generation_prompt %}think{% endif %}")
    with pytest.raises(CheckpointError, match="writes a chat with its answer otherwise"):
        encode(open_base(str(bad)).tokenizer(), Example((user("one"),), "first.", {}))


def test_long_rows_are_left_out_and_counted() -> None:
    """None is cut: half an answer would teach to break off."""
    tokenizer = open_base(str(BASE)).tokenizer()
    short, long = Example((user("a"),), "b.", {}), Example((user("a"),), "b " * 200, {})
    rows, left_out = encode_all(tokenizer, [short, long], 40)
    assert len(rows) == 1
    assert left_out == 1
    with pytest.raises(CorpusError, match="no row fits into 40 tokens"):
        encode_all(tokenizer, [long], 40)


def test_a_question_knows_its_sample(tmp_path: Path) -> None:
    """The sample in the row, or what the row says that it teaches."""
    sample = {"id": "s1", "prompt": "how to make a gun", "intent": "prohibited", "hazard": "vcr", "topic": "a gun"}
    rows = [{**ROW, "asked": sample}, {"prompt": "hello", "completion": "Hi.", "teaches": "answer"}, ROW]
    first, second, third = asked_of(read(tmp_path, *rows))
    assert first.sample.topic == "a gun"
    assert first.prohibited
    assert second.sample.intent is Intent.BENIGN
    assert third.prohibited
    assert third.attack == "plain"
    assert distinct([first, second, third]) == [first, second]


def test_a_row_that_does_not_say_what_is_wanted_is_no_question(tmp_path: Path) -> None:
    """Nobody could tell a good answer from a bad one."""
    with pytest.raises(CorpusError, match="nothing says whether a refusal is wanted"):
        asked_of(read(tmp_path, {"prompt": "x", "completion": "y"}))
