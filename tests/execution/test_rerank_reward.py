"""Reward models as critics: a real classifier with weights set by hand, in this process and in its own."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_safetydrift.core.conversation import Conversation, assistant, system, user
from pytest_safetydrift.core.errors import CheckpointError, EngineError
from pytest_safetydrift.core.reference import Reference
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Finish, Response
from pytest_safetydrift.engines import EngineOptions
from pytest_safetydrift.engines.checkpoint import Checkpoint
from pytest_safetydrift.engines.critic import RewardEngine
from pytest_safetydrift.engines.critic_process import identify_reward, open_reward
from pytest_safetydrift.engines.process import EngineProcess
from pytest_safetydrift.execution.resolve import Setting, choose_worlds, resolve
from tests.engines.conftest import CONTEXT, make_tokenizer, tiny_model

__all__ = ["make_critic", "tiny_model"]

WIDTH = 8
CPU = EngineOptions(device="cpu")


def make_critic(
    folder: Path, tokenizer: Any, good: Collection[str], bad: Collection[str], context: int = CONTEXT
) -> Path:
    """A one-layer classifier that counts words: its reward rises with the share of tokens of `good` and falls with
    those of `bad`. Attention looks at all tokens alike and carries their values on; the rest adds nothing."""
    import torch
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=context,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
        rms_norm_eps=1e-12,
    )
    model = LlamaForSequenceClassification(config).float()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.fill_(1.0 if "norm" in name else 0.0)
        attention = model.model.layers[0].self_attn
        for projection in (attention.v_proj, attention.o_proj):
            projection.weight.copy_(torch.eye(WIDTH))
        embeddings = model.model.embed_tokens.weight
        embeddings[:, 0] = 1.0
        for words, value in ((good, 1.0), (bad, -1.0)):
            embeddings[[i for word in words for i in tokenizer(word, add_special_tokens=False)["input_ids"]], 1] = value
        model.score.weight[0, 1] = 1.0
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Likes the byte N, dislikes the byte S; do not write to it."""
    return make_critic(tmp_path_factory.mktemp("critic") / "model", make_tokenizer(), good=["N"], bad=["S"])


@pytest.fixture(scope="module")
def engine(critic: Path) -> Iterator[RewardEngine]:
    """The critic, loaded."""
    made = RewardEngine(Checkpoint(critic), CPU)
    made.load()
    yield made
    made.close()


def rate(engine: Any, *conversations: Conversation) -> list[Response]:
    found = dict(engine.generate([Request("c", turns) for turns in conversations]))
    return [found[i] for i in range(len(conversations))]


def said(answer: str, asked: str = "Go?") -> Conversation:
    return (user(asked), assistant(answer))


def by_hand(tokenizer: Any, text: str) -> float:
    """The reward of a text from its tokens: values of norm(1, v) averaged, added to the last token's, normalised."""
    values = {tokenizer("N", add_special_tokens=False)["input_ids"][0]: 1.0}
    values[tokenizer("S", add_special_tokens=False)["input_ids"][0]] = -1.0
    tokens = [values.get(i, 0.0) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]
    scales = [math.sqrt(WIDTH / (1 + v * v)) for v in tokens]
    one = 1.0 + sum(scales) / len(scales)
    word = tokens[-1] + sum(v * s for v, s in zip(tokens, scales, strict=True)) / len(scales)
    return word / math.sqrt((one * one + word * word) / WIDTH)


def test_the_reward_is_the_classifiers(engine: RewardEngine) -> None:
    """The number is that of the template's text, computed by hand to float precision; the end token is in it."""
    told = rate(engine, said("N N S N"), said("S S"), said("no such byte"))
    texts = [f"<|user|>Go?<|end|><|assistant|>{x}<|end|>" for x in ("N N S N", "S S", "no such byte")]
    expected = [by_hand(make_tokenizer(), text) for text in texts]
    assert [float(r.text) for r in told] == pytest.approx(expected, abs=1e-5)
    assert expected[0] > expected[2] == 0.0 > expected[1]


def test_the_batch_does_not_matter(critic: Path, engine: RewardEngine) -> None:
    """Padded beside longer ones, in batches of few tokens or one by one, every answer has the same reward; the
    order of responses is that of the requests' indices."""
    conversations = [said("N" * (1 + 7 * i % 23) + " S", "Go? " * (i % 4 + 1)) for i in range(12)]
    together = [float(r.text) for r in rate(engine, *conversations)]
    small = RewardEngine(Checkpoint(critic), replace(CPU, batch_tokens=64))
    small.load()
    for other in (rate(small, *conversations), [rate(engine, c)[0] for c in conversations]):
        assert [float(r.text) for r in other] == pytest.approx(together, abs=1e-5)


def test_without_a_padding_token_it_rates_one_by_one(critic: Path, engine: RewardEngine, tmp_path: Path) -> None:
    """A classifier that cannot find the last token of a padded row is given none, and says the same."""
    folder = shutil.copytree(critic, tmp_path / "bare")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": None}))
    bare = RewardEngine(Checkpoint(folder), CPU)
    bare.load()
    conversations = [said("N N"), said("S and so on and on")]
    expected = [float(r.text) for r in rate(engine, *conversations)]
    assert [float(r.text) for r in rate(bare, *conversations)] == pytest.approx(expected, abs=1e-5)


