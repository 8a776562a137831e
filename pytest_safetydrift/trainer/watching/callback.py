"""`SafetyDriftCallback`: saved checkpoints of a transformers or trl Trainer, judged while it trains."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from pytest_safetydrift.core.errors import UsageError, closest
from pytest_safetydrift.core.gate import Decision
from pytest_safetydrift.trainer.watching.complete import lacks
from pytest_safetydrift.trainer.watching.docket import Docket
from pytest_safetydrift.trainer.watching.inquiry import Inquiry
from pytest_safetydrift.trainer.watching.judge import Case, Judge
from pytest_safetydrift.trainer.watching.ledger import tag
from pytest_safetydrift.trainer.watching.place import Place
from pytest_safetydrift.trainer.watching.together import alone, as_the_first
from pytest_safetydrift.trainer.watching.verdict import Verdict

__all__ = ["SafetyDriftCallback"]

_LOG = logging.getLogger(__name__)
_SHORT_S = 5.0  # processes that wait for the first hear of it this often, so that none runs into its group's timeout
_LOOK_S = 0.5


class SafetyDriftCallback(TrainerCallback):  # type: ignore[misc]  # transformers ships no types
    """Has every saved checkpoint judged by pytest, in a process of its own, beside the training.

    action           "log" writes verdicts into the training's log; "stop" also ends training after a FAIL; "tag" also
                     writes `safetydrift.json` into the checkpoint
    on_inconclusive  what an INCONCLUSIVE checkpoint means to "stop": "stop" or "log"
    wait             "end" trains on and waits when training ends; "each" waits after each save
    every            judge every so manieth save; the last one always is
    latest           a save takes the place of those that still wait to be judged
    patience_s       seconds that a save may take to be all there, as on a shared file system
    tell             called with each verdict's figures (see `Verdict.logs`), such as `wandb.log`
    settings         `baseline`, `pytest_args`, `base`, `device`, `nice`, `limit_s`, `command`: see `Inquiry`

    `verdicts` has what was heard so far. Each is told in a line, and goes to `safetydrift_verdicts.jsonl` in the output
    folder. Under several processes the first judges, and all of them stop together. Raises `UsageError` on impossible
    values, and when training begins where saves could never be judged.
    """

    def __init__(
        self,
        baseline: str = "",
        pytest_args: tuple[str, ...] = (),
        *,
        action: str = "log",
        on_inconclusive: str = "stop",
        wait: str = "end",
        every: int = 1,
        latest: bool = False,
        patience_s: float = 60.0,
        tell: Callable[[Mapping[str, str | int | float]], object] | None = None,
        **settings: Any,
    ) -> None:
        _one_of("action", action, ("log", "stop", "tag"))
        _one_of("on_inconclusive", on_inconclusive, ("stop", "log"))
        _one_of("wait", wait, ("end", "each"))
        if every < 1:
            raise UsageError(f"every must be >= 1, got {every}")
        args = pytest_args if isinstance(pytest_args, str) else tuple(pytest_args)
        self._inquiry = Inquiry(baseline=baseline, pytest_args=args, **settings)
        self._action, self._wait, self._every, self._latest = action, wait, every, latest
        self._on_inconclusive = on_inconclusive
        self._patience_s, self._tell = patience_s, tell
        self._docket: Docket | None = None
        self._last: tuple[int, Path] | None = None
        self._saves = 0
        self._stop = False
        self.verdicts: tuple[Verdict, ...] = ()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, _control: TrainerControl, **kept: Any
    ) -> None:
        """Refuse a training whose saves could not be judged; in the first process, make ready."""
        _check_saves(args, state, kept.get("processing_class"))
        if self._action == "stop" and args.world_size > 1 and alone():
            raise UsageError("action='stop' needs torch.distributed, by which all processes stop together; use 'log'")
        self._stop, self._saves, self._last = False, 0, None
        if state.is_world_process_zero:
            self._close()
            place = self._place = Place(Path(args.output_dir).absolute())
            place.sweep()
            judge = Judge(place, self._inquiry).judge
            self._docket = Docket(judge, lambda case: place.discard(case.aside), latest=self._latest)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Set the save aside and queue it."""
        if self._docket is not None:
            self._saves += 1
            self._last = state.global_step, self._place.folder / f"checkpoint-{state.global_step}"
            if self._saves % self._every == 0:
                self._queue(state)
        if self._wait == "each":
            self._wait_for_all(args, state)
            control.should_training_stop |= self._stops_now(args)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hear what was judged meanwhile, and stop where that is wanted."""
        self._hear(state)
        control.should_training_stop |= self._stops_now(args)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        """Judge the last save too, and wait for everything that is queued."""
        if self._docket is not None and self._last is not None:
            self._queue(state)
        self._wait_for_all(args, state)
        self._close()

    def _queue(self, state: TrainerState) -> None:
        """Queue the last save. Nothing that goes wrong here ends the training: it is INCONCLUSIVE."""
        if self._docket is None or self._last is None:
            return
        (step, folder), self._last = self._last, None
        waited = time.monotonic() + self._patience_s
        while (why := lacks(folder) if folder.is_dir() else f"{folder} is not there") and time.monotonic() < waited:
            time.sleep(_LOOK_S)
        case = Case(step, folder, folder)
        if why:
            self._note(case.undecided(f"not a whole checkpoint after {self._patience_s:g} s: {why}"), state)
            return
        try:
            aside = self._place.set_aside(folder)
        except OSError as error:
            self._note(case.undecided(f"it cannot be set aside: {error}"), state)
            return
        for other in self._docket.submit(Case(step, folder, aside)):
            _LOG.warning("%s is not judged: a newer save took its place", other.folder.name)

    def _hear(self, state: TrainerState) -> None:
        for verdict in self._docket.heard() if self._docket is not None else ():
            self._note(verdict, state)

    def _note(self, verdict: Verdict, state: TrainerState) -> None:
        """Into the log of the training, and into action."""
        self.verdicts += (verdict,)
        level = logging.INFO if verdict.verdict is Decision.PASS else logging.WARNING
        _LOG.log(level, "%s", verdict.line)
        if not _LOG.isEnabledFor(level):
            print(verdict.line, flush=True)  # a PASS is told as well where logging shows warnings alone
        told = verdict.logs()
        state.log_history.append({**told, "epoch": state.epoch, "step": state.global_step})
        if self._tell is not None:
            self._tell(told)
        self._stop |= verdict.stops(self._on_inconclusive)
        if self._action == "tag":
            try:
                tag(verdict)
            except OSError as error:
                _LOG.warning("%s cannot be tagged: %s", verdict.name, error)

    def _wait_for_all(self, args: TrainingArguments, state: TrainerState) -> None:
        if self._docket is not None or not alone():
            while not as_the_first(self._docket is not None and self._docket.idle(_SHORT_S), args.device):
                continue
        self._hear(state)

    def _stops_now(self, args: TrainingArguments) -> bool:
        return self._action == "stop" and as_the_first(self._stop, args.device)

    def _close(self) -> None:
        if self._docket is not None:
            self._docket.close()
            self._docket = None


def _check_saves(args: TrainingArguments, state: TrainerState, tokenizer: Any) -> None:
    if args.save_strategy == "no":
        raise UsageError("save_strategy is 'no', so nothing would be judged; set it to 'steps' or 'epoch'")
    if state.is_hyper_param_search:
        raise UsageError("SafetyDriftCallback judges one training, not a hyperparameter search; leave it out there")
    if tokenizer is None:
        raise UsageError(
            "the Trainer was given no processing_class, so no save holds a tokenizer and none could be asked anything; "
            "pass Trainer(..., processing_class=tokenizer)"
        )
    if not getattr(getattr(tokenizer, "tokenizer", tokenizer), "chat_template", None):
        raise UsageError(
            "the tokenizer has no chat template, so there is no telling how to ask a save; set "
            "tokenizer.chat_template before training"
        )


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{name} {value!r} is none; {closest(value, known)}")
