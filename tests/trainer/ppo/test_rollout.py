"""Answers drawn by each row's own seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_safetydrift.core.errors import TrainingError
from pytest_safetydrift.trainer.ppo.prompts import Prompt, encode_prompts
from pytest_safetydrift.trainer.ppo.rollout import Sampler, row_seed
from pytest_safetydrift.trainer.training.asked import asked_of
from pytest_safetydrift.trainer.training.base import Base, open_base
from pytest_safetydrift.trainer.training.example import read_examples


@pytest.fixture
def base(tiny: Path) -> Base:
    return open_base(str(tiny))


@pytest.fixture
def policy(base: Base) -> Any:
    return base.model().eval()


@pytest.fixture
def prompts(base: Base, questions: Path) -> list[Prompt]:
    return encode_prompts(base.tokenizer(), asked_of(read_examples([questions])), 64)[0]


def test_an_answer_depends_on_its_own_seed_alone(base: Base, policy: Any, prompts: list[Prompt]) -> None:
    """The same whatever else is drawn with it, so that two processes draw what one does; another seed, another one."""
    sampler = Sampler(base, policy, temperature=1.0, room=6)
    seeds = [row_seed(0, 0, row) for row in range(len(prompts))]
    together = sampler.draw(prompts, seeds)
    apart = [*sampler.draw(prompts[1::2], seeds[1::2]), *sampler.draw(prompts[:1], seeds[:1])]
    assert apart == [*together[1::2], together[0]]
    assert sampler.draw(prompts, [row_seed(1, 0, row) for row in range(len(prompts))]) != together


def test_an_answer_without_its_end_is_unfinished(base: Base, policy: Any, prompts: list[Prompt]) -> None:
    """Cut off at the limit, it has as many tokens as there was room for, and none of them ends it."""
    sampler = Sampler(base, policy, temperature=1.0, room=12)
    answers = sampler.draw(prompts * 8, [row_seed(3, 0, row) for row in range(len(prompts) * 8)])
    end = base.tokenizer().eos_token_id
    assert {a.finished for a in answers} == {True, False}
    assert all((a.ids[-1] == end) is a.finished for a in answers)
    assert all(len(a.ids) == 12 for a in answers if not a.finished)


def test_tokens_are_drawn_as_often_as_the_model_says(base: Base, policy: Any, prompts: list[Prompt]) -> None:
    """First tokens of 600 answers to one question, against their probabilities: all within four standard errors."""
    prompt = prompts[0]
    with torch.inference_mode():
        chances = policy(torch.tensor([prompt.ids])).logits[0, -1].softmax(-1)
    drawn = Sampler(base, policy, temperature=1.0, room=1).draw([prompt] * 600, range(600))
    counts = torch.bincount(torch.tensor([a.ids[0] for a in drawn]), minlength=len(chances))
    error = (chances * (1 - chances) / 600).sqrt()
    assert bool(((counts / 600 - chances).abs() <= 4 * error + 3 / 600).all())


def test_a_policy_that_computes_nan_is_an_error(base: Base, policy: Any, prompts: list[Prompt]) -> None:
    """It never stands for an empty answer."""
    policy.get_input_embeddings().weight.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="the policy cannot answer: the model computed NaN"):
        Sampler(base, policy, temperature=1.0, room=2).draw(prompts[:2], [0, 1])
