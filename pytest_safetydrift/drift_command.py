"""`safetydrift drift`: how far two checkpoints' distributions, weights and refusal directions lie apart."""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_safetydrift.core.errors import EngineError, ReportError, UsageError, closest
from pytest_safetydrift.core.quantity import QUANTITIES
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.text import one_line

if TYPE_CHECKING:
    from pytest_safetydrift.engines import EngineOptions
    from pytest_safetydrift.execution.anatomy import Anatomy
    from pytest_safetydrift.execution.battery import Subject
    from pytest_safetydrift.execution.drift import Measured
    from pytest_safetydrift.execution.measure import Measure

__all__ = ["add_drift_command"]

SCHEMA_VERSION = 1
_MEASURED = ("perplexity", "divergence", "final_step")
_EXAMPLES = """\
  safetydrift drift runs/v2 runs/v1 --out drift.json
  safetydrift drift openai:v2@http://localhost:8000/v1 openai:v1@http://localhost:8001/v1
  safetydrift drift runs/v2 runs/v1 --measure perplexity=ours.jsonl --measure final_step=chains@chain
"""


def add_drift_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `drift` to the `safetydrift` command."""
    drift = commands.add_parser(
        "drift",
        help="how far a checkpoint's distributions and weights have moved from a baseline's; decides nothing",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = drift.add_argument
    add("candidate", metavar="CANDIDATE")
    add("baseline", metavar="BASELINE")
    add("--out", type=Path, metavar="FILE", help="write everything as JSON, readings of single prompts too")
    add("--measure", action="append", default=[], metavar="QUANTITY=CORPUS[@ATTACK]", help="in place of the usual ones")
    add("--prompts", type=int, default=200, metavar="N", help="of each corpus; 0 for all (default: 200)")
    add("--top", type=int, default=20, metavar="K", help="likeliest tokens compared at each place (default: 20)")
    add("--no-anatomy", action="store_true", help="leave weights and refusal directions out")
    add("--store", type=Path, default=Path(".safetydrift"), metavar="DIR", help="default: .safetydrift")
    add("--engine", default="auto", help="auto, transformers, vllm: of local checkpoints")
    add("--engine-arg", action="append", default=[], metavar="NAME=VALUE", help="argument of the engine; repeatable")
    add("--dtype", default="auto", help="float32, bfloat16, float16 (default: float32 on a CPU)")
    add("--device", default="", metavar="DEV", help="cpu, or a CUDA_VISIBLE_DEVICES list such as 0,1")
    drift.set_defaults(run=_drift)


def _drift(arguments: argparse.Namespace) -> int:
    from pytest_safetydrift.execution.anatomy import Anatomy, examine_anatomy
    from pytest_safetydrift.execution.drift import measure_drift
    from pytest_safetydrift.execution.progress import Progress
    from pytest_safetydrift.execution.store import Store

    if arguments.prompts < 0 or arguments.top < 1:
        raise UsageError("--prompts must be at least 0, and --top at least 1")
    options, measures = _options(arguments), _measures(arguments.measure)
    run = uuid.uuid4().hex
    ours, theirs = _subjects(arguments, options, measures, run)
    with closing(Store(arguments.store / "answers.sqlite", run=run)) as store:
        found, tally = measure_drift(
            ours, theirs, store, Progress(0), measures=measures, top=arguments.top, prompts=arguments.prompts
        )
        store.forget_run()
    anatomy = Anatomy(notes=("left out, as asked",))
    if not arguments.no_anatomy:
        references = (Reference.parse(arguments.candidate), Reference.parse(arguments.baseline))
        anatomy = examine_anatomy(*references, ours.world, options, prompts=arguments.prompts)
    document = {
        "schema_version": SCHEMA_VERSION,
        "candidate": _who(ours),
        "baseline": _who(theirs),
        "top": arguments.top,
        "requests": {"distinct": tally.distinct, "cached": tally.cached, "generated": tally.generated},
        "quantities": [_quantity(m) for m in found],
        "anatomy": asdict(anatomy),
    }
    print("\n".join([*_quantity_lines(document["quantities"]), *_anatomy_lines(anatomy)]))
    if arguments.out is not None:
        _write(arguments.out, document)
    return 0


def _options(arguments: argparse.Namespace) -> EngineOptions:
    from pytest_safetydrift.engines.options import EngineOptions, read_engine_args

    return EngineOptions(
        kind=arguments.engine,
        dtype=arguments.dtype,
        device=arguments.device,
        engine_args=read_engine_args(arguments.engine_arg),
    )


def _measures(texts: Sequence[str]) -> tuple[Measure, ...]:
    from pytest_safetydrift.attacks import get_attack
    from pytest_safetydrift.execution.drift import MEASURES
    from pytest_safetydrift.execution.measure import Measure

    found = []
    for text in texts:
        quantity, _, place = text.partition("=")
        corpus, _, attack = place.partition("@")
        if quantity not in _MEASURED:
            raise UsageError(f"--measure {text!r}: no such quantity; {closest(quantity, _MEASURED)}")
        if not corpus or (attack and quantity != "final_step"):
            raise UsageError(f"--measure {text!r}: write QUANTITY=CORPUS, or final_step=CORPUS@ATTACK")
        found.append(Measure(quantity, corpus, attack or ("decomposition" if quantity == "final_step" else "plain")))
        get_attack(found[-1].attack)
    return tuple(dict.fromkeys(found)) or MEASURES


def _subjects(
    arguments: argparse.Namespace, options: EngineOptions, measures: Sequence[Measure], run: str
) -> tuple[Subject, Subject]:
    from pytest_safetydrift.execution.drift import check_askable
    from pytest_safetydrift.execution.resolve import Setting, choose_worlds, resolve

    references = [Reference.parse(text) for text in (arguments.candidate, arguments.baseline)]
    for reference in references:
        check_askable(reference)
    setting = Setting(options, corpora=tuple(m.corpus for m in measures), run=run)
    worlds = choose_worlds(references, setting)
    if arguments.measure:
        for measure in measures:
            worlds[references[0].text].samples(measure.corpus)  # an unknown one is an error that names the closest
    subjects = resolve(references, worlds, setting)
    ours, theirs = (subjects[r.text] for r in references)
    for subject in (ours, theirs):
        if subject.error:
            raise EngineError(subject.error)
    return ours, theirs


def _who(subject: Subject) -> dict[str, Any]:
    identity = subject.target.identity if subject.target else None
    return {
        "reference": subject.reference,
        "digest": identity.checkpoint if identity else "",
        "verified": bool(identity and identity.verified),
        "engine": identity.engine if identity else {},
    }


def _quantity(measured: Measured) -> dict[str, Any]:
    """Figures over the prompts that were read on both sides, and every prompt's own reading."""
    from pytest_safetydrift.gates.means import figures

    quantity, sides = QUANTITIES[measured.quantity], measured.sides
    pairs = [
        (a.value, b.value)
        for a, b in zip(sides.candidate, sides.baseline, strict=True)
        if a.value is not None and b.value is not None
    ]
    values, before = tuple(a for a, _ in pairs), tuple(b for _, b in pairs)
    return {
        "quantity": measured.quantity,
        "title": quantity.title,
        "unit": quantity.unit,
        "corpus": measured.corpus,
        "attack": measured.attack,
        "baseline_is": "the baseline against itself" if quantity.relative else "the baseline",
        "n": len(pairs),
        "unread": len(sides.candidate) - len(pairs),
        "figures": asdict(figures(values, before, quantity.bounds)) if len(pairs) > 1 else None,
        "readings": [
            {"sample": a.sample, "candidate": a.value, "baseline": b.value, "why": a.why or b.why}
            for a, b in zip(sides.candidate, sides.baseline, strict=True)
        ],
    }


