"""The command-line options, and what they say as one value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_safetydrift.engines.options import EngineOptions

__all__ = ["GateOptions", "add_options", "read_options"]


@dataclass(frozen=True, slots=True)
class GateOptions:
    """Every option of the plugin, parsed. Paths are absolute, or None where none was given."""

    checkpoints: tuple[str, ...]
    baseline: str
    policy: Path | None
    report: Path | None
    store: Path
    seed: int
    strict: bool
    redact: bool
    noise: bool
    engine: EngineOptions
    invoked_from: Path
    judges: tuple[str, ...] = ()
    judge_panel: str = ""
    attacker: str = ""
    open_engines: int = 2


def add_options(parser: pytest.Parser) -> None:
    """Register the options."""
    group = parser.getgroup("safetydrift", "safety regression gate for language models")
    add = group.addoption
    add(
        "--checkpoint",
        action="append",
        default=[],
        metavar="REF",
        help="checkpoint to judge (repeatable): DIR, ORG/NAME@REV, BASE+ADAPTER, "
        "openai:NAME@URL, recorded:FILE, demo:NAME",
    )
    add("--baseline", default="", metavar="REF", help="checkpoint to compare with; also run:RECORD.json")
    add(
        "--judge",
        action="append",
        default=[],
        metavar="[KIND=]REF",
        help="model that judges in place of the refusal rules (repeatable): wildguard=DIR, rubric=openai:NAME@URL, "
        "rubric:FILE=REF, quality=REF",
    )
    add(
        "--judge-panel", default="", metavar="RULE", help="several judges and the rules decide by majority or unanimous"
    )
    add(
        "--safetydrift-policy",
        metavar="FILE",
        help="policy file, or built-in:NAME (default: safetydrift.toml, pyproject.toml, built-in:default)",
    )
    add("--safetydrift-report", metavar="DIR", help="folder for the report (default: reports/runs/<time>-<name>)")
    add("--safetydrift-store", metavar="DIR", help="folder of stored answers (default: .safetydrift)")
    add("--safetydrift-seed", type=int, default=0, metavar="N", help="seed of sampled answers (default: 0)")
    add("--safetydrift-strict", action="store_true", help="unplanned generation and a missing --checkpoint are errors")
    add("--safetydrift-redact", action="store_true", help="leave prompts and answers out of the report")
    add(
        "--safetydrift-noise",
        action="store_true",
        help="ask the baseline twice (other seeds, other order): what a change means here",
    )
    add(
        "--attacker",
        default="",
        metavar="REF",
        help="model that attacks, in attacks that want one such as pair(5); self: every checkpoint attacks itself",
    )
    add(
        "--open-engines",
        type=int,
        default=2,
        metavar="N",
        help="models loaded at a time; 1 where attacker and target do not fit together (default: 2)",
    )
    add("--engine", default="auto", choices=["auto", "transformers", "vllm"], help="engine of local checkpoints")
    add(
        "--engine-arg",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="argument of the engine itself (repeatable), such as tensor_parallel_size=4",
    )
    add("--dtype", default="auto", metavar="TYPE", help="float32, bfloat16, float16 (default: float32 on a CPU)")
    add(
        "--device", default="", metavar="DEV", help="cpu, or a CUDA_VISIBLE_DEVICES list such as 0,1, for local engines"
    )
    add("--batch-tokens", type=int, default=0, metavar="N", help="tokens in one batch of transformers (default: fit)")
    add("--allow-pickle", action="store_true", help="load pickled weights, which can run code")
    add("--trust-remote-code", action="store_true", help="run Python code that a checkpoint brings")
    add(
        "--served-identity",
        default="",
        metavar="TEXT",
        help="revision served by openai: checkpoints; keeps their answers",
    )
    add("--concurrency", type=int, default=32, metavar="N", help="requests in flight to a server (default: 32)")
    add("--request-timeout", type=float, default=120.0, metavar="S", help="seconds to wait for a server's answer")


def read_options(config: pytest.Config) -> GateOptions:
    """Read them back; raises `pytest.UsageError` or `UsageError` where they do not fit together."""
    # this module stands at the front door, where nothing but pytest is imported
    from pytest_safetydrift.engines.options import EngineOptions, read_engine_args

    get = config.getoption
    here = config.invocation_params.dir
    if get("open_engines") < 1:
        raise pytest.UsageError(f"--open-engines must be >= 1, got {get('open_engines')}")
    doubled = [c for c in get("checkpoint") if get("checkpoint").count(c) > 1]
    if doubled:
        raise pytest.UsageError(f"--checkpoint {doubled[0]} is given twice")
    return GateOptions(
        checkpoints=tuple(get("checkpoint")),
        baseline=get("baseline"),
        policy=_path(here, get("safetydrift_policy")),
        report=_path(here, get("safetydrift_report")),
        store=_path(here, get("safetydrift_store")) or config.rootpath / ".safetydrift",
        seed=get("safetydrift_seed"),
        strict=get("safetydrift_strict"),
        redact=get("safetydrift_redact"),
        noise=get("safetydrift_noise"),
        engine=EngineOptions(
            kind=get("engine"),
            dtype=get("dtype"),
            device=get("device"),
            batch_tokens=get("batch_tokens"),
            engine_args=read_engine_args(get("engine_arg")),
            allow_pickle=get("allow_pickle"),
            trust_remote_code=get("trust_remote_code"),
            served_identity=get("served_identity"),
            concurrency=get("concurrency"),
            timeout_s=get("request_timeout"),
        ),
        invoked_from=here,
        judges=tuple(get("judge")),
        judge_panel=get("judge_panel"),
        attacker=get("attacker"),
        open_engines=get("open_engines"),
    )


def _path(here: Path, given: str | None) -> Path | None:
    return here / given if given else None
