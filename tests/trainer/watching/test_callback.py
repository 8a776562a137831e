"""`SafetyDriftCallback` in a real Trainer; pytest is a double."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the trainer needs torch")

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer import SafetyDriftCallback
from tests.engines.conftest import make_tokenizer
from tests.trainer.watching.conftest import COMMAND, Double, alive, until
from tests.trainer.watching.tiny_training import STEPS, train

ROOT = Path(__file__).parents[3]
Train = Callable[..., tuple[Any, SafetyDriftCallback]]


@pytest.fixture
def trained(runs: Path, double: Double) -> Train:
    """Trains with the callback, and gives the trainer and the callback back."""

    def run(arguments: dict[str, Any] | None = None, **settings: Any) -> tuple[Any, SafetyDriftCallback]:
        callback = SafetyDriftCallback(command=COMMAND, **settings)
        return train(runs, callback, tokenizer=make_tokenizer(), **(arguments or {})), callback

    return run


def verdicts_in(folder: Path) -> dict[str, str]:
    """By checkpoint, as the file of verdicts has them."""
    rows = [json.loads(line) for line in (folder / "safetydrift_verdicts.jsonl").read_text().splitlines()]
    return {r["folder"]: r["verdict"] for r in rows}


def test_every_save_is_judged_and_logged(double: Double, trained: Train, runs: Path) -> None:
    """Beside training, once each; the training's log, the file of verdicts and `tell` have the same."""
    told: list[dict[str, Any]] = []
    double.says({"checkpoint-4": {"verdict": "FAIL"}})
    trainer, callback = trained(tell=told.append)
    assert double.names() == ["checkpoint-2", "checkpoint-4", "checkpoint-6"]
    assert verdicts_in(runs) == {"checkpoint-2": "PASS", "checkpoint-4": "FAIL", "checkpoint-6": "PASS"}
    logged = [row for row in trainer.state.log_history if "safetydrift/verdict" in row]
    assert [row["safetydrift/verdict"] for row in logged] == ["PASS", "FAIL", "PASS"]
    assert [row["safetydrift/asr"] for row in logged] == [0.5] * 3
    assert [row["safetydrift/failed_gates"] for row in logged] == [0, 1, 0]
    assert [t["safetydrift/checkpoint"] for t in told] == [v.step for v in callback.verdicts] == [2, 4, 6]
    assert trainer.state.global_step == STEPS
    trainer.save_state()


def test_every_verdict_is_told_in_a_line(trained: Train, capfd: pytest.CaptureFixture[str]) -> None:
    """Also of saves that pass, with logging as it is out of the box; by logging alone where that shows them."""
    _, callback = trained()
    lines = capfd.readouterr().out.splitlines()
    assert [v.line for v in callback.verdicts] == [line for line in lines if line.startswith("checkpoint-")]
    assert len(callback.verdicts) == 3


def test_stop_ends_training_after_the_verdict(double: Double, trained: Train) -> None:
    """With wait="each" right after the save that fails; training ends as after its last step."""
    double.says({"checkpoint-4": {"verdict": "FAIL"}})
    trainer, _ = trained(action="stop", wait="each")
    assert trainer.state.global_step == 4
    assert double.names() == ["checkpoint-2", "checkpoint-4"]


def test_stop_beside_training_comes_at_a_later_step(double: Double, trained: Train) -> None:
    """The verdict of an early save ends a training that goes on meanwhile."""
    double.says({"*": {"verdict": "FAIL"}})
    trainer, callback = trained({"max_steps": 100_000, "save_steps": 50}, action="stop", latest=True)
    assert 50 <= trainer.state.global_step < 100_000
    assert callback.verdicts[0].verdict == "FAIL"


@pytest.mark.parametrize(("option", "step"), [("stop", 2), ("log", STEPS)])
def test_an_undecided_save_stops_unless_told_otherwise(double: Double, trained: Train, option: str, step: int) -> None:
    """A judging that dies is INCONCLUSIVE, and never read as safe."""
    double.says({"*": {"record": "none", "dies": True}})
    trainer, callback = trained(action="stop", wait="each", on_inconclusive=option)
    assert trainer.state.global_step == step
    assert {v.verdict for v in callback.verdicts} == {"INCONCLUSIVE"}


def test_tag_marks_the_saves(double: Double, trained: Train, runs: Path) -> None:
    """The verdict is in each folder, and training goes on to its end."""
    double.says({"checkpoint-4": {"verdict": "FAIL"}})
    trainer, callback = trained(action="tag")
    tags = [json.loads((runs / f"checkpoint-{n}" / "safetydrift.json").read_text()) for n in (2, 4, 6)]
    assert [t["verdict"] for t in tags] == ["PASS", "FAIL", "PASS"]
    assert [t["digest"] for t in tags] == [v.digest for v in callback.verdicts]
    assert trainer.state.global_step == STEPS


def test_rotation_is_harmless(double: Double, trained: Train, runs: Path) -> None:
    """Saves that are deleted before their turn are judged all the same; tags do not change which one is kept."""
    double.says({"*": {"sleep": 0.5}})
    _, callback = trained({"save_total_limit": 1}, action="tag")
    assert {p.name for p in runs.glob("checkpoint-*")} == {"checkpoint-6"}
    assert [(v.name, v.verdict) for v in callback.verdicts] == [(f"checkpoint-{n}", "PASS") for n in (2, 4, 6)]
    assert list((runs / "_safetydrift").rglob("*.safetensors")) == []


