"""`safetydrift train preferences`: a model's own answers, paired by which is better."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_safetydrift.trainer.training.option import add_options, from_options

__all__ = ["add_preferences_method"]


def add_preferences_method(methods: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `preferences` to the methods of `safetydrift train`."""
    from pytest_safetydrift.trainer.preferences.config import PreferenceConfig

    command = methods.add_parser("preferences", help="pairs of a better and a worse answer, from a model's own draws")
    add_options(command, PreferenceConfig)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder that does not exist yet")
    command.set_defaults(run=_preferences)


def _preferences(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.trainer.preferences.config import PreferenceConfig
    from pytest_safetydrift.trainer.preferences.folder import write_preferences

    card = write_preferences(from_options(PreferenceConfig, arguments), arguments.out)
    print("\n".join(_told(card, arguments.out)))
    return 0


def _told(card: dict[str, Any], out: Path) -> Iterator[str]:
    """What was made, in a few lines."""
    yield f"{card['pairs']} pairs of {card['questions']} questions"
    yield from (f"  {count} {why}" for why, count in card["by_why"].items())
    yield from (f"left out: {count} {why}" for why, count in card["skipped"].items() if count)
    if card["noise"]["largest"]:
        yield f"noise: {card['noise']['mean']:.2f} in the mean, {card['noise']['largest']:.2f} at most"
    yield str(out)
