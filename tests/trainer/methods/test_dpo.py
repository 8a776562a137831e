"""Direct preference optimisation: the loss that is trained on, and the checkpoint that comes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("trl", reason="preferences are trained on through trl")

import torch

from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods.dpo import DPO
from pytest_safetydrift.trainer.preferences.comparing import Models
from pytest_safetydrift.trainer.preferences.encoded import encode_pairs
from pytest_safetydrift.trainer.preferences.rows import FILE, read_preferences
from pytest_safetydrift.trainer.reward.preference import preference_loss
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.run import train
from tests.trainer.methods.preferring import card, die_after_a_save, logged
from tests.trainer.preferences.pairs import NO, THINGS, pair, write_rows

Make = Callable[..., DPO]


@pytest.fixture
def dpo(tmp_path: Path) -> Make:
    """Makes a configuration over a pair for each thing, noisy for the first: four steps of four."""
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / FILE, [pair(thing, noise=0.25 if thing == "a gun" else 0.0) for thing in THINGS])

    def make(**changes: Any) -> DPO:
        settings = {"data": (tmp_path / "data",), "batch": 4, "epochs": 2.0, "rate": 1e-3, "warmup": 1}
        return DPO(**{"base": str(BASE), **settings, **changes})

    return make


def test_preferred_answers_gain_on_the_others(dpo: Make, tmp_path: Path) -> None:
    """Nothing has moved at the first step, where the loss is log 2; then the margins grow, and the gate can open it."""
    out = train(dpo(epochs=4), tmp_path / "out")
    assert len(logged(out)) == 8
    assert logged(out)[0] == pytest.approx(math.log(2), abs=1e-4)
    assert logged(out)[-1] < 0.8 * math.log(2)
    assert logged(out, "rewards/margins")[-1] > 0.3
    assert logged(out, "rewards/accuracies")[-1] == 1.0
    check_checkpoint(Checkpoint(out), EngineOptions())


def test_the_card_says_what_was_taught(dpo: Make, tmp_path: Path) -> None:
    """Families from the pairs that prefer refusals; the noise that counted."""
    found = card(train(dpo(steps=1), tmp_path / "a"))
    assert (found["method"], found["attacks_trained_on"]) == ("dpo", ["plain"])
    assert found["noise"] == 0.25 / 8
    assert found["config"]["beta"] == 0.1
    assert found["config"]["loss"] == "conservative"
    assert card(train(dpo(steps=1, loss="sigmoid"), tmp_path / "b"))["noise"] == 0


@pytest.mark.parametrize(("unbiased", "anchor"), [(False, 0.0), (True, 0.0), (False, 0.5)])
def test_the_loss_is_the_one_of_the_pure_function(dpo: Make, tmp_path: Path, unbiased: bool, anchor: float) -> None:
    """From log-probabilities that are taken here from whole logits, with each row's own noise; an anchor adds the mean
    negative log-likelihood of a preferred answer's tokens."""
    from pytest_safetydrift.trainer.preferences.pair_trainer import PairTrainer

    base = open_base(str(BASE))
    model, reference, tokenizer = base.model(), base.model(), base.tokenizer()
    torch.manual_seed(0)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.01 * torch.randn_like(weights))
    rows, _ = encode_pairs(tokenizer, read_preferences(dpo().inputs()), 512)
    settings = {"output_dir": str(tmp_path), "per_device_train_batch_size": 8, "use_cpu": True, "bf16": False}
    settings |= {"train_sampling_strategy": "sequential", "report_to": []}
    trainer = PairTrainer(
        rows, Models(model, reference, tokenizer, settings), beta=0.5, unbiased=unbiased, anchor=anchor
    )
    loss = trainer.compute_loss(trainer.model, next(iter(trainer.get_train_dataloader())))

    def scored(prompt: list[int], answer: list[int]) -> torch.Tensor:
        """[T, 2]: log-probabilities of the answer's tokens under the model and the reference."""
        ids = torch.tensor([prompt + answer])
        with torch.no_grad():
            both = [m.eval()(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1) for m in (model, reference)]
        return torch.stack([scores.gather(1, torch.tensor(answer)[:, None])[:, 0] for scores in both], 1)

    chosen = [scored(r.prompt, r.chosen) for r in rows]
    rejected = [scored(r.prompt, r.rejected) for r in rows]
    gains = [torch.stack([(s[:, 0] - s[:, 1]).sum() for s in side]) for side in (chosen, rejected)]
    margins = 0.5 * (gains[0] - gains[1])
    noise = torch.tensor([r.noise for r in rows])
    assert float(margins.abs().max()) > 0.1
    wanted = preference_loss(margins, noise=noise, unbiased=unbiased).mean()
    wanted = wanted - anchor * torch.stack([s[:, 0].mean() for s in chosen]).mean()
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-4)
    assert loss.item() != pytest.approx(preference_loss(margins).mean().item(), rel=1e-3)


