"""One checkpoint judged: what a run's record and exit code come to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from pytest_safetydrift.core.errors import ReportError, UsageError
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.judge import Case, Judge, reference_of
from pytest_safetydrift.trainer.watching.ledger import Ledger
from pytest_safetydrift.trainer.watching.place import Place
from pytest_safetydrift.trainer.watching.verdict import Verdict
from tests.engines.local.conftest import write_safetensors
from tests.trainer.watching.conftest import COMMAND, Double, alive, remove, until

Save = Callable[[int], Path]
JudgeIt = Callable[..., Verdict]


@pytest.fixture
def judged(runs: Path, inquiry: Inquiry) -> JudgeIt:
    """Judges a folder's checkpoint by the double."""

    def judge(folder: Path, **change: Any) -> Verdict:
        place = Place(runs)
        case = Case(10, folder, place.set_aside(folder))
        verdict = Judge(place, replace(inquiry, **change)).judge(case, Event())
        place.discard(case.aside)
        assert verdict is not None
        return verdict

    return judge


@pytest.mark.parametrize(
    ("says", "verdict", "why"),
    [
        ({"verdict": "PASS"}, "PASS", ""),
        ({"verdict": "FAIL"}, "FAIL", ""),
        ({"verdict": "INCONCLUSIVE"}, "INCONCLUSIVE", ""),
        ({"verdict": "PASS", "exit": 1}, "FAIL", "no gate failed"),
        ({"verdict": "FAIL", "exit": 2}, "FAIL", ""),
        ({"verdict": "PASS", "exit": 2}, "INCONCLUSIVE", "exit status 2"),
        ({"verdict": "PASS", "exit": 11, "error": "out of memory"}, "INCONCLUSIVE", "out of memory"),
        ({"verdict": "PASS", "gates": []}, "INCONCLUSIVE", "no gate was decided"),
        ({"verdict": "PASS", "digest": "0" * 64}, "INCONCLUSIVE", "another checkpoint"),
        ({"verdict": "PASS", "digest": ""}, "INCONCLUSIVE", "exit status 0"),
        ({"record": "none", "exit": 0}, "INCONCLUSIVE", "left no record; its last words:\nthe double is here"),
        ({"record": "none", "exit": 1}, "INCONCLUSIVE", "left no record"),
        ({"record": "broken", "exit": 0}, "INCONCLUSIVE", "not a record"),
        ({"verdict": "PASS", "dies": True}, "INCONCLUSIVE", "exit status 137"),
    ],
)
def test_what_a_run_comes_to(
    double: Double, save: Save, judged: JudgeIt, says: dict[str, Any], verdict: str, why: str
) -> None:
    """PASS takes the record of this very checkpoint, its PASS and exit code 0. A missing, damaged or foreign record,
    no gate, another exit code, a process that was killed: never PASS."""
    double.says({"*": says})
    found = judged(save(10))
    assert found.verdict == verdict
    assert why in found.why


def test_what_a_verdict_tells(double: Double, save: Save, judged: JudgeIt, runs: Path) -> None:
    """Step, folder, gates with failed cells, report, seconds, selection; and it is in the file of verdicts."""
    gates = [["asr", "FAIL", 0.5], ["utility", "PASS", 0.9], ["asr [cyb]", "FAIL", 0.8], ["asr [vcr]", "PASS", 0.0]]
    double.says({"*": {"verdict": "FAIL", "gates": gates, "selection": "2 of 9 gates"}})
    folder = save(10)
    found = judged(folder)
    assert (found.step, found.folder, found.exit_code, found.selection) == (10, str(folder), 1, "2 of 9 gates")
    assert [(g.id, g.estimate) for g in found.failed] == [("asr", 0.5), ("asr [cyb]", 0.8)]
    assert (Path(found.report) / "record.json").is_file()
    assert found.seconds > 0
    rows = [json.loads(line) for line in (runs / "safetydrift_verdicts.jsonl").read_text().splitlines()]
    assert [(r["verdict"], r["folder"], r["digest"]) for r in rows] == [("FAIL", "checkpoint-10", found.digest)]


