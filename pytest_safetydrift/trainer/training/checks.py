"""Numbers of a configuration that must keep to their bounds; each check raises `UsageError` naming the field."""

from __future__ import annotations

from math import isfinite

from pytest_safetydrift.core.errors import UsageError

__all__ = ["check_least", "check_numbers"]


def check_least(config: object, **bounds: int) -> None:
    """No field is below its bound."""
    for name, bound in bounds.items():
        if getattr(config, name) < bound:
            raise UsageError(f"{name} must be at least {bound}, got {getattr(config, name)}")


def check_numbers(config: object, *, above: tuple[str, ...] = (), least: tuple[str, ...] = ()) -> None:
    """Fields are finite, and `above` 0 or at `least` 0."""
    for name in (*above, *least):
        value = getattr(config, name)
        if not isfinite(value) or value < 0 or (value == 0 and name in above):
            raise UsageError(f"{name} must be a number {'above' if name in above else 'of at least'} 0, got {value}")
