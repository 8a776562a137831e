"""From references to subjects: whom to ask, on which prompts, without loading anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pytest_safetydrift.core.canonical import digest
from pytest_safetydrift.core.engine import Engine, Identity
from pytest_safetydrift.core.errors import CheckpointError, EngineError, SafetyDriftError, UsageError
from pytest_safetydrift.core.fields import FieldMapping
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.corpora.world import World, builtin_world, world_of
from pytest_safetydrift.engines import EngineOptions, identify, open_engine
from pytest_safetydrift.execution.attacker import NO_ATTACKER, SELF, Attacker
from pytest_safetydrift.execution.battery import Subject
from pytest_safetydrift.execution.bench import RULES_ALONE, Bench
from pytest_safetydrift.execution.demo import demo_folders
from pytest_safetydrift.execution.recall import recall_from
from pytest_safetydrift.execution.rerank import reranked
from pytest_safetydrift.execution.rerank_file import parts_of, read_reranking
from pytest_safetydrift.execution.target import Target
from pytest_safetydrift.harness.corpus import with_tasks
from pytest_safetydrift.judges.model.appoint import Appointments

__all__ = ["Setting", "choose_worlds", "convene", "engage", "resolve"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What resolving needs beside the references.

    corpora  names of corpora that probes ask for; paths among them are read from `folder`
    run      id of this run; answers of unverified targets are good for it alone
    judges   the models that judge
    attacker a reference, "self" or "" for nobody
    engines  models that may be loaded at a time
    """

    options: EngineOptions
    mapping: FieldMapping | None = None
    corpora: tuple[str, ...] = ()
    folder: Path = field(default_factory=Path)
    run: str = ""
    judges: Appointments = field(default_factory=Appointments)
    attacker: str = ""
    engines: int = 2


def choose_worlds(references: Sequence[Reference], setting: Setting) -> dict[str, World]:
    """The world of each reference.

    A recorded file is asked its own prompts, a demo checkpoint the small world's. Any other model takes
    the prompts of the first reference that brings its own, so that the two sides can be paired; the
    built-in world where none does. A reranked model has its model's.
    """
    answering = {r.text: parts_of(r)[0] for r in references}
    bringing = [r for r in answering.values() if r.scheme in (Scheme.RECORDED, Scheme.DEMO)]
    shared = world_of(bringing[0], setting.mapping) if bringing else builtin_world()
    worlds = {}
    for r in references:
        # labels of recorded answers say nothing of what another model answers to the same prompts
        asked = answering[r.text]
        own = world_of(asked, setting.mapping) if asked in bringing else replace(shared, judge="")
        own = replace(own, judge=own.judge or setting.judges.refusal)
        worlds[r.text] = with_tasks(own.including(setting.corpora, setting.folder), setting.corpora, setting.folder)
    return worlds


def convene(setting: Setting) -> Bench:
    """The judges that are models, each with the digest of its checkpoint. One that cannot be read breaks when it is
    asked: its gates are INCONCLUSIVE for it, and the answers are kept for another try."""
    targets = _helpers(setting.judges.references, setting)
    return Bench(setting.judges.panels(lambda text: targets[text].identity.checkpoint), targets)


def engage(setting: Setting) -> Attacker:
    """Who attacks. One that cannot be read breaks when it is asked: its attacks are unscored for it. Raises
    `UsageError` for a reference that cannot answer, or is none."""
    named = setting.attacker
    if named in ("", SELF):
        return Attacker(named, engines=setting.engines)
    reference = Reference.parse(named)
    if reference.scheme in (Scheme.RUN, Scheme.RECORDED):
        raise UsageError(f"--attacker {named}: answers that exist already attack nobody; name a model")
    return Attacker(named, _helpers([reference], setting), setting.engines)


def _helpers(references: Sequence[Reference], setting: Setting) -> dict[str, Target]:
    """Models that are asked beside the checkpoints; one that cannot be read breaks when it is opened."""
    folders = _Demos.of(references)
    targets: dict[str, Target] = {}
    for r in references:
        try:
            targets[r.text] = _target(r, folders, setting)
        except (CheckpointError, EngineError) as e:
            targets[r.text] = _lost(r, e).bound_to(setting.run)
    return targets


def _lost(reference: Reference, error: SafetyDriftError) -> Target:
    def opened() -> Engine:
        raise error

    return Target(reference, Identity(digest([reference.text, str(error)]), verified=False), opened)


def resolve(
    references: Sequence[Reference],
    worlds: Mapping[str, World],
    setting: Setting,
    bench: Bench = RULES_ALONE,
    attacker: Attacker = NO_ATTACKER,
) -> dict[str, Subject]:
    """A subject per reference. What is wrong with one checkpoint becomes that subject's `error`: its
    gates will be INCONCLUSIVE for it, and the other checkpoints are still judged."""
    folders = _Demos.of(references)
    subjects = {}
    for r in references:
        world = worlds[r.text]
        try:
            if r.scheme is Scheme.RUN:
                subjects[r.text] = Subject(r.text, world, recall=recall_from(r, world, bench, attacker))
            else:
                target = _target(r, folders, setting)
                subjects[r.text] = Subject(r.text, world, target, trained_on=_families(r, folders))
        except (CheckpointError, EngineError) as e:
            subjects[r.text] = Subject(r.text, world, error=str(e))
    return subjects


class _Demos:
    """All demo checkpoints of a run, made in one go when the first is looked up."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(set(names))
        self._found: dict[str, Path] | SafetyDriftError | None = None

    @classmethod
    def of(cls, references: Iterable[Reference]) -> _Demos:
        """Those that these references name, or that are behind them."""
        behind = (part for r in references for part in parts_of(r))
        return cls(part.place for part in behind if part.scheme is Scheme.DEMO)

    def __getitem__(self, name: str) -> Path:
        if self._found is None:
            try:
                self._found = demo_folders(self._names)
            except SafetyDriftError as e:
                self._found = e
        if isinstance(self._found, SafetyDriftError):
            raise self._found
        return self._found[name]


def _place(reference: Reference, folders: _Demos) -> Reference:
    """The reference itself; a demo checkpoint's is its folder."""
    if reference.scheme is not Scheme.DEMO:
        return reference
    return replace(reference, scheme=Scheme.MODEL, place=str(folders[reference.place]))


def _families(reference: Reference, folders: _Demos) -> tuple[str, ...]:
    """What the cards of all that is behind a reference declare; () where one of them declares nothing."""
    declared = [_trained_on(_place(part, folders)) for part in parts_of(reference)]
    return tuple(dict.fromkeys(family for found in declared for family in found)) if all(declared) else ()


def _trained_on(place: Reference) -> tuple[str, ...]:
    """What the training card in a local checkpoint's folder declares. A card that cannot be read declares nothing: then
    no family counts as held out."""
    card = Path(place.adapter or place.place) / "training_card.json"
    if place.scheme is not Scheme.MODEL or not card.is_file():
        return ()
    try:
        families = json.loads(card.read_text("utf-8"))["attack_families_trained_on"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(map(str, families)) if isinstance(families, list) else ()


def _target(reference: Reference, folders: _Demos, setting: Setting) -> Target:
    if reference.scheme is Scheme.RERANK:
        composed = reranked(
            reference,
            read_reranking(reference),
            partial(_target, folders=folders, setting=setting),
            setting.options,
            together=setting.engines > 1,
        )
        return composed.bound_to(setting.run)
    place = _place(reference, folders)
    identity = identify(place, setting.options, mapping=setting.mapping)
    opener = partial(open_engine, place, setting.options, mapping=setting.mapping)
    return Target(reference, identity, opener).bound_to(setting.run)
