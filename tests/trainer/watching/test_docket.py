"""The queue of checkpoints that wait to be judged."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest

from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.trainer.watching.docket import Docket
from pytest_safetydrift.trainer.watching.judge import Case
from pytest_safetydrift.trainer.watching.verdict import Verdict

WAIT_S = 30.0


class Slow:
    """Judges a case when it is let go on, and notes what it was asked."""

    def __init__(self) -> None:
        self.go, self.asked, self.dropped, self.began = Event(), [], [], Event()

    def judge(self, case: Case, cancelled: Event) -> Verdict | None:
        self.asked.append(case.step)
        self.began.set()
        while not self.go.wait(0.02):
            if cancelled.is_set():
                return None
        if case.step == 13:
            raise ZeroDivisionError("a fault")
        return Verdict(case.step, str(case.folder), Decision.PASS)

    def discard(self, case: Case) -> None:
        self.dropped.append(case.step)


def a_case(step: int) -> Case:
    return Case(step, Path(f"checkpoint-{step}"), Path())


def started(slow: Slow, *, latest: bool = False) -> Docket:
    """With checkpoint 1 being judged."""
    docket = Docket(slow.judge, slow.discard, latest=latest)
    docket.submit(a_case(1))
    assert slow.began.wait(WAIT_S)
    return docket


def test_one_at_a_time_in_order() -> None:
    """Submitting does not wait; verdicts come in order, each heard once, and every case is discarded."""
    slow = Slow()
    docket = started(slow)
    for step in (2, 3):
        assert docket.submit(a_case(step)) == []
    assert (slow.asked, docket.heard(), docket.idle()) == ([1], [], False)
    slow.go.set()
    assert docket.idle(WAIT_S)
    assert [v.step for v in docket.heard()] == [1, 2, 3]
    assert docket.heard() == []
    docket.close()
    assert slow.dropped == [1, 2, 3]


def test_the_latest_takes_the_place_of_those_that_wait() -> None:
    """Not of the one that is being judged."""
    slow = Slow()
    docket = started(slow, latest=True)
    replaced = [[c.step for c in docket.submit(a_case(step))] for step in (2, 3, 4)]
    slow.go.set()
    assert docket.idle(WAIT_S)
    docket.close()
    assert (replaced, slow.asked, sorted(slow.dropped)) == ([[], [2], [3]], [1, 4], [1, 2, 3, 4])


def test_close_cancels_and_forgets() -> None:
    """The one that runs is ended without a verdict, those that wait are dropped, nothing more is taken."""
    slow = Slow()
    docket = started(slow)
    docket.submit(a_case(2))
    docket.close()
    assert (slow.asked, sorted(slow.dropped), docket.heard()) == ([1], [1, 2], [])
    with pytest.raises(RuntimeError, match="closed"):
        docket.submit(a_case(3))
    docket.close()


def test_a_fault_of_ours_is_undecided() -> None:
    """It is a verdict with its reason, and the next case is judged."""
    slow = Slow()
    slow.go.set()
    docket = Docket(slow.judge, slow.discard)
    for step in (13, 14):
        docket.submit(a_case(step))
    assert docket.idle(WAIT_S)
    first, second = docket.heard()
    docket.close()
    assert (first.verdict, first.why, second.verdict) == ("INCONCLUSIVE", "ZeroDivisionError: a fault", "PASS")
