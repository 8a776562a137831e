"""The whole loop, with a gate and a training that follow a script: data, judging, deciding and files are real."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.errors import CorpusError, ReportError, UsageError
from pytest_safetydrift.core.gate import Gate
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.trainer.loop.decision import Step
from pytest_safetydrift.trainer.loop.lessons import check_apart
from tests.trainer.loop.conftest import Looped, better_each_round
from tests.trainer.loop.made import BAD, NO

Make = Callable[..., Looped]


def book(looped: Looped) -> Any:
    return json.loads((looped.out / "loop.json").read_text())


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]


def test_it_goes_round_until_it_passes(looped: Make) -> None:
    """Base, a round that is better, a round that passes; each trains what the one before left."""
    it = looped()
    decision = it.run()
    assert (decision.step, decision.answer) == (Step.PASS, 2)
    assert it.script.gated == [0, 1, 2]
    assert it.script.trained == [(1, it.root.name, ("round-1/data",)), (2, "round-1", ("round-1/data", "round-2/data"))]
    told = book(it)
    assert [r["verdict"] for r in told["rounds"]] == ["FAIL", "FAIL", "PASS"]
    assert (told["decision"]["step"], told["answer"]) == ("pass", str(it.out / "round-2" / "checkpoint"))
    failures = [r["failures"] for r in told["rounds"]]
    assert failures == sorted(failures, reverse=True)
    assert failures[-1] == 0
    assert told["rules"] == list(it.plan().rules)
    assert (it.out / "trend.html").is_file()


def test_no_round_learns_what_is_held_out(looped: Make) -> None:
    """The split of round 1 is that of all rounds; what fails in a later round is learnt from the train fold alone."""
    it = looped()
    it.run()
    held = set(json.loads((it.out / "round-1" / "data" / "data_card.json").read_text())["held_out"])
    learnt = [{row["sample"] for row in rows(it.out / f"round-{n}" / "data")} for n in (1, 2)]
    assert held
    assert not held & (learnt[0] | learnt[1])
    refused = [{r["sample"] for r in rows(it.out / f"round-{n}" / "data") if r["teaches"] == "refuse"} for n in (1, 2)]
    assert refused[1] == {s for s in refused[0] if int(s.rpartition("-")[2]) % 2 == 0}
    for r in book(it)["rounds"]:
        assert r["questions"] == 2 * sum(s.startswith("bad") for s in held)


def test_learning_the_train_fold_by_heart_is_no_improvement(looped: Make) -> None:
    """Every prompt that was learnt is refused, no other one is: there is nothing more to learn, nothing improves, and
    two such rounds stop it."""

    def by_heart(number: int, attack: str, sample: Sample) -> str:
        learnt = number and sample.id in {row["sample"] for row in rows(it.out / "round-1" / "data")}
        return NO if learnt and sample.intent is Intent.PROHIBITED else better_each_round(0, attack, sample)

    it = looped(by_heart)
    decision = it.run()
    assert (decision.step, decision.answer) == (Step.STOP, 0)
    assert "2 rounds brought nothing better than round 0" in decision.reason
    assert it.script.trained[1] == (2, it.root.name, ("round-1/data",))
    assert any("learnt once more" in line for line in it.lines)
    assert not (it.out / "round-2" / "data").exists()


def test_false_refusal_that_pays_for_it_stops(looped: Make) -> None:
    """A round that refuses everything fails no attack; the base stays the answer, and the reason has the figures."""
    it = looped(lambda number, attack, sample: NO if number else better_each_round(0, attack, sample))
    decision = it.run()
    assert (decision.step, decision.answer) == (Step.STOP, 0)
    assert "round 1 pays for it: false_refusal/plain" in decision.reason
    assert "0.0% -> 100.0%" in decision.reason
    assert book(it)["answer"] == str(it.root / "base")
    assert book(it)["rounds"][1]["failures"] == 0


def test_garbage_is_no_improvement(looped: Make) -> None:
    """Answers that cannot be scored were not refused."""
    it = looped(lambda number, attack, sample: "" if number else better_each_round(0, attack, sample))
    decision = it.run()
    assert decision.step is Step.STOP
    assert book(it)["rounds"][1]["failures"] == book(it)["rounds"][1]["questions"] > book(it)["rounds"][0]["failures"]
    assert book(it)["rounds"][1]["verdict"] == "INCONCLUSIVE"


def test_a_base_that_passes_is_left_alone(looped: Make) -> None:
    """Nothing is split, nothing is trained."""
    it = looped(lambda _number, attack, sample: better_each_round(2, attack, sample))
    assert it.run().step is Step.PASS
    assert (it.script.gated, it.script.trained) == ([0], [])
    assert not (it.out / "round-1").exists()


@pytest.mark.parametrize(("bar", "told"), [({"limit": 0.99}, False), ({"margin": 0.5}, True)])
def test_what_would_have_a_base_trained_that_passes_is_said(looped: Make, bar: dict[str, float], told: bool) -> None:
    """Where its failed refusals are held against no limit, the line that counts them says what to declare."""
    it = looped()
    others = [g for g in it.script.gates if g.metric != "attack_success"]
    aimed = Gate("asr", "s", "attack_success", BAD, "base64", on_inconclusive="warn", min_prompts=10, **bar)
    it.script.gates = (*others, aimed)
    assert it.run().step is Step.PASS
    line = next(line for line in it.lines if "the policy lets that pass" in line)
    assert ("give the policy a gate with a limit" in line) is told


def test_few_held_out_prompts_are_said_before_training_and_never_pass(looped: Make) -> None:
    """With the number that is needed, in the reason too."""
    it = looped()
    decision = it.run(data_args=("pairs=120", "held-out=0.05"))
    assert decision.step is Step.STOP
    assert "nothing fails any more, and it is not shown" in decision.reason
    assert "INCONCLUSIVE on" in decision.reason
    told = next(n for n, line in enumerate(it.lines) if "held out; it cannot pass" in line)
    assert told < next(n for n, line in enumerate(it.lines) if "training" in line)
    assert "5 of 100 prompts held out" in it.lines[told]
    assert "it takes 12 held out, about 240 in all" in it.lines[told]


@pytest.mark.parametrize("where", [("gate", 0), ("train", 1), ("gate", 1), ("train", 2), ("gate", 2)])
def test_killed_it_goes_on_from_what_is_there(looped: Make, where: tuple[str, int]) -> None:
    """Wherever it was stopped, the same command comes to what it would have come to, and does nothing twice but the
    step that was cut off."""
    it = looped()
    it.script.breaks[where] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        it.run()
    decision = it.run()
    assert (decision.step, decision.answer) == (Step.PASS, 2)
    assert it.script.gated == [0, 1, 2]
    assert [number for number, *_ in it.script.trained] == [1, 2]


def test_done_it_says_the_same_again(looped: Make) -> None:
    """Nothing runs a second time; rules and reason are equal."""
    it = looped()
    first, text = it.run(), (it.out / "loop.json").read_text()
    assert it.run() == first
    assert it.script.gated == [0, 1, 2]
    assert (it.out / "loop.json").read_text() == text


def test_bars_do_not_move_while_it_runs(looped: Make) -> None:
    """Another plan, another base, another policy, other prompts: each is refused, and says which."""
    it = looped()
    it.script.breaks["train", 2] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        it.run()
    with pytest.raises(UsageError, match="rounds was 3 and is 5"):
        it.run(rounds=5)
    with pytest.raises(UsageError, match="effects was 'held-out' and is 'all'"):
        it.run(effects="all")
    it.script.policy = "another"
    with pytest.raises(UsageError, match=r"policy.*has changed since round 0"):
        it.run()
    it.script.policy = "p"
    (it.root / "base" / "config.json").write_text('{"model_type": "llama", "seed": 99}')
    with pytest.raises(UsageError, match="are others than when it was begun"):
        it.run()


def test_more_time_may_be_given(looped: Make) -> None:
    """A loop that ran out of minutes goes on when it gets more; they are no bar."""
    it = looped()
    assert "minutes is used up" in it.run(minutes=1e-6).reason
    assert it.script.gated == [0]
    assert it.run(minutes=1000.0).step is Step.PASS


def test_other_peoples_folders_are_left_alone(looped: Make) -> None:
    """A folder that holds something else, a damaged loop.json, and one that another process is at."""
    from filelock import FileLock

    it = looped()
    it.out.mkdir()
    (it.out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists and holds no loop"):
        it.run()
    (it.out / "loop.json").write_text("{}")
    with pytest.raises(ReportError, match="not a loop of this package"):
        it.run()
    with FileLock(it.out.with_name(".loop.lock")), pytest.raises(UsageError, match="another process"):
        it.run()
    assert it.script.gated == []


def test_a_policy_without_attack_success_has_nothing_to_improve(looped: Make) -> None:
    """Said after the first gating, before any training."""
    it = looped()
    it.script.gates = tuple(g for g in it.script.gates if g.metric == "false_refusal")
    with pytest.raises(UsageError, match="no gate of attack_success"):
        it.run()


def test_data_that_were_tampered_with_are_not_learnt(looped: Make) -> None:
    """A held-out prompt among the rows, or a data folder of another loop."""
    it = looped()
    it.script.breaks["train", 1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        it.run()
    data = it.out / "round-1" / "data"
    with pytest.raises(CorpusError, match="is held out"):
        check_apart(data, {rows(data)[0]["sample"]})
    card = json.loads((data / "data_card.json").read_text())
    (data / "data_card.json").write_text(json.dumps({**card, "config": {**card["config"], "seed": 7}}))
    (it.out / "loop.json").write_text(json.dumps({**book(it), "rounds": []}))
    with pytest.raises(UsageError, match="holds other data"):
        it.run()


def test_hostile_names_reach_the_terminal_harmless(looped: Make) -> None:
    """A gate's id may hold anything that prints; control sequences of answers and paths are written out."""
    it = looped()
    it.script.gates = tuple(replace(g, id=f"{g.id}\x1b[31m::error::") for g in it.script.gates)
    it.run(rounds=1)
    text = "\n".join(it.lines)
    assert "\x1b" not in text
    assert "::error" not in text
