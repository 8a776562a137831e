"""Watching a folder: what is judged when, and what a restart remembers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.verdict import Verdict
from pytest_safetydrift.trainer.watching.watcher import Watcher
from tests.engines.local.conftest import write_safetensors
from tests.trainer.watching.conftest import Double, remove, told, until, write_checkpoint

Save = Callable[[int], Path]


class Watch:
    """A watch of the folder, and what it said and did."""

    def __init__(self, runs: Path, inquiry: Inquiry, **change: Any) -> None:
        self.lines: list[str] = []
        self.acted: list[Verdict] = []
        self.stop_at = ""
        quick = {"settle_s": 0.3, "poll_s": 0.1, "say": self.lines.append, **change}
        self.watcher = Watcher(runs, inquiry, **quick)
        self.code = -1

    def act(self, verdict: Verdict) -> bool:
        self.acted.append(verdict)
        return verdict.name == self.stop_at

    def once(self) -> int:
        """Judge what is there."""
        return self.watcher.watch(self.act, once=True)

    def start(self, stop_at: str) -> Thread:
        """Watch until that checkpoint has its verdict."""
        self.stop_at = stop_at

        def work() -> None:
            self.code = self.watcher.watch(self.act)

        thread = Thread(target=work)
        thread.start()
        return thread


@pytest.fixture
def watch(runs: Path, inquiry: Inquiry) -> Callable[..., Watch]:
    return lambda **change: Watch(runs, inquiry, **change)


MakeWatch = Callable[..., Watch]


def test_each_checkpoint_is_judged_once_old_ones_first(double: Double, save: Save, watch: MakeWatch) -> None:
    """By when they were written; a restart remembers all of them, asks nothing, acts on nothing and ends alike."""
    double.says({"checkpoint-20": {"verdict": "FAIL"}})
    for step, age in ((30, 300), (20, 200), (100, 100)):
        os.utime(save(step) / "config.json", (1e9 - age, 1e9 - age))
    first = watch()
    assert first.once() == 1
    assert double.names() == ["checkpoint-30", "checkpoint-20", "checkpoint-100"]
    assert told(first.acted) == {"checkpoint-30": "PASS", "checkpoint-20": "FAIL", "checkpoint-100": "PASS"}
    second = watch()
    assert second.once() == 1
    assert (len(double.names()), second.acted) == (3, [])
    assert sum("checkpoint-20: FAIL" in line for line in second.lines) == 1


def test_again_asks_again(double: Double, save: Save, watch: MakeWatch) -> None:
    """As after a change of policy, which no command line tells."""
    save(10)
    assert watch().once() == 0
    double.says({"*": {"verdict": "FAIL"}})
    assert watch().once() == 0
    assert watch(again=True).once() == 1
    assert len(double.names()) == 2


def test_a_checkpoint_in_two_halves(double: Double, runs: Path, watch: MakeWatch) -> None:
    """The first half is said to be not whole and is not judged; with the second half it is, as a whole."""
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    folder = write_checkpoint(runs / "checkpoint-10")
    (folder / "model.safetensors").unlink()
    write_safetensors(folder / first, ("a",))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": first, "b": second}}))
    running = watch()
    thread = running.start("checkpoint-10")
    until(lambda: any("not whole" in line and second in line for line in running.lines), "the half is seen")
    assert double.names() == []
    write_safetensors(folder / second, ("b",))
    thread.join()
    assert (double.names(), told(running.acted), running.code) == (["checkpoint-10"], {"checkpoint-10": "PASS"}, 0)


def test_what_still_grows_is_waited_for(double: Double, save: Save, watch: MakeWatch) -> None:
    """A folder that changes within the settling time is not judged before it stands still, `--once` included."""
    folder = save(10)
    grown: list[int] = []
    running = watch(settle_s=0.8)

    def grow() -> None:
        for size in range(1, 6):
            (folder / "optimizer.pt").write_bytes(b"x" * 100 * size)
            grown.append(len(double.names()))
            time.sleep(0.2)

    thread = Thread(target=grow)
    thread.start()
    assert running.once() == 0
    thread.join()
    assert (grown, double.names()) == ([0] * 5, ["checkpoint-10"])


def test_once_tells_what_was_never_whole(double: Double, save: Save, watch: MakeWatch) -> None:
    """An incomplete checkpoint beside a good one is INCONCLUSIVE; so is a folder with nothing to judge."""
    assert watch().once() == 10
    save(10)
    assert watch().once() == 0
    (save(20) / "tokenizer.json").unlink()
    running = watch()
    assert running.once() == 10
    assert any("checkpoint-20: not whole" in line and "no tokenizer" in line for line in running.lines)
    assert double.names() == ["checkpoint-10"]


def test_a_rotated_checkpoint_is_judged_all_the_same(double: Double, save: Save, watch: MakeWatch) -> None:
    """It is deleted while it waits: what was set aside is judged."""
    double.says({"checkpoint-10": {"sleep": 1.5}})
    folders = [save(10), save(20)]
    running = watch()
    thread = running.start("checkpoint-20")
    until(double.names, "the first is being judged")
    for folder in folders:
        remove(folder)
    thread.join()
    assert told(running.acted) == {"checkpoint-10": "PASS", "checkpoint-20": "PASS"}
    assert running.code == 0


def test_latest_leaves_older_ones_out(double: Double, save: Save, watch: MakeWatch) -> None:
    """The newest of what is there is judged; the others are named, and are no reason against a 0."""
    for step in (10, 20, 30):
        save(step)
    running = watch(latest=True)
    assert running.once() == 0
    assert double.names() == ["checkpoint-30"]
    assert sum("a newer one took its place" in line for line in running.lines) == 2


def test_a_judging_that_broke_is_tried_again_by_a_restart(double: Double, save: Save, watch: MakeWatch) -> None:
    """Exit code 11, once and not in a circle; a restart asks anew."""
    save(10)
    double.says({"*": {"record": "none"}})
    assert watch().once() == 11
    assert len(double.names()) == 1
    double.says({})
    assert watch().once() == 0
    assert len(double.names()) == 2


def test_files_that_come_later_change_no_verdict(double: Double, save: Save, watch: MakeWatch) -> None:
    """A state file beside the weights, written after the verdict, is no other checkpoint."""
    folder = save(10)
    running = watch()
    thread = running.start("checkpoint-20")
    until(lambda: running.acted, "the first verdict")
    (folder / "scheduler.pt").write_bytes(b"x")
    save(20)
    thread.join()
    assert (double.names(), len(running.acted)) == (["checkpoint-10", "checkpoint-20"], 2)


def test_one_watch_at_a_time(double: Double, save: Save, watch: MakeWatch) -> None:
    """The second is refused while the first one runs, and says so."""
    double.says({"*": {"sleep": 2}})
    save(10)
    thread = watch().start("checkpoint-10")
    until(double.names, "the first one judges")
    with pytest.raises(UsageError, match="watched already"):
        watch().once()
    thread.join()


def test_nothing_is_left_behind(double: Double, save: Save, watch: MakeWatch, runs: Path) -> None:
    """Beside the checkpoints: the file of verdicts, and one folder with reports and no copy of weights."""
    save(10)
    watch().once()
    assert sorted(p.name for p in runs.iterdir()) == ["_safetydrift", "checkpoint-10", "safetydrift_verdicts.jsonl"]
    assert list((runs / "_safetydrift").rglob("*.safetensors")) == []


def test_what_cannot_be_watched_is_refused(runs: Path, inquiry: Inquiry) -> None:
    """No such folder, impossible times."""
    with pytest.raises(UsageError, match="is no folder"):
        Watcher(runs / "nowhere", inquiry)
    with pytest.raises(UsageError, match="poll"):
        Watcher(runs, inquiry, poll_s=0)
