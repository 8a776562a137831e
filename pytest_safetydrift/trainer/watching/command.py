"""`safetydrift watch`: a gate over whatever a training saves."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_safetydrift.core.errors import UsageError

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.watching.verdict import Verdict

__all__ = ["add_watch_command"]

STOP = "STOP"
"""The file that asks a training to stop, where no command does."""

_EPILOG = """\
Everything after -- goes to pytest. Ends on Ctrl-C; with --once when all that is there is judged; with --action stop
after a checkpoint that fails. Exit code: 0 all PASS, 1 one failed, 10 one is INCONCLUSIVE or none was judged, 11 a
judging broke, 2 wrong usage.

  safetydrift watch runs/sft --baseline org/base@main
  safetydrift watch runs/sft --baseline runs/v1 --once -- -k asr --safetydrift-policy strict.toml
  safetydrift watch runs/sft --baseline runs/v1 --action stop --on-fail "scancel 4711"
"""


def add_watch_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `watch` to the `safetydrift` command; what stands behind "--" is expected as `pytest_args`."""
    watch = commands.add_parser(
        "watch",
        help="judge every checkpoint that a training saves into a folder",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = watch.add_argument
    add("folder", type=Path, metavar="DIR", help="the folder whose subfolders are checkpoints")
    add("--baseline", default="", metavar="REF", help="checkpoint to compare with; also run:RECORD.json")
    add("--base", default="", metavar="REF", help="model that adapters are on (default: the one they name)")
    add("--action", default="log", choices=["log", "stop", "tag"], help="what a verdict does (default: log)")
    add("--on-fail", default="", metavar="COMMAND", help=f"what stops the training (default: make the file DIR/{STOP})")
    add("--on-inconclusive", default="stop", choices=["stop", "log"], help="to --action stop (default: stop)")
    add("--once", action="store_true", help="judge what is there and end")
    add("--latest", action="store_true", help="only the newest checkpoint waits to be judged")
    add("--again", action="store_true", help="judge also what was judged before, as after a change of policy")
    add("--poll", type=float, default=5.0, metavar="S", help="seconds between two looks (default: 5)")
    add("--settle", type=float, default=10.0, metavar="S", help="seconds without a change (default: 10)")
    add("--limit", type=float, metavar="S", help="seconds that a judging may take (default: no limit)")
    add("--device", default="", metavar="DEV", help="cpu, or a CUDA_VISIBLE_DEVICES list such as 7")
    add("--nice", type=int, default=0, metavar="N", help="added niceness of judging (default: 0)")
    watch.set_defaults(run=_watch, pytest_args=[])


def _watch(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.trainer.watching.inquiry import Inquiry
    from pytest_safetydrift.trainer.watching.watcher import Watcher

    stopper = _stopper(arguments)
    watcher = Watcher(
        arguments.folder,
        Inquiry(
            baseline=arguments.baseline,
            pytest_args=tuple(arguments.pytest_args),
            base=arguments.base,
            device=arguments.device,
            nice=arguments.nice,
            limit_s=arguments.limit,
        ),
        settle_s=arguments.settle,
        poll_s=arguments.poll,
        latest=arguments.latest,
        again=arguments.again,
        say=_say,
    )
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's way of Ctrl-C
    try:
        return watcher.watch(lambda verdict: _act(verdict, arguments, stopper), once=arguments.once)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopper(arguments: argparse.Namespace) -> list[str]:
    """The command that stops the training, [] for the file. Raises `UsageError` where it could not be run."""
    words = shlex.split(arguments.on_fail)
    if words and arguments.action != "stop":
        raise UsageError("--on-fail belongs to --action stop")
    if words and shutil.which(words[0]) is None:
        raise UsageError(f"--on-fail: there is no command {words[0]!r}; for shell text write: sh -c '...'")
    return words


def _act(verdict: Verdict, arguments: argparse.Namespace, stopper: list[str]) -> bool:
    """Do what the action says; True where the watch is over."""
    from pytest_safetydrift.trainer.watching.ledger import tag

    if arguments.action == "tag":
        try:
            tag(verdict)
        except OSError as error:
            print(f"safetydrift: {verdict.name} cannot be tagged: {error}", file=sys.stderr)
    if arguments.action != "stop" or not verdict.stops(arguments.on_inconclusive):
        return False
    if not stopper:
        (arguments.folder / STOP).write_text(f"{verdict.line}\n", "utf-8")
        _say(f"{arguments.folder / STOP} asks the training to stop")
        return True
    told = {
        "SAFETYDRIFT_VERDICT": str(verdict.verdict),
        "SAFETYDRIFT_CHECKPOINT": verdict.folder,
        "SAFETYDRIFT_REPORT": verdict.report,
    }
    status = subprocess.run(stopper, env={**os.environ, **told}, check=False).returncode
    if status:
        print(f"safetydrift: --on-fail ended with exit status {status}", file=sys.stderr)
    return True


def _say(line: str) -> None:
    print(line, flush=True)
