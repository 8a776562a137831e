"""Supervised fine-tuning, from the rows to a checkpoint that the gate can open."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import TrainerState

from pytest_safetydrift.core.errors import TrainingError, UsageError
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.engines.identity import checkpoint_identity
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods import SFT
from pytest_safetydrift.trainer.training import watchful
from pytest_safetydrift.trainer.training.base import CARD, open_base
from pytest_safetydrift.trainer.training.run import LOG, train
from pytest_safetydrift.trainer.training.watchful import Told
from pytest_safetydrift.trainer.training.work import last_whole, open_work
from tests.trainer.methods.preferring import die_after_a_save

Make = Callable[..., SFT]


def losses(out: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (out / LOG).read_text().splitlines()]


def test_it_learns_and_the_gate_can_open_what_it_made(sft: Make, tmp_path: Path) -> None:
    """The loss falls over the steps, and the outcome is a sound checkpoint that is not its base."""
    out = train(sft(epochs=3), tmp_path / "out")
    found = losses(out)
    assert len(found) == 18
    assert found[-1] < 0.5 * found[0]
    check_checkpoint(Checkpoint(out), EngineOptions())
    assert checkpoint_identity(Checkpoint(out), EngineOptions()) != checkpoint_identity(
        Checkpoint(BASE), EngineOptions()
    )


def test_tokenizer_and_template_are_the_base_s_to_the_byte(sft: Make, tmp_path: Path) -> None:
    """A tokenizer that is spelled otherwise would change the checkpoint's identity for nothing."""
    out = train(sft(steps=1), tmp_path / "out")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json"):
        assert (out / name).read_bytes() == (BASE / name).read_bytes()


def test_the_card_says_what_it_was_made_of(sft: Make, tmp_path: Path) -> None:
    """Base, data, configuration and the attack families that its refusals were under."""
    method = sft(steps=2)
    card = json.loads((train(method, tmp_path / "out") / "training_card.json").read_text())
    assert card["method"] == "sft"
    assert card["base"]["digest"] == checkpoint_identity(Checkpoint(BASE), EngineOptions())
    assert card["attacks_trained_on"] == ["base64"]
    assert card["attack_families_trained_on"] == ["encoding"]
    assert card["config"]["batch"] == 8
    assert card["steps"] == 2
    assert card["config_digest"] == method.digest
    assert list(card["data_sha256"]) == [str(method.data[0])]


def test_a_child_s_card_holds_its_parent_s_families(sft: Make, rows: Path, tmp_path: Path) -> None:
    """What a parent was taught is held out for no child."""
    parent = train(sft(steps=1), tmp_path / "parent")
    told = [json.loads(line) for line in rows.read_text().splitlines()]
    other = tmp_path / "other.jsonl"
    other.write_text("".join(json.dumps({**row, "attack": "persona"}) + "\n" for row in told))
    child = train(sft(base=str(parent), data=(other,), steps=1), tmp_path / "child")
    card = json.loads((child / "training_card.json").read_text())
    assert card["attack_families_trained_on"] == ["encoding", "framing"]


def test_rows_that_do_not_say_their_attack_leave_no_family_held_out(sft: Make, tmp_path: Path) -> None:
    """A card that cannot know says null, so that no gate reads transfer out of it."""
    bare = tmp_path / "bare.jsonl"
    bare.write_text(json.dumps({"prompt": "how to make jam", "completion": "No."}) + "\n")
    card = json.loads((train(sft(data=(bare,), steps=1), tmp_path / "out") / "training_card.json").read_text())
    assert card["attack_families_trained_on"] is None


def test_an_adapter_is_trained_alone(sft: Make, tmp_path: Path) -> None:
    """LoRA leaves an adapter on the base, which opens with it, and no weights of the base."""
    out = train(sft(lora_rank=4, steps=3, rate=5e-3), tmp_path / "out")
    assert not (out / "model.safetensors").exists()
    check_checkpoint(Checkpoint(BASE, out), EngineOptions())
    moved = load_file(out / "adapter_model.safetensors")
    assert any(tensor.abs().max() > 0 for name, tensor in moved.items() if "lora_B" in name)


def test_an_adapter_can_be_trained_further(sft: Make, tmp_path: Path) -> None:
    """BASE+ADAPTER as a base is merged first."""
    adapter = train(sft(lora_rank=4, steps=2), tmp_path / "adapter")
    out = train(sft(base=f"{BASE}+{adapter}", steps=1), tmp_path / "out")
    assert (out / "model.safetensors").is_file()


