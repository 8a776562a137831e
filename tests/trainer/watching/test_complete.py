"""When a folder is a whole checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_safetydrift.trainer.watching.complete import (
    TAG,
    fingerprint,
    is_adapter,
    lacks,
    looks_like_checkpoint,
    step_of,
)
from tests.engines.local.conftest import write_safetensors
from tests.trainer.watching.conftest import write_checkpoint

INDEX = "model.safetensors.index.json"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint-1")


@pytest.fixture
def sharded(whole: Path) -> Path:
    """Two shards and their index."""
    (whole / "model.safetensors").unlink()
    write_safetensors(whole / FIRST, ("a",))
    write_safetensors(whole / SECOND, ("b",))
    (whole / INDEX).write_text(json.dumps({"weight_map": {"a": FIRST, "b": SECOND}}))
    return whole


def test_a_whole_checkpoint_lacks_nothing(whole: Path, sharded: Path) -> None:
    """With one file of weights or with shards."""
    assert lacks(sharded) == ""
    (whole / INDEX).unlink()
    for name in (FIRST, SECOND):
        (whole / name).unlink()
    write_safetensors(whole / "model.safetensors")
    assert lacks(whole) == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no tokenizer"),
        ("chat_template.jinja", "no chat template"),
    ],
)
def test_what_is_missing_is_named(whole: Path, name: str, said: str) -> None:
    """Configuration, weights, tokenizer and template are all needed."""
    (whole / name).unlink()
    assert said in lacks(whole)


@pytest.mark.parametrize("gone", [FIRST, SECOND])
def test_a_missing_shard_is_named(sharded: Path, gone: str) -> None:
    """By the index, and before there is an index by the shards' own numbers."""
    (sharded / gone).unlink()
    assert gone in lacks(sharded)
    (sharded / INDEX).unlink()
    assert gone.removesuffix(".safetensors") in lacks(sharded)


def test_shards_without_their_index_are_not_whole(sharded: Path) -> None:
    """Every shard is there and nobody said what they hold."""
    (sharded / INDEX).unlink()
    assert INDEX in lacks(sharded)


@pytest.mark.parametrize("cut", [4, 20, -1])
def test_half_a_weight_file_is_not_whole(whole: Path, cut: int) -> None:
    """Cut within the length, the header or the data."""
    file = whole / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    assert "model.safetensors" in lacks(whole)


def test_half_a_text_is_not_whole(whole: Path) -> None:
    """A template cut within a character, a configuration cut within its JSON."""
    (whole / "chat_template.jinja").write_bytes("ä".encode()[:1])
    assert lacks(whole) != ""
    (whole / "chat_template.jinja").write_text("x")
    (whole / "config.json").write_text('{"model_')
    assert "config.json" in lacks(whole)


def test_an_adapter_needs_its_weights_alone(tmp_path: Path) -> None:
    """The base brings the rest; without or with half a weight file it is not whole."""
    folder = tmp_path / "checkpoint-2"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert is_adapter(folder)
    assert "no adapter weights" in lacks(folder)
    write_safetensors(folder / "adapter_model.safetensors")
    assert lacks(folder) == ""
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "adapter_model" in lacks(folder)


def test_a_model_that_keeps_its_adapter_settings_is_a_model(whole: Path) -> None:
    """Merged weights beside an adapter_config.json."""
    (whole / "adapter_config.json").write_text("{}")
    assert not is_adapter(whole)


def test_a_change_shows_in_the_fingerprint(whole: Path) -> None:
    """A byte more, a new file, a file replaced; our own tag does not show."""
    before = fingerprint(whole)
    (whole / TAG).write_text("{}")
    assert fingerprint(whole) == before
    (whole / "model.safetensors.tmp").write_bytes(b"x")
    after = fingerprint(whole)
    assert after != before
    with (whole / "model.safetensors.tmp").open("ab") as file:
        file.write(b"x")
    assert fingerprint(whole) != after


def test_which_folders_are_checkpoints(tmp_path: Path) -> None:
    """Those with a configuration or weights; hidden ones and our own are none."""
    for name, file in {
        "a": "config.json",
        "b": "adapter_config.json",
        "c": "model.safetensors",
        "d": "notes.txt",
        ".e": "config.json",
        "_safetydrift": "config.json",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    assert sorted(p.name for p in tmp_path.iterdir() if looks_like_checkpoint(p)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "step"), [("checkpoint-200", 200), ("step_3.pt", 3), ("global_step17_hf", 17), ("final", None)]
)
def test_the_step_is_the_last_number_of_a_name(name: str, step: int | None) -> None:
    """None where there is no number."""
    assert step_of(name) == step
