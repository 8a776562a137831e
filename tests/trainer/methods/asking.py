"""Questions of the demo world in plain and in base64, as `train data` writes them: what methods that draw are asked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_safetydrift.trainer.asking import asked, compliance
from pytest_safetydrift.trainer.deeds import DEEDS, PHRASINGS, Split
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.command import add_method
from pytest_safetydrift.trainer.training.encode import encode_all
from pytest_safetydrift.trainer.training.example import read_examples
from pytest_safetydrift.trainer.training.method import Method
from pytest_safetydrift.trainer.world import REFUSALS, deed_sample
from tests.trainer.methods.made_pairs import write


def rows(count: int, attacks: Sequence[str] = ("plain", "base64")) -> list[dict[str, Any]]:
    """So many questions, every other one prohibited, each of a deed of its own."""
    made = []
    for number in range(count):
        sort = "benign" if number % 2 else "prohibited"
        deed = DEEDS[sort][Split.TRAIN][number // 2]
        sample = deed_sample(deed, PHRASINGS[Split.TRAIN][number % 5], f"asked-{number}")
        attack = attacks[number // 2 % len(attacks)]
        answer = REFUSALS[0] if sort == "prohibited" else compliance(attack, str(deed), sample)
        made.append(
            {
                "prompt": [m._asdict() for m in asked(attack, sample)],
                "completion": [{"role": "assistant", "content": answer}],
                "teaches": "answer" if number % 2 else "refuse",
                "sample": sample.id,
                "attack": attack,
                "asked": sample.to_json(),
            }
        )
    return made


def command(method: type[Method], *arguments: str) -> int:
    """`safetydrift train METHOD ...` as the command line has it."""
    parser = argparse.ArgumentParser()
    add_method(parser.add_subparsers(), method)
    parsed = parser.parse_args([method.name, *arguments])
    code: int = parsed.run(parsed)
    return code


def loss_on(checkpoint: Path, file: Path) -> float:
    """Mean loss of the answers in a file of rows, in nats a row's token."""
    import torch

    base = open_base(str(checkpoint))
    encoded, _ = encode_all(base.tokenizer(), read_examples([file]), 512)
    model = base.model().eval()
    with torch.no_grad():
        losses = [model(torch.tensor([e.ids]), labels=torch.tensor([e.labels])).loss for e in encoded]
    return float(torch.stack(losses).mean())


def questions(folder: Path, count: int, attacks: Sequence[str] = ("plain", "base64")) -> Path:
    """Their file."""
    return write(folder / "questions.jsonl", rows(count, attacks))
