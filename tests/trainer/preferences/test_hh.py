"""Preferences of people as hh-rlhf writes them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pytest_safetydrift.core.conversation import assistant, user
from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.preferences.hh import is_hh, read_hh

START = "\n\nHuman: Hi there\n\nAssistant: Hello!\n\nHuman: how?"


def write(path: Path, *pairs: tuple[str, str]) -> Path:
    lines = "".join(json.dumps({"chosen": START + a, "rejected": START + b}) + "\n" for a, b in pairs)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(lines.encode()))
    else:
        path.write_text(lines, "utf-8")
    return path


@pytest.mark.parametrize("name", ["harmless.jsonl", "harmless.jsonl.gz"])
def test_dialogues_part_at_the_last_answer(tmp_path: Path, name: str) -> None:
    """Prompt, chosen and rejected; what a question wants is not known."""
    path = write(tmp_path / name, ("\n\nAssistant: So.", "\n\nAssistant: No: \n\nnever."))
    assert is_hh(path)
    (pair,), left_out = read_hh(path)
    assert pair.messages == (user("Hi there"), assistant("Hello!"), user("how?"))
    assert (pair.chosen, pair.rejected, pair.noise) == ("So.", "No: \n\nnever.", 0.0)
    assert pair.row == {"category": "harmless"}
    assert left_out == {}


def test_rows_that_are_no_pairs_are_counted_by_reason(tmp_path: Path) -> None:
    """Another dialogue before the answer, an empty answer, one speaker twice, one answer twice."""
    path = write(
        tmp_path / "rows.jsonl",
        ("\n\nAssistant: So.", "\n\nAssistant: No."),
        ("\n\nAssistant: So.", "\n\nHuman: What?\n\nAssistant: No."),
        ("\n\nAssistant: So.", "\n\nAssistant:"),
        ("\n\nAssistant: So.\n\nAssistant: Yes.", "\n\nAssistant: So.\n\nAssistant: No."),
        ("\n\nAssistant: So.", "\n\nAssistant: So. "),
    )
    pairs, left_out = read_hh(path)
    assert len(pairs) == 1
    assert left_out == {
        "the dialogues part before the last answer": 1,
        "an empty turn": 1,
        "two turns of one speaker in a row": 1,
        "both answers are the same": 1,
    }


def test_other_files_are_not_taken_for_it(tmp_path: Path) -> None:
    """Rows with a prompt, other texts, and no rows at all."""
    for text in ('{"prompt": "q", "chosen": "\\n\\nHuman: a", "rejected": "b"}', '{"chosen": "a"}', "[]", "{", ""):
        path = tmp_path / "rows.jsonl"
        path.write_text(text)
        assert not is_hh(path)
    assert not is_hh(tmp_path / "absent.jsonl")


def test_damaged_files_name_what_is_wrong(tmp_path: Path) -> None:
    """A gzip that was cut short, a row of another format, and a file of which nothing is a pair."""
    path = write(tmp_path / "rows.jsonl.gz", *[("\n\nAssistant: So.", "\n\nAssistant: No.")] * 50)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CorpusError, match="cannot be read"):
        read_hh(path)
    other = tmp_path / "other.jsonl"
    other.write_text('{"chosen": "a", "rejected": "b"}\n')
    with pytest.raises(CorpusError, match="line 1: chosen and rejected must be dialogues"):
        read_hh(other)
    with pytest.raises(CorpusError, match="no row is a pair"):
        read_hh(write(tmp_path / "none.jsonl", ("\n\nAssistant: So.", "\n\nAssistant: So.")))


def test_the_public_file_is_read(shared_data: Path) -> None:
    """2,312 rows, of which 13 are no pairs."""
    pairs, left_out = read_hh(shared_data / "hh_rlhf" / "harmless_base_test.jsonl.gz")
    assert len(pairs) == 2299
    assert sum(left_out.values()) == 13