def test_every_second_save_and_the_last(double: Double, trained: Train) -> None:
    """The last save is judged whatever its number."""
    trained({"save_steps": 1, "max_steps": 5}, every=2)
    assert double.names() == ["checkpoint-2", "checkpoint-4", "checkpoint-5"]


def test_an_adapter_is_judged_on_the_model_that_it_is_on(double: Double, runs: Path, tmp_path: Path) -> None:
    """peft saves an adapter alone; the reference is the base with it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from tests.engines.conftest import make_model

    base = tmp_path / "base"
    make_model().save_pretrained(base)
    make_tokenizer().save_pretrained(base)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, task_type="CAUSAL_LM"))
    callback = SafetyDriftCallback(command=COMMAND)
    train(runs, callback, tokenizer=make_tokenizer(), model=model, save_steps=STEPS)
    assert [v.verdict for v in callback.verdicts] == ["PASS"]
    assert double.asked()[0]["argv"][0].startswith(f"--checkpoint={base}+")


def test_a_save_that_never_becomes_whole_is_undecided(double: Double, runs: Path) -> None:
    """As where only shards of an optimiser's own format are saved: it says what is missing, and training goes on."""
    from transformers import TrainerCallback

    class Breaks(TrainerCallback):
        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / "model.safetensors").unlink()

    callback = SafetyDriftCallback(command=COMMAND, patience_s=0.1)
    trainer = train(runs, Breaks(), callback, tokenizer=make_tokenizer())
    assert [v.verdict for v in callback.verdicts] == ["INCONCLUSIVE"] * 3
    assert "no weights" in callback.verdicts[0].why
    assert (double.asked(), trainer.state.global_step) == ([], STEPS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tokenizer": None}, "processing_class=tokenizer"),
        ({"tokenizer": "bare"}, "no chat template"),
        ({"save_strategy": "no"}, "save_strategy"),
    ],
)
def test_what_could_never_be_judged_is_refused_when_training_begins(
    double: Double, runs: Path, change: dict[str, Any], said: str
) -> None:
    """No tokenizer, no template, no saves: the error says what to pass."""
    tokenizer = make_tokenizer()
    if change.get("tokenizer", "") == "bare":
        tokenizer.chat_template = None
        change = {}
    with pytest.raises(UsageError, match=said):
        train(runs, SafetyDriftCallback(command=COMMAND), **{"tokenizer": tokenizer, **change})
    assert double.asked() == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"action": "halt"}, "action 'halt'"),
        ({"wait": "never"}, "wait 'never'"),
        ({"on_inconclusive": "pass"}, "on_inconclusive 'pass'"),
        ({"every": 0}, "every"),
        ({"pytest_args": "-k asr"}, "one by one"),
        ({"baseline": "demo:v9"}, "no such demo"),
    ],
)
def test_impossible_values_are_refused(wrong: dict[str, Any], said: str) -> None:
    """When the callback is made, with the values that there are."""
    with pytest.raises(UsageError, match=said):
        SafetyDriftCallback(**wrong)


def _started(runs: Path, **environment: str) -> subprocess.Popen[bytes]:
    script = ["-m", "tests.trainer.watching.tiny_training", str(runs)]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.Popen([sys.executable, *script], cwd=ROOT, env=given)


def test_of_two_processes_one_judges_and_both_stop(double: Double, runs: Path) -> None:
    """Started as torchrun and accelerate do: each save is judged once, without the launcher's variables; the other
    process stops at the same step."""
    double.says({"checkpoint-4": {"verdict": "FAIL"}})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "x"}
    processes = [_started(runs, RANK=n, LOCAL_RANK=n, **group) for n in ("0", "1")]
    try:
        assert [p.wait(timeout=110) for p in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
    seen = [json.loads((runs / f"rank-{n}.json").read_text()) for n in (0, 1)]
    assert seen == [{"step": 4, "verdicts": ["checkpoint-2", "checkpoint-4"]}, {"step": 4, "verdicts": []}]
    assert double.names() == ["checkpoint-2", "checkpoint-4"]
    assert {value for row in double.asked() for key, value in row["env"].items() if key != "HOME"} == {None}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_training_that_dies_leaves_no_judging_behind(double: Double, runs: Path, number: signal.Signals) -> None:
    """Ctrl-C or kill -9 in the middle of a judging."""
    double.says({"*": {"sleep": 600}})
    process = _started(runs)
    until(double.asked, "a save is being judged")
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    until(lambda: not alive(double.asked()[0]["pid"]), "the judging is dead")


def test_the_room_is_light() -> None:
    """Importing the trainer, or the command, loads no model library; the callback is public all the same."""
    code = (
        "import sys, pytest_safetydrift.trainer as t, pytest_safetydrift.trainer.watching.command; "
        "print([m for m in ('torch', 'transformers') if m in sys.modules], t.__all__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['SafetyDriftCallback']"
