"""The `safetydrift` command."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pytest_safetydrift.core.errors import ReportError, SafetyDriftError, closest
from pytest_safetydrift.data_command import add_data_command
from pytest_safetydrift.drift_command import add_drift_command
from pytest_safetydrift.label_command import add_label_command
from pytest_safetydrift.trainer.data.command import add_data_method
from pytest_safetydrift.trainer.loop.command import add_improve_command
from pytest_safetydrift.trainer.methods import NAMES, method_named
from pytest_safetydrift.trainer.preferences.command import add_preferences_method
from pytest_safetydrift.trainer.screening.command import add_screen_method
from pytest_safetydrift.trainer.training.command import add_method
from pytest_safetydrift.trainer.watching.command import add_watch_command
from pytest_safetydrift.weights_command import add_weights_commands

if TYPE_CHECKING:
    from pytest_safetydrift.corpora.table import Table

__all__ = ["main"]

DEMO_CANDIDATES = ("demo:v2a", "demo:v2b", "demo:v3")
DEMO_BASELINE = "demo:v1"

_LIGHT = ("data", "screen", "demo")
"""Commands of `train` that import next to nothing before they run."""
_SIGPIPE = 128 + 13
"""How a shell spells that a command was ended by a closed pipe."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 the demo's verdicts are not as told, 2 wrong usage or input."""
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index("--") if "--" in given else len(given)
    parser = _parser(given)
    arguments, rest = parser.parse_known_args(given[:cut])
    if rest and arguments.run is not _plan:
        _refuse(parser, given[:cut], rest)
    after = given[cut + 1 :]
    if after and not hasattr(arguments, "pytest_args"):
        parser.error(f"nothing takes what stands behind --: {' '.join(after)}")
    arguments.pytest_args = rest + after
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # what is still buffered would be written when Python ends, and fail once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    except SafetyDriftError as e:
        print(f"safetydrift: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _refuse(parser: argparse.ArgumentParser, words: Sequence[str], rest: Sequence[str]) -> NoReturn:
    """End with exit code 2, naming the closest option of the command that the words call."""
    for word in words:
        deeper = (a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction))
        parser = next(deeper, {}).get(word, parser)
    said = f"{parser.prog}: error: unrecognized arguments: {' '.join(rest)}"
    if unknown := next((w.partition("=")[0] for w in rest if w.startswith("--")), ""):
        options = [o for a in parser._actions for o in a.option_strings[:1] if o.startswith("--")]
        said += f"; {closest(unknown, options)}"
    parser.exit(2, f"{said}\n")


def _needed(words: Sequence[str]) -> tuple[str, ...]:
    """The heavy commands of `train` whose options these words may need: what one imports takes longer than many a
    command. `train` without a name that is known, as with --help, shows them all."""
    heavy = ("preferences", *NAMES)
    if words[:1] != ["train"]:
        return ()
    named = words[1:2]
    if named and named[0] in _LIGHT:
        return ()
    return tuple(named) if named and named[0] in heavy else heavy


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="safetydrift", description="Companion of the pytest plugin.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    judge = commands.add_parser("judge", help="judge a file of answers (csv, jsonl, json, parquet)")
    judge.add_argument("file", type=Path)
    judge.add_argument("--prompt", default="prompt", metavar="COLUMN", help="column of the prompts")
    judge.add_argument("--response", default="response", metavar="COLUMN", help="column of the answers")
    judge.add_argument(
        "--id", default="", metavar="COLUMN", help="column of the ids (default: id, else the row's number)"
    )
    judge.add_argument("--out", type=Path, metavar="FILE", help="where to write (default: standard output)")
    judge.set_defaults(run=_judge)

    train = commands.add_parser("train", help="make checkpoints")
    methods = train.add_subparsers(required=True, metavar="METHOD")
    add_data_method(methods)
    add_screen_method(methods)
    for name in _needed(words):
        if name == "preferences":
            add_preferences_method(methods)
        else:
            add_method(methods, method_named(name))
    demo_world = methods.add_parser("demo", help="the small checkpoints of the demo world")
    demo_world.add_argument("names", nargs="+", metavar="NAME", help="base, v1, v2a, v2b, v3")
    demo_world.add_argument("--out", type=Path, metavar="DIR", help="default: a folder of the user's cache")
    demo_world.set_defaults(run=_train_demo)

    plan = commands.add_parser("plan", help="what a run would ask, and what each gate could show; loads no model")
    plan.usage = "safetydrift plan ARGUMENTS OF THE PYTEST RUN"
    plan.set_defaults(run=_plan, pytest_args=[])

    add_label_command(commands)
    add_weights_commands(commands)
    add_data_command(commands)
    add_drift_command(commands)
    add_watch_command(commands)
    add_improve_command(commands)

    report = commands.add_parser("report", help="write the reports of a record.json again")
    report.add_argument("record", type=Path)
    report.add_argument("--out", type=Path, required=True, metavar="DIR")
    report.add_argument("--redact", action="store_true", help="leave prompts and answers out of every file")
    report.set_defaults(run=_report)

    demo = commands.add_parser("demo", help="judge three small checkpoints against a baseline and show the report")
    demo.add_argument("--out", type=Path, default=Path("reports/runs/demo"), metavar="DIR")
    demo.set_defaults(run=_demo)
    return parser


