"""Fields of a method's configuration that say what they are, and the command line made out of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import MISSING, Field, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["add_options", "from_options", "option"]

T = TypeVar("T")


def option(default: Any = MISSING, *, told: str, metavar: str = "", choices: tuple[str, ...] = ()) -> Any:
    """A field of a configuration, `told` what it is; without a `default` it has to be given."""
    metadata = {"told": told, "metavar": metavar, "choices": choices}
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def add_options(parser: argparse.ArgumentParser, config: type[Any]) -> None:
    """An option `--some-name` for each field `some_name` that was made by `option`, in the order of declaration.

    A tuple's option is repeatable, a bool's is a pair of switches, and a default is shown.
    """
    hints = get_type_hints(config)
    for f in _options(config):
        kind, told = hints[f.name], f.metadata
        flag, needed = f"--{f.name.replace('_', '-')}", f.default is MISSING
        text = told["told"] if needed or f.default in ("", (), None) else f"{told['told']} (default: {_shown(f)})"
        shared: dict[str, Any] = {"required": needed, "help": text.replace("%", "%%"), "dest": f.name}
        if kind is bool:
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=f.default, **shared)
        elif get_origin(kind) is tuple:
            action, item = "append", get_args(kind)[0]
            parser.add_argument(flag, action=action, type=item, metavar=told["metavar"] or _metavar(item), **shared)
        else:
            shown = {"choices": told["choices"]} if told["choices"] else {"metavar": told["metavar"] or _metavar(kind)}
            parser.add_argument(flag, type=kind, default=None if needed else f.default, **shown, **shared)


def from_options(config: type[T], arguments: argparse.Namespace) -> T:
    """The configuration that the parsed options say; raises `UsageError` as its own checks do."""
    given = {f.name: getattr(arguments, f.name) for f in _options(config)}
    return config(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None})


def _options(config: type[Any]) -> Iterator[Field[Any]]:
    return (f for f in fields(config) if "told" in f.metadata)


def _shown(f: Field[Any]) -> str:
    return f"{f.default:g}" if isinstance(f.default, float) else str(f.default)


def _metavar(kind: type[Any]) -> str:
    return {int: "N", float: "X", Path: "FILE"}.get(kind, "TEXT")
