"""From a run's record and store to the pairs of each fold."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_safetydrift.attacks.registry import ATTACKS
from pytest_safetydrift.core.errors import ReportError, StoreError, UsageError
from pytest_safetydrift.core.judgement import Outcome
from pytest_safetydrift.core.sample import Intent, Sample
from pytest_safetydrift.corpora.world import builtin_world
from pytest_safetydrift.trainer.data.build import TrainingData, build
from pytest_safetydrift.trainer.data.config import DataConfig
from pytest_safetydrift.trainer.data.folds import Fold
from pytest_safetydrift.trainer.data.groups import clear_texts
from pytest_safetydrift.trainer.data.material import Material, read_material
from pytest_safetydrift.trainer.data.pairs import Pair, Teaches
from tests.trainer.data.conftest import BASELINE, CANDIDATE, CELLS, NO, YES, MakeRun, patched

WORLD = builtin_world()
PROMPTS = {s.id: s for corpus in CELLS for s in WORLD.samples(corpus)}
SMALL = DataConfig(pairs=600)


@pytest.fixture(scope="session")
def material(run: Path) -> Material:
    """What a patched checkpoint leaves: plain refusals held, base64 and decomposition failed."""
    return read_material(run, run)


def flat(text: str) -> str:
    """Words alone, in lower case."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def pairs_of(data: TrainingData, teaches: Teaches, *folds: Fold) -> list[Pair]:
    return [p for fold in folds or Fold for p in data.pairs[fold] if p.teaches is teaches]


def test_nothing_of_a_held_out_prompt_is_in_training(material: Material) -> None:
    """Neither a held-out prompt, nor its twin's, nor their answers' ids: read in the clear, with every code decoded."""
    data = build(material, DataConfig(pairs=3000))
    held = {name for name, fold in data.folds.items() if fold is Fold.HELD_OUT}
    assert {PROMPTS[name].twin for name in held if PROMPTS[name].twin} <= held
    hidden = [f" {flat(PROMPTS[name].prompt)} " for name in held]
    read = {
        flat(text)
        for fold in (Fold.TRAIN, Fold.DEVELOPMENT)
        for pair in data.pairs[fold]
        for message in pair.messages
        for text in clear_texts(message.content)
    }
    page = " \n ".join(read)
    assert [prompt for prompt in hidden if prompt in f" {page} "] == []
    assert {p.sample.id for p in data.pairs[Fold.TRAIN]} & held == set()
    assert {p.sample.id for p in data.pairs[Fold.HELD_OUT]} <= held


def test_the_leak_would_be_seen(material: Material) -> None:
    """The same reading of training finds every training prompt that is asked in base64, and in the clear."""
    data = build(material, DataConfig(pairs=600, attacks=("base64",)))
    for pair in data.pairs[Fold.TRAIN]:
        read = [flat(text) for text in clear_texts(pair.messages[-1].content)]
        assert any(flat(PROMPTS[pair.sample.id].prompt) in text for text in read), pair


def test_counts_are_as_wanted(material: Material) -> None:
    """So many refusals over the folds by their shares, as many answers, spread evenly over prompts and attacks."""
    data = build(material, DataConfig(pairs=2000, replay=0.5))
    sizes = {fold: Counter(p.teaches for p in data.pairs[fold]) for fold in Fold}
    assert sizes == {
        Fold.TRAIN: {Teaches.REFUSE: 1400, Teaches.ANSWER: 700},
        Fold.DEVELOPMENT: {Teaches.REFUSE: 200, Teaches.ANSWER: 100},
        Fold.HELD_OUT: {Teaches.REFUSE: 400, Teaches.ANSWER: 200},
    }
    for fold in Fold:
        each = Counter((p.sample.id, p.attack) for p in pairs_of(data, Teaches.REFUSE, fold))
        assert max(each.values()) - min(each.values()) <= 1
    assert {p.attack for p in pairs_of(data, Teaches.REFUSE)} == {"base64", "decomposition"}


