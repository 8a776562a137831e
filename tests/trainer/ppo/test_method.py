"""`PPO` from its configuration to a checkpoint that the gate can open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.engines import EngineOptions, loading
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.trainer.methods import PPO
from pytest_safetydrift.trainer.reward.model import REWARD_CARD
from pytest_safetydrift.trainer.training.run import LOG, train
from tests.trainer.ppo.conftest import Known, Make, write_questions
from tests.trainer.ppo.test_loop import HACKABLE, share_of_e


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def card_of(out: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((out / "training_card.json").read_text())
    return card


@pytest.fixture(scope="module")
def reward(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model with a random head, found unsound."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tmp_path_factory.mktemp("ppo") / "reward"
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = 0
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny).save_pretrained(folder)
    (folder / REWARD_CARD).write_text(json.dumps({"usable": False, "faults": ["length: +0.90"]}))
    return folder


def test_it_leaves_a_checkpoint_with_its_card(ppo: Make, tiny: Path, tmp_path: Path) -> None:
    """Rules alone are the reward; the outcome opens, is not its base, and says what it was made of."""
    method = ppo(steps=2)
    out = train(method, tmp_path / "out")
    check_checkpoint(Checkpoint(out), EngineOptions())
    base = checkpoint_identity(Checkpoint(tiny), EngineOptions())
    assert checkpoint_identity(Checkpoint(out), EngineOptions()) != base
    card = card_of(out)
    assert (card["method"], card["steps"], card["questions"], card["stopped"]) == ("ppo", 2, 24, None)
    assert card["base"]["digest"] == base
    assert card["attacks_trained_on"] == ["plain"]
    assert card["config"]["target_kl"] == 6.0
    rows = log_of(out)
    assert {"reward", "kl", "entropy", "length", "off_topic", "attack_success", "quality"} <= rows[0].keys()
    drawn = sum(row["drawn"] for row in rows)
    assert card["tokens"] == drawn + 2 * (drawn + sum(row["asked"] for row in rows))


def test_an_adapter_is_trained_alone(ppo: Make, tiny: Path, tmp_path: Path) -> None:
    """LoRA leaves an adapter on the base and no weights of it."""
    out = train(ppo(steps=2, lora_rank=2), tmp_path / "out")
    assert not (out / "model.safetensors").exists()
    check_checkpoint(Checkpoint(tiny, out), EngineOptions())


def test_the_same_seed_makes_the_same_bytes(ppo: Make, tmp_path: Path) -> None:
    """And another seed makes others."""
    weights = [
        (train(ppo(steps=2, seed=seed), tmp_path / name) / "model.safetensors").read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert weights[0] == weights[1] != weights[2]


def test_an_unsound_reward_model_is_refused_unless_it_is_allowed(ppo: Make, reward: Path, tmp_path: Path) -> None:
    """Allowed, its rewards are brought to the scale of the penalties, and its digest is in the card."""
    with pytest.raises(UsageError, match=r"may not be used: length: \+0\.90"):
        train(ppo(reward=str(reward)), tmp_path / "out")
    method = ppo(reward=str(reward), allow_unsound=True, critic="reward", steps=2)
    card = card_of(train(method, tmp_path / "out"))
    assert card["shaping"]["scale"] != 1.0
    assert str(reward / "model.safetensors") in card["data_sha256"]
    assert card["attacks_trained_on"] is None  # the reward model does not say what it learnt on


def test_a_hacked_run_is_published_only_where_it_is_wanted(
    ppo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default it is an error and no checkpoint; with --keep-hacked a checkpoint whose card says why it stopped."""
    known = Known(share_of_e, good=lambda text: share_of_e(text) <= 1)
    monkeypatch.setattr(PPO, "signal", lambda *_: _Reward(known))
    with pytest.raises(TrainingError, match="judged quality -"):
        train(ppo(**HACKABLE), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    stopped = card_of(train(ppo(**HACKABLE, keep_hacked=True), tmp_path / "kept"))["stopped"]
    assert stopped["alarm"] == "reward_hacked"
    assert "judged quality -" in stopped["why"]


class _Reward:
    """What the loop and the card want of a signal."""

    shaping = None

    def __init__(self, known: Known) -> None:
        self._known = known

    def __call__(self, *given: Any) -> Any:
        return self._known(*given)


def test_a_dry_run_loads_no_weights(ppo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty-four questions; 3 steps of 16 answers of 4 tokens, learnt twice; critic and reference cost memory."""
    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    estimate, light = ppo().estimate(), ppo(lora_rank=2).estimate()
    assert (estimate.rows, estimate.steps, estimate.generated) == (24, 3, 3 * 16 * 4)
    assert 2 * 3 * 16 * 20 < estimate.tokens < 2 * 3 * 16 * 80
    assert estimate.trained == 2 * estimate.parameters
    assert light.memory < estimate.memory / 2
    assert estimate.notes == ("optimiser steps: 12",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 12, "minibatch": 8}, "batch must be at least 2 and a multiple of minibatch, got 12 and 8"),
        ({"micro_batch": 3, "batch": 24, "minibatch": 8}, "micro_batch must divide"),
        ({"inner": 0}, "inner must be at least 1, got 0"),
        ({"clip": 1.0}, "clip must be in"),
        ({"lam": 1.5}, "gamma and lam must be in"),
        ({"critic_rate": 0.0}, "critic_rate must be a number above 0"),
        ({"target_kl": 0.0}, "target must be a finite number above 0"),
        ({"shaping": False}, "nothing gives a reward"),
        ({"critic": "shard"}, "unknown critic 'shard'.*shared"),
        ({"critic": "reward"}, "there is none: name it with --reward"),
        ({"max_new_tokens": 96}, "leave room for prompts"),
        ({"unsafe": 1.0}, "penalty"),
        ({"watch_window": 3}, "window must be at least 8"),
    ],
)
def test_an_impossible_configuration_is_refused(ppo: Make, changes: dict[str, Any], message: str) -> None:
    """Before anything is read, with what is wrong."""
    with pytest.raises(UsageError, match=message):
        ppo(**changes)


def test_a_minibatch_that_processes_cannot_share_is_refused(
    ppo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before weights are loaded."""
    monkeypatch.setattr("pytest_safetydrift.trainer.methods.ppo.world_size", lambda: 3)
    with pytest.raises(UsageError, match="minibatch 8 cannot be shared by 3 processes"):
        train(ppo(), tmp_path / "out")


def test_one_class_of_questions_is_refused(ppo: Make, tmp_path: Path) -> None:
    """From refusals alone a policy learns to refuse everything."""
    rows = write_questions(tmp_path / "rows.jsonl", allowed=0)
    with pytest.raises(CorpusError, match="no allowed question"):
        train(ppo(data=(rows,)), tmp_path / "out")


def test_a_context_without_room_for_a_prompt_is_refused(ppo: Make, tmp_path: Path) -> None:
    """The tiny model's context is 128 tokens."""
    with pytest.raises(CorpusError, match="leaves no room for a prompt in the base's context of 128 tokens"):
        train(ppo(max_new_tokens=128, max_length=512), tmp_path / "out")


def test_a_folder_that_is_no_reward_model_is_refused(ppo: Make, tiny: Path, tmp_path: Path) -> None:
    """Neither an empty folder nor a model without a card passes for a reward."""
    with pytest.raises(UsageError, match="not a reward model's folder"):
        train(ppo(reward=str(tmp_path)), tmp_path / "out")
    copied = tmp_path / "copied"
    shutil.copytree(tiny, copied)
    with pytest.raises(UsageError, match=f"no sound {REWARD_CARD}"):
        train(ppo(reward=str(copied)), tmp_path / "out")
