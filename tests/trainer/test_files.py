"""Files of the trainer: read leniently, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.files import check_new, publish, read_or_empty, write_whole


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\udcff"])
def test_what_is_no_object_reads_as_empty(tmp_path: Path, text: str) -> None:
    """Nothing, half an object, another value and bytes that are no UTF-8: all are {}."""
    place = tmp_path / "card.json"
    place.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert read_or_empty(place) == {}


def test_a_missing_file_reads_as_empty(tmp_path: Path) -> None:
    """No file is {} too, and an object is itself."""
    assert read_or_empty(tmp_path / "card.json") == {}
    (tmp_path / "card.json").write_text('{"a": 1}', "utf-8")
    assert read_or_empty(tmp_path / "card.json") == {"a": 1}


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    """A text that cannot be encoded fails in the draft: the file holds what it held."""
    place = tmp_path / "book.json"
    write_whole(place, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(place, "new \udcff")
    assert [p.name for p in tmp_path.iterdir()] == ["book.json"]
    assert place.read_text("utf-8") == "old"


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    """Names with a slash are files in folders, and nothing else is left beside them."""
    publish({"a.json": "1", "sub/b.json": "2"}, tmp_path / "new" / "out")
    found = {str(p.relative_to(tmp_path)): p.read_text("utf-8") for p in tmp_path.rglob("*") if p.is_file()}
    assert found == {"new/out/a.json": "1", "new/out/sub/b.json": "2"}


def test_a_folder_that_fails_does_not_appear(tmp_path: Path) -> None:
    """The second of two texts cannot be written: there is no folder, and no scratch."""
    with pytest.raises(UnicodeEncodeError):
        publish({"a.json": "1", "b.json": "\udcff"}, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_exists_is_refused(tmp_path: Path) -> None:
    """Nothing is written over, and the message names the option."""
    check_new(tmp_path / "out")
    with pytest.raises(UsageError, match=r"exists; name another folder with --out"):
        check_new(tmp_path)
