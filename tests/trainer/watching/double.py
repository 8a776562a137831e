"""Stands in for pytest: takes the gate's arguments, notes them, and writes the record that it was told to write.

Run as a script. The environment names the files: DOUBLE_SAYS holds, by the checkpoint's name or "*", what to do;
DOUBLE_ASKED gets a line a call.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import MISSING, fields
from pathlib import Path

from pytest_safetydrift.core.record import CheckpointEntry, GateEntry, RunRecord
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.engines.places import locate

EXITS = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 10}
WATCHED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "TORCHELASTIC_RUN_ID", "HOME")


def main() -> int:
    told = dict(a.removeprefix("--").split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
    reference = told["checkpoint"]
    name = Path(reference).name
    says = json.loads(Path(os.environ["DOUBLE_SAYS"]).read_text())
    mine = {"verdict": "PASS", **says.get("*", {}), **says.get(name, {})}
    asked = {"name": name, "argv": sys.argv[1:], "pid": os.getpid(), "env": {k: os.environ.get(k) for k in WATCHED}}
    with Path(os.environ["DOUBLE_ASKED"]).open("a") as file:
        file.write(json.dumps(asked) + "\n")
    print("the double is here")
    if mine.get("child"):
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    digest = checkpoint_identity(locate(Reference.parse(reference)), EngineOptions())
    if "overwrites" in mine:
        Path(mine["overwrites"]).write_text('{"model_type": "llama", "other": 1}')
    time.sleep(mine.get("sleep", 0))
    text = record(reference, mine.get("digest", digest), mine).dumps()
    left = {"whole": text, "broken": text[:100], "none": ""}[mine.get("record", "whole")]
    if left:
        (Path(told["safetydrift-report"]) / "record.json").write_text(left)
    if mine.get("dies"):
        os.kill(os.getpid(), 9)
    return int(mine.get("exit", EXITS[mine["verdict"]]))


def record(reference: str, digest: str, mine: dict) -> RunRecord:
    gates = tuple(gate(reference, *told) for told in mine.get("gates", [["asr", mine["verdict"], 0.5]]))
    entry = CheckpointEntry(reference, "x", digest, "candidate", mine["verdict"], mine.get("error", ""))
    return RunRecord(
        name="x",
        started="2026-01-01T00:00:00+00:00",
        command="pytest",
        verdict=mine["verdict"],
        checkpoints=(entry,),
        policy={},
        gates=gates,
        rates=(),
        evidence=(),
        requests={},
        engine_loads={},
        seconds={},
        judges=(),
        corpora=(),
        unscored={},
        versions={},
        seed=0,
        selection=mine.get("selection", ""),
    )


def gate(reference: str, name: str, decision: str, estimate: float) -> GateEntry:
    """One gate; figures that nothing here reads are None or 0."""
    given = {
        "id": name,
        "checkpoint": reference,
        "decision": decision,
        "estimate": estimate,
        "better": "lower",
        "n": 40,
        "cell": "one" if "[" in name else "",
        "blocks": decision != "PASS",
    }
    empty = {"str": "", "int": 0}
    needed = {f.name: empty.get(str(f.type)) for f in fields(GateEntry) if f.default is MISSING}
    return GateEntry(**{**needed, **given})


if __name__ == "__main__":
    sys.exit(main())
