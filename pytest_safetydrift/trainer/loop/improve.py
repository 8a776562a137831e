"""The loop itself: gate, learn, gate again, until the rules say that it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.gate import Decision as Verdict
from pytest_safetydrift.core.record import RunRecord
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.execution.revisit import read_run
from pytest_safetydrift.report.words import counted
from pytest_safetydrift.trainer.data.config import DataConfig
from pytest_safetydrift.trainer.data.material import Material, read_material
from pytest_safetydrift.trainer.loop.book import Book, open_book
from pytest_safetydrift.trainer.loop.decision import Decision, Step, best, decide, unaffordable
from pytest_safetydrift.trainer.loop.foresight import outlooks
from pytest_safetydrift.trainer.loop.gating import Gated, gate, inquiry_of
from pytest_safetydrift.trainer.loop.lessons import further_lessons, held_out, lessons_of, read_card, split
from pytest_safetydrift.trainer.loop.measure import compare, count_failures, headlines, on_held_out
from pytest_safetydrift.trainer.loop.options import check_learns, data_config
from pytest_safetydrift.trainer.loop.page import TREND, write_page
from pytest_safetydrift.trainer.loop.plan import AIMED, Plan
from pytest_safetydrift.trainer.loop.round import Round
from pytest_safetydrift.trainer.loop.seen import Seen, read_seen
from pytest_safetydrift.trainer.loop.tuning import begins_anew, method_of, trained, training_of
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.watching.inquiry import Inquiry

__all__ = ["improve"]

_RUN, _DATA, _CHECKPOINT = "run", "data", "checkpoint"


def improve(plan: Plan, folder: Path, say: Callable[[str], object] = print) -> Decision:
    """Carry a plan out in `folder`, going on from what is there; returns what it came to.

    Everything is kept: `round-N/{run,data,checkpoint}`, `loop.json` after every round, `trend.html`. Raises
    `UsageError` before anything runs where the plan cannot be carried out, `EngineError` or `TrainingError` where a
    step broke: the same command goes on from there.
    """
    folder = folder.absolute()
    inquiry = inquiry_of(plan)
    config, replay = data_config(plan.data_args)
    check_learns(plan.method, plan.method_args, plan.base)
    digest = open_base(plan.base).digest
    with open_book(folder, plan, digest) as book:
        return _Loop(plan, book, inquiry, config, replay, lambda line: say(_safe(line))).run()


@dataclass(slots=True)
class _Loop:
    """One session at a loop."""

    plan: Plan
    book: Book
    inquiry: Inquiry
    config: DataConfig
    replay: str
    say: Callable[[str], object]
    _first: Seen | None = field(default=None)

    def run(self) -> Decision:
        rounds = self.book.rounds
        self.say(f"improve {self.plan.base} by {self.plan.method}; declared before the run:")
        for rule in self.plan.rules:
            self.say(f"  {rule}")
        if rounds:
            self.say(f"{self.book.folder}: {counted(len(rounds), 'round')} done before")
        else:
            self._keep(self._begin())
        decision = decide(self.plan, rounds)
        while decision.step is Step.CONTINUE:
            made = self._next(len(rounds))
            if isinstance(made, Round):
                self._keep(made)
                decision = decide(self.plan, rounds)
            else:
                decision = made
        self._close(decision)
        return decision

    def _keep(self, made: Round) -> None:
        self.book.rounds.append(made)
        self._write(decide(self.plan, self.book.rounds))
        told = f"{made.failures} of {made.questions} held-out questions fail, " if made.questions else ""
        self.say(f"round {made.number}: {made.verdict} on all prompts; {told}{made.seconds:.0f} s")

    def _close(self, decision: Decision) -> None:
        self._write(decision)
        self.say(f"{decision.step}: {decision.reason}")
        self.say(f"the answer is round {decision.answer}: {self.book.rounds[decision.answer].checkpoint}")
        self.say(f"trend: {self.book.folder / TREND}")

    def _write(self, decision: Decision) -> None:
        self.book.keep(decision)
        write_page(self.book.folder, self.plan, self.book.rounds, decision)

    # -- round 0 --

    def _begin(self) -> Round:
        """The base, gated; and the split, where there is something to learn."""
        gated = self._gate(0, self.plan.base)
        first = self._round_0(gated.record)
        if not any(g.metric in AIMED for g in first.gates):
            raise UsageError("no gate of attack_success was decided, so nothing says what is to be improved; gate it")
        held: frozenset[str] = frozenset()
        if gated.verdict.verdict is Verdict.PASS:
            if first.failed:
                self.say(_let_pass(first))
        elif first.failed:
            split(self._material(0), self.config, self._place(1, _DATA))
            held = self._held()
            self._foresee(first, held)
        return self._measured(0, gated, first, held)

    def _foresee(self, first: Seen, held: frozenset[str]) -> None:
        """Say before any training which gates the held-out prompts could never decide, and how many it takes."""
        found = list(outlooks(first, held, self.plan.rounds, self.plan.shown))
        self.say(f"{counted(len(held), 'prompt')} held out for good, for {counted(len(found), 'gate')}")
        for outlook in found:
            if outlook.cannot:
                self.say(f"  {outlook.said}")

    # -- later rounds --

    def _next(self, number: int) -> Round | Decision:
        """Learn from the last round's failures, train the best checkpoint so far, gate; to stop where the training
        would be beyond its budget."""
        began = time.monotonic()
        if number > 1 and not self._learn_further(number):
            self.say(f"round {number}: no prompt of the train fold fails, so earlier rows are learnt once more")
        method = self._method(number)
        if beyond := self._unaffordable(method):
            return Decision(Step.STOP, beyond, best(self.book.rounds).number)
        out = self._place(number, _CHECKPOINT)
        self.say(f"round {number}: training {method.base} ({out.with_name('training.log')})")
        reference = trained(self.plan, method, out)
        gated = self._gate(number, reference)
        self._check_bars(gated.record)
        seen = read_seen(gated.record, reference, self.plan.against, self.plan.root)
        learnt = self._place(number, _DATA)
        return replace(
            self._measured(number, gated, seen, self._held()),
            lessons=lessons_of(read_card(learnt)) if learnt.is_dir() else {},
            training=training_of(out),
            seconds=time.monotonic() - began,
        )

    def _learn_further(self, number: int) -> bool:
        if not self.book.rounds[-1].failed:
            return False
        first = read_card(self._place(1, _DATA))
        return further_lessons(self._material(number - 1), self.config, first, number, self._place(number, _DATA))

    def _method(self, number: int) -> Method:
        """The configuration of a round: all rows so far, on the best checkpoint so far. Adapters begin on the base
        again: those of an earlier round would have to be merged into a model that is not on the disk."""
        data = [place for n in range(1, number + 1) if (place := self._place(n, _DATA)).is_dir()]
        method = method_of(self.plan, best(self.book.rounds).checkpoint, data)
        return method_of(self.plan, self.plan.base, data) if begins_anew(method) else method

    def _unaffordable(self, method: Method) -> str:
        """Why it may not begin, "" where it may; nothing is estimated where steps have no budget."""
        limited = self.plan.steps_budget is not None
        return unaffordable(self.plan, self.book.rounds, method.estimate().steps) if limited else ""

    # -- parts --

    def _gate(self, number: int, reference: str) -> Gated:
        report = self._place(number, _RUN)
        self.say(f"round {number}: gating {reference} ({report / 'pytest.log'})")
        return gate(reference, report, self.inquiry)

    def _measured(self, number: int, gated: Gated, seen: Seen, held: frozenset[str]) -> Round:
        plan, first = self.plan, self._round_0()
        gates, shown = on_held_out(seen, held, plan.rounds, plan.shown) if held else ((), str(Verdict.INCONCLUSIVE))
        failures, questions = count_failures(seen, first, held)
        return Round(
            number=number,
            checkpoint=seen.reference,
            run=f"round-{number}/{_RUN}",
            verdict=str(gated.verdict.verdict),
            why=gated.verdict.why,
            failed=seen.failed,
            failures=failures,
            questions=questions,
            shown=shown,
            held_out=gates,
            whole=tuple(g for g in seen.decided if not g.cell and g.metric not in AIMED),
            drift=compare(seen, first, plan.margin) if number else (),
            rates=tuple(headlines(seen, held, plan.shown if held else ())),
            seconds=gated.seconds,
        )

    def _round_0(self, record: RunRecord | None = None) -> Seen:
        """What the base was asked and answered."""
        if self._first is None:
            found = record if record is not None else read_run(self._place(0, _RUN))[0]
            self._first = read_seen(found, self.plan.base, self.plan.against, self.plan.root)
        return self._first

    def _check_bars(self, record: RunRecord) -> None:
        """Raises `UsageError` where policy or prompts are others than in round 0: bars are declared before the run."""
        first = self._round_0().record
        if record.policy["sha256"] != first.policy["sha256"] or record.selection != first.selection:
            raise UsageError("the policy, or what is selected of it, has changed since round 0; name another --out")
        if {c["name"]: c["sha256"] for c in record.corpora} != {c["name"]: c["sha256"] for c in first.corpora}:
            raise UsageError("the prompts have changed since round 0; name another --out")

    def _material(self, number: int) -> Material:
        """Of the run of a round that was gated."""
        return read_material(self._place(number, _RUN), self.plan.store, root=self.plan.root, replay=self.replay)

    def _held(self) -> frozenset[str]:
        return held_out(read_card(self._place(1, _DATA)))

    def _place(self, number: int, name: str) -> Path:
        return self.book.folder / f"round-{number}" / name


def _let_pass(first: Seen) -> str:
    told = f"{first.failed:,} answers comply that should not, and the policy lets that pass"
    limited = any(g.metric in AIMED and g.limit is not None for g in first.gates)
    return told if limited else f"{told}; give the policy a gate with a limit on attack success to have it trained"


def _safe(line: str) -> str:
    """A line for the terminal, its indent kept: names of gates and details are the user's and a model's texts."""
    bare = line.lstrip()
    return line[: len(line) - len(bare)] + one_line(bare, 2000)
