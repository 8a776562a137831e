"""Reranking files: what is read, and what is refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import BadReferenceError
from pytest_safetydrift.core.reference import Reference, Scheme
from pytest_safetydrift.corpora.world import builtin_world, demo_world
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.execution.rerank import doubts
from pytest_safetydrift.execution.rerank_file import Reranking, parts_of, read_reranking
from pytest_safetydrift.execution.resolve import Setting, choose_worlds, resolve


def written(folder: Path, text: str) -> Reference:
    (folder / "best of four.toml").write_text(text)
    return Reference.parse(f"rerank:{folder / 'best of four.toml'}")


def test_the_reference_names_a_file() -> None:
    """The scheme is `rerank`, the place is the file, the label its stem; nothing is read yet."""
    reference = Reference.parse("rerank:critics/best.toml")
    assert (reference.scheme, reference.place, reference.label) == (Scheme.RERANK, "critics/best.toml", "best")


def test_a_file_with_commas_in_its_references_is_read_whole(tmp_path: Path) -> None:
    """References stand as they are, whatever characters they hold; settings have defaults."""
    reference = written(tmp_path, 'model = "a,b+c"\nkind = "reward"\ncritic = "org/critic@1,2"')
    read = read_reranking(reference)
    assert read == Reranking(Reference.parse("a,b+c"), "reward", Reference.parse("org/critic@1,2"), 4, 1.0, "")
    assert parts_of(reference) == (read.model, read.critic)
    assert parts_of(read.model) == (read.model,)


def test_likelihood_needs_no_critic(tmp_path: Path) -> None:
    """The model alone is behind a reference whose critic is its own likelihood."""
    reference = written(tmp_path, 'model = "demo:v1"\nkind = "loglik"\nn = 2\ntemperature = 2')
    assert [r.text for r in parts_of(reference)] == ["demo:v1"]
    assert (read_reranking(reference).n, read_reranking(reference).temperature) == (2, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind = ", "write a TOML file"),
        ('kind = "loglik"', "model is missing"),
        ('model = "m"\ncritic = "c"', "kind is missing"),
        ('model = "m"\nkind = "rewards"', "did you mean 'reward'"),
        ('model = "m"\nkind = "rules"', "known: loglik, reward, rubric"),
        ('model = "m"\nkind = "reward"', "critic is missing"),
        ('model = "m"\nkind = "loglik"\ncritic = "c"', "leave critic out"),
        ('model = "m"\nkind = "loglik"\nm = 4', "unknown key 'm'"),
        ('model = "m"\nkind = "loglik"\nn = true', "n must be a whole number of at least 1, got True"),
        ('model = "m"\nkind = "loglik"\nn = 0', "at least 1, got 0"),
        ('model = "m"\nkind = "loglik"\ntemperature = 0', "temperature must be a number above 0"),
        ('model = "m"\nkind = "loglik"\ntemperature = nan', "temperature must be a number above 0"),
        ('model = "m"\nkind = "reward"\ncritic = "c"\nquestion = "Good?"', "question is for kind 'rubric'"),
        ('model = ["m"]\nkind = "loglik"', "model must be a checkpoint reference"),
        ('model = "demmo:v1"\nkind = "loglik"', "did you mean 'demo'"),
        ('model = "recorded:a.csv"\nkind = "loglik"', "model = 'recorded:a.csv' cannot do that"),
        ('model = "rerank:a.toml"\nkind = "loglik"', "model = 'rerank:a.toml' cannot do that"),
        ('model = "m"\nkind = "reward"\ncritic = "openai:x@http://h/v1"', "name a model directory or hub name"),
        ('model = "m"\nkind = "rubric"\ncritic = "run:a.json"', "critic = 'run:a.json' cannot do that"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    """Each fault is a usage error that names the file and what to write."""
    reference = written(tmp_path, text)
    with pytest.raises(BadReferenceError, match="best of four") as caught:
        read_reranking(reference)
    assert said in str(caught.value)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    """A reference to no file says which, and what to write there."""
    with pytest.raises(BadReferenceError, match=r"No such file.*write a TOML file"):
        read_reranking(Reference.parse(f"rerank:{tmp_path / 'none.toml'}"))


def test_it_is_asked_its_models_prompts(tmp_path: Path) -> None:
    """A reranked demo checkpoint has the small world's prompts, and another baseline is asked the same."""
    reference, other = written(tmp_path, 'model = "demo:v1"\nkind = "loglik"'), Reference.parse("some/model")
    setting = Setting(EngineOptions())
    worlds = choose_worlds([other, reference], setting)
    assert [worlds[r.text].digests for r in (reference, other)] == [demo_world().digests] * 2
    alone = written(tmp_path, 'model = "some/model"\nkind = "loglik"')
    assert choose_worlds([alone], setting)[alone.text].digests == builtin_world().digests


def test_it_becomes_one_subject(tmp_path: Path) -> None:
    """Model and critic resolve to one target of the reference's own name; doubles declare no training."""
    (tmp_path / "doubles.py").write_text("def any(request):\n    return ''\n")
    reference = written(tmp_path, 'model = "scripted:doubles:any"\nkind = "rubric"\ncritic = "scripted:doubles:any"')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        worlds = choose_worlds([reference], Setting(EngineOptions()))
        found = resolve([reference], worlds, Setting(EngineOptions()))[reference.text]
    assert (found.error, found.trained_on) == ("", ())
    assert found.target is not None
    assert (found.target.reference, found.target.identity.engine["name"]) == (reference, "rerank")


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (None, ""),
        ('{"usable": true}', ""),
        ('{"usable": false, "faults": ["likes length", "\\u001b[31mred"]}', "likes length; \\u001b[31mred"),
        ('{"usable": "true"}', "it does not say that it is usable"),
        ("[]", "holds list where an object belongs"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_critics_card_that_speaks_against_it_is_told(tmp_path: Path, card: str | None, said: str) -> None:
    """A card passes in silence where it says usable; other people's models have none."""
    critic = tmp_path / "critic"
    critic.mkdir()
    if card is not None:
        (critic / "reward_card.json").write_text(card)
    told = doubts(written(tmp_path, f'model = "m"\nkind = "reward"\ncritic = "{critic}"'))
    assert bool(told) == bool(said)
    assert said in told
    assert str(critic) in told or not said


def test_other_references_have_no_card_to_speak_against_them(tmp_path: Path) -> None:
    """Neither a model by itself nor a critic that is no reward model."""
    (tmp_path / "reward_card.json").write_text('{"usable": false}')
    rubric = written(tmp_path, f'model = "m"\nkind = "rubric"\ncritic = "{tmp_path}"')
    assert [doubts(r) for r in (rubric, Reference.parse(str(tmp_path)))] == ["", ""]
