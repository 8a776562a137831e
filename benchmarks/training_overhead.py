"""training_overhead: a step of each trainer against a step of a plain loop, on the same rows and batch.

Each trainer runs short, short and long; a step costs the difference of the last two over their steps, so that loading,
reading and saving cancel out. The plain loop is forward, backward and AdamW on the answers of the same rows in the same
order. Only sft does the same work as it; preference methods run two answers and a reference, reward methods generate.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.arguments import announce, parser, positive, scratch
from benchmarks.table import render
from benchmarks.training_recipes import BASE, STEPPED, Kitchen
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.encode import IGNORED, Encoded, encode_all
from pytest_safetydrift.trainer.training.example import files_of, read_examples
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.training.order import draw_order
from pytest_safetydrift.trainer.training.run import train

__all__ = ["main", "plain_seconds", "trainer_seconds"]

_SHORT = 5


def plain_seconds(rows: Sequence[Encoded], batch: int, steps: int) -> float:
    """Seconds of a step of the plain loop, the first left out."""
    import torch
    from torch.nn.functional import cross_entropy

    model = open_base(BASE).model()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0)
    order = draw_order([len(r) for r in rows], batch=batch, steps=steps + 1, seed=0)
    began = 0.0
    for step in range(steps + 1):
        if step == 1:
            began = time.perf_counter()
        ids, labels = _padded([rows[i] for i in order[step * batch : (step + 1) * batch]])
        logits = model(input_ids=ids).logits[:, :-1]
        cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return (time.perf_counter() - began) / steps


def _padded(rows: Sequence[Encoded]) -> tuple[Any, Any]:
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([r.ids + [0] * (width - len(r)) for r in rows])
    labels = torch.tensor([r.labels + [IGNORED] * (width - len(r)) for r in rows])
    return ids, labels


def trainer_seconds(make: Callable[[int], Method], folder: Path, steps: int) -> float:
    """Seconds of a step of a method that `make` gives for a number of steps."""
    spent = []
    for turn, count in enumerate((_SHORT, _SHORT, _SHORT + steps)):  # the first pays for what is loaded once
        began = time.perf_counter()
        train(make(count), folder / f"{turn}")
        spent.append(time.perf_counter() - began)
    return (spent[2] - spent[1]) / steps


def main(argv: Sequence[str] | None = None) -> None:
    """The command line."""
    arguments = parser("training_overhead", __doc__)
    arguments.add_argument(
        "--out", type=Path, default=Path("reports/runs/training"), help="of the benchmark `training`"
    )
    arguments.add_argument("--steps", type=positive, default=20)
    arguments.add_argument("--only", nargs="+", choices=list(STEPPED), default=list(STEPPED), metavar="METHOD")
    chosen = arguments.parse_args(argv)
    announce(__doc__)
    kitchen = Kitchen(chosen.out.absolute())
    examples = read_examples(files_of([kitchen.base64]))[:4096]
    rows, _ = encode_all(open_base(BASE).tokenizer(), examples, 2048)
    table = []
    with scratch() as folder:
        for name in chosen.only:
            plain = plain_seconds(rows, 16, chosen.steps)
            own = trainer_seconds(partial(STEPPED[name], kitchen), folder / name, chosen.steps)
            table.append([name, 1000 * plain, 1000 * own, own / plain])
    print(render("a step of 16 rows", ["method", "plain loop, ms", "trainer, ms", "ratio"], table))


if __name__ == "__main__":
    main()
