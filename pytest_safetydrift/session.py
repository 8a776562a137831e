"""The gate inside a pytest session: plan after collection, execute before the first test."""

from __future__ import annotations

import hashlib
import shlex
import sys
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.attacks import FAMILY_OF, get_attack
from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.errors import SafetyDriftError, UsageError, closest
from pytest_safetydrift.core.gate import Gate, Policy
from pytest_safetydrift.core.probe import Probe
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.corpora.world import World
from pytest_safetydrift.execution.battery import Plan, Subject, Want, categories_of, foresee_plan, make_plan
from pytest_safetydrift.execution.conduct import Conducted, Workplace, conduct
from pytest_safetydrift.execution.recording import RunFacts
from pytest_safetydrift.execution.resolve import Setting, choose_worlds
from pytest_safetydrift.gates.foresight import Foresight
from pytest_safetydrift.gates.patterns import matches
from pytest_safetydrift.gates.policy import check_policy, load_policy
from pytest_safetydrift.gates.tighten import choose, tighten
from pytest_safetydrift.judges.model.appoint import appoint
from pytest_safetydrift.labels import read_labels
from pytest_safetydrift.options import GateOptions, read_options
from pytest_safetydrift.verdicts import EXIT_INFRASTRUCTURE

__all__ = ["SUITES", "GateSession", "suites_folder"]

SUITES = ("attack_success", "false_refusal", "utility", "drift")
"""The built-in suites."""

_HEADER = 40
"""Gates that the header of a run tells of."""


