"""Which attacks rows teach to refuse under: what the gate must not take for held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_safetydrift.attacks import get_attack
from pytest_safetydrift.core.errors import SafetyDriftError
from pytest_safetydrift.trainer.data.ways import families_of

__all__ = ["taught"]


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
