"""What waits to be judged: one at a time, in a thread beside the training, until it is closed."""

from __future__ import annotations

import atexit
from collections import deque
from collections.abc import Callable
from threading import Condition, Event, Thread

from pytest_safetydrift.trainer.watching.judge import Case
from pytest_safetydrift.trainer.watching.verdict import Verdict

__all__ = ["Docket"]

_PATIENCE_S = 15.0  # longer than a judging process takes to end; what is still being digested then starts none


class Docket:
    """A queue of cases and the verdicts on them. `close` it; the end of the interpreter closes it as well."""

    def __init__(
        self,
        judge: Callable[[Case, Event], Verdict | None],
        discard: Callable[[Case], None],
        *,
        latest: bool = False,
    ) -> None:
        """`judge` is called in the thread, and gives None for a case that was cancelled; `discard` is called for every
        case that is done with. With `latest` a new case takes the place of those that wait."""
        self._judge, self._discard, self._latest = judge, discard, latest
        self._waiting: deque[Case] = deque()
        self._heard: list[Verdict] = []
        self._busy = False
        self._news = Condition()
        self._cancelled = Event()
        self._thread: Thread | None = None

    def submit(self, case: Case) -> list[Case]:
        """Queue a case; returns those that it replaces. Raises RuntimeError once closed."""
        with self._news:
            if self._cancelled.is_set():
                raise RuntimeError("the docket is closed")
            replaced = list(self._waiting) if self._latest else []
            if replaced:
                self._waiting.clear()
            self._waiting.append(case)
            self._news.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="safetydrift", daemon=True)
                self._thread.start()
                atexit.register(self.close)
        for other in replaced:
            self._discard(other)
        return replaced

    def heard(self, seconds: float = 0.0) -> list[Verdict]:
        """Verdicts that came since the last call; where there is none, waits up to `seconds` for one."""
        with self._news:
            self._news.wait_for(lambda: bool(self._heard), timeout=seconds)
            found, self._heard = self._heard, []
            return found

    def idle(self, seconds: float = 0.0) -> bool:
        """Whether nothing waits and nothing is being judged; waits up to `seconds` for it."""
        with self._news:
            return self._news.wait_for(lambda: not self._waiting and not self._busy, timeout=seconds)

    def close(self) -> None:
        """End the judging that runs, forget what waits, and come back when no process of it is left."""
        self._cancelled.set()
        with self._news:
            dropped = list(self._waiting)
            self._waiting.clear()
            self._news.notify_all()
        for case in dropped:
            self._discard(case)
        if self._thread is not None:
            self._thread.join(timeout=_PATIENCE_S)
            atexit.unregister(self.close)

    def _work(self) -> None:
        while (case := self._next()) is not None:
            try:
                verdict = self._judge(case, self._cancelled)
            except Exception as error:  # noqa: BLE001  a fault of ours must not read as silence
                verdict = case.undecided(f"{type(error).__name__}: {error}")
            self._discard(case)
            with self._news:
                self._busy = False
                if verdict is not None:
                    self._heard.append(verdict)
                self._news.notify_all()

    def _next(self) -> Case | None:
        with self._news:
            self._news.wait_for(lambda: bool(self._waiting) or self._cancelled.is_set())
            if self._cancelled.is_set():
                return None
            self._busy = True
            return self._waiting.popleft()