class GateSession:
    """Collection and execution; one per process of a session. Reporting is `verdicts.Verdicts`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        with usage():
            self.options = read_options(config)
        self.started = datetime.now(UTC)
        worker: dict[str, Any] = getattr(config, "workerinput", {})
        self.is_worker = bool(worker)
        self.place = Workplace(self.options.store, worker.get("safetydrift_run") or uuid.uuid4().hex)
        self.conducted: Conducted | None = None
        self._measured: list[frozenset[tuple[str, str, str, str]]] = []
        self._shown: dict[str, Gate] = {}
        self._absent: tuple[str, ...] = ()
        self._planned: tuple[Plan, dict[str, World]] | None = None
        self._foresights: dict[str, tuple[Foresight, ...]] = {}
        self.refused = ""
        with usage():
            texts = [*self.options.checkpoints, *filter(None, [self.options.baseline])]
            self.references = [Reference.parse(t) for t in dict.fromkeys(texts)]
            _refuse_records(self.references, self.options)
            self.judges = appoint(self.options.judges, self.options.judge_panel, self.options.invoked_from)
            self.policy = _load_policy(self.references, self.options, config.rootpath)
            self.labels = read_labels(*(config.rootpath / name for name in self.policy.labels))
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args[:] = [str(suites_folder())]

    # -- collection --

    def pytest_report_header(self) -> list[str]:
        """What will be judged by what."""
        baseline = self.options.baseline or "none (gates against a baseline will be INCONCLUSIVE)"
        return [
            f"safetydrift: {', '.join(self.options.checkpoints)}; baseline: {baseline}",
            f"safetydrift policy: {self.policy.source}, {len(self.policy.gates)} gates, "
            f"sha256 {self.policy.sha256[:12]}",
            *(f"safetydrift judge: {judge.name}" for judge in self.judges.judges),
        ]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One item per checkpoint, and per gate of the test's suite."""
        if "checkpoint" in metafunc.fixturenames:
            references = self.options.checkpoints
            labels = [Reference.parse(r).label for r in references]
            ids = labels if len(set(labels)) == len(labels) else list(references)
            metafunc.parametrize("checkpoint", references, indirect=True, scope="session", ids=ids)
        if "gate" in metafunc.fixturenames:
            suite, probes, chosen, tighter = _declared(metafunc)
            with usage():
                here = {(suite, p.metric, p.corpus, get_attack(a).id): p for p in probes for a in p.attacks}
                self._measured.append(frozenset(here))
                gates = [g for g in self.policy.gates if all(cell in here for cell in _cells(g))]
                gates = list(choose(gates, chosen)) if chosen else gates
                wants = [(self._tightened(g, tighter), here[_cells(g)[0]]) for g in gates]
            metafunc.parametrize("gate", wants, indirect=True, ids=[g.id for g, _ in wants])

    def _tightened(self, gate: Gate, tighter: dict[str, float]) -> Gate:
        """The gate as this test wants it; a gate has one bar in a run."""
        wanted = tighten(gate, **tighter)  # type: ignore[arg-type]
        if self._shown.setdefault(gate.id, wanted) != wanted:
            raise UsageError(f"gate {gate.id!r} is shown by two tests that tighten it differently; let one choose it")
        return wanted

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Refuse a policy that gates what nothing measures; drop tests that no gate of the policy asks about."""
        _anonymise(items)
        with usage():
            self._absent = _check_measured(self.policy, self._measured)
            _check_candidates(self.policy, self.options.checkpoints)
        idle = {i for i in items if "gate" in getattr(i, "fixturenames", ()) and not _concerns(_want(i))}
        if idle and len(idle) == len(items):
            with usage():
                raise UsageError(
                    f"no gate of the policy {self.policy.source} is for what these tests measure; name yours with "
                    "--safetydrift-policy, or give it a gate of their suite, metric, corpus and attack"
                )
        if idle:
            items[:] = [i for i in items if i not in idle]
            self.config.hook.pytest_deselected(items=list(idle))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Say what each gate could show with the prompts at hand; `--collect-only` also says what a run would ask.
        Nothing is loaded."""
        only = self.config.option.collectonly
        if self.is_worker or not session.items or not (only or self.config.get_verbosity() >= 0):
            return
        plan, _ = self._plan(session)
        writer = self.config.get_terminal_writer()
        if only:
            writer.line(
                f"\nsafetydrift plan: {plan.planned} requests, {plan.distinct} without doubles; first turns only"
            )
            for reference in plan.asked:
                cells = len(plan.askings.get(reference, ())) + len(plan.measures.get(reference, ()))
                writer.line(f"  {reference}: {cells} cells, {plan.sizes[reference]} requests")
        if plan.wants:
            for line in _foreseen(self._foresee(session), room=None if only else _HEADER):
                writer.line(line)

    # -- execution --

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Everything is asked here, after `-k`, `-m` and `--lf`, before the first test."""
        controller = self.config.pluginmanager.hasplugin("dsession")
        collection_broke = session.testsfailed and not self.config.option.continue_on_collection_errors
        if not (controller or self.config.option.collectonly or collection_broke):
            try:
                with usage():
                    self._execute(session)
            except (pytest.UsageError, SafetyDriftError) as e:
                self._refuse(e)
        return (yield)

    def _refuse(self, error: Exception) -> None:
        """End the session before its first test. A worker of xdist cannot: its tests fail, and the controller ends."""
        misused = isinstance(error, pytest.UsageError)
        if self.is_worker:
            self.refused = str(error)
            told = int(pytest.ExitCode.USAGE_ERROR) if misused else EXIT_INFRASTRUCTURE
            self.config.workeroutput["safetydrift_refused"] = (told, self.refused)  # type: ignore[attr-defined]
        elif misused:
            raise error
        else:
            pytest.exit(f"safetydrift: {error}", returncode=EXIT_INFRASTRUCTURE)

    def _execute(self, session: pytest.Session) -> None:
        plan, worlds = self._plan(session)
        if self.policy.undecidable == "refuse":
            _refuse_undecidable(self._foresee(session))
        asks = any({"checkpoint", "baseline"} & set(getattr(i, "fixturenames", ())) for i in session.items)
        if not asks:
            return
        capture = self.config.pluginmanager.getplugin("capturemanager")
        # progress is for people who wait: it goes to the real stderr, under pytest's capture and under xdist
        with capture.global_and_fixture_disabled():
            self.conducted = conduct(
                plan, self.references, worlds, self.setting(), self._facts(plan), self.place, sys.__stderr__
            )

    def _plan(self, session: pytest.Session) -> tuple[Plan, dict[str, World]]:
        """Made once, when collection is finished: the header and the run speak of the same."""
        if self._planned is None:
            wants = [w for item in session.items if (w := _want(item))]
            with usage():
                worlds = choose_worlds(self.references, self.setting(tuple(w.gate.corpus for w in wants)))
                check_policy(self.policy, known_categories=categories_of(worlds.values()))
                bare = {r: Subject(r, w) for r, w in worlds.items()}
                self._planned = make_plan(wants, bare, self.options.baseline), worlds
        return self._planned

    def _foresee(self, session: pytest.Session) -> dict[str, tuple[Foresight, ...]]:
        """What each gate could show, said in the header and held against the policy before the run."""
        self._foresights = self._foresights or foresee_plan(*self._plan(session))
        return self._foresights

    def setting(self, corpora: tuple[str, ...] = ()) -> Setting:
        """How references are resolved."""
        root = self.config.rootpath
        return Setting(
            self.options.engine,
            self.policy.recorded,
            corpora,
            root,
            self.place.run,
            self.judges,
            self.options.attacker,
            self.options.open_engines,
        )

    def _facts(self, plan: Plan) -> RunFacts:
        decided, total = len({w.gate.id for w in plan.wants}), len(self.policy.gates)
        return RunFacts(
            name="-".join(Reference.parse(c).label for c in self.options.checkpoints),
            started=self.started.isoformat(timespec="seconds"),
            command=shlex.join(["pytest", *map(str, self.config.invocation_params.args)]),
            seed=self.options.seed,
            policy=replace(self.policy, gates=tuple(self._shown.get(g.id, g) for g in self.policy.gates)),
            selection="" if decided == total else f"{decided} of {total} gates",
            notes=tuple(self._notes(plan)),
            again=self.options.noise,
            labels=self.labels,
        )

    def _notes(self, plan: Plan) -> Iterator[str]:
        """Suites that the policy names and this run did not collect, labels that nobody has given yet, and gates that a
        test holds to a stricter bar than the policy's: its hash does not cover that."""
        yield from (
            f"suite {suite} of the policy was not collected: its gates are not decided" for suite in self._absent
        )
        if self.policy.labels and not self.labels:
            yield f"no answer is labelled yet in {', '.join(self.policy.labels)}: judges are taken at their word"
        declared = {g.id: g for g in self.policy.gates}
        for gate in dict.fromkeys(w.gate for w in plan.wants):
            if gate != declared[gate.id]:
                yield f"gate {gate.id} is tightened by its test's marker"


