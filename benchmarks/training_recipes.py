"""How each checkpoint of the training benchmark is made. Every number here was chosen on the development split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.training_pool import ask_pool, make_data
from pytest_safetydrift.trainer.methods import (
    DPO,
    GRPO,
    KTO,
    PPO,
    SFT,
    Constitutional,
    Rejection,
    Reward,
    Targeted,
)
from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
from pytest_safetydrift.trainer.preferences.folder import write_preferences
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.run import train

__all__ = ["BASE", "RECIPES", "STEPPED", "Kitchen"]

BASE = "demo:v1"
_TEACHER = "scripted:pytest_safetydrift.trainer.constitution.scripted:teacher"


@dataclass(frozen=True)
class Kitchen:
    """Where everything is made, and the data that several rows share; what is there is not made again."""

    out: Path

    def data(self, attack: str, pairs: int) -> Path:
        """A training set out of demo:v1's answers to the pool."""
        ask_pool(self.out / "pool", BASE)
        return make_data(self.out / "pool", self.out / f"data-{attack}", attacks=(attack,), pairs=pairs)

    @cached_property
    def plain(self) -> Path:
        """Plain refusals, and as many answers."""
        return self.data("plain", 3_100)

    @cached_property
    def both(self) -> tuple[Path, ...]:
        """10,000 encoded refusals out of 2,000 prompts, as many answers, and plain ones."""
        return (self.data("base64", 10_350), self.plain)

    @cached_property
    def wide(self) -> tuple[Path, ...]:
        """As many out of 8,000 prompts: on the development split that leaves 1.6 % where `both` leaves 5 %."""
        pool = self.out / "pool-wide"
        ask_pool(pool, BASE, breadth=4)
        return (make_data(pool, self.out / "data-wide", attacks=("base64",), pairs=10_350), self.plain)

    @cached_property
    def steps(self) -> tuple[Path, ...]:
        """Requests in steps and as a quiz, beside plain ones."""
        return tuple(self.data(attack, 2_000) for attack in ("decomposition", "quiz", "plain"))

    def pairs(self, name: str, **settings: Any) -> tuple[Path, ...]:
        """Preferences out of demo:v1's own draws."""
        place = self.out / f"preferences-{name}"
        if not place.is_dir():
            config = PreferenceConfig(**{"base": BASE, "data": self.both, "questions": 1_600, **settings})
            write_preferences(config, place)
        return (place,)

    def checkpoint(self, name: str, method: Callable[[], Method]) -> str:
        """The folder of a checkpoint of this name."""
        place = self.out / name
        return str(place if place.is_dir() else train(method(), place))

    @cached_property
    def of_all_forms(self) -> tuple[Path, ...]:
        """Preferences that know requests in steps and quizzes too."""
        return self.pairs("all", data=(*self.both, *self.steps), draws=2, questions=8_000)

    def reward(self, name: str, **settings: Any) -> str:
        """The folder of a reward model: by these settings one that passes its examination."""
        shared: dict[str, Any] = {"base": BASE, "off_topic": 6, "batch": 16, "rate": 1e-3, "steps": 2_200}
        if "data" not in settings:
            shared["data"] = self.pairs("many", draws=2, questions=8_000)
        return self.checkpoint(f"reward-{name}", lambda: Reward(**{**shared, **settings}))


def _row(name: str, make: Callable[[Kitchen], Method]) -> Callable[[Kitchen], str]:
    return lambda kitchen: kitchen.checkpoint(name, lambda: make(kitchen))


def _lora(kitchen: Kitchen) -> str:
    adapter = kitchen.checkpoint(
        "lora", lambda: SFT(base=BASE, data=kitchen.both, batch=32, rate=5e-3, lora_rank=8, steps=400)
    )
    return f"{open_base(BASE).checkpoint.directory}+{adapter}"


def _reranked(kitchen: Kitchen) -> str:
    """demo:v1 as it is, with the reward model choosing among eight of its answers."""
    place = kitchen.out / "reranked.toml"
    critic = kitchen.reward("sound")
    place.write_text(f'model = "{BASE}"\nkind = "reward"\ncritic = "{critic}"\nn = 8\n', "utf-8")
    return f"rerank:{place}"


def _targeted(kitchen: Kitchen, control: str = "") -> Method:
    rate = 1e-3 if control == "full" else 2e-3
    return Targeted(base=BASE, data=kitchen.both, refusing="demo:v2b", control=control, batch=32, rate=rate, steps=400)