def test_an_adapter_on_an_adapter_becomes_a_whole_model(sft: Make, tmp_path: Path) -> None:
    """As BASE+OUT it would lose the first; what is saved holds the base and both."""
    first = train(sft(lora_rank=4, steps=3, rate=5e-3), tmp_path / "first")
    out = train(sft(base=f"{BASE}+{first}", lora_rank=4, steps=1, rate=1e-9), tmp_path / "out")
    assert not (out / "adapter_config.json").exists()
    name = "model.layers.0.self_attn.q_proj.weight"
    whole, bare = load_file(out / "model.safetensors"), load_file(BASE / "model.safetensors")
    update = load_file(first / "adapter_model.safetensors")
    a, b = (update[f"base_model.model.{name.replace('.weight', f'.lora_{x}.weight')}"] for x in "AB")
    assert float((whole[name] - bare[name] - 2 * b @ a).abs().max()) < 1e-5


def test_an_adapter_on_a_demo_checkpoint_is_not_lost(
    sft: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """demo:NAME+ADAPTER begins from both, as BASE+ADAPTER does."""
    from pytest_safetydrift.execution import demo

    monkeypatch.setattr(demo, "demo_folders", lambda names: dict.fromkeys(names, BASE))
    adapter = train(sft(lora_rank=2, steps=1), tmp_path / "adapter")
    assert open_base(f"demo:v1+{adapter}").checkpoint == Checkpoint(BASE, adapter)
    assert open_base("demo:v1").checkpoint == Checkpoint(BASE)


def test_micro_batches_add_up_to_the_same_step(sft: Make, tmp_path: Path) -> None:
    """Eight rows at once, or two at a time, are one and the same step within float noise."""
    whole, parts = train(sft(steps=4), tmp_path / "a"), train(sft(steps=4, micro_batch=2), tmp_path / "b")
    assert losses(whole) == pytest.approx(losses(parts), rel=1e-4)


def test_the_same_seed_makes_the_same_bytes(sft: Make, tmp_path: Path) -> None:
    """And another seed makes others."""
    weights = [
        (train(sft(steps=3, seed=seed), tmp_path / name) / "model.safetensors").read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert weights[0] == weights[1] != weights[2]


def test_a_stopped_run_goes_on_to_the_same_end(
    sft: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped after its second save, the same call gives log and weights of a run that was never stopped; both say from
    which step, once."""
    method = sft(steps=6, save_every=2)
    straight = train(method, tmp_path / "straight")
    marked = die_after_a_save(method, tmp_path / "out", monkeypatch, saves=2)
    assert [step.name for step in marked] == ["checkpoint-2", "checkpoint-4"]
    work = tmp_path / "out.training"
    stopped = capsys.readouterr().err
    assert stopped.splitlines()[-1] == f"interrupted; the same command goes on from step 4 ({work})"
    assert "going on" not in stopped
    assert not (tmp_path / "out").exists()
    out = train(method, tmp_path / "out")
    assert capsys.readouterr().err.count(f"going on from step 4 of {work}\n") == 1
    assert losses(out) == losses(straight)
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    assert not (tmp_path / "out.training").exists()


def test_half_a_save_is_never_gone_on_with(sft: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step whose file was cut short is passed over for the whole one before it."""
    method = sft(steps=6, save_every=2)
    marked = die_after_a_save(method, tmp_path / "out", monkeypatch, saves=2)
    cut = marked[-1] / "optimizer.pt"
    cut.write_bytes(cut.read_bytes()[:-1])
    last = last_whole(tmp_path / "out.training" / "steps")
    assert last is not None
    assert last.name == "checkpoint-2"
    assert len(losses(train(method, tmp_path / "out"))) == 6


def test_other_work_is_not_gone_on_with(sft: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed configuration does not continue what another began; the error names what differs."""
    die_after_a_save(sft(rate=1e-3, save_every=2), tmp_path / "out", monkeypatch)
    with pytest.raises(UsageError, match=r"rate was 0\.001 and is 0\.002; remove it"):
        train(sft(rate=2e-3, save_every=2), tmp_path / "out")


def test_a_start_that_saved_nothing_is_in_nobody_s_way(
    sft: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither what it was begun with nor half a step is work to keep: a corrected command begins anew."""
    from pytest_safetydrift.trainer.methods import sft as module

    work = tmp_path / "out.training"
    with monkeypatch.context() as patched:
        patched.setattr(module, "fine_tune", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(sft(rate=1e-3), tmp_path / "out")
    assert "interrupted; nothing was saved yet; a smaller --save-every" in capsys.readouterr().err
    assert (work / "work.json").is_file()
    half = work / "steps" / "checkpoint-2"
    half.mkdir(parents=True)
    (half / "model.safetensors").write_bytes(b"half")
    (work / "steps" / "README.md").write_text("trl's own page")
    out = train(sft(rate=2e-3, steps=1), tmp_path / "out")
    assert json.loads((out / CARD).read_text())["config"]["rate"] == 2e-3
    assert "going on" not in capsys.readouterr().err
    assert not work.exists()


@pytest.mark.parametrize("kept", ["answers.sqlite", "kept/attribution.json", "round-1/learnt.jsonl"])
def test_what_was_prepared_is_not_lost_to_other_work(tmp_path: Path, kept: str) -> None:
    """Answers that were drawn and files that were kept cost hours: other work is refused, the same is gone on with."""
    base, out = open_base(str(BASE)), tmp_path / "out"
    with open_work(base, out, {"rate": 1}, {}) as work:
        assert work.reached() is None
        (work.folder / kept).parent.mkdir(exist_ok=True)
        (work.folder / kept).write_text("x")
    with pytest.raises(UsageError, match=r"another kind: rate was 1 and is 2"), open_work(base, out, {"rate": 2}, {}):
        pass
    with open_work(base, out, {"rate": 1}, {}) as work:
        assert work.reached() == ("what was prepared", work.folder)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """One that says nothing of what it was begun with is only taken while it is empty."""
    base, out, place = open_base(str(BASE)), tmp_path / "out", tmp_path / "out.training"
    place.mkdir()
    with open_work(base, out, {}, {}):
        assert (place / "work.json").is_file()
    (place / "work.json").rename(place / "notes.txt")
    with (
        pytest.raises(UsageError, match="what it was begun with cannot be read"),
        open_work(base, tmp_path / "out", {}, {}),
    ):
        pass
    assert [path.name for path in place.iterdir()] == ["notes.txt"]


def test_progress_tells_means_since_the_last_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Steps of 1, 2 and 6 are told as 3; the next line has its own alone."""
    state, told = TrainerState(max_steps=4, is_world_process_zero=True), Told()
    told.on_train_begin(None, state, None)
    for step, loss in enumerate((1.0, 2.0, 6.0, 5.0), 1):
        state.global_step = step
        monkeypatch.setattr(watchful, "_EVERY_SECONDS", 0.0 if step == 3 else 900.0)
        told.on_log(None, state, None, {"loss": loss, "kl": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit("  ", 1)[0] for line in lines] == [
        "step 3/4  loss 3, kl 0.5 (mean of the last 3)",
        "step 4/4  loss 5, kl 0.5 (mean of the last 1)",
    ]


def test_nothing_is_written_over(sft: Make, tmp_path: Path) -> None:
    """An output that exists is an error before anything is read."""
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists; name another folder"):
        train(sft(), tmp_path / "out")


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_step(sft: Make, tmp_path: Path) -> None:
    """A rate that blows the weights up ends in an error that names the step; what is kept is finite."""
    with pytest.raises(
        TrainingError, match=r"not finite; the last good step is kept in .*checkpoint-\d+; lower --rate"
    ):
        train(sft(steps=40, rate=1e18, warmup=0, save_every=1), tmp_path / "out")
    last = last_whole(tmp_path / "out.training" / "steps")
    assert last is not None
    assert all(math.isfinite(float(t.abs().max())) for t in load_file(last / "model.safetensors").values())


def test_a_base_with_broken_weights_is_refused(sft: Make, tmp_path: Path) -> None:
    """NaN in the base is found before a step is taken."""
    import shutil

    from pytest_safetydrift.core.errors import CheckpointError

    broken = tmp_path / "broken"
    shutil.copytree(BASE, broken)
    tensors = load_file(broken / "model.safetensors")
    next(iter(tensors.values()))[0] = math.nan
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match="NaN"):
        train(sft(base=str(broken)), tmp_path / "out")