def suites_folder() -> Path:
    """The built-in suites: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "_suites"
    return installed if installed.is_dir() else package.parent / "suites"


class usage:  # noqa: N801 - reads as a statement: `with usage():`
    """Turns our usage errors into pytest's, which exit with 4 and no traceback."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UsageError):
            raise pytest.UsageError(str(error)) from error


def _refuse_records(references: list[Reference], options: GateOptions) -> None:
    for r in references:
        if r.scheme is Scheme.RUN and r.text in options.checkpoints:
            raise UsageError(f"--checkpoint {r.text}: a record cannot be judged again; give it as --baseline")


def _load_policy(references: list[Reference], options: GateOptions, root: Path) -> Policy:
    schemes = {r.scheme for r in references}
    recorded = Scheme.RECORDED in schemes and schemes <= {Scheme.RECORDED, Scheme.RUN}
    builtin = "recorded" if recorded else "default"
    policy = load_policy(options.policy, builtin=builtin, root=root, known_attacks=FAMILY_OF)
    # labels decide as well as gates do, so the policy's hash covers what is in them
    files = {name: root / name for name in policy.labels}
    held = {name: hashlib.sha256(f.read_bytes()).hexdigest() for name, f in files.items() if f.is_file()}
    sha256 = digest([policy.sha256, held]) if policy.labels else policy.sha256
    return replace(policy, gates=tuple(map(_canonical, policy.gates)), sha256=sha256)


def _canonical(gate: Gate) -> Gate:
    """The gate with its attacks' ids as observations carry them: "caesar( 7 )" and "caesar(7)" are one."""
    if gate.attacks:
        return replace(gate, attacks=tuple(get_attack(a).id for a in gate.attacks))
    return replace(gate, attack=get_attack(gate.attack).id)


def _anonymise(items: list[pytest.Item]) -> None:
    """Take the package's own folder out of the names that `-k` looks at: "drift" is in its name, and would choose
    every built-in test."""
    package = Path(__file__).parent
    for item in items:
        for node in item.listchain():
            if isinstance(node, pytest.Directory) and node.path == package:
                node.name = "built-in"


def _check_candidates(policy: Policy, candidates: Sequence[str]) -> None:
    """Raise `UsageError` for a gate whose `checkpoint` covers no candidate: it would vanish without a word."""
    for gate in policy.gates:
        if not any(_covers(gate, text) for text in candidates):
            names = [name for text in candidates for name in _names(text)]
            raise UsageError(
                f"gate {gate.id!r}: checkpoint {gate.checkpoint!r} covers no candidate of this run; "
                f"{closest(gate.checkpoint, names)}"
            )


