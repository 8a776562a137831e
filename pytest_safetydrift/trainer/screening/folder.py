"""A screening's folder: all of it, or none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import ReportError
from pytest_safetydrift.trainer.files import publish
from pytest_safetydrift.trainer.screening.pairs import Pair
from pytest_safetydrift.trainer.screening.screen import Screening
from pytest_safetydrift.trainer.screening.told import as_json, as_markdown

__all__ = ["write_screening"]


def write_screening(screening: Screening, file: Path, out: Path) -> Path:
    """Write report.md, report.json, clean.jsonl, quarantine.jsonl and hashes.txt; returns the folder.

    clean.jsonl       the rows without a finding, as the file has them
    quarantine.jsonl  every other row, under `pair`, with its place, its sha256 and all its reasons
    hashes.txt        one line for each row: sha256 of its canonical JSON, place, "clean" or the checks, source

    `file` is what was screened. The folder is made beside its place and renamed into it. Raises `ReportError` where it
    exists already or cannot be written: what was screened is never mixed with what an earlier screening left.
    """
    if out.exists():
        raise ReportError(f"{out} exists already; name another folder with --out, or remove it")
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        publish(_texts(screening, file.name, digest), out)
    except OSError as error:
        raise ReportError(f"{out}: cannot be written: {error.strerror or error}; name another with --out") from error
    return out


def _texts(screening: Screening, file: str, digest: str) -> dict[str, str]:
    held = screening.quarantined
    quarantine = [
        {
            "where": pair.where,
            "sha256": pair.sha256,
            "source": pair.source,
            "reasons": [
                {"check": f.check, "why": f.why, "related": [screening.pairs[row].where for row in f.related]}
                for f in held[pair.row]
            ],
            "pair": pair.record,
        }
        for pair in screening.pairs
        if pair.row in held
    ]
    checks = {row: ",".join(dict.fromkeys(f.check for f in findings)) for row, findings in held.items()}
    return {
        "clean.jsonl": _lines([pair.record for pair in screening.clean]),
        "quarantine.jsonl": _lines(quarantine),
        "hashes.txt": "".join(_hash(pair, checks.get(pair.row, "clean")) for pair in screening.pairs),
        "report.md": as_markdown(screening, file, digest),
        "report.json": json.dumps(as_json(screening, file, digest), indent=1, allow_nan=False) + "\n",
    }


def _lines(rows: list[Any]) -> str:
    """ASCII alone: half a surrogate pair, and what moves a cursor, stay escapes."""
    return "".join(json.dumps(row, ensure_ascii=True, allow_nan=False) + "\n" for row in rows)


def _hash(pair: Pair, verdict: str) -> str:
    return f"{pair.sha256}  {pair.where}  {verdict}  {json.dumps(pair.source)}\n"