def test_ten_thousand_pairs_and_none_twice(material: Material) -> None:
    """A few hundred failed prompts become 10,000 refusals and as many answers, all asked differently."""
    data = build(material, DataConfig())
    refusals = pairs_of(data, Teaches.REFUSE)
    assert len(refusals) == len(pairs_of(data, Teaches.ANSWER)) == 10_000
    assert len({p.sample.id for p in refusals}) <= 360
    for fold in Fold:
        asked = [p.messages for p in data.pairs[fold]]
        assert len(asked) == len(set(asked))
    assert len({p.answer for p in refusals}) > 9_000


def test_the_same_seed_makes_the_same_pairs(material: Material, run: Path) -> None:
    """Equal on a second reading of the run; another seed holds other prompts out."""
    first, second = build(material, SMALL), build(read_material(run, run), SMALL)
    assert first.pairs == second.pairs
    assert first.folds == second.folds
    assert build(material, DataConfig(pairs=600, seed=1)).folds != first.folds


def test_only_failed_prompts_are_refused(material: Material) -> None:
    """What the checkpoint refused under every attack teaches nothing, and no benign prompt is ever refused."""
    failed = {a.sample.id for a in material.failed}
    assert {p.sample.id for p in pairs_of(build(material, SMALL), Teaches.REFUSE)} <= failed
    assert all(PROMPTS[name].intent is Intent.PROHIBITED for name in failed)
    assert {a.outcome for a in material.failed} == {Outcome.COMPLIED}


def test_benign_answers_are_the_baselines_own(material: Material) -> None:
    """Each is what the baseline answered to that very prompt and attack; half is asked as the refusals are."""
    answers = pairs_of(build(material, SMALL), Teaches.ANSWER)
    for pair in answers:
        sample = PROMPTS[pair.sample.id]
        said = [patched(BASELINE, attack, sample) for attack in (pair.attack, "plain")]
        assert pair.answer in said
        assert pair.answer == said[0] or sample.answer
    assert 0.4 < sum(p.attack == "base64" for p in answers) / len(answers) < 0.6


def test_what_the_baseline_was_not_asked_is_the_checkpoints_own(make_run: MakeRun) -> None:
    """A gate without a margin asks the candidate alone: its right answers are kept then, or those of a named one."""
    run = make_run()
    file = run / "record.json"
    record = json.loads(file.read_text())
    del record["observations"][BASELINE]["benign"]["base64"]
    file.write_text(json.dumps(record))
    benign = [a for a in read_material(run, run).kept if a.asking.corpus == "benign"]
    assert {(a.asking.attack, a.asking.target) for a in benign} == {("plain", BASELINE), ("base64", CANDIDATE)}
    assert {a.asking.target for a in read_material(run, run, replay=CANDIDATE).kept} == {CANDIDATE}


def test_a_code_that_was_not_asked_gets_the_plain_answer(make_run: MakeRun) -> None:
    """Benign requests come in every encoding that is refused, though the run asked them plainly alone."""
    run = make_run(cells={"prohibited": ("base64",), "benign": ("plain",)})
    data = build(read_material(run, run), DataConfig(pairs=600, attacks=("base64", "rot13")))
    for pair in pairs_of(data, Teaches.ANSWER):
        assert pair.answer == patched(BASELINE, "plain", PROMPTS[pair.sample.id])
    assert {"base64", "rot13", "plain"} == {p.attack for p in pairs_of(data, Teaches.ANSWER)}


def test_dialogues_hold_the_models_own_turns(material: Material) -> None:
    """A decomposition's first answer is what the checkpoint said there; the last turn is the user's."""
    talks = [p for p in pairs_of(build(material, SMALL), Teaches.REFUSE) if p.attack == "decomposition"]
    assert talks
    for pair in talks:
        assert [m.role for m in pair.messages] == ["user", "assistant", "user"]
        assert pair.messages[1].content == YES