def _judge(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.corpora.table import read_table

    table = read_table(arguments.file)
    table.require(arguments.prompt, arguments.response, *filter(None, [arguments.id]))
    lines = _judged(table, arguments)
    if arguments.out is None:
        sys.stdout.writelines(lines)
        return 0
    try:
        with arguments.out.open("w", encoding="ascii") as f:
            f.writelines(lines)
    except OSError as e:
        raise ReportError(f"{arguments.out}: {e}; name a writable file with --out") from e
    print(f"{len(table.rows)} answers judged: {arguments.out}")
    return 0


def _judged(table: Table, arguments: argparse.Namespace) -> Iterator[str]:
    from pytest_safetydrift.core.conversation import user
    from pytest_safetydrift.core.judgement import Exchange
    from pytest_safetydrift.core.response import Response
    from pytest_safetydrift.core.sample import Intent, Sample
    from pytest_safetydrift.judges import get_judge

    judge = get_judge("refusal")
    for number, row in enumerate(table.rows, 1):
        cells = row.cells
        name, prompt = cells.get(arguments.id or "id") or str(number), cells.get(arguments.prompt, "")
        # a blank prompt is the user's data, and says nothing against judging its answer
        sample = Sample(id=name, prompt=prompt.strip() or "-", intent=Intent.PROHIBITED)
        found = judge.judge(Exchange(sample, (user(prompt),), Response(cells.get(arguments.response, ""))))
        yield json.dumps({"id": name, "outcome": found.outcome, "reason": found.reason or found.rule}) + "\n"


def _train_demo(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.execution.demo import cache_folder
    from pytest_safetydrift.trainer.demo import make, recipe_digest

    # a folder named by all that the weights depend on is never stale
    out = arguments.out or cache_folder() / "demo" / recipe_digest()[:16]
    for name, place in make(arguments.names, out).items():
        print(f"{name}\t{place}")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-qq", "--no-header", *arguments.pytest_args]
    return subprocess.run(command, check=False).returncode


def _report(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.core.record import RunRecord
    from pytest_safetydrift.report.folder import write_report

    try:
        text = arguments.record.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ReportError(f"{arguments.record}: {e}; name the record.json of a run") from e
    for place in write_report(
        RunRecord.loads(text, where=str(arguments.record)), arguments.out, redact=arguments.redact
    ).values():
        print(place)
    return 0


def _demo(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.core.record import RunRecord

    candidates = [f"--checkpoint={c}" for c in DEMO_CANDIDATES]
    print(
        f"Judging {', '.join(DEMO_CANDIDATES)} against {DEMO_BASELINE}; the checkpoints are trained on first use.\n",
        flush=True,
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        *candidates,
        f"--baseline={DEMO_BASELINE}",
        "-q",
        "--tb=no",
        "--no-summary",
    ]
    subprocess.run([*command, f"--safetydrift-report={arguments.out}"], check=False)
    record_file = arguments.out / "record.json"
    if not record_file.is_file():
        return 1
    record = RunRecord.loads(record_file.read_text("ascii"), where=str(record_file))
    verdicts = {c.reference: c.verdict for c in record.checkpoints if c.role == "candidate"}
    as_told = verdicts == {"demo:v2a": "FAIL", "demo:v2b": "FAIL", "demo:v3": "PASS"}
    return 0 if as_told else 1


if __name__ == "__main__":
    sys.exit(main())