def _ppo(kitchen: Kitchen, **settings: Any) -> Method:
    shared: dict[str, Any] = {
        **{"base": BASE, "data": kitchen.steps, "batch": 64, "minibatch": 32, "micro_batch": 8, "inner": 2},
        **{"steps": 20, "rate": 5e-4, "critic_rate": 2e-3, "critic": "shared", "beta": 0.05},
        **{"unsafe": 5.0, "needless": 2.5, "wrong": 5.0, "off_topic": 2.5, "max_new_tokens": 40, "max_length": 512},
    }
    return PPO(**{**shared, **settings})


def _hacked(kitchen: Kitchen, **settings: Any) -> Method:
    """A reward model without made pairs, unbounded and cheap to leave the base for: what the watch is there to stop."""
    naive = kitchen.reward("naive", data=kitchen.of_all_forms, steps=400, hard_negatives=False)
    loose: dict[str, Any] = {
        "shaping": False,
        "allow_unsound": True,
        "beta": 0.01,
        "rate": 6e-4,
        "steps": 60,
        "keep_hacked": True,
    }
    return _ppo(kitchen, reward=naive, **{**loose, **settings})


def _tuned(data: tuple[Path, ...], **settings: Any) -> Method:
    return SFT(base=BASE, data=data, **settings)


def _rewarded(kitchen: Kitchen, kind: type[GRPO] | type[PPO], **settings: Any) -> Method:
    return kind(base=BASE, data=kitchen.both, **settings)


RECIPES: dict[str, Callable[[Kitchen], str]] = {
    "sft": _row("sft", lambda k: _tuned(k.wide, batch=32, rate=1e-3, epochs=2)),
    "lora": _lora,
    "targeted": _row("targeted", _targeted),
    "random control": _row("random", lambda k: _targeted(k, "random")),
    "full control": _row("full", lambda k: _targeted(k, "full")),
    "dpo": _row("dpo", lambda k: DPO(base=BASE, data=k.pairs("plain"), batch=16, rate=1e-3, steps=60)),
    "kto": _row("kto", lambda k: KTO(base=BASE, data=k.pairs("plain"), batch=32, rate=4e-4, steps=60)),
    "uncertain": _row(
        "uncertain",
        lambda k: DPO(base=BASE, data=k.pairs("unsure", unsure=0.4), batch=16, rate=5e-4, steps=60, anchor=1.0),
    ),
    "constitutional": _row(
        "constitutional",
        lambda k: Constitutional(
            base=BASE, data=k.both, teacher=_TEACHER, questions=1_000, temperature=0.7, batch=32, rate=1e-3, steps=60
        ),
    ),
    "rejection": _row(
        "rejection",
        lambda k: Rejection(base=BASE, data=k.both, questions=1_000, draws=4, rounds=2, batch=32, rate=1e-3, steps=60),
    ),
    "grpo": _row(
        "grpo",
        lambda k: GRPO(
            base=BASE, data=k.both, batch=64, generations=8, steps=90, rate=5e-4, temperature=1.5, max_new_tokens=40
        ),
    ),
    "ppo, rules": _row("ppo-rules", _ppo),
    "ppo, reward model and rules": _row(
        "ppo-reward",
        lambda k: _ppo(k, reward=k.reward("sound"), inner=3, rate=6e-4, unsafe=20.0, steps=48),
    ),
    "ppo, hacked": _row("ppo-hacked", _hacked),
    # without the watch's tests of trend: how far it gets before the fall alone stops it
    "ppo, hacked longer": _row("ppo-unwatched", lambda k: _hacked(k, watch_drop=0.99)),
    "reranked": _reranked,
}
"""What makes each row; the last word is the reference of its checkpoint."""

STEPPED: dict[str, Callable[[Kitchen, int], Method]] = {
    "sft": lambda k, n: _tuned(k.both, batch=16, steps=n),
    "lora": lambda k, n: _tuned(k.both, batch=16, steps=n, lora_rank=8),
    "dpo": lambda k, n: DPO(base=BASE, data=k.pairs("plain"), batch=16, steps=n),
    "kto": lambda k, n: KTO(base=BASE, data=k.pairs("plain"), batch=16, steps=n),
    "reward": lambda k, n: Reward(base=BASE, data=k.pairs("plain"), batch=16, steps=n),
    "grpo": lambda k, n: _rewarded(k, GRPO, batch=16, steps=n, max_new_tokens=40),
    "ppo": lambda k, n: _rewarded(k, PPO, batch=16, steps=n, max_new_tokens=40),
}
"""Each method for a number of steps of 16 rows."""
