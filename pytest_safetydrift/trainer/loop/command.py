"""`safetydrift improve`: the closed loop from a checkpoint that fails to one that passes."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_improve_command"]

_EPILOG = """\
Everything after -- goes to pytest. Killed on the way, the same command goes on from what is there. Exit code: 0 passed,
1 stopped without a pass, 2 wrong usage, or a step broke.

  safetydrift improve --base org/model@main --out runs/loop
  safetydrift improve --base runs/v1 --out runs/loop --method-arg rate=1e-4 --data-arg pairs=4000 \\
      --data-arg held-out=0.3 --minutes 120 -- tests/safety --safetydrift-policy=policy.toml
"""


def add_improve_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `improve` to the `safetydrift` command; what stands behind "--" is expected as `pytest_args`."""
    improve = commands.add_parser(
        "improve",
        help="gate, train on the failed refusals, gate again on prompts never learnt, until it passes",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = improve.add_argument
    add("--base", required=True, metavar="REF", help="checkpoint to improve")
    add("--out", type=Path, required=True, metavar="DIR", help="folder of the loop, new or one to go on with")
    add("--baseline", default="", metavar="REF", help="what the policy's margins compare with (default: the base)")
    add("--method", default="sft", metavar="NAME", help="how to train, see `safetydrift train` (default: sft)")
    add("--method-arg", action="append", default=[], metavar="NAME=VALUE", help="option of the method; repeatable")
    add("--data-arg", action="append", default=[], metavar="NAME=VALUE", help="option of `train data`; repeatable")
    add("--rounds", type=int, default=3, metavar="N", help="trainings at most (default: 3)")
    add("--minutes", type=float, metavar="X", help="wall time (default: no limit)")
    add("--steps-budget", type=int, metavar="N", help="optimiser steps over all rounds (default: no limit)")
    add(
        "--effects",
        default="held-out",
        choices=["held-out", "all"],
        help="prompts that speak for utility, false refusal and the like: those held out, or all, learnt ones included "
        "(default: held-out)",
    )
    add(
        "--margin",
        type=float,
        default=0.05,
        metavar="X",
        help="how much worse than round 0 other metrics may get where the policy has no margin (default: 0.05)",
    )
    add(
        "--launcher",
        default="",
        metavar="COMMAND",
        help='starts training in place of Python, such as "torchrun --standalone --nproc_per_node 8"',
    )
    add("--device", default="", metavar="DEV", help="of the gate: cpu, or a CUDA_VISIBLE_DEVICES list such as 7")
    add("--root", type=Path, default=Path(), metavar="DIR", help="pytest's root folder (default: this one)")
    add("--store", type=Path, metavar="DIR", help="folder of stored answers (default: .safetydrift in the root)")
    improve.set_defaults(run=_improve, pytest_args=[])


def _improve(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.trainer.loop.decision import Step
    from pytest_safetydrift.trainer.loop.improve import improve
    from pytest_safetydrift.trainer.loop.plan import Plan

    plan = Plan(
        base=arguments.base,
        baseline=arguments.baseline,
        method=arguments.method,
        method_args=tuple(arguments.method_arg),
        data_args=tuple(arguments.data_arg),
        pytest_args=tuple(arguments.pytest_args),
        rounds=arguments.rounds,
        minutes=arguments.minutes,
        steps_budget=arguments.steps_budget,
        effects=arguments.effects,
        margin=arguments.margin,
        root=arguments.root,
        store=arguments.store or arguments.root / ".safetydrift",
        launcher=arguments.launcher,
        device=arguments.device,
    )
    return 0 if improve(plan, arguments.out, _say).step is Step.PASS else 1


def _say(line: str) -> None:
    print(line, flush=True)