def test_noise_is_heeded_unless_sigmoid_is_wanted(dpo: Make, tmp_path: Path) -> None:
    """Sigmoid trains as if no row stated any; the other losses part from it once something has moved."""
    last = {loss: logged(train(dpo(steps=3, loss=loss), tmp_path / loss))[-1] for loss in ("sigmoid", "robust")}
    data = tmp_path / "clean.jsonl"
    write_rows(data, map(pair, THINGS))
    clean = logged(train(dpo(steps=3, loss="robust", data=(data,)), tmp_path / "clean"))[-1]
    assert last["sigmoid"] == pytest.approx(clean, rel=1e-6)
    assert last["robust"] != pytest.approx(clean, rel=1e-6)


def test_an_anchor_keeps_preferred_answers_likely(dpo: Make, tmp_path: Path) -> None:
    """With it they gain more on the reference than by the margin alone."""
    bare, anchored = (train(dpo(anchor=a), tmp_path / str(a)) for a in (0.0, 1.0))
    assert logged(anchored, "rewards/chosen")[-1] > logged(bare, "rewards/chosen")[-1]


def test_adapters_are_compared_with_the_base_without_them(dpo: Make, tmp_path: Path) -> None:
    """LoRA begins at log 2 as well, learns, and leaves one adapter and nothing of the reference."""
    out = train(dpo(lora_rank=4, rate=1e-2, epochs=4), tmp_path / "out")
    assert logged(out)[0] == pytest.approx(math.log(2), abs=1e-4)
    assert logged(out)[-1] < 0.9 * math.log(2)
    check_checkpoint(Checkpoint(BASE, out), EngineOptions())
    assert not (out / "ref").exists()
    assert not (out / "model.safetensors").exists()


def test_a_stopped_run_goes_on_to_the_same_end(dpo: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference is the base and not where it was stopped: log and weights are those of an unbroken run."""
    method = dpo(save_every=2)
    straight, out = train(method, tmp_path / "straight"), tmp_path / "out"
    die_after_a_save(method, out, monkeypatch)
    train(method, out)
    assert logged(out) == logged(straight)
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


def test_micro_batches_add_up_to_the_same_step(dpo: Make, tmp_path: Path) -> None:
    """Four pairs at once, or one at a time."""
    whole, parts = train(dpo(), tmp_path / "a"), train(dpo(micro_batch=1), tmp_path / "b")
    assert logged(whole) == pytest.approx(logged(parts), rel=1e-3)


def test_a_dry_run_loads_no_weights(dpo: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and steps are counted; the reference is one more pass, and one more model in memory without adapters."""
    from pytest_safetydrift.engines import loading

    monkeypatch.setattr(loading, "load_model", lambda *_: pytest.fail("weights were loaded"))
    found = dpo().estimate()
    assert (found.rows, found.steps, found.passes, found.models) == (8, 4, 1, 1)
    assert found.tokens > 8 * 2 * 2 * 10
    assert dpo(lora_rank=2).estimate().models == 0


def test_pairs_that_are_too_long_are_counted(dpo: Make, tmp_path: Path) -> None:
    """They are left out and never cut; where none fits it is an error."""
    rows = [*map(pair, THINGS), {**pair("soup"), "chosen": "well, " * 200}]
    data = write_rows(tmp_path / "long.jsonl", rows)
    assert dpo(data=(data,), max_length=128).estimate().too_long == 1
    with pytest.raises(CorpusError, match="no row fits into 8 tokens, the shortest has"):
        dpo(max_length=8).estimate()


def test_one_class_is_refused_before_training(dpo: Make, tmp_path: Path) -> None:
    """Unless it is allowed."""
    data = write_rows(tmp_path / "refusals.jsonl", map(pair, THINGS[:4]))
    with pytest.raises(CorpusError, match="all 4 preferred answers are refusals"):
        train(dpo(data=(data,)), tmp_path / "out")
    assert dpo(data=(data,), one_class=True).estimate().rows == 4


def test_an_unpaired_row_is_refused(dpo: Make, tmp_path: Path) -> None:
    """Before the model is loaded."""
    data = write_rows(tmp_path / "half.jsonl", [pair("soup"), {"prompt": "how to make a gun", "chosen": NO}])
    with pytest.raises(CorpusError, match="unpaired"):
        train(dpo(data=(data,)), tmp_path / "out")


def test_a_loss_that_is_not_finite_stops(dpo: Make, tmp_path: Path) -> None:
    """With the step, and what to change."""
    with pytest.raises(TrainingError, match=r"not finite; .*lower --rate"):
        train(dpo(steps=20, rate=1e18, warmup=0), tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"beta": 0.0}, "beta must be above 0"),
        ({"beta": math.inf}, "beta"),
        ({"anchor": -1.0}, "anchor must be"),
        ({"loss": "ipo"}, "loss must be sigmoid,"),
    ],
)
def test_impossible_settings_are_refused(dpo: Make, change: dict[str, Any], why: str) -> None:
    """By name."""
    with pytest.raises(UsageError, match=why):
        dpo(**change)
