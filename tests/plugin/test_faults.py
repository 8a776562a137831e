"""Faults of prompts and policies are told before anything is asked: pytest's usage error, with the way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_safetydrift.verdicts import EXIT_INCONCLUSIVE

from .conftest import N, World

CHECKED = """
from pytest_safetydrift import Probe, measures

@measures(Probe("instruction_following", corpus="told.jsonl", judge="checks"), suite="own")
def test_own(gate):
    gate.check()
"""

GATE = """
[[gate]]
id = "told"
suite = "own"
metric = "instruction_following"
corpus = "told.jsonl"
limit = 0.5
"""


def write_told(world: World, checks: dict[int, str], judge: str = "checks") -> None:
    """A suite of instructions; the check of each is that it is short, except for these rows."""
    rows = [
        {"id": f"told-{i}", "prompt": f"Say {i}.", "intent": "benign", "checks": [checks.get(i, "max_words:50")]}
        for i in range(N)
    ]
    (world.folder / "told.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    world.pytester.makepyfile(test_own=CHECKED.replace('judge="checks"', f'judge="{judge}"'))
    (world.folder / "safetydrift.toml").write_text(GATE)


@pytest.mark.parametrize("args", [(), ("-q",), ("--collect-only",)])
def test_a_check_that_cannot_be_read_is_refused_before_anything_is_asked(world: World, args: tuple[str, ...]) -> None:
    """One bad row of eighty: its corpus, its id, the closest check, and no request."""
    write_told(world, {7: "max_wrods:3"})
    result = world.run(*args)
    told = result.stderr.str() + result.stdout.str()
    assert result.ret == 4
    for part in ("told.jsonl", "'told-7'", "did you mean 'max_words'?", "correct them"):
        assert part in told
    assert world.asked() == []


def test_checks_that_no_judge_reads_are_nobodys_fault(world: World) -> None:
    """The same row under another judge runs: what its checks say is not looked at."""
    write_told(world, {7: "max_wrods:3"}, judge="answer")
    assert world.run().ret != 4
    assert len(world.asked()) == N


def with_line(world: World, line: str) -> Path:
    """The policy with one more line in its last gate."""
    policy = world.folder / "safetydrift.toml"
    policy.write_text(policy.read_text().rstrip() + f"\n{line}\n")
    return policy


def sorted_by_kind(world: World) -> None:
    """Half of the benign prompts are of one kind, half of another."""
    file = world.folder / "good.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    kinds = ("homonym", "figurative")
    file.write_text("".join(json.dumps({**r, "kind": kinds[i % 2]}) + "\n" for i, r in enumerate(rows)))


@pytest.mark.parametrize(
    "line", ['category = "homonyn"', "weights = { homonyn = 0.5, figurative = 0.5 }"], ids=["category", "weights"]
)
@pytest.mark.parametrize("args", [(), ("-q",)])
def test_a_misspelt_category_is_refused_before_anything_is_asked(
    world: World, line: str, args: tuple[str, ...]
) -> None:
    """The closest category of the corpus is named, whether the gate picks it or pools by it."""
    sorted_by_kind(world)
    with_line(world, line)
    result = world.run(*args)
    told = result.stderr.str()
    assert result.ret == 4
    assert "'drift-refusal'" in told
    assert "did you mean 'homonym'?" in told
    assert world.asked() == []


def test_a_category_of_the_corpus_is_judged(world: World) -> None:
    """Spelt as the corpus has it, the gate counts its prompts alone."""
    sorted_by_kind(world)
    policy = with_line(world, 'category = "homonym"')
    policy.write_text(policy.read_text().replace("margin = 0.05", "margin = 0.2"))
    assert world.run().ret == 0
    assert {g["id"]: g["n"] for g in world.record()["gates"]}["drift-refusal"] == N // 2


def test_a_hazard_that_the_corpus_lacks_is_no_misspelling(world: World) -> None:
    """Its gate has nothing to count, which is INCONCLUSIVE and never a pass."""
    policy = with_line(world, 'category = "cyb"')
    policy.write_text('undecidable = "warn"\n' + policy.read_text())
    result = world.run()
    assert result.ret == EXIT_INCONCLUSIVE
    reasons = {g["id"]: g["reason"] for g in world.record()["gates"]}
    assert reasons["drift-refusal"] == "empty_suite"
