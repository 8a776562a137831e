"""Which attacks rows teach to refuse under: what the gate must not take for held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_safetydrift.attacks import get_attack
from pytest_safetydrift.core.errors import SafetyDriftError
from pytest_safetydrift.trainer.data.ways import families_of

__all__ = ["one_class", "taught"]


def taught(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`attacks` and `families` for `Fitted`, of the rows that `train data` made.

    One row that does not say how it was asked makes all unknown (`attacks` None): it may teach anything.
    """
    attacks: dict[str, tuple[str, ...]] = {}
    for row in rows:
        attack, teaches = row.get("attack"), row.get("teaches")
        if not isinstance(attack, str) or teaches not in ("refuse", "answer"):
            return {"attacks": None, "families": ()}
        if teaches == "refuse" and attack not in attacks:
            try:
                attacks[attack] = families_of(get_attack(attack))
            except SafetyDriftError:  # an attack of the user's own that is not here says its family itself
                attacks[attack] = (str(row.get("family") or attack),)
    families = dict.fromkeys(f for own in attacks.values() for f in own)
    return {"attacks": tuple(attacks), "families": tuple(families)}


def one_class(rows: Iterable[Mapping[str, Any]]) -> str:
    """What is to be feared of rows that all teach one thing, "" where they do not, or do not say."""
    kinds = {row.get("teaches") for row in rows}
    if kinds == {"refuse"}:
        return "every row teaches a refusal: harmless requests will be refused as well; add benign replay"
    if kinds == {"answer"}:
        return "every row teaches an answer: what was refused may be answered; add refusals"
    return ""
