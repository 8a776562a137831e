"""Training of chosen parts: nothing else moves by one bit, and everything in them moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.trainer.targeted.layout import find_layout
from pytest_safetydrift.trainer.targeted.masks import Mask
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from tests.trainer.targeted.conftest import make_llama

CHOSEN = (Part(0, Kind.HEAD, 1), Part(0, Kind.HEAD, 3), Part(1, Kind.MLP), Part(1, Kind.HEAD, 0))


def inside(model: Any, parts: tuple[Part, ...]) -> dict[str, Tensor]:
    """True on the numbers of the parts, worked out apart from the mask."""
    layout = find_layout(model)
    marks = {name: torch.zeros_like(p, dtype=torch.bool) for name, p in model.named_parameters()}
    for part in parts:
        for s in layout.slices(part):
            mark = marks[s.parameter]
            (mark if s.axis is None else mark.narrow(s.axis, s.start, s.stop - s.start)).fill_(True)
    return marks


def batch(seed: int) -> dict[str, Tensor]:
    ids = torch.randint(2, 60, (4, 12), generator=torch.Generator().manual_seed(seed))
    return {"input_ids": ids, "labels": ids}


def copied(model: Any) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def bits(tensor: Tensor) -> Tensor:
    return tensor.detach().view(torch.int32)


@pytest.mark.parametrize("groups", [4, 2])
@pytest.mark.parametrize("tied", [True, False])
def test_a_plain_loop_moves_the_parts_alone(groups: int, tied: bool) -> None:
    """After six steps of AdamW every number outside is the same bit for bit, embeddings tied or not, and every number
    inside is another; AdamW's moments outside are 0."""
    model = make_llama(groups=groups, tied=tied).train()
    mask = Mask(find_layout(model), CHOSEN)
    before, marks = copied(model), inside(model, CHOSEN)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.0)
    mask.check_optimizer(optimizer)
    for step in range(6):
        model(**batch(step)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    mask.check_frozen()
    for name, parameter in model.named_parameters():
        same = bits(parameter) == bits(before[name])
        assert same[~marks[name]].all(), name
        assert not same[marks[name]].any(), name
        for moment in ("exp_avg", "exp_avg_sq"):
            if parameter in optimizer.state:
                assert (optimizer.state[parameter][moment][~marks[name]] == 0).all()
    assert marks["model.embed_tokens.weight"].sum() == 0


def test_the_trainer_of_transformers_moves_the_parts_alone(tmp_path: Path) -> None:
    """Masked before the Trainer is made, with accumulated gradients: the same."""
    from transformers import Trainer, TrainingArguments

    model = make_llama()
    mask = Mask(find_layout(model), CHOSEN)
    before, marks = copied(model), inside(model, CHOSEN)
    rows = [{name: value[0] for name, value in batch(i).items()} for i in range(16)]
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=4,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        learning_rate=1e-3,
        weight_decay=0.0,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    mask.check_decay(arguments.weight_decay)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    mask.check_frozen()
    mask.check_optimizer(trainer.optimizer)
    for name, parameter in model.named_parameters():
        same = bits(parameter) == bits(before[name])
        assert same[~marks[name]].all(), name
        assert not same[marks[name]].any(), name


def test_what_it_describes_is_what_is_trained() -> None:
    """The numbers of the parts, the model's, and their share; partly trained tensors are named."""
    model = make_llama()
    mask = Mask(find_layout(model), CHOSEN)
    told, marked = mask.describe(), sum(int(m.sum()) for m in inside(model, CHOSEN).values())
    assert told["trainable"] == marked
    assert told["total"] == sum(p.numel() for p in model.parameters())
    assert told["share"] == marked / told["total"]
    assert [Part.from_json(row) for row in told["parts"]] == list(CHOSEN)
    assert set(mask.partial) == {f"model.layers.{i}.self_attn.{n}_proj.weight" for i in (0, 1) for n in "qkvo"}


def test_gradients_that_are_not_finite_stay_outside() -> None:
    """NaN in masked rows becomes 0 there, while NaN inside the part is kept, for who watches to see."""
    model = make_llama()
    Mask(find_layout(model), (Part(0, Kind.HEAD, 0),))
    weight = model.model.layers[0].self_attn.q_proj.weight
    (weight * float("nan")).sum().backward()
    assert weight.grad[:8].isnan().all()
    assert (weight.grad[8:] == 0).all()


def test_weight_decay_on_masked_parts_is_refused_with_the_reason() -> None:
    """AdamW would shrink the masked numbers, too; whole MLPs may decay."""
    mask = Mask(find_layout(make_llama()), CHOSEN)
    with pytest.raises(UsageError, match=r"weight_decay must be 0 and is 0\.01: AdamW shrinks every number"):
        mask.check_decay(0.01)
    model = make_llama()
    mask = Mask(find_layout(model), CHOSEN)
    decaying = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], weight_decay=0.1)
    with pytest.raises(UsageError, match=r"weight_decay must be 0 and is 0\.1"):
        mask.check_optimizer(decaying)
    Mask(find_layout(make_llama()), (Part(1, Kind.MLP),)).check_decay(0.1)


def test_what_moves_outside_is_noticed() -> None:
    """Weight decay that was not asked about, one changed bit in a masked row, and a frozen tensor are each named."""
    model = make_llama().train()
    mask = Mask(find_layout(model), CHOSEN)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3, weight_decay=0.1)
    model(**batch(0)).loss.backward()
    optimizer.step()
    with pytest.raises(CheckpointError, match=r"layers\.0\.self_attn\.q_proj\.weight has moved outside"):
        mask.check_frozen()
    model = make_llama()
    mask = Mask(find_layout(model), CHOSEN)
    bits(model.model.norm.weight)[3] ^= 1
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight"):
        mask.check_frozen()


def test_a_mask_can_be_taken_off() -> None:
    """Gradients then flow everywhere again, but into what was frozen before."""
    model = make_llama()
    model.model.norm.weight.requires_grad_(False)
    mask = Mask(find_layout(model), CHOSEN)
    mask.remove()
    model(**batch(0)).loss.backward()
    assert model.model.norm.weight.grad is None
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum(1).min() > 0
    assert model.model.embed_tokens.weight.grad is not None


def test_a_frozen_model_can_be_masked() -> None:
    """Parts of a model whose weights were all frozen are unfrozen."""
    model = make_llama().requires_grad_(False)
    Mask(find_layout(model), (Part(0, Kind.HEAD, 1),))
    model(**batch(0)).loss.backward()
    assert model.model.layers[0].self_attn.o_proj.weight.grad[:, 8:16].abs().min() > 0


def test_impossible_choices_are_refused() -> None:
    """No part, and a head beside its own attention."""
    layout = find_layout(make_llama())
    with pytest.raises(UsageError, match="no part"):
        Mask(layout, ())
    with pytest.raises(UsageError, match="layer 0 attention and layer 0 head 1 share weights"):
        Mask(layout, (Part(0, Kind.HEAD, 1), Part(0, Kind.ATTENTION)))
