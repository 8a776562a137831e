"""Attribution finds what was planted, and says where nothing can be found."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from pytest_safetydrift.core.errors import CheckpointError, UsageError
from pytest_safetydrift.trainer.targeted.attribution import Attribution, Metric, Places, attribute
from pytest_safetydrift.trainer.targeted.cases import Case, Cases
from pytest_safetydrift.trainer.targeted.layout import find_layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part
from tests.trainer.targeted.conftest import COMPLIANCE, HEAD, REFUSAL, changed, make_cases, make_llama, make_prompts

VALUES, UP = "model.layers.1.self_attn.v_proj.weight", "model.layers.{}.mlp.up_proj.weight"


def refusing(model: Any, *names: str, rows: slice = slice(None)) -> tuple[Any, Cases, tuple[str, ...]]:
    """A donor that differs in these weights, and cases whose refusal is what it likes better for it."""
    donor = changed(model, *names, rows=rows, scale=1.0)
    prompts = make_prompts(12)
    with torch.no_grad():
        liked = [
            donor(input_ids=torch.tensor([p])).logits[0, -1] - model(input_ids=torch.tensor([p])).logits[0, -1]
            for p in prompts
        ]
    order = torch.stack(liked).mean(0).argsort().tolist()
    cases = tuple(Case(p, p, (order[-1], *REFUSAL), (order[0], *COMPLIANCE)) for p in prompts)
    return donor, Cases(cases, left_out=3), names


def effects(found: Attribution) -> dict[Part, float]:
    return {e.part: e.effect.estimate for e in found.effects}


@pytest.mark.parametrize("places", Places)
@pytest.mark.parametrize("metric", Metric)
def test_a_planted_head_is_found(metric: Metric, places: Places) -> None:
    """Where the donor differs in one head's values, that head and its layer are the whole effect, and all
    other heads and the layer before have none."""
    model = make_llama()
    donor, cases, _ = refusing(model, VALUES, rows=slice(2 * HEAD, 3 * HEAD))
    found = attribute(model, donor, cases, metric=metric, places=places)
    by_part = effects(found)
    whole = by_part[Part(1, Kind.LAYER)]
    if metric is Metric.FIRST or places is Places.ALL:
        assert whole == pytest.approx(1.0, abs=1e-3)
        assert by_part[Part(1, Kind.HEAD, 2)] == pytest.approx(1.0, abs=1e-3)
    others = [by_part[p] for p in by_part if p.layer == 0 or (p.kind is Kind.HEAD and p.head != 2)]
    assert max(map(abs, others)) < 1e-3
    assert found.of([Kind.HEAD])[0].part == Part(1, Kind.HEAD, 2)
    assert (found.prompts, found.left_out) == (12, 3)
    assert found.refusing > found.complying


def test_the_trace_says_how_deep_it_is() -> None:
    """A donor that differs in the first layer's MLP: the stream behind either layer is all of it, as that MLP is."""
    model = make_llama()
    donor, cases, _ = refusing(model, UP.format(0))
    found = attribute(model, donor, cases, places=Places.ALL)
    assert [m.estimate for m in found.trace] == pytest.approx([1.0, 1.0], abs=1e-3)
    assert effects(found)[Part(0, Kind.MLP)] == pytest.approx(1.0, abs=1e-3)
    assert found.effects[0].part.layer == 0


def test_effects_fall_and_hold_their_intervals() -> None:
    """They are sorted, each inside its interval."""
    model = make_llama()
    donor, cases, _ = refusing(model, UP.format(0), UP.format(1), VALUES)
    found = attribute(model, donor, cases)
    estimates = [e.effect.estimate for e in found.effects]
    assert estimates == sorted(estimates, reverse=True)
    assert all(e.effect.low <= e.effect.estimate <= e.effect.high for e in found.effects)
    assert len(estimates) == 2 + 2 + 2 + 8


def greedy(model: Any, prompt: tuple[int, ...], count: int) -> tuple[int, ...]:
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def test_batches_do_not_matter() -> None:
    """Answers of one to three tokens to prompts of many lengths: five at a time give what all at once give."""
    model = make_llama(groups=2)
    donor = changed(model, UP.format(0), UP.format(1), VALUES, scale=1.0)
    answers = [(p, greedy(donor, p, 1 + i % 3), greedy(model, p, 1 + i % 2)) for i, p in enumerate(make_prompts(16))]
    cases = Cases(tuple(Case(p, p, theirs, ours) for p, theirs, ours in answers if theirs[0] != ours[0]))
    by_five, at_once = (attribute(model, donor, cases, metric=Metric.CONTINUATION, batch=n) for n in (5, 64))
    assert effects(by_five) == pytest.approx(effects(at_once), abs=1e-4)


def test_two_prompts_of_one_checkpoint(llama: Any) -> None:
    """The refused prompt's stream at its last token, behind the last layer, carries all of it over into the other."""
    prompts = make_prompts(16)
    pairs = [(p, d, greedy(llama, d, 1), greedy(llama, p, 1)) for p, d in zip(prompts[:8], prompts[8:], strict=True)]
    cases = Cases(tuple(Case(*pair) for pair in pairs if pair[2] != pair[3]))
    found = attribute(llama, llama, cases, metric=Metric.CONTINUATION)
    assert found.trace[-1] == pytest.approx((1.0, 1.0, 1.0), abs=1e-3)
    assert found.complying < 0 < found.refusing
    with pytest.raises(UsageError, match="take places last"):
        attribute(llama, llama, cases, metric=Metric.CONTINUATION, places=Places.ALL)


def test_models_are_left_as_they_were() -> None:
    """Weights, mode and flags of gradients."""
    model = make_llama().train()
    donor, cases, _ = refusing(model.eval(), VALUES)
    before = copy.deepcopy(model.train().state_dict())
    attribute(model, donor, cases)
    assert model.training
    assert not donor.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.requires_grad for p in model.parameters())


def test_sides_that_do_not_differ_are_refused(llama: Any) -> None:
    """The same checkpoint twice, and the two the wrong way round, are told; nothing is divided by nothing."""
    with pytest.raises(UsageError, match="does not refuse these prompts more"):
        attribute(llama, llama, make_cases())
    donor, cases, _ = refusing(llama, VALUES)
    with pytest.raises(UsageError, match="does not refuse these prompts more"):
        attribute(donor, llama, cases)


def test_unfit_cases_and_models_are_refused(llama: Any) -> None:
    """Too few cases; first tokens that both sides have; models of other shapes; NaN."""
    cases = make_cases()
    with pytest.raises(UsageError, match="3 cases are too few"):
        attribute(llama, llama, Cases(cases.cases[:3]))
    shared = tuple(Case(c.prompt, c.donor, (50, 9), COMPLIANCE) for c in cases.cases)
    with pytest.raises(UsageError, match=r"begin with the same token .id 50.*--metric continuation"):
        attribute(llama, llama, Cases(shared))
    with pytest.raises(CheckpointError, match=r"k_proj\.weight is \(32, 32\) in the complying and \(16, 32\)"):
        attribute(llama, make_llama(groups=2), cases)
    broken = changed(llama, VALUES, scale=float("nan"))
    with pytest.raises(CheckpointError, match="NaN"):
        attribute(llama, broken, cases)


def test_a_head_of_a_group_can_be_patched() -> None:
    """Grouped queries: every head is a part of its own."""
    layout = find_layout(make_llama(groups=1))
    assert len(layout.parts([Kind.HEAD])) == 8