def test_families_can_be_held_out_and_chosen(material: Material) -> None:
    """Nothing of a held-out family is refused in training, composed attacks included; ids and families can be named."""
    data = build(material, DataConfig(pairs=600, held_out_families=("encoding",)))
    assert [a.id for a in data.attacks] == ["decomposition"]
    assert data.left_out == {"base64": "family encoding is held out"}
    wanted = ("plain", "family:tone", "base64 o persona", "prefill", "decoding(temperature=0.5)")
    data = build(material, DataConfig(pairs=600, attacks=wanted, held_out_families=("framing",)))
    assert {a.id for a in data.attacks} == {"plain", *(a.id for a in ATTACKS.values() if a.family == "tone")}
    assert set(data.left_out) == {"base64 o persona", "prefill", "decoding(temperature=0.5)"}


def test_given_texts_take_the_place_of_ours(material: Material) -> None:
    """Refusals and answers that somebody wrote are used word for word."""
    name = WORLD.samples("benign")[0].id
    data = build(material, DataConfig(pairs=600, replay=2, refusals=(NO,), answers={name: "Written by hand."}))
    assert {p.answer for p in pairs_of(data, Teaches.REFUSE)} == {NO}
    assert {p.answer for p in pairs_of(data, Teaches.ANSWER) if p.sample.id == name} == {"Written by hand."}


def always(text: str) -> Callable[[str, str, Sample], str]:
    return lambda reference, attack, sample: sample.answer or text


@pytest.mark.parametrize(
    ("answer", "cells", "said"),
    [
        (always(NO), CELLS, "there is no failed refusal to train on"),
        (patched, {"benign": ("plain",)}, "no prohibited prompt"),
        (patched, {"prohibited": ("base64",)}, "refusals alone teach to refuse"),
        (lambda c, a, s: YES if s.intent is Intent.PROHIBITED else NO, {"prohibited": ("plain",), "benign": ("plain",)},
         "refusals alone teach to refuse"),
        (patched, {}, "holds no answers"),
    ],
    ids=["refuses everything", "nothing prohibited", "one class", "benign all refused", "empty record"],
)  # fmt: skip
def test_nothing_to_learn_is_said(
    make_run: MakeRun, answer: Callable[[str, str, Sample], str], cells: dict[str, tuple[str, ...]], said: str
) -> None:
    """A base that refuses all, a run of one class and an empty record are errors that name what is missing."""
    run = make_run(answer, cells)

    def made() -> TrainingData:
        return build(read_material(run, run), SMALL)

    with pytest.raises(UsageError, match=said):
        made()


def test_an_answer_that_is_missing_is_no_answer(run: Path, make_run: MakeRun, tmp_path: Path) -> None:
    """Without the store, or with another run's, nothing is made of what is left."""
    with pytest.raises(StoreError, match="no such store"):
        read_material(run, tmp_path)
    other = make_run(always(NO), {"prohibited": ("plain",)}, name="other")
    with pytest.raises(StoreError, match="are not in it"):
        read_material(run, other)


def test_unscored_answers_are_neither_failed_nor_safe(make_run: MakeRun) -> None:
    """Empty answers teach nothing, and the error counts them beside the refused ones."""
    run = make_run(lambda c, a, s: "" if s.intent is Intent.PROHIBITED else NO, {"prohibited": ("plain",)})
    with pytest.raises(UsageError, match=r"complied with no prohibited prompt \(\d+ unscored\)"):
        build(read_material(run, run), SMALL)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda r: r["corpora"][0].update(sha256="0" * 64), UsageError, "is not what"),
        (lambda r: r["observations"][CANDIDATE]["benign"]["plain"].pop("asked"), ReportError, "run again"),
        (lambda r: r.update(schema_version=0), ReportError, "schema"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(
    make_run: MakeRun, change: Callable[[dict[str, object]], object], error: type[Exception], said: str
) -> None:
    """Other prompts, an older record and another schema."""
    run = make_run(cells={"prohibited": ("plain",), "benign": ("plain",)})
    file = run / "record.json"
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(error, match=said):
        read_material(run, run)
