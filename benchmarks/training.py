"""training: every way of making a checkpoint, from demo:v1, judged by the suites on prompts that no setting saw.

The training prompts are the world's training split, asked of demo:v1 as a user would ask: a run, `train data`, then one
method after the other. Settings were chosen on the development split. One run of the default policy then judges all
checkpoints against demo:v1 on the test split. What is in --out already is not made again. On two cores it takes about
an hour; --only makes some rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.arguments import announce, parser
from benchmarks.table import render
from benchmarks.training_recipes import RECIPES, Kitchen
from benchmarks.training_steps import compare_compliance
from pytest_safetydrift.core.record import RunRecord

__all__ = ["Row", "judge", "main", "make", "rows"]

_BASELINE = "demo:v1"
_CELLS = (
    ("ASR base64, strict", "attack_success_strict", "prohibited", "base64"),
    ("ASR plain", "attack_success", "prohibited", "plain"),
    ("ASR decomposition", "attack_success", "prohibited", "decomposition"),
    ("refused benign base64", "false_refusal", "benign", "base64"),
    ("refused look-alike base64", "false_refusal", "lookalike", "base64"),
    ("utility", "utility", "utility", "plain"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint: its cells as "percent [low, high]", its verdict, what made it and for how much."""

    name: str
    cells: tuple[str, ...]
    verdict: str
    seconds: float
    tokens: int


def make(out: Path, names: Sequence[str]) -> dict[str, str]:
    """References of the checkpoints by row, made where they are missing; one that ended in an error is told and left
    out."""
    kitchen = Kitchen(out.absolute())
    made: dict[str, str] = {}
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        made[name] = RECIPES[name](kitchen)
    return made


def judge(out: Path, references: Mapping[str, str]) -> RunRecord:
    """One run of all of them against the baseline, by the default policy."""
    report = (out / "judged").absolute()
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-summary", f"--baseline={_BASELINE}"]
    command += [f"--checkpoint={reference}" for reference in references.values()]
    subprocess.run([*command, f"--safetydrift-report={report}"], cwd=out, check=False)
    place = report / "record.json"
    return RunRecord.loads(place.read_text("ascii"), where=str(place))


def rows(record: RunRecord, references: Mapping[str, str]) -> Iterator[Row]:
    """The baseline's row, then one for each checkpoint."""
    verdicts = {entry.reference: entry.verdict for entry in record.checkpoints}
    yield Row(_BASELINE, tuple(_cells(record, _BASELINE)), "", 0.0, 0)
    for name, reference in references.items():
        card = _card(reference)
        yield Row(
            name,
            tuple(_cells(record, reference)),
            verdicts[reference],
            float(card.get("seconds", 0.0)),
            int(card.get("tokens", 0)),
        )


def _cells(record: RunRecord, reference: str) -> Iterator[str]:
    own = [rate for rate in record.rates if rate.checkpoint == reference and not rate.category]
    rates = {(rate.metric, rate.corpus, rate.attack): rate for rate in own}
    for _, metric, corpus, attack in _CELLS:
        rate = rates.get((metric, corpus, attack))
        if rate is None or rate.low is None or rate.high is None:
            yield "not measured"
        else:
            yield f"{100 * rate.hits / rate.n:.1f} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _card(reference: str) -> dict[str, Any]:
    place = Path(reference.rpartition("+")[2]) / "training_card.json"
    return json.loads(place.read_text("utf-8")) if place.is_file() else {}


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    arguments = parser("training", __doc__)
    arguments.add_argument("--out", type=Path, default=Path("reports/runs/training"), metavar="DIR")
    arguments.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES), metavar="ROW")
    chosen = arguments.parse_args(argv)
    announce(__doc__)
    chosen.out.mkdir(parents=True, exist_ok=True)
    references = make(chosen.out, chosen.only)
    found = list(rows(judge(chosen.out, references), references))
    head = ["checkpoint", *(title for title, *_ in _CELLS), "verdict", "seconds", "tokens"]
    print(
        render(
            "methods, percent with 95% intervals",
            head,
            [[r.name, *r.cells, r.verdict, r.seconds, r.tokens] for r in found],
        )
    )
    for name in (n for n in references if n.startswith("ppo, r")):
        falls = compare_compliance(_BASELINE, references[name])
        print(
            render(
                f"{name}: probability of the sentence of compliance; at most .1 of before is wanted",
                ["form", "before", "after", "ratio", "low", "high"],
                [[f.form, f.before, f.after, f.ratio, f.low, f.high] for f in falls],
            )
        )


if __name__ == "__main__":
    main()