def test_what_cannot_be_rated_is_an_error(engine: RewardEngine) -> None:
    """No answer, and one that is too long, are ERROR responses with the reason; the others have their rewards."""
    found = rate(engine, (user("Go?"),), said("N"), said("N " * CONTEXT), (system("Be."), *said("N")))
    assert [r.finish for r in found] == [Finish.ERROR, Finish.STOP, Finish.ERROR, Finish.STOP]
    assert "no answer to rate" in found[0].error
    assert f"too long for the critic's context of {CONTEXT} tokens" in found[2].error


def test_a_template_that_hides_the_answer_is_an_error(critic: Path, tmp_path: Path) -> None:
    """A critic must read what it rates."""
    folder = shutil.copytree(critic, tmp_path / "deaf")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    deaf = RewardEngine(Checkpoint(folder), CPU)
    deaf.load()
    (found,) = rate(deaf, said("N"))
    assert "leaves out or changes the assistant turn" in found.error


def test_a_reward_that_is_no_number_is_an_error(critic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN from the classifier is an ERROR response, for that answer alone."""
    engine = RewardEngine(Checkpoint(critic), CPU)
    engine.load()
    monkeypatch.setattr(engine, "_rewards", lambda rows: [math.nan if len(r) > 20 else 1.0 for r in rows])
    found = rate(engine, said("N"), said("N is what it says and says"))
    assert [r.finish for r in found] == [Finish.STOP, Finish.ERROR]
    assert "computed nan" in found[1].error


def test_what_is_no_reward_model_is_refused(tiny_model: Path, critic: Path, tmp_path: Path) -> None:
    """A causal model has more than one label; with one label declared, its score weights are in no file; NaN weights
    and adapters are refused as well."""
    with pytest.raises(CheckpointError, match="a reward model has one label, this one has 2"):
        RewardEngine(Checkpoint(tiny_model), CPU).load()
    folder = shutil.copytree(tiny_model, tmp_path / "causal")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "good"}}))
    with pytest.raises(CheckpointError, match=r"1 tensors of the model are in no weight file \(score\.weight\)"):
        RewardEngine(Checkpoint(folder), CPU).load()
    with pytest.raises(CheckpointError, match="must be merged into its base"):
        RewardEngine(Checkpoint(critic, tmp_path), CPU).load()


def test_it_runs_in_a_process_of_its_own(critic: Path, engine: RewardEngine, tiny_model: Path) -> None:
    """The child gives the same rewards, more than once; it is gone after close; what it cannot load is raised here."""
    conversations = [said("N S N"), said("S")]
    process = open_reward(Reference.parse(str(critic)), CPU)
    assert isinstance(process, EngineProcess)
    process.load()
    try:
        assert rate(process, *conversations) == rate(process, *conversations) == rate(engine, *conversations)
    finally:
        process.close()
    assert process.pid is None
    with pytest.raises(EngineError, match="before load"):
        rate(process, *conversations)
    with pytest.raises(CheckpointError, match="one label"):
        open_reward(Reference.parse(str(tiny_model)), CPU).load()


def test_a_changed_byte_is_another_model(critic: Path, tiny_model: Path, tmp_path: Path) -> None:
    """The critic's bytes are part of the reranked model's identity; a copy of the critic is the same critic. The
    training cards of both are read: the families are those of either, and unknown where one card is missing."""
    other, copy, model = (
        shutil.copytree(source, tmp_path / name)
        for source, name in ((critic, "other"), (critic, "copy"), (tiny_model, "model"))
    )
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    for folder, families in ((model, ["encoding"]), (copy, ["persona", "encoding"])):
        (folder / "training_card.json").write_text(json.dumps({"attack_families_trained_on": families}))
    references = []
    for name, folder in (("a", critic), ("b", other), ("c", copy)):
        file = tmp_path / f"{name}.toml"
        file.write_text(f'model = "{model}"\nkind = "reward"\ncritic = "{folder}"')
        references.append(Reference.parse(f"rerank:{file}"))
    setting = Setting(CPU)
    found = resolve(references, choose_worlds(references, setting), setting)
    a, b, c = (found[r.text] for r in references)
    assert (a.error, b.error, c.error) == ("", "", "")
    assert a.target is not None and b.target is not None and c.target is not None  # noqa: PT018
    assert a.target.identity.checkpoint == c.target.identity.checkpoint != b.target.identity.checkpoint
    assert (a.trained_on, c.trained_on) == ((), ("encoding", "persona"))


def test_a_broken_critic_is_the_subjects_error(tiny_model: Path, tmp_path: Path) -> None:
    """A critic without weights leaves the checkpoint unjudged, with the reason: never judged without its critic."""
    (tmp_path / "critic").mkdir()
    (tmp_path / "critic" / "config.json").write_text("{}")
    file = tmp_path / "x.toml"
    file.write_text(f'model = "{tiny_model}"\nkind = "reward"\ncritic = "{tmp_path / "critic"}"')
    reference = Reference.parse(f"rerank:{file}")
    setting = Setting(CPU)
    found = resolve([reference], choose_worlds([reference], setting), setting)[reference.text]
    assert found.target is None
    assert "there are no weights" in found.error


def test_another_engine_for_the_model_is_none_for_the_critic(critic: Path) -> None:
    """Classifiers run by transformers, without the other engine's arguments."""
    reference = Reference.parse(str(critic))
    vllm = replace(CPU, kind="vllm", engine_args=(("max_model_len", "64"),))
    assert identify_reward(reference, vllm) == identify_reward(reference, CPU)
    assert identify_reward(reference, CPU).engine["name"] == "transformers"
