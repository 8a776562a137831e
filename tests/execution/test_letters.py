"""Multiple choice: read by the log-probabilities of its letters where every side tells them, else by its text."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from pytest_safetydrift.core.engine import Identity
from pytest_safetydrift.core.gate import Decision, Gate, GateResult, Inconclusive
from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.core.probe import Observation, Probe
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.request import Request, Sampling
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.scripted import ScriptedEngine
from pytest_safetydrift.execution.battery import Plan, Subject, Want, make_plan
from pytest_safetydrift.execution.campaign import Findings, Terms, run_plan
from pytest_safetydrift.execution.job import Asking
from pytest_safetydrift.execution.letters import choose_reading
from pytest_safetydrift.execution.progress import Progress
from pytest_safetydrift.execution.resolve import Setting, choose_worlds, resolve
from pytest_safetydrift.execution.store import Store
from pytest_safetydrift.execution.target import Target

N = 40
CHOICE = [
    Sample(f"q-{i}", f"Which is {i}? A) no B) yes C) maybe. One letter.", Intent.BENIGN, answer="B") for i in range(N)
]
OPEN = Sample("open", "What is two and two?", Intent.BENIGN, answer="4")
GATE = Gate("quiz", "own", "utility", "quiz.jsonl", limit=0.5)
DRIFT = replace(GATE, id="drift", limit=None, margin=0.1)
PROBE = Probe("utility", corpus="quiz.jsonl", judge="answer")
LOCAL = {"name": "transformers"}
TEXT_IS_WRONG, LETTERS_ARE_RIGHT = "C) maybe", (-2.0, -0.5, -3.0)


@dataclass
class Double:
    """A model whose text is always wrong, and whose log-probabilities are right. It notes what it is asked."""

    name: str
    engine: dict[str, str] = field(default_factory=lambda: dict(LOCAL))
    asked: list[Request] = field(default_factory=list)

    def subject(self, world: World) -> Subject:
        identity = Identity(f"{self.name:0<64}", dict(self.engine))
        target = Target(Reference.parse(f"scripted:doubles:{self.name}"), identity, lambda: ScriptedEngine(self._say))
        return Subject(target.reference.text, world, target)

    def _say(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(TEXT_IS_WRONG, choice_logprobs=LETTERS_ARE_RIGHT if request.choices else ())


@pytest.fixture
def quiz() -> World:
    return World.of("own", {"quiz.jsonl": (*CHOICE, OPEN)})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "answers.sqlite", run="r")) as opened:
        yield opened


def planned(*subjects: Subject, gates: Sequence[Gate] = (GATE,), baseline: str = "", probe: Probe = PROBE) -> Plan:
    """The plan of the first subject and all others but the baseline, with the reading chosen."""
    by_name = {s.reference: s for s in subjects}
    wants = [Want(name, gate, probe) for name in by_name if name != baseline for gate in gates]
    return choose_reading(make_plan(wants, by_name, baseline), by_name)


def run(plan: Plan, store: Store, *subjects: Subject) -> Findings:
    return run_plan(plan, {s.reference: s for s in subjects}, store, Progress(0), Terms())


def only(findings: Findings, reference: str) -> GateResult:
    (found,) = findings.results[reference]
    return found


def test_requests_of_multiple_choice_carry_its_letters(quiz: World, store: Store) -> None:
    """Every letter question asks for its letters, other questions for none, and the letters decide."""
    model = Double("local")
    subject = model.subject(quiz)
    findings = run(planned(subject), store, subject)
    assert {r.sample: r.choices for r in model.asked} == {s.id: ("A", "B", "C") for s in CHOICE} | {"open": ()}
    outcomes = {o.sample: o.outcome for o in findings.observations[subject.reference]}
    assert outcomes == dict.fromkeys([s.id for s in CHOICE], Outcome.CORRECT) | {"open": Outcome.INCORRECT}
    assert findings.notes == ()


def test_an_engine_without_log_probabilities_is_asked_as_before(quiz: World, store: Store) -> None:
    """No request carries choices, the text is read, and nothing needs to be said of it."""
    model = Double("silent", {"name": "scripted"})
    subject = model.subject(quiz)
    plan = planned(subject)
    findings = run(plan, store, subject)
    assert plan == make_plan([Want(subject.reference, GATE, PROBE)], {subject.reference: subject}, "")
    assert {r.choices for r in model.asked} == {()}
    assert {o.outcome for o in findings.observations[subject.reference]} == {Outcome.INCORRECT}
    assert findings.notes == ()


@pytest.mark.parametrize("silent", ["candidate", "baseline"])
def test_one_silent_side_has_both_read_by_their_text(silent: str, quiz: World, store: Store) -> None:
    """The same questions read the same way are pairs; a note says whose silence it was."""
    ours = Double("candidate", {"name": "scripted"} if silent == "candidate" else LOCAL)
    theirs = Double("baseline", {"name": "scripted"} if silent == "baseline" else LOCAL)
    candidate, baseline = ours.subject(quiz), theirs.subject(quiz)
    plan = planned(candidate, baseline, gates=[DRIFT], baseline=baseline.reference)
    findings = run(plan, store, candidate, baseline)
    assert {r.choices for r in (*ours.asked, *theirs.asked)} == {()}
    decided = only(findings, candidate.reference)
    assert (decided.decision, decided.n, decided.change) == (Decision.PASS, N + 1, 0.0)
    assert findings.notes == (
        "multiple choice is read from the text of answers on all sides: "
        f"scripted:doubles:{silent} tells no log-probabilities",
    )


def test_two_sides_that_tell_are_paired_by_letters(quiz: World, store: Store) -> None:
    """Candidate and baseline ask for the same letters, and every letter question is right on both sides."""
    ours, theirs = Double("candidate"), Double("baseline", {"name": "vllm"})
    candidate, baseline = ours.subject(quiz), theirs.subject(quiz)
    plan = planned(candidate, baseline, gates=[DRIFT], baseline=baseline.reference)
    decided = only(run(plan, store, candidate, baseline), candidate.reference)
    assert [r.choices for r in ours.asked] == [r.choices for r in theirs.asked]
    assert (decided.decision, decided.estimate) == (Decision.PASS, pytest.approx(N / (N + 1)))


def test_a_checkpoint_that_cannot_answer_has_no_say(quiz: World, store: Store) -> None:
    """A broken baseline makes its gates INCONCLUSIVE, and does not change how the candidate is read."""
    candidate = Double("candidate").subject(quiz)
    broken = Subject("scripted:doubles:broken", quiz, error="no such model")
    plan = planned(candidate, broken, gates=[DRIFT], baseline=broken.reference)
    decided = only(run(plan, store, candidate, broken), candidate.reference)
    assert (plan.choices, plan.silent) == (True, ())
    assert decided.reason is Inconclusive.ENGINE_ERROR


@pytest.mark.parametrize(
    "other",
    [
        {"attacks": ("prefix_injection",)},
        {"sampling": Sampling(temperature=1.0)},
        {"judge": "refusal"},
    ],
)
def test_only_the_plain_question_drawn_greedily_is_read_by_letters(other: dict[str, object], quiz: World) -> None:
    """Elsewhere the first token is no letter, or the drawn answer is what is wanted, or nobody reads letters."""
    probe = replace(PROBE, **other)  # type: ignore[arg-type]
    gate = replace(GATE, attack=probe.attacks[0])
    plan = planned(Double("local").subject(quiz), gates=[gate], probe=probe)
    assert [a.choices for askings in plan.askings.values() for a in askings] == [False]


def test_a_corpus_without_letter_questions_stays_as_it_is() -> None:
    """Its work is the same as ever, and so is what pairs it with recorded baselines."""
    world = World.of("own", {"quiz.jsonl": (OPEN,)})
    plan = planned(Double("local").subject(world))
    assert plan.choices is False


def recalled(world: World, by_letters: bool) -> Subject:
    """An earlier run that read letter questions in one way: it has pairs for that way alone."""

    def recall(asking: Asking, samples: Sequence[Sample]) -> list[Observation]:
        if asking.choices is not by_letters:
            return []
        return [Observation(s.id, "plain", 0, asking.corpus, s.category, Outcome.CORRECT) for s in samples]

    return Subject("run:base.json", world, recall=recall)


@pytest.mark.parametrize("by_letters", [True, False])
def test_an_earlier_run_is_paired_in_the_way_that_it_was_read(by_letters: bool, quiz: World, store: Store) -> None:
    """A model that tells log-probabilities is read as the recorded baseline was, so that no baseline goes stale."""
    model = Double("local")
    candidate, baseline = model.subject(quiz), recalled(quiz, by_letters)
    plan = planned(candidate, baseline, gates=[DRIFT], baseline=baseline.reference)
    decided = only(run(plan, store, candidate, baseline), candidate.reference)
    assert any(r.choices for r in model.asked) is by_letters
    wrong = 1 if by_letters else N + 1  # the open question's text is wrong in either way
    assert (decided.n, decided.change) == (N + 1, pytest.approx(-wrong / (N + 1)))


def test_a_baseline_read_by_letters_is_none_for_a_silent_candidate(quiz: World, store: Store) -> None:
    """The gate is INCONCLUSIVE and says who read what, and what to give in its place."""
    candidate, baseline = Double("silent", {"name": "openai"}).subject(quiz), recalled(quiz, by_letters=True)
    plan = planned(candidate, baseline, gates=[DRIFT], baseline=baseline.reference)
    decided = only(run(plan, store, candidate, baseline), candidate.reference)
    assert (decided.decision, decided.reason) == (Decision.INCONCLUSIVE, Inconclusive.MISSING_BASELINE)
    assert "run:base.json read multiple choice by log-probabilities" in decided.detail
    assert "scripted:doubles:silent tells none" in decided.detail
    assert "--baseline" in decided.detail


@pytest.mark.parametrize(
    ("engine", "tells"),
    [
        ({"name": "transformers"}, True),
        ({"name": "vllm"}, True),
        ({"name": "openai", "software": "vllm", "version": "0.32.1+cpu"}, True),
        ({"name": "openai", "software": "vllm", "version": "1.0.0"}, True),
        ({"name": "openai", "software": "vllm", "version": "0.9.2"}, False),
        ({"name": "openai", "software": "vllm", "version": ""}, False),
        ({"name": "openai", "software": "sglang", "version": "0.32.0"}, False),
        ({"name": "openai", "served": "vouched-for"}, False),
        ({"name": "recorded", "fields": None}, False),
        ({"name": "scripted"}, False),
        ({}, False),
    ],
)
def test_who_tells_log_probabilities_of_any_letter(engine: dict[str, str], tells: bool) -> None:
    """Local engines, and a server that is known to; whoever does not say so is taken to tell none."""
    target = Target(Reference.parse("scripted:doubles:x"), Identity("0" * 64, engine), lambda: ScriptedEngine(""))
    assert target.tells_choices is tells
    assert target.bound_to("run").tells_choices is tells


def write_quiz(folder: Path, samples: Sequence[Sample]) -> None:
    (folder / "quiz.jsonl").write_text("".join(json.dumps(s.to_json()) + "\n" for s in samples))


@pytest.fixture
def resolved(tmp_path: Path) -> Callable[..., list[Subject]]:
    """Subjects by reference, in a folder with the quiz."""
    write_quiz(tmp_path, CHOICE[:3])

    def of(*texts: str) -> list[Subject]:
        setting = Setting(EngineOptions(kind="transformers", device="cpu"), None, ("quiz.jsonl",), tmp_path, "r")
        references = [Reference.parse(text) for text in texts]
        return list(resolve(references, choose_worlds(references, setting), setting).values())

    return of


def recorded_answers(folder: Path) -> str:
    file = folder / "answers.csv"
    with file.open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(("id", "prompt", "response", "intent"))
        rows.writerows((s.id, s.prompt, "B) yes", "benign") for s in CHOICE[:3])
    return f"recorded:{file}"


def test_a_transformers_engine_is_read_by_letters(resolved: Callable[..., list[Subject]], store: Store) -> None:
    """A real model of the demo world tells a finite log-probability of each letter, and they are what is read."""
    (subject,) = resolved("demo:base")
    assert subject.target is not None
    findings = run(planned(subject, gates=[replace(GATE, min_prompts=1)]), store, subject)
    seen = findings.observations[subject.reference]
    assert {o.rule for o in seen} <= {"the likeliest choice", "another choice is as likely"}
    for found in store.get([o.key for o in seen]).values():
        assert len(found.choice_logprobs) == 3
        assert max(found.choice_logprobs) < 0
        assert found.finish in (Finish.STOP, Finish.LENGTH)


def test_a_recorded_file_beside_a_model_has_both_read_by_text(
    resolved: Callable[..., list[Subject]], store: Store, tmp_path: Path
) -> None:
    """The recorded answers are read, not turned away for what was never recorded."""
    recorded, model = resolved(recorded_answers(tmp_path), "demo:base")
    gate = replace(DRIFT, min_prompts=1, min_pairs=1)
    plan = planned(recorded, model, gates=[gate], baseline=model.reference)
    findings = run(plan, store, recorded, model)
    assert plan.silent == (recorded.reference,)
    assert {o.outcome for o in findings.observations[recorded.reference]} == {Outcome.CORRECT}
    keys = [o.key for o in findings.observations[model.reference]]
    assert {r.choice_logprobs for r in store.get(keys).values()} == {()}
