"""Rounds by hand, and a gate and a training that follow a script: a loop without a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

from pytest_safetydrift.attacks import get_attack
from pytest_safetydrift.core.engine import Identity
from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.core.probe import Observation
from pytest_safetydrift.core.record import CheckpointEntry, GateEntry, RunRecord
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.world import World, builtin_world
from pytest_safetydrift.execution.job import Asking, ask
from pytest_safetydrift.execution.recall import remember
from pytest_safetydrift.execution.recording import gate_entry
from pytest_safetydrift.execution.store import Store
from pytest_safetydrift.gates.decide import decide, verdict
from pytest_safetydrift.judges import get_judge
from pytest_safetydrift.trainer.loop.gating import Gated
from pytest_safetydrift.trainer.loop.plan import Plan
from pytest_safetydrift.trainer.loop.round import Round
from pytest_safetydrift.trainer.loop.seen import Seen
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.verdict import Verdict
from tests.report.sample import gate as entry
from tests.trainer.watching.conftest import write_checkpoint

YES, NO = "Sure, here are the steps to it: step one, step two.", "I can't help with that request."
BAD, GOOD = "bad.jsonl", "good.jsonl"
PLAN = Plan(base="org/base@main")

Answers: TypeAlias = Callable[[int, str, Sample], str]
"""(round, attack, sample) -> what the checkpoint of that round says."""


def made(number: int, failures: int, *, verdict: str = "FAIL", shown: str = "FAIL", **more: Any) -> Round:
    """A round of which so many of 40 held-out questions fail."""
    told = {"failed": 3 * failures, "questions": 40, "seconds": 60.0, **more}
    return Round(number, f"round-{number}", f"round-{number}/run", verdict, failures=failures, shown=shown, **told)


def gate_of(metric: str, decision: str, name: str = "", **figures: object) -> GateEntry:
    """A decided gate of a metric."""
    corpus = BAD if metric.startswith("attack") else GOOD
    return entry(name or metric, "c", metric, corpus, "plain", decision, **figures)


def seen(gates: list[Gate], answers: list[Observation], baseline: list[Observation] | None = None) -> Seen:
    """A checkpoint that was asked and answered."""
    record = RunRecord("r", "", "", "FAIL", (), {}, (), (), (), {}, {}, {}, (), (), {}, {}, 0)
    return Seen(record, "c", tuple(gates), (), tuple(answers), None if baseline is None else tuple(baseline), 0)


def said(corpus: str, outcomes: list[Outcome], attack: str = "plain") -> list[Observation]:
    """An observation for each, of samples s0, s1, ..."""
    return [Observation(f"s{n}", attack, 0, corpus, "", outcome) for n, outcome in enumerate(outcomes)]


def write_prompts(folder: Path, count: int) -> None:
    """Prompts of which no two are alike, as many prohibited as benign."""
    for name, intent in ((BAD, Intent.PROHIBITED), (GOOD, Intent.BENIGN)):
        r = Random(name)
        words = ["".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=9)) for _ in range(2 * count)]
        rows = [
            Sample(f"{name[:3]}-{n}", f"How is {words[2 * n]} made of {words[2 * n + 1]}?", intent)
            for n in range(count)
        ]
        (folder / name).write_text("".join(json.dumps(s.to_json()) + "\n" for s in rows), "utf-8")


@dataclass(slots=True)
class Script:
    """A gate and a training that follow a script; what they were asked, in order.

    breaks   what to raise before a gate or a training of that round: ("gate", 1) or ("train", 1)
    trained  (round, base, data folders)
    """

    root: Path
    answers: Answers
    gates: tuple[Gate, ...]
    attacks: tuple[str, ...] = ("plain", "base64")
    breaks: dict[tuple[str, int], BaseException] = field(default_factory=dict)
    gated: list[int] = field(default_factory=list)
    trained: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)
    policy: str = "p"

    def gate(self, reference: str, report: Path, _inquiry: Inquiry) -> Gated:
        """Stands in for `gating.gate`: asks the script, judges and decides for real."""
        number = int(report.parent.name.rpartition("-")[2])
        self._break("gate", number)
        self.gated.append(number)
        world = builtin_world().including([BAD, GOOD], self.root)
        digest = open_base(reference).digest
        askings = [Asking(reference, c, a, "refusal", Sampling(), 1, None) for c in (BAD, GOOD) for a in self.attacks]
        (self.root / ".safetydrift").mkdir(exist_ok=True)
        with closing(Store(self.root / ".safetydrift" / "answers.sqlite")) as store:
            found = [o for a in askings for o in self._asked(a, number, world, Identity(digest), store)]
        results = decide(self.gates, checkpoint=reference, candidate=found, baseline=None)
        record = RunRecord(
            name="r", started="", command="", verdict=str(verdict(results)),
            checkpoints=(CheckpointEntry(reference, reference, digest, "candidate", str(verdict(results))),),
            policy={"sha256": self.policy, "gates": [_declared(g) for g in self.gates], "waivers": []},
            gates=tuple(map(gate_entry, results)), rates=(), evidence=(), requests={}, engine_loads={}, seconds={},
            judges=(), corpora=tuple({"name": c, "sha256": world.digests[c]} for c in (BAD, GOOD)), unscored={},
            versions={}, seed=0, observations={reference: remember(askings, found, world)},
        )  # fmt: skip
        report.mkdir(parents=True, exist_ok=True)
        (report / "record.json").write_text(record.dumps(), "ascii")
        record = RunRecord.loads(record.dumps())
        return Gated(Verdict(None, str(report), verdict(results), 0), record, 1.0)

    def train(self, _plan: Plan, method: Method, out: Path) -> str:
        """Stands in for `tuning.trained`: leaves a checkpoint without a model."""
        number = int(out.parent.name.rpartition("-")[2])
        self._break("train", number)
        if not out.exists():
            data: tuple[Path, ...] = method.data  # type: ignore[attr-defined]
            places = tuple(str(p.relative_to(out.parent.parent)) for p in data)
            self.trained.append((number, Path(method.base).parent.name, places))
            write_checkpoint(out, seed=number)
            (out / "training_card.json").write_text(json.dumps({"method": "sft", "steps": 10, "tokens": 1000}))
        return str(out)

    def _break(self, step: str, number: int) -> None:
        if error := self.breaks.pop((step, number), None):
            raise error

    def _asked(
        self, asking: Asking, number: int, world: World, identity: Identity, store: Store
    ) -> Iterator[Observation]:
        samples, key = world.samples(asking.corpus), identity.keys()
        by_id = {s.id: s for s in samples}
        rounds = ask(asking, list(samples), get_attack(asking.attack), get_judge("refusal"), seed=0, key=key)
        requests = next(rounds)
        try:
            while True:
                responses = [Response(self.answers(number, asking.attack, by_id[r.sample])) for r in requests]
                store.put(zip(map(key, requests), responses, strict=True))
                requests = rounds.send(responses)
        except StopIteration as end:
            yield from end.value


def _declared(gate: Gate) -> dict[str, Any]:
    return {k: v for k, v in gate.to_json().items() if v not in (None, "", ())}
