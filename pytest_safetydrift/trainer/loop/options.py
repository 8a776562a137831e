"""NAME=VALUE options that belong to other commands: `safetydrift train METHOD` and `safetydrift train data`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from pytest_safetydrift.core.errors import CorpusError, UsageError, closest
from pytest_safetydrift.trainer.data.command import add_data_method, read_answers_file, read_refusals_file
from pytest_safetydrift.trainer.data.config import DataConfig
from pytest_safetydrift.trainer.methods import NAMES, method_named
from pytest_safetydrift.trainer.training.example import TRAIN
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.option import add_options, from_options

__all__ = ["check_learns", "data_config", "make_method", "method_flags"]

_OURS = ("base", "data", "out", "dry_run")
_DATA_OURS = ("out", "checkpoint", "store", "root", "development")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong by an exception."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")


def make_method(name: str, told: Sequence[str], base: str, data: Sequence[Path]) -> Method:
    """The method's configuration for one round. Raises `UsageError` for a method that is none or cannot learn from
    `train data`, for an unknown option and an impossible value."""
    config = _config(name)
    parser = _Parser(prog="--method-arg", allow_abbrev=False)
    add_options(parser, config)
    places = [f"--data={place}" for place in data]
    return from_options(config, parser.parse_args([f"--base={base}", *places, *method_flags(name, told)]))


def method_flags(name: str, told: Sequence[str]) -> list[str]:
    """The same as the command line has them: "--rate=1e-3", "--no-one-class"."""
    hints = get_type_hints(_config(name))
    return [_flag(field, value, hints.get(field)) for field, value in _pairs("--method-arg", told, hints, _OURS)]


def check_learns(name: str, told: Sequence[str], base: str) -> None:
    """Raises `UsageError` where the method cannot learn from what `train data` writes: seen before anything runs."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / TRAIN).touch()
        try:
            make_method(name, told, base, [Path(scratch)]).inputs()
        except CorpusError:
            raise UsageError(f"--method {name} does not learn from `train data` alone; {_known()}") from None


def data_config(told: Sequence[str]) -> tuple[DataConfig, str]:
    """How round 1's data are made, and whose benign answers are kept ("" for the default): options of `safetydrift
    train data`. No prompt goes to a development fold, since nothing here chooses settings."""
    parser: argparse.ArgumentParser = _Parser(prog="--data-arg")
    add_data_method(parser.add_subparsers())
    bare = ["data", "RUN", "--out=OUT"]
    names = vars(parser.parse_args(bare)).keys() - {"record", "run"}
    flags = [_flag(name, value) for name, value in _pairs("--data-arg", told, names, _DATA_OURS)]
    got = parser.parse_args([*bare, *flags])
    config = DataConfig(
        pairs=got.pairs,
        replay=got.replay,
        attacks=tuple(got.attack),
        held_out_families=tuple(got.hold_out),
        development=0.0,
        held_out=got.held_out,
        near=got.near,
        seed=got.seed,
        refusals=read_refusals_file(got.refusals),
        answers=read_answers_file(got.answers),
    )
    if not config.held_out:
        raise UsageError("--data-arg held-out=0: without held-out prompts no round could show that it is better")
    return config, str(got.replay_from)


def _config(name: str) -> type[Method]:
    found = method_named(name) if name in NAMES else None
    if found is None or "data" not in {f.name for f in fields(found)}:
        raise UsageError(f"--method {name!r}: {'no such method' if found is None else 'it reads no data'}; {_known()}")
    return found


def _known() -> str:
    return closest("", NAMES)


def _pairs(
    option: str, told: Sequence[str], known: Collection[str], ours: Collection[str]
) -> Iterator[tuple[str, str]]:
    for text in told:
        name, equals, value = text.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_")
        if not equals or not name:
            raise UsageError(f"{option} {text!r}: write NAME=VALUE")
        if name in ours:
            raise UsageError(f"{option} {text!r}: the loop gives {name} itself; leave it out")
        if name not in known:
            raise UsageError(f"{option} {text!r}: no option {name!r}; {closest(name, set(known) - set(ours))}")
        yield name, value


def _flag(name: str, value: str, kind: Any = None) -> str:
    flag = name.replace("_", "-")
    if kind is not bool:
        return f"--{flag}={value}"
    if value.lower() not in ("true", "false"):
        raise UsageError(f"--method-arg {name}={value}: write true or false")
    return f"--{flag}" if value.lower() == "true" else f"--no-{flag}"
