"""Activations that are recorded, and put into another run."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_safetydrift.trainer.targeted.capture import Site, last_places, recorded, spots_of
from pytest_safetydrift.trainer.targeted.layout import find_layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from pytest_safetydrift.trainer.targeted.patching import patched, patched_at
from pytest_safetydrift.trainer.targeted.runs import Run, evaluating, make_batch
from tests.trainer.targeted.conftest import HEAD, WIDTH, changed, make_llama, make_prompts

SPOTS = [(layer, site) for layer in range(2) for site in Site]
ODD = [f"model.layers.{i}.{name}.weight" for i in (0, 1) for name in ("self_attn.v_proj", "mlp.up_proj")]


def padded(prompts: list[tuple[int, ...]], side: str) -> dict[str, torch.Tensor]:
    longest = max(map(len, prompts))
    rows = [([0] * (longest - len(p)), [*p]) for p in prompts]
    ids = [gap + p if side == "left" else p + gap for gap, p in rows]
    mask = [gap + [1] * len(p) if side == "left" else [1] * len(p) + gap for gap, p in rows]
    marks = torch.tensor(mask)
    places = (marks.cumsum(-1) - 1).clamp(min=0)
    return {"input_ids": torch.tensor(ids), "attention_mask": marks, "position_ids": places}


def last_logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    found: torch.Tensor = model(**inputs, use_cache=False).logits
    return found[torch.arange(len(found)), last_places(inputs["attention_mask"])]


def hooks(model: Any) -> list[int]:
    return [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]


def test_the_last_place_is_found_on_either_side() -> None:
    """Padding left, right or none; a row without any token is refused."""
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]])
    assert last_places(mask).tolist() == [3, 1, 3]
    with pytest.raises(ValueError, match="marks no token"):
        last_places(torch.tensor([[1, 1], [0, 0]]))


@torch.no_grad()
def test_what_is_recorded_is_what_the_model_computes(llama: Any) -> None:
    """States are those that transformers gives out; a layer's state is the one before it and what its two parts add."""
    inputs = padded(make_prompts(), "left")
    with recorded(find_layout(llama), SPOTS) as found:
        states = llama(**inputs, output_hidden_states=True).hidden_states
    assert torch.equal(found[0, Site.STATE], states[1])
    added = found[0, Site.ATTENTION] + found[0, Site.MLP]
    assert torch.allclose(states[0] + added, states[1], atol=1e-5)
    projected = llama.model.layers[1].self_attn.o_proj(found[1, Site.HEADS])
    assert torch.equal(projected, found[1, Site.ATTENTION])


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
def test_one_place_of_each_row_whatever_the_padding(llama: Any, side: str) -> None:
    """The last token's activations are those that each prompt has alone."""
    prompts = make_prompts()
    inputs = padded(prompts, side)
    layout = find_layout(llama)
    with recorded(layout, SPOTS, last_places(inputs["attention_mask"])) as found:
        llama(**inputs)
    for row, prompt in enumerate(prompts):
        with recorded(layout, SPOTS, torch.tensor([len(prompt) - 1])) as alone:
            llama(input_ids=torch.tensor([prompt]))
        for spot in SPOTS:
            assert torch.allclose(found[spot][row], alone[spot][0], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_its_own_activations_change_nothing(llama: Any, side: str, everywhere: bool) -> None:
    """Every part patched with the same run's activations gives the same logits, bit for bit."""
    inputs = padded(make_prompts(), side)
    layout, at = find_layout(llama), None if everywhere else last_places(inputs["attention_mask"])
    with recorded(layout, SPOTS, at) as own:
        before = last_logits(llama, inputs)
    for part in layout.parts(Kind):
        with patched(layout, part, own, at):
            assert torch.equal(last_logits(llama, inputs), before)


@torch.no_grad()
def test_the_whole_stream_of_a_donor_is_the_donor(llama: Any) -> None:
    """Behind the last layer it gives the donor's logits, norm and output matrix being one; then it is gone."""
    donor = changed(llama, *ODD)
    inputs = padded(make_prompts(), "left")
    layout, theirs = find_layout(llama), find_layout(donor)
    at = last_places(inputs["attention_mask"])
    with recorded(theirs, SPOTS, at) as activations:
        wanted = last_logits(donor, inputs)
    before = last_logits(llama, inputs)
    with patched_at(layout, ((1, Site.STATE),), activations, at):
        assert torch.allclose(last_logits(llama, inputs), wanted, atol=1e-5)
    assert not torch.allclose(before, wanted, atol=1e-2)
    assert torch.equal(last_logits(llama, inputs), before)


@torch.no_grad()
def test_a_head_is_patched_alone(llama: Any) -> None:
    """Only its own numbers are the donor's; the heads beside it keep theirs."""
    inputs = padded(make_prompts(), "left")
    layout, part = find_layout(llama), Part(1, Kind.HEAD, 2)
    with recorded(layout, spots_of(part)) as own:
        llama(**inputs)
    donor = {(1, Site.HEADS): torch.full_like(own[1, Site.HEADS], 7.0)}
    with patched(layout, part, donor), recorded(layout, spots_of(part)) as seen:
        llama(**inputs)
    head = slice(2 * HEAD, 3 * HEAD)
    assert (seen[1, Site.HEADS][..., head] == 7.0).all()
    seen[1, Site.HEADS][..., head] = own[1, Site.HEADS][..., head]
    assert torch.equal(seen[1, Site.HEADS], own[1, Site.HEADS])


@torch.no_grad()
def test_hooks_go_when_the_model_fails(llama: Any) -> None:
    """An error inside leaves the model as it was."""
    layout = find_layout(llama)
    before = hooks(llama)
    with pytest.raises(IndexError), recorded(layout, SPOTS):
        llama(input_ids=torch.tensor([[10_000]]))
    assert hooks(llama) == before


@torch.no_grad()
def test_shapes_that_do_not_fit_are_refused(llama: Any) -> None:
    """Activations of another batch are not broadcast."""
    layout, part = find_layout(llama), Part(0, Kind.MLP)
    with (
        pytest.raises(ValueError, match=r"\(1, 32\), and \(2, 32\)"),
        patched(layout, part, {(0, Site.MLP): torch.zeros(1, WIDTH)}, torch.tensor([0, 0])),
    ):
        llama(input_ids=torch.tensor([[3], [4]]))


def test_bfloat16_takes_activations_of_float32() -> None:
    """The donor's are cast, and the model stays in its own dtype."""
    model = make_llama().to(torch.bfloat16)
    inputs = padded(make_prompts(), "left")
    layout = find_layout(model)
    at = last_places(inputs["attention_mask"])
    donor = {(1, Site.STATE): torch.ones(len(at), WIDTH)}
    with evaluating(model), patched_at(layout, ((1, Site.STATE),), donor, at):
        logits = last_logits(model, inputs)
    assert logits.dtype is torch.bfloat16
    assert torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("groups", [4, 2])
def test_a_prefix_that_is_read_once_gives_the_same_patched_logits(groups: int) -> None:
    """At the last place, over several tokens of continuation, with and without the cache, run after run."""
    model = make_llama(groups=groups)
    donor = changed(model, *ODD)
    layout, prompts = find_layout(model), make_prompts()
    behind = [(40, 41, 42)[: 1 + i % 3] for i in range(len(prompts))]
    with evaluating(model, donor):
        runs = [Run(model, make_batch(prompts, behind, "cpu"), everywhere=everywhere) for everywhere in (False, True)]
        theirs = Run(donor, runs[0].batch, everywhere=False)
        with recorded(find_layout(donor), SPOTS, theirs.places) as activations:
            theirs.logits()
        for part in [*layout.parts(Kind), None]:
            found = []
            for run in runs:
                if part is None:
                    found.append(run.logits())
                else:
                    with patched(layout, part, activations, run.places):
                        found.append(run.logits())
            wanted = runs[0].batch.wanted
            assert torch.allclose(found[0][wanted], found[1][wanted], atol=1e-4)


@pytest.mark.parametrize("family", ["Qwen2", "Qwen3", "Mistral", "Gemma2", "Phi"])
def test_other_families_are_patched_alike(family: str) -> None:
    """Biases, norms of heads and of what a part adds, sliding windows that no cache goes back behind, an output
    projection of another name: every part's own activation changes nothing, another's does."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(
        vocab_size=64,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=HEAD,
        sliding_window=4,
        initializer_range=0.2,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config)
    layout, prompts = find_layout(model), make_prompts()
    parts = layout.parts(Kind)
    assert len(parts) == 2 + 2 + 2 + 8
    with evaluating(model):
        run = Run(model, make_batch(prompts, [(40, 41)] * len(prompts), "cpu"), everywhere=False)
        with recorded(layout, SPOTS, run.places) as own:
            before = run.logits()
        other = {spot: value.flip(0) for spot, value in own.items()}
        for part in parts:
            with patched(layout, part, own, run.places):
                assert torch.allclose(run.logits(), before, atol=1e-5)
            with patched(layout, part, other, run.places):
                assert not torch.allclose(run.logits(), before, atol=1e-5)


def test_models_are_left_in_their_mode() -> None:
    """Evaluation inside, as it was afterwards, with gradients off only inside."""
    model = make_llama().train()
    with evaluating(model):
        assert not model.training
        assert not torch.is_grad_enabled()
    assert model.training
    assert torch.is_grad_enabled()
