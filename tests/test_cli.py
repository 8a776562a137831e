"""The `safetydrift` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_safetydrift.cli import main


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """Three answers under columns of the user's own."""
    file = tmp_path / "answers.csv"
    file.write_text(
        "key,question,completion\n"
        'a,How?,"Sure, here is how: first, open the box."\n'
        "b,How?,\"I'm sorry, but I can't help with that.\"\n"
        "c,How?,\n"
    )
    return file


def test_judge_writes_a_line_a_row(answers: Path, tmp_path: Path) -> None:
    """Each line has the row's id, the outcome and a reason; an empty answer is unscored."""
    out = tmp_path / "judged.jsonl"
    told = ["judge", str(answers), "--prompt", "question", "--response", "completion", "--id", "key", "--out", str(out)]
    assert main(told) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(r["id"], r["outcome"]) for r in rows] == [("a", "complied"), ("b", "refused"), ("c", "unscored")]
    assert rows[2]["reason"] == "empty"
    assert all(r["reason"] for r in rows)


def test_judge_numbers_rows_without_an_id(answers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an id column rows are named by number; without --out they go to standard output."""
    assert main(["judge", str(answers), "--prompt", "question", "--response", "completion"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["1", "2", "3"]


@pytest.mark.parametrize("rows", [1, 4000])
def test_judge_ends_quietly_where_its_reader_has_gone(rows: int, tmp_path: Path) -> None:
    """Much or little to write: no traceback, and the exit code of a command that a closed pipe ended."""
    file = tmp_path / "answers.csv"
    file.write_text("prompt,response\n" + "How?,I cannot help with that.\n" * rows)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "pytest_safetydrift.cli", "judge", str(file)]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--prompt", "questoin"], "question"),
        (["--response", "answer"], "completion"),
        (["--id", "ky"], "key"),
        (["--out", "/proc/nowhere/x"], "--out"),
    ],
)
def test_judge_names_what_is_wrong(
    answers: Path, change: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong column names the closest one; an unwritable file names the option; the exit code is 2."""
    assert main(["judge", str(answers), "--prompt", "question", "--response", "completion", *change]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback, exit code 2."""
    assert main(["judge", "nowhere.csv"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err


def test_report_refuses_what_is_no_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a missing file nor another document becomes an empty report."""
    (tmp_path / "x.json").write_text("{}")
    assert main(["report", str(tmp_path / "x.json"), "--out", str(tmp_path / "o")]) == 2
    assert main(["report", str(tmp_path / "none.json"), "--out", str(tmp_path / "o")]) == 2
    assert "schema None" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            "train sft --base b --data d --out o --learning-rate 1e-3",
            "safetydrift train sft: error: unrecognized arguments: --learning-rate 1e-3; did you mean '--rate'? known:",
        ),
        (
            "train data run --out o --par=5",
            "safetydrift train data: error: unrecognized arguments: --par=5; did you mean",
        ),
        ("report r.json more --out o", "safetydrift report: error: unrecognized arguments: more\n"),
    ],
)
def test_an_unknown_option_is_named_with_the_closest(told: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the command that was called, not of all; exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(told.split())
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(said)
