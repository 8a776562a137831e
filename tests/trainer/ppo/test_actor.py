"""Policy and critic over padded chats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.ppo.actor import Actor, frozen_logits, lay_out
from pytest_safetydrift.trainer.ppo.critic import make_critic
from pytest_safetydrift.trainer.ppo.experience import Chat, measure
from pytest_safetydrift.trainer.training.base import Base, open_base
from tests.trainer.ppo.conftest import Make

CHATS: list[Chat] = [((2, 30, 31, 3), (40, 41, 1)), ((2, 50, 3), (60, 1)), ((2, 70, 71, 72, 73, 3), (1,))]


@pytest.fixture
def base(tiny: Path) -> Base:
    return open_base(str(tiny))


def random_head() -> Any:
    torch.manual_seed(0)
    return nn.Linear(64, 1)


def adapted(base: Base, ppo: Make) -> Any:
    """With adapters that move it."""
    from pytest_safetydrift.trainer.training.hugging import model_to_train

    model = model_to_train(ppo(lora_rank=2), base).eval()
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.3)
    return model


def test_chats_are_laid_out_around_one_column() -> None:
    """Prompts end where answers begin; the mask is of answer tokens alone."""
    laid = lay_out(CHATS[:2], "cpu")
    assert laid.ids.tolist() == [[2, 30, 31, 3, 40, 41, 1], [0, 2, 50, 3, 60, 1, 0]]
    assert laid.attends.tolist() == [[1] * 7, [0, 1, 1, 1, 1, 1, 0]]
    assert laid.answers.tolist() == [[False, True, True, True], [False, True, True, False]]
    assert laid.inputs["position_ids"].tolist()[1] == [0, 0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize("own_trunk", [True, False])
def test_padding_changes_nothing(base: Base, own_trunk: bool) -> None:
    """Log-probabilities, values and entropies of a padded batch are those of each chat by itself, unpadded."""
    policy = base.model().eval()
    actor = Actor(policy, base.model().base_model.eval() if own_trunk else None, random_head())
    for chat, found in zip(CHATS, measure(actor, policy, CHATS, temperature=0.7, micro=3, device="cpu"), strict=True):
        prompt, answer = chat
        with torch.inference_mode():
            made = policy(torch.tensor([prompt + answer]), output_hidden_states=True)
            values = actor.head(made.hidden_states[-1])[0, :, 0]
        scores = (made.logits[0] / 0.7).log_softmax(-1)
        at = torch.arange(len(prompt) - 1, len(prompt) + len(answer) - 1)
        torch.testing.assert_close(found.logprobs, scores[at, torch.tensor(answer)], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.values, values[at], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.entropy, -(scores.exp() * scores).sum(-1)[at], atol=1e-4, rtol=1e-4)
        assert found.kl.abs().max() < 1e-5


def test_without_its_adapter_the_policy_is_the_reference(base: Base, ppo: Make) -> None:
    """One copy of the base serves both; the adapter is on again afterwards."""
    policy, laid = adapted(base, ppo), lay_out(CHATS, "cpu")
    with torch.inference_mode():
        moved = policy(**laid.inputs).logits[:, -laid.tail :]
        frozen = frozen_logits(None, policy, laid)
        again = policy(**laid.inputs).logits[:, -laid.tail :]
        plain = base.model().eval()(**laid.inputs).logits[:, -laid.tail :]
    torch.testing.assert_close(frozen, plain)
    torch.testing.assert_close(again, moved)
    assert (moved - plain).abs().max() > 0.1


def test_a_shared_critic_reads_the_policy_and_does_not_move_it(base: Base, ppo: Make) -> None:
    """Values give the head a gradient and no weight of the policy, whose own gradients are the adapter's alone."""
    policy = adapted(base, ppo)
    actor = Actor(policy, *make_critic("auto", base, policy))
    assert actor.trunk is None
    logits, values = actor(lay_out(CHATS, "cpu"))
    values.sum().backward()
    assert actor.head.weight.grad.abs().max() > 0
    assert all(p.grad is None for p in policy.parameters())
    logits.sum().backward()
    assert {n.split(".")[-3] for n, p in policy.named_parameters() if p.grad is not None} == {"lora_A", "lora_B"}


def test_a_critic_of_its_own_begins_at_nothing_and_shares_no_weight(base: Base) -> None:
    """Every value is 0 at first, and its trunk is a copy."""
    policy = base.model()
    actor = Actor(policy, *make_critic("auto", base, policy))
    assert actor(lay_out(CHATS, "cpu"))[1].abs().max() == 0
    own = {p.data_ptr() for p in policy.parameters()}
    assert not own & {p.data_ptr() for p in actor.trunk.parameters()}
    first, second = actor.groups()
    assert len(first) + len(second) == len(list(actor.parameters()))


def test_a_critic_may_begin_as_the_reward_model(base: Base, tiny: Path, tmp_path: Path) -> None:
    """Its value of the last token is then that model's reward; one that reads other tokens is refused."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from pytest_safetydrift.trainer.demo import BASE

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1, dtype=torch.float32).eval()
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(tmp_path)
    actor = Actor(base.model(), *make_critic("reward", base, None, str(tmp_path))).eval()
    prompt, answer = CHATS[0]
    with torch.inference_mode():
        values = actor(lay_out([CHATS[0]], "cpu"))[1]
        reward = model(torch.tensor([prompt + answer])).logits[0, 0]
    assert values[0, -1].item() == pytest.approx(reward.item(), abs=1e-5)
    with pytest.raises(UsageError, match="reads other tokens"):
        make_critic("reward", open_base(str(BASE)), None, str(tmp_path))
