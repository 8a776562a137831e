"""Parts of models, and where they are found."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.trainer.targeted.layout import Slice, find_layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part, kinds_named
from tests.trainer.targeted.conftest import HEAD, VOCABULARY, WIDTH, make_llama

MLP, ATTENTION = 3 * WIDTH * 48, 4 * WIDTH * WIDTH


def test_parts_of_a_llama(llama: Any) -> None:
    """Two layers have two of each kind, and eight heads."""
    layout = find_layout(llama)
    assert layout.parts([Kind.LAYER]) == (Part(0, Kind.LAYER), Part(1, Kind.LAYER))
    assert [len(layout.parts([kind])) for kind in Kind] == [2, 2, 2, 8]


def test_sizes_of_parts(llama: Any) -> None:
    """An MLP has its three matrices, attention its four, a layer these and two norms; four heads make the attention."""
    layout = find_layout(llama)
    assert layout.numbers([Part(0, Kind.MLP)]) == MLP
    assert layout.numbers([Part(0, Kind.ATTENTION)]) == ATTENTION
    assert layout.numbers([Part(0, Kind.LAYER)]) == MLP + ATTENTION + 2 * WIDTH
    assert layout.numbers([Part(1, Kind.HEAD, h) for h in range(4)]) == ATTENTION
    assert layout.total == 2 * (MLP + ATTENTION + 2 * WIDTH) + VOCABULARY * WIDTH + WIDTH  # the tied matrix once


def test_a_head_is_its_rows_and_columns(llama: Any) -> None:
    """Where no head shares keys and values, head 2 has rows of all three projections, and output columns."""
    found = find_layout(llama).slices(Part(1, Kind.HEAD, 2))
    prefix = "model.layers.1.self_attn"
    rows = [Slice(f"{prefix}.{name}_proj.weight", 0, 2 * HEAD, 3 * HEAD) for name in "qkv"]
    assert list(found) == [*rows, Slice(f"{prefix}.o_proj.weight", 1, 2 * HEAD, 3 * HEAD)]


def test_keys_and_values_of_a_group_belong_to_no_head() -> None:
    """With two heads a group, a head has query rows (and their bias) and output columns alone; attention has it all."""
    layout = find_layout(make_llama(groups=2, bias=True))
    names = {s.parameter.removeprefix("model.layers.0.self_attn.") for s in layout.slices(Part(0, Kind.HEAD, 3))}
    assert names == {"q_proj.weight", "q_proj.bias", "o_proj.weight"}
    assert layout.numbers([Part(0, Kind.HEAD, 3)]) == 2 * HEAD * WIDTH + HEAD
    names = {s.parameter.removeprefix("model.layers.0.self_attn.") for s in layout.slices(Part(0, Kind.ATTENTION))}
    assert {"k_proj.weight", "v_proj.bias", "o_proj.bias"} < names


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Part(0, Kind.LAYER), Part(0, Kind.HEAD, 1), True),
        (Part(0, Kind.HEAD, 1), Part(0, Kind.ATTENTION), True),
        (Part(0, Kind.MLP), Part(0, Kind.LAYER), True),
        (Part(0, Kind.HEAD, 1), Part(0, Kind.HEAD, 2), False),
        (Part(0, Kind.MLP), Part(0, Kind.ATTENTION), False),
        (Part(0, Kind.LAYER), Part(1, Kind.LAYER), False),
    ],
)
def test_parts_overlap_where_they_share_weights(one: Part, other: Part, overlap: bool) -> None:
    """A layer holds its parts and attention its heads; neighbours share nothing."""
    assert one.overlaps(other) is other.overlaps(one) is overlap


def test_impossible_parts_are_refused() -> None:
    """A head needs its number, nothing else has one, and a number is not below 0."""
    for layer, kind, head in [(0, Kind.HEAD, None), (0, Kind.MLP, 1), (-1, Kind.MLP, None), (0, Kind.HEAD, -1)]:
        with pytest.raises(ValueError, match="head"):
            Part(layer, kind, head)


def test_unknown_kinds_are_named() -> None:
    """The error names the closest, and what there is."""
    assert kinds_named(["mlp", "head", "mlp"]) == (Kind.MLP, Kind.HEAD)
    with pytest.raises(UsageError, match=r"did you mean 'attention'.*known: attention, head, layer, mlp"):
        kinds_named(["attentions"])
    with pytest.raises(UsageError, match="no kind"):
        kinds_named([])


def test_an_unknown_architecture_says_what_was_looked_for() -> None:
    """GPT-2 has no layers where they are looked for; a layer without an MLP says what it holds."""
    from transformers import GPT2Config, GPT2LMHeadModel

    gpt2 = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=16, n_positions=8))
    with pytest.raises(CheckpointError, match=r"GPT2LMHeadModel .*model\.layers, model\.language_model\.layers"):
        find_layout(gpt2)
    model = make_llama()
    model.model.layers[1].perceptron = model.model.layers[1].mlp
    del model.model.layers[1].mlp
    with pytest.raises(CheckpointError, match=r"model\.layers\.1 has no MLP: looked for mlp, .*found self_attn"):
        find_layout(model)


def test_fused_projections_have_layers_and_no_heads() -> None:
    """Phi-3 writes queries, keys and values in one: heads are refused with the reason, other kinds are found."""
    from transformers import Phi3Config, Phi3ForCausalLM

    config = Phi3Config(
        vocab_size=16,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
    )
    layout = find_layout(Phi3ForCausalLM(config))
    assert layout.parts([Kind.MLP, Kind.ATTENTION]) == (Part(0, Kind.MLP), Part(0, Kind.ATTENTION))
    with pytest.raises(CheckpointError, match=r"there is no q_proj, k_proj, v_proj; choose among the kinds layer, mlp"):
        layout.parts([Kind.HEAD])


def test_an_adapter_apart_is_refused() -> None:
    """Masks of a base below an adapter would train the wrong numbers: it is to be merged first."""
    from peft import LoraConfig, get_peft_model

    with pytest.raises(CheckpointError, match="merge_and_unload"):
        find_layout(get_peft_model(make_llama(), LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")))
