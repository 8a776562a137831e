"""A trained reward model, refused where it was found unsound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.conversation import Conversation, assistant
from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.critic import RewardEngine
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.files import read_or_empty
from pytest_safetydrift.trainer.training.base import CARD

__all__ = ["REWARD_CARD", "RewardModel", "also_taught", "check_sound", "files_of_reward", "read_reward_card"]

REWARD_CARD = "reward_card.json"
"""Beside the weights: whether the model may be used, why not, and the figures."""


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A loaded reward model, in this process and on its GPU where there is one.

    engine  runs it; a chat is written with its answer in the model's own template, as it was in training
    card    what is known about it, {} where nothing is
    """

    engine: RewardEngine
    card: dict[str, Any]

    @classmethod
    def open(cls, folder: Path, *, allow_unsound: bool = False, device: str = "") -> RewardModel:
        """Load it; raises `UsageError` as `check_sound` does unless `allow_unsound`, and `CheckpointError` for what is
        no reward model."""
        if not allow_unsound:
            check_sound(folder)
        engine = RewardEngine(Checkpoint(Path(folder)), EngineOptions(kind="transformers", device=device))
        engine.load()
        return cls(engine, read_reward_card(folder))

    def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
        """One finite reward for each conversation with its answer, in order; it does not depend on the others.

        Raises `TrainingError` where one cannot be had: NaN, or a chat that the template or the context cannot hold.
        """
        requests = [Request("reward", (*messages, assistant(answer))) for messages, answer in answered]
        rewards = [0.0] * len(requests)
        for index, response in self.engine.generate(requests):
            if not response.ok:
                text = one_line(answered[index][1], 60)
                raise TrainingError(f"no reward for the answer {text!r}: {response.error}")
            rewards[index] = float(response.text)
        return rewards

    def close(self) -> None:
        """Let go of its memory."""
        self.engine.close()


def read_reward_card(folder: Path) -> dict[str, Any]:
    """The card, {} where there is none that can be read."""
    return read_or_empty(Path(folder) / REWARD_CARD)


def check_sound(folder: Path) -> None:
    """Raises `UsageError` where the card does not say that the model may be used, naming what it says instead."""
    card = read_reward_card(folder)
    if card.get("usable") is True:
        return
    faults = card.get("faults")
    said = "; ".join(map(str, faults)) if isinstance(faults, list) and faults else f"it has no sound {REWARD_CARD}"
    raise UsageError(
        f"{folder}: this reward model may not be used: {said}; train it on more and better preferences, or give "
        "--allow-unsound to see what comes of it"
    )


def files_of_reward(place: str, *, allow_unsound: bool) -> tuple[Path, ...]:
    """The files that decide its rewards, and its card; () where no model is named. Raises `UsageError` where it is no
    model's folder, and as `check_sound` does unless `allow_unsound`."""
    if not place:
        return ()
    folder = Path(place)
    if not (folder / "config.json").is_file():
        raise UsageError(f"{folder}: not a reward model's folder; make one with `safetydrift train reward`")
    if not allow_unsound:
        check_sound(folder)
    return tuple(sorted([*folder.glob("*.safetensors"), *folder.glob("*.json"), *folder.glob("*.jinja")]))


def also_taught(place: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """What `taught` says of a policy's rows, with the attacks that its reward model learnt on: it passes them on, so
    they are held out no more. Unknown (`attacks` None) where either is; `own` where no model is named."""
    if not place:
        return dict(own)
    card = read_or_empty(Path(place) / CARD)
    attacks, families = card.get("attacks_trained_on"), card.get("attack_families_trained_on")
    if own["attacks"] is None or not isinstance(attacks, list) or not isinstance(families, list):
        return {"attacks": None, "families": ()}
    return {
        "attacks": tuple(dict.fromkeys([*own["attacks"], *attacks])),
        "families": tuple(dict.fromkeys([*own["families"], *families])),
    }