def test_the_command(double: Double, save: Save, judged: JudgeIt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoint, baseline, device and the user's own arguments; nothing in the environment says one of many."""
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"):
        monkeypatch.setenv(name, "1")
    judged(save(10), baseline="demo:v1", device="cpu", pytest_args=("-k", "asr"))
    (asked,) = double.asked()
    assert asked["argv"][-2:] == ["-k", "asr"]
    assert {"--baseline=demo:v1", "--device=cpu"} < set(asked["argv"])
    assert {k for k, v in asked["env"].items() if v is not None} == {"HOME"}


def test_the_same_content_is_asked_once(double: Double, save: Save, judged: JudgeIt, runs: Path) -> None:
    """By the same question: a copy under another name has the verdict, and a row of its own. Another question is
    another run, and so is a judging that broke."""
    double.says({"*": {"verdict": "FAIL"}})
    first = judged(save(10))
    (runs / "checkpoint-10").rename(runs / "checkpoint-11")
    second = judged(runs / "checkpoint-11")
    assert (double.names(), second.verdict, second.digest) == (["checkpoint-10"], "FAIL", first.digest)
    assert second.name == "checkpoint-11"
    judged(runs / "checkpoint-11")
    assert len((runs / "safetydrift_verdicts.jsonl").read_text().splitlines()) == 2
    double.says({"*": {"record": "none"}})
    for _ in range(2):
        assert judged(runs / "checkpoint-11", baseline="demo:v1").verdict == "INCONCLUSIVE"
    assert len(double.asked()) == 3


def test_the_original_may_be_deleted_meanwhile(double: Double, save: Save, runs: Path, inquiry: Inquiry) -> None:
    """What is judged is set aside: the verdict is that of the content that was saved."""
    folder = save(10)
    place = Place(runs)
    case = Case(10, folder, place.set_aside(folder))
    remove(folder)
    found = Judge(place, inquiry).judge(case, Event())
    assert found is not None
    assert found.verdict == "PASS"


def test_what_changes_while_it_is_judged_is_undecided(double: Double, save: Save, judged: JudgeIt) -> None:
    """A file written over in place shows through a hard link: no verdict holds for it."""
    folder = save(10)
    double.says({"*": {"overwrites": str(folder / "config.json")}})
    found = judged(folder)
    assert (found.verdict, found.gates) == ("INCONCLUSIVE", ())
    assert "changed while" in found.why


def test_a_checkpoint_that_cannot_be_read_is_undecided(double: Double, save: Save, judged: JudgeIt) -> None:
    """No process is started for it, and the reason is told."""
    folder = save(10)
    (folder / "chat_template.jinja").unlink()
    found = judged(folder)
    assert found.verdict == "INCONCLUSIVE"
    assert "chat template" in found.why
    assert double.asked() == []


def test_out_of_time_is_undecided(double: Double, save: Save, judged: JudgeIt) -> None:
    """The limit ends it."""
    double.says({"*": {"sleep": 600}})
    found = judged(save(10), limit_s=0.5)
    assert (found.verdict, found.exit_code) == ("INCONCLUSIVE", None)
    assert "limit" in found.why


def test_cancelled_leaves_no_verdict(double: Double, save: Save, runs: Path, inquiry: Inquiry) -> None:
    """It is judged again next time: no row, no process."""
    double.says({"*": {"sleep": 600, "child": True}})
    place, cancelled, found = Place(runs), Event(), []
    case = Case(10, save(10), place.set_aside(runs / "checkpoint-10"))
    thread = Thread(target=lambda: found.append(Judge(place, inquiry).judge(case, cancelled)))
    thread.start()
    until(double.asked, "it runs")
    cancelled.set()
    thread.join()
    assert found == [None]
    assert not place.verdicts.exists()
    until(lambda: not alive(double.asked()[0]["pid"]), "it is dead")


def test_an_adapter_is_judged_on_its_base(double: Double, save: Save, judged: JudgeIt, runs: Path) -> None:
    """The base that it names, or the one that is given; without either there is nothing to ask."""
    base = save(1)
    folder = runs / "checkpoint-10"
    folder.mkdir()
    write_safetensors(folder / "adapter_model.safetensors")
    settings = folder / "adapter_config.json"
    settings.write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(base)}))
    named = judged(folder)
    assert named.verdict == "PASS"
    assert double.asked()[0]["argv"][0].startswith(f"--checkpoint={base}+")
    settings.write_text('{"peft_type": "LORA", "base_model_name_or_path": "org/name", "revision": "abc"}')
    assert reference_of(folder) == f"org/name@abc+{folder}"
    assert reference_of(folder, str(base)) == f"{base}+{folder}"
    settings.write_text('{"peft_type": "LORA"}')
    assert "names no base" in judged(folder).why


def test_a_full_disk_is_said(double: Double, save: Save, judged: JudgeIt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the verdict cannot be written down, it is had all the same and tells so."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Ledger, "add", full)
    double.says({"*": {"verdict": "FAIL"}})
    found = judged(save(10))
    assert found.verdict == "FAIL"
    assert "No space left" in found.why


def test_a_file_of_verdicts_that_cannot_be_read_is_refused(runs: Path, inquiry: Inquiry) -> None:
    """Before anything is judged: what was judged before is not known."""
    (runs / "safetydrift_verdicts.jsonl").mkdir()
    with pytest.raises(ReportError, match="safetydrift_verdicts"):
        Judge(Place(runs), inquiry)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pytest_args": "-k asr"}, "one by one"),
        ({"pytest_args": ("--checkpoint=x",)}, "in its turn"),
        ({"pytest_args": ("--baseline", "x")}, "as the baseline"),
        ({"pytest_args": ("--collect-only",)}, "nothing would be judged"),
        ({"baseline": "demo:v9"}, "no such demo checkpoint"),
        ({"nice": -1}, "nice"),
        ({"limit_s": 0.0}, "limit_s"),
    ],
)
def test_an_impossible_question_is_refused(wrong: dict[str, Any], said: str) -> None:
    """Before anything is saved: what we give ourselves, what would judge nothing, what is no value."""
    with pytest.raises(UsageError, match=said):
        Inquiry(command=COMMAND, **wrong)
