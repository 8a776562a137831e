"""Which questions are asked in which step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.ppo.prompts import encode_prompts, schedule
from pytest_safetydrift.trainer.training.asked import asked_of
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.example import read_examples
from tests.trainer.ppo.conftest import write_questions


def test_half_of_each_batch_is_prohibited_and_every_question_comes_in_its_turn(tiny: Path, questions: Path) -> None:
    """Seven rows hold three prohibited ones; after four steps each of the twelve was asked once."""
    prompts, _ = encode_prompts(open_base(str(tiny)).tokenizer(), asked_of(read_examples([questions])), 64)
    planned = schedule(prompts, batch=7, steps=4, seed=0)
    assert [sum(p.asked.prohibited for p in step) for step in planned] == [3] * 4
    times = Counter(p.asked.sample.id for step in planned for p in step if p.asked.prohibited)
    assert len(times) == 12
    assert set(times.values()) == {1}
    assert schedule(prompts, batch=7, steps=4, seed=0) == planned != schedule(prompts, batch=7, steps=4, seed=1)


def test_the_steps_of_a_longer_run_begin_as_those_of_a_shorter(tiny: Path, questions: Path) -> None:
    """So that more steps are more of the same."""
    prompts, _ = encode_prompts(open_base(str(tiny)).tokenizer(), asked_of(read_examples([questions])), 64)
    assert schedule(prompts, batch=8, steps=9, seed=0)[:3] == schedule(prompts, batch=8, steps=3, seed=0)


def test_a_question_counts_once_and_long_ones_are_counted_out(tiny: Path, tmp_path: Path) -> None:
    """Doubles are dropped; what leaves no room for an answer is told."""
    rows = write_questions(tmp_path / "rows.jsonl", prohibited=3, allowed=3)
    rows.write_text(rows.read_text() * 2)
    tokenizer = open_base(str(tiny)).tokenizer()
    prompts, too_long = encode_prompts(tokenizer, asked_of(read_examples([rows])), 64)
    assert (len(prompts), too_long) == (6, 0)
    longest = max(len(p.ids) for p in prompts)
    kept, too_long = encode_prompts(tokenizer, asked_of(read_examples([rows])), longest - 1)
    assert len(kept) + too_long == 6
    assert too_long > 0


@pytest.mark.parametrize(("prohibited", "allowed", "missing"), [(4, 0, "allowed"), (0, 4, "prohibited")])
def test_one_class_is_refused(tiny: Path, tmp_path: Path, prohibited: int, allowed: int, missing: str) -> None:
    """The error names the class that is missing and what to add."""
    rows = write_questions(tmp_path / "rows.jsonl", prohibited=prohibited, allowed=allowed)
    with pytest.raises(CorpusError, match=f"no {missing} question.*needs both: add rows with `teaches`"):
        encode_prompts(open_base(str(tiny)).tokenizer(), asked_of(read_examples([rows])), 64)
