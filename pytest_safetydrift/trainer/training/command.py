"""`safetydrift train METHOD`: one command a method, made out of its configuration."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.option import add_options, from_options
from pytest_safetydrift.trainer.training.ranks import is_first

__all__ = ["add_method"]

_EPILOG = """\
Killed on the way, the same command goes on from the last whole step (in OUT.training). Several processes
(on GPUs `accelerate launch` does as well):
  torchrun --standalone --nproc_per_node 2 -m pytest_safetydrift.cli train {name} ...
"""


def add_method(methods: argparse._SubParsersAction[argparse.ArgumentParser], config: type[Method]) -> None:
    """Add one method to `safetydrift train`."""
    command = methods.add_parser(
        config.name,
        help=config.summary,
        description=config.summary,
        epilog=_EPILOG.format(name=config.name),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(command, config)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the checkpoint")
    command.add_argument("--dry-run", action="store_true", help="say what it would cost, and train nothing")
    command.set_defaults(run=_train, method=config)


def _train(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.trainer.files import check_new, read_or_empty
    from pytest_safetydrift.trainer.training.estimate import machine_rate
    from pytest_safetydrift.trainer.training.run import train

    method = from_options(arguments.method, arguments)
    check_new(arguments.out)
    if arguments.dry_run:
        if is_first():
            print("\n".join(method.estimate().lines(machine_rate())))
        return 0
    _hush()
    place = train(method, arguments.out)
    if is_first():
        print(place, flush=True)
        if base := read_or_empty(place / "adapter_config.json").get("base_model_name_or_path"):
            print(f"an adapter, which is judged with its base: {base}+{place}", file=sys.stderr)
    return 0


def _hush() -> None:
    """Progress is this command's own, and what libraries plan to change is none of the user's business."""
    from datasets import disable_progress_bars
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bars()
    disable_progress_bar()
    set_verbosity_error()
    warnings.filterwarnings("ignore", category=FutureWarning)