def _quantity_lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    table = [("QUANTITY", "CORPUS", "PROMPTS", "CANDIDATE", "BASELINE", "CHANGE", "95% INTERVAL", "UNIT")]
    for row in rows:
        name = row["quantity"] if row["attack"] == "plain" else f"{row['quantity']} ({row['attack']})"
        unread = f" ({row['unread']} unread)" if row["unread"] else ""
        table.append((name, row["corpus"], f"{row['n']}{unread}", *_means(row["figures"]), row["unit"]))
    yield from _aligned(table)
    yield "the baseline of a divergence is the baseline against itself; from few tokens a divergence is a lower bound"
    whys = {r["why"] for row in rows for r in row["readings"] if r["why"]}
    yield from (f"unread: {one_line(why)}" for why in sorted(whys)[:5])


def _means(shown: dict[str, float] | None) -> tuple[str, str, str, str]:
    """Candidate, baseline, change and its interval; one prompt or none shows nothing."""
    if shown is None:
        return ("-", "-", "-", "-")
    reach = f"{shown['change_low']:+.4f} to {shown['change_high']:+.4f}"
    return (f"{shown['estimate']:.4f}", f"{shown['baseline_estimate']:.4f}", f"{shown['change']:+.4f}", reach)


def _anatomy_lines(anatomy: Anatomy) -> Iterator[str]:
    if (weights := anatomy.weights) is not None:
        yield ""
        kinds = list(dict.fromkeys(p.kind for p in weights.parts))
        at = {(p.layer, p.kind): _share(p.relative) for p in weights.parts}
        layers = list(dict.fromkeys(p.layer for p in weights.parts))
        table = [("WEIGHTS MOVED", *(k.upper() for k in kinds))]
        table += [(_layer(n), *(at.get((n, k), "-") for k in kinds)) for n in layers]
        yield from _aligned(table)
        cosine = "" if weights.whole.cosine is None else f", cosine {weights.whole.cosine:.6f}"
        yield f"all: {_share(weights.whole.relative)} of the baseline's norm{cosine}"
        if weights.unmatched:
            name, why = weights.unmatched[0]
            yield f"not compared: {len(weights.unmatched)} tensors, such as {one_line(name)}: {why}"
    if anatomy.refusal is not None:
        yield ""
        table = [("REFUSAL DIRECTION", "COSINE", "LENGTH RATIO", "AUC", "BASELINE'S AUC")]
        for r in anatomy.refusal:
            moved = (_or_dash(r.cosine), _or_dash(r.norm_ratio))
            table.append((f"layer {r.layer}", *moved, f"{r.auc:.3f}", f"{r.baseline_auc:.3f}"))
        yield from _aligned(table)
        yield f"from {anatomy.prohibited} prohibited and {anatomy.benign} benign prompts; layer 0 is the embedding"
    yield from (f"note: {one_line(note, 300)}" for note in anatomy.notes)


def _layer(number: int | None) -> str:
    return "outside the layers" if number is None else f"layer {number}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g}%"


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _write(path: Path, document: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "ascii")
    except OSError as e:
        raise ReportError(f"{path}: {e}; name a writable file with --out") from e
    print(f"written: {path}")
