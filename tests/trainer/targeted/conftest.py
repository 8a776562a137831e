"""Random Llamas of two layers and four heads, cases in token ids, and a checkpoint that has learnt to refuse."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pytest_safetydrift.trainer.methods.sft import SFT
from pytest_safetydrift.trainer.recipes import Share
from pytest_safetydrift.trainer.targeted.cases import Case, Cases
from pytest_safetydrift.trainer.training.run import train

BASE = str(Path(__file__).parents[3] / "pytest_safetydrift" / "trainer" / "base")
VOCABULARY = 64
WIDTH = 32
HEAD = 8
REFUSAL, COMPLIANCE = (40, 41, 42), (50, 51)


def make_llama(*, groups: int = 4, tied: bool = True, bias: bool = False, layers: int = 2, seed: int = 0) -> Any:
    """Float32, in evaluation mode; wide initial weights, so that every part matters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=groups,
        max_position_embeddings=64,
        initializer_range=0.15,
        tie_word_embeddings=tied,
        attention_bias=bias,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config).float().eval()


def changed(model: Any, *names: str, rows: slice = slice(None), seed: int = 1, scale: float = 0.5) -> Any:
    """A copy of the model with noise on these rows of the named weights."""
    torch.manual_seed(seed)
    other = copy.deepcopy(model)
    parameters = dict(other.named_parameters())
    with torch.no_grad():
        for name in names:
            part = parameters[name][rows]
            part += scale * torch.randn_like(part)
    return other


def make_prompts(count: int = 6, seed: int = 0) -> list[tuple[int, ...]]:
    """Of 3 to 9 tokens."""
    r = Random(seed)
    return [tuple(r.randrange(2, 40) for _ in range(r.randint(3, 9))) for _ in range(count)]


def make_cases(count: int = 6) -> Cases:
    """Both sides asked the same."""
    return Cases(tuple(Case(p, p, REFUSAL, COMPLIANCE) for p in make_prompts(count)))


@pytest.fixture(scope="module")
def llama() -> Any:
    return make_llama()


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain requests of the small world, refused, and benign ones answered."""
    r, file = Random(0), tmp_path_factory.mktemp("targeted") / "rows.jsonl"
    shares = [(Share(1.0, "prohibited", refuse=True), "refuse")] * 2 + [(Share(1.0, "benign"), "answer")]
    lines = []
    for i in range(480):
        share, teaches = shares[i % 3]
        example = share.draw(r)
        row = {"prompt": example.messages[0].content, "completion": example.answer, "teaches": teaches}
        lines.append(json.dumps({**row, "attack": "plain"}) + "\n")
    file.write_text("".join(lines))
    return file


@pytest.fixture(scope="session")
def refusing(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo world's base, which complies, after a few steps towards refusing plain requests."""
    out = tmp_path_factory.mktemp("targeted") / "refusing"
    return train(SFT(base=BASE, data=(rows,), batch=16, steps=25, rate=2e-3, warmup=3), out)