def _check_measured(policy: Policy, tests: Sequence[frozenset[tuple[str, str, str, str]]]) -> tuple[str, ...]:
    """Raise `PolicyError` for gates that no test could ever show. Of a suite that is not collected only the
    name is known: it is an error where it looks misspelt, and else returned. `tests` holds what each test measures."""
    measured = frozenset[tuple[str, str, str, str]]().union(*tests)
    collected = {suite for suite, *_ in measured}
    known = collected | set(SUITES)
    absent = dict.fromkeys(g.suite for g in policy.gates if g.suite not in known)
    elsewhere = tuple(suite for suite in absent if collected and not get_close_matches(suite, known))
    check_policy(policy, known_suites=known | set(elsewhere))
    here = tuple(g for g in policy.gates if g.suite in collected)
    check_policy(replace(policy, gates=here), measured=measured)
    for gate in here:
        if not any(cells.issuperset(_cells(gate)) for cells in tests):
            raise UsageError(
                f"gate {gate.id!r} counts several attacks, and no test measures all of them: put "
                f"{', '.join(gate.counted)} into the probes of one test"
            )
    return elsewhere


def _cells(gate: Gate) -> list[tuple[str, str, str, str]]:
    """What a suite must measure for the gate."""
    return [(gate.suite, gate.metric, gate.corpus, attack) for attack in gate.counted]


def _declared(metafunc: pytest.Metafunc) -> tuple[str, tuple[Probe, ...], tuple[str, ...], dict[str, float]]:
    """Suite, probes, chosen gates and tighter bars of a test function; several @measures add up."""
    marks = list(metafunc.definition.iter_markers("measures"))
    if not marks:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} takes the gate fixture and measures nothing: "
            "decorate it with @measures(Probe(...))"
        )
    told = [m.kwargs for m in reversed(marks)]
    suites = [k["suite"] for k in reversed(told) if k["suite"]]
    module = metafunc.module.__name__.rpartition(".")[2].removeprefix("test_")
    tighter = {key: value for k in told for key, value in k["tighter"].items() if value is not None}
    probes, chosen = (tuple(x for k in told for x in k[key]) for key in ("probes", "gates"))
    return (suites[0] if suites else module), probes, chosen, tighter


def _concerns(want: Want | None) -> bool:
    """Whether an item has a gate to show, and the gate is for its checkpoint."""
    return want is not None and _covers(want.gate, want.checkpoint)


def _covers(gate: Gate, candidate: str) -> bool:
    """Whether a gate is for a candidate; one that names none is for all."""
    return not gate.checkpoint or any(matches(name, gate.checkpoint) for name in _names(candidate))


def _names(candidate: str) -> tuple[str, str]:
    """What a gate may call a candidate."""
    return candidate, Reference.parse(candidate).label


def _foreseen(foresights: Mapping[str, tuple[Foresight, ...]], room: int | None) -> Iterator[str]:
    """A line a gate, the same for candidates with the same prompts; at most `room`."""
    lines = list(dict.fromkeys(f"  {f.gate.id}: {f.said}" for found in foresights.values() for f in found))
    yield "safetydrift gates, and what they can show with the prompts at hand:"
    yield from lines[:room]
    if room is not None and len(lines) > room:
        yield f"  ... and {len(lines) - room} more: `safetydrift plan` says all"


def _refuse_undecidable(foresights: Mapping[str, tuple[Foresight, ...]]) -> None:
    """Stop before anything is loaded where a gate could not pass, or could not fail, whatever the answers."""
    faults = dict.fromkeys(
        f"gate {f.gate.id!r}: {f.cannot}" for found in foresights.values() for f in found if f.cannot
    )
    if faults:
        listed = "\n  ".join(faults)
        raise UsageError(
            f"{len(faults)} of the gates cannot be decided with the prompts at hand:\n  {listed}\n"
            'Give them more prompts or another bar, or set `undecidable = "warn"` in the policy to run all the same.'
        )


def _want(item: pytest.Item) -> Want | None:
    """The gate that an item shows, for whom; None where it shows none."""
    params = getattr(getattr(item, "callspec", None), "params", {})
    declared = params.get("gate")
    return Want(params["checkpoint"], *declared) if isinstance(declared, tuple) else None
