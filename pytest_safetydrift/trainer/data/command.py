"""`safetydrift train data`: a run's failed refusals as a training set."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.text import one_line

__all__ = ["add_data_method", "read_answers_file", "read_refusals_file"]


def add_data_method(methods: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `data` to the methods of `safetydrift train`."""
    data = methods.add_parser("data", help="a run's failed refusals as a training set")
    data.add_argument("record", type=Path, metavar="RUN", help="the run's folder, or its record.json")
    data.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder that does not exist yet")
    data.add_argument("--checkpoint", default="", metavar="REF", help="the one to train (default: the candidate)")
    data.add_argument(
        "--replay-from",
        default="",
        metavar="REF",
        help="whose benign answers are kept (default: the baseline's, else its own)",
    )
    data.add_argument("--pairs", type=int, default=10_000, metavar="N", help="refusals (default: 10000)")
    data.add_argument("--replay", type=float, default=1.0, metavar="X", help="benign pairs a refusal (default: 1)")
    data.add_argument(
        "--attack",
        action="append",
        default=[],
        metavar="ID",
        help="train on this attack, or on family:NAME; repeatable (default: those that the run failed under)",
    )
    data.add_argument(
        "--hold-out", action="append", default=[], metavar="FAMILY", help="keep this attack family out; repeatable"
    )
    data.add_argument("--development", type=float, default=0.1, metavar="X", help="share of prompts (default: 0.1)")
    data.add_argument("--held-out", type=float, default=0.2, metavar="X", help="share of prompts (default: 0.2)")
    data.add_argument(
        "--near", type=float, default=0.6, metavar="X", help="4-gram likeness that ties prompts (default: 0.6)"
    )
    data.add_argument("--answers", type=Path, metavar="FILE", help="right answers to benign prompts: id, answer")
    data.add_argument("--refusals", type=Path, metavar="FILE", help="refusals of your own: column refusal")
    data.add_argument("--seed", type=int, default=0, metavar="N", help="of every draw (default: 0)")
    data.add_argument("--store", type=Path, default=Path(".safetydrift"), metavar="DIR", help="default: .safetydrift")
    data.add_argument("--root", type=Path, default=Path(), metavar="DIR", help="where the run's corpus files are")
    data.set_defaults(run=_data)


def _data(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.trainer.data.build import build
    from pytest_safetydrift.trainer.data.config import DataConfig
    from pytest_safetydrift.trainer.data.folder import write_data
    from pytest_safetydrift.trainer.data.material import read_material
    from pytest_safetydrift.trainer.files import check_new

    check_new(arguments.out)
    config = DataConfig(
        pairs=arguments.pairs,
        replay=arguments.replay,
        attacks=tuple(arguments.attack),
        held_out_families=tuple(arguments.hold_out),
        development=arguments.development,
        held_out=arguments.held_out,
        near=arguments.near,
        seed=arguments.seed,
        refusals=read_refusals_file(arguments.refusals),
        answers=read_answers_file(arguments.answers),
    )
    material = read_material(
        arguments.record,
        arguments.store,
        root=arguments.root,
        checkpoint=arguments.checkpoint,
        replay=arguments.replay_from,
    )
    print(_told(write_data(build(material, config), arguments.out), arguments.out))
    return 0


def read_refusals_file(file: Path | None) -> tuple[str, ...]:
    """The user's own refusals: column `refusal` of a table."""
    return () if file is None else tuple(row["refusal"] for row in _rows(file, "refusal"))


def read_answers_file(file: Path | None) -> dict[str, str]:
    """Right answers to benign samples by id: columns `id` and `answer`. Raises `UsageError` for an id with several."""
    if file is None:
        return {}
    rows = _rows(file, "id", "answer")
    if doubled := [name for name, n in Counter(row["id"] for row in rows).items() if n > 1]:
        raise UsageError(f"{file}: {len(doubled)} ids have several answers ({doubled[0]!r}); keep one of each")
    return {row["id"]: row["answer"] for row in rows}


def _rows(file: Path, *columns: str) -> list[dict[str, str]]:
    """These columns of a table, "" where a row lacks one."""
    from pytest_safetydrift.corpora.table import read_table

    table = read_table(file)
    table.require(*columns)
    return [{name: row.cells.get(name, "") for name in columns} for row in table.rows]


def _told(card: dict[str, Any], out: Path) -> str:
    """What was made, in a few lines."""
    lines = [
        f"{fold}: {count['refuse']['pairs']} refusals of {count['refuse']['prompts']} failed prompts, "
        f"{count['answer']['pairs']} answers to {count['answer']['prompts']} benign ones"
        for fold, count in card["counts"].items()
    ]
    made, wanted = sum(c["refuse"]["pairs"] for c in card["counts"].values()), card["config"]["pairs"]
    if made < wanted:
        lines.append(f"{made} of {wanted} refusals: no phrasing is left; add attacks with --attack")
    lines.append(f"attacks: {', '.join(card['attacks_trained_on'])}")
    lines += [f"left out: {one_line(name)} ({why})" for name, why in card["attacks_left_out"].items()]
    if foreign := card["prompts_not_in_english"]:
        lines.append(f"left out: {len(foreign)} failed prompts that are not in English")
    if alone := card["attacks_without_benign_pairs"]:
        lines.append(f"no benign pairs: {', '.join(alone)}; ask benign prompts so, or their form will be refused")
    return "\n".join([*lines, str(out)])
