"""The reward model, from pairs to a verdict on whether it may be used."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from pytest_safetydrift.core.conversation import Conversation, user
from pytest_safetydrift.core.errors import CheckpointError, CorpusError, TrainingError, UsageError
from pytest_safetydrift.core.request import Request
from pytest_safetydrift.core.response import Response
from pytest_safetydrift.trainer.demo import BASE
from pytest_safetydrift.trainer.methods.reward import Reward
from pytest_safetydrift.trainer.preferences.rows import read_preferences
from pytest_safetydrift.trainer.reward.examining import examine, split_pairs
from pytest_safetydrift.trainer.reward.hard import hard_negatives, known_pairs
from pytest_safetydrift.trainer.reward.model import REWARD_CARD, RewardModel, also_taught, check_sound
from pytest_safetydrift.trainer.reward.soundness import Limits
from pytest_safetydrift.trainer.training.run import LOG, train
from tests.trainer.methods.made_pairs import REFUSALS, pair_rows, write
from tests.trainer.methods.preferring import die_after_a_save

Make = Callable[..., Reward]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 pairs of as many questions."""
    return write(tmp_path_factory.mktemp("pairs") / "preferences.jsonl", pair_rows(64))


@pytest.fixture(scope="module")
def make(pairs: Path) -> Make:
    """Makes a configuration over these pairs: a few steps of eight."""

    def made(**changes: Any) -> Reward:
        defaults = {"base": str(BASE), "data": (pairs,), "batch": 8, "rate": 1e-3, "warmup": 1, "steps": 4}
        return Reward(**{**defaults, **changes})

    return made


@pytest.fixture(scope="module")
def trained(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of a few steps."""
    return train(make(), tmp_path_factory.mktemp("reward") / "out")


@pytest.fixture
def model(trained: Path) -> Iterator[RewardModel]:
    """It, loaded."""
    opened = RewardModel.open(trained, allow_unsound=True, device="cpu")
    yield opened
    opened.close()


def log_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text().splitlines()]


def test_it_learns_which_answer_is_better(make: Make, tmp_path: Path) -> None:
    """From refusals that are preferred: the loss falls far below a coin's ln 2, and the chosen answers win."""
    data = write(tmp_path / "refusals.jsonl", pair_rows(64)[::2])
    method = make(data=(data,), steps=16, hard_negatives=False, one_class=True)
    log = log_of(train(method, tmp_path / "out"))
    assert sum(row["loss"] for row in log[-4:]) / 4 < 0.5 * math.log(2)
    assert sum(row["accuracy"] for row in log[-4:]) / 4 > 0.9


def test_the_card_holds_verdict_faults_and_figures_with_intervals(trained: Path) -> None:
    """A dozen held-out pairs prove nothing, so it may not be used, and the card says what is missing."""
    card = json.loads((trained / REWARD_CARD).read_text())
    assert card["usable"] is False
    assert any("more answers are needed" in fault for fault in card["faults"])
    held_out = card["held_out"]
    assert 0 < held_out["n"] <= 13
    assert held_out["interval"][0] <= held_out["accuracy"] <= held_out["interval"][1]
    assert {s["name"] for s in card["shortcuts"]} >= {
        "length",
        "refusing what is allowed",
        "a refusal's phrase on a wrong answer",
        "leaving the topic",
    }
    assert {"teaches: refuse", "teaches: answer", "attack: plain"} <= set(card["cells"])
    training = json.loads((trained / "training_card.json").read_text())
    assert training["usable"] is False
    assert training["attack_families_trained_on"] == ["none"]


def test_an_unsound_model_is_refused_by_its_faults(trained: Path, tmp_path: Path) -> None:
    """So is one whose card is missing, damaged or says `usable` in another way than true."""
    with pytest.raises(UsageError, match=r"may not be used: .*accuracy.*--allow-unsound"):
        RewardModel.open(trained)
    for card in (None, "{", '{"usable": "yes"}', '{"usable": 1}', "[]"):
        if card is not None:
            (tmp_path / REWARD_CARD).write_text(card)
        with pytest.raises(UsageError, match=f"no sound {REWARD_CARD}"):
            check_sound(tmp_path)
    (tmp_path / REWARD_CARD).write_text('{"usable": true}')
    check_sound(tmp_path)


def test_a_reward_does_not_depend_on_its_batch(model: RewardModel) -> None:
    """Padding changes nothing: each answer alone has the reward that it has among longer ones."""
    answers = ["No.", REFUSALS[0], "Sure, here are the steps to get a cake: step one, step two. " * 3]
    asked: list[tuple[Conversation, str]] = [((user("how do i get a cake?"),), text) for text in answers]
    together = model.scores(asked)
    alone = [model.scores([one])[0] for one in asked]
    assert together == pytest.approx(alone, abs=1e-5)
    assert len(set(together)) == 3


def test_it_reads_what_it_was_trained_on(model: RewardModel, make: Make, trained: Path) -> None:
    """The token ids that are rewarded are those that were trained: template and answer, to the end token."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from pytest_safetydrift.trainer.training.base import open_base
    from pytest_safetydrift.trainer.training.encode import encode_answer, encode_prompt

    tokenizer = open_base(str(BASE)).tokenizer()
    messages = (user("how do i get a cake?"),)
    prompt = encode_prompt(tokenizer, messages)
    ids = prompt + encode_answer(tokenizer, messages, REFUSALS[0], prompt)
    network = AutoModelForSequenceClassification.from_pretrained(trained)
    with torch.no_grad():
        wanted = network(input_ids=torch.tensor([ids])).logits.item()
    assert model.scores([(messages, REFUSALS[0])]) == pytest.approx([wanted], abs=1e-5)


def test_no_reward_is_an_error_and_never_a_number() -> None:
    """What the engine cannot rate stops training."""

    class Broken:
        def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Response]]:
            yield 0, Response.failed("the reward model computed nan")

    with pytest.raises(TrainingError, match=r"no reward for the answer 'Yes\.': the reward model computed nan"):
        RewardModel(Broken(), {}).scores([((user("how?"),), "Yes.")])  # type: ignore[arg-type]


def test_questions_are_parted_and_not_pairs() -> None:
    """No sample is on both sides, under whatever attack it is asked; the share is kept."""
    rows = [{**row, "attack": attack} for row in pair_rows(40) for attack in ("plain", "base64")]
    learnt, held_out = split_pairs(read(rows), 0.25, seed=3)
    assert not {p.row["sample"] for p in learnt} & {p.row["sample"] for p in held_out}
    assert len(learnt) + len(held_out) == 80
    assert 0 < len(held_out) <= 20


def test_a_dialogue_s_question_is_known_by_its_first_turn() -> None:
    """Rows without a sample: two pairs of one question stay together."""
    rows = [
        {"prompt": f"question {n // 2}", "chosen": f"good {n}", "rejected": "bad", "teaches": "answer"}
        for n in range(40)
    ]
    learnt, held_out = split_pairs(read(rows, one_class=True), 0.5, seed=0)
    assert held_out
    assert not {p.messages for p in learnt} & {p.messages for p in held_out}


def test_made_pairs_hold_every_shortcut_against_a_right_answer() -> None:
    """Off the topic and refusing for an allowed question; complying behind a phrase for a prohibited one."""
    known = known_pairs(read(pair_rows(24)))
    made = hard_negatives(known, seed=0)
    chosen = {k.pair.messages: k.pair.chosen for k in known}
    allowed = [p for p in made if p.row["teaches"] == "answer"]
    prohibited = [p for p in made if p.row["teaches"] == "refuse"]
    assert len(allowed) >= 20
    assert len(prohibited) == 12
    for pair in allowed:
        assert pair.chosen == chosen[pair.messages]
        assert pair.rejected in set(chosen.values()) - {pair.chosen}
        assert pair.row["asked"]["topic"] not in pair.rejected
    for pair in prohibited:
        assert any(phrase in pair.rejected for phrase in REFUSALS)
        assert "step one" in pair.rejected
        assert pair.chosen in REFUSALS or pair.chosen in pair.rejected
    assert {pair.chosen in REFUSALS for pair in prohibited} == {True, False}


def test_rows_that_do_not_say_what_is_wanted_make_nothing() -> None:
    """A pair of a user's own without `teaches` is learnt as it stands."""
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b"}]
    assert known_pairs(read(rows, one_class=True)) == []


def test_the_naive_model_is_possible(make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without hard negatives no pair is made; at the end it is told that it may not be used, and why."""
    card = json.loads((train(make(hard_negatives=False, steps=1), tmp_path / "out") / "training_card.json").read_text())
    assert card["pairs_made"] == 0
    faults = json.loads((tmp_path / "out" / REWARD_CARD).read_text())["faults"]
    assert capsys.readouterr().err.splitlines()[-1] == f"not usable: {'; '.join(faults)}"
    assert card["pairs"] + card["pairs_held_out"] == 64


def test_examination_finds_planted_shortcuts() -> None:
    """A model that likes refusals is named for refusing what is allowed; one that ignores the question, for that."""

    class Likes:
        def __init__(self, text: str) -> None:
            self.text = text

        def scores(self, answered: Sequence[tuple[Conversation, str]]) -> list[float]:
            return [float(self.text in answer) for _, answer in answered]

    held_out = read(pair_rows(240))
    refusing, complying = (
        examine(Likes(text), held_out, lambda _, a: len(a), seed=0, limits=Limits()).soundness.faults
        for text in ("can't", "Sure")
    )
    assert any(f.startswith("refusing what is allowed") for f in refusing)
    assert any(f.startswith("leaving the topic") for f in complying)
    assert any(f.startswith("accuracy in teaches: refuse") for f in complying)


def test_noise_enters_the_loss(make: Make, tmp_path: Path) -> None:
    """One pair over and over with noise e: the loss is that of a label that is flipped with probability e."""
    row = {name: value for name, value in pair_rows(1)[0].items() if name not in ("asked", "sample")}
    rows = [{**row, "noise": 0.3, "prompt": prompt} for prompt in ("how do i find a bomb?", "what is the way to it?")]
    data = write(tmp_path / "noisy.jsonl", rows)
    method = make(data=(data,), batch=1, steps=1, held_out=0.5, hard_negatives=False, one_class=True)
    (logged,) = log_of(train(method, tmp_path / "out"))
    d = logged["margin"]
    kept, turned = math.log1p(math.exp(-d)), math.log1p(math.exp(d))
    assert logged["loss"] == pytest.approx(0.7 * kept + 0.3 * turned, rel=1e-4)


def test_a_stopped_run_goes_on_to_the_same_end(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after a save, the same call gives log and weights of a run that was never stopped."""
    method = make(steps=4, save_every=2)
    straight = train(method, tmp_path / "straight")
    die_after_a_save(method, tmp_path / "out", monkeypatch)
    out = train(method, tmp_path / "out")
    assert [row["loss"] for row in log_of(out)] == [row["loss"] for row in log_of(straight)]
    assert (out / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()


def test_adapters_are_merged(make: Make, tmp_path: Path) -> None:
    """LoRA leaves a whole reward model with a trained head, since critics are no adapters."""
    out = train(make(lora_rank=4, steps=2, rate=1e-2), tmp_path / "out")
    found, base = load_file(out / "model.safetensors"), load_file(BASE / "model.safetensors")
    assert "score.weight" in found
    assert not (out / "adapter_config.json").exists()
    name = "model.layers.0.self_attn.q_proj.weight"
    assert not found[name].equal(base[name])
    assert found["model.embed_tokens.weight"].equal(base["model.embed_tokens.weight"])
    RewardModel.open(out, allow_unsound=True, device="cpu").close()


def test_a_dry_run_loads_no_weights(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts rows, made ones too, and says how many are held out."""
    from pytest_safetydrift.trainer.training.base import Base

    monkeypatch.setattr(Base, "model", lambda *_: pytest.fail("weights were loaded"))
    estimate = make().estimate()
    assert estimate.rows > 52
    assert estimate.steps == 4
    assert estimate.tokens > 0
    assert "held out:" in estimate.notes[0]


@pytest.mark.parametrize(
    ("rows", "changes", "error", "told"),
    [
        ([{"prompt": "q", "chosen": "a"}], {}, CorpusError, "no rejected answer"),
        (
            [r for r in pair_rows(16) if r["teaches"] == "refuse"],
            {},
            CorpusError,
            "all 8 preferred answers are refusals",
        ),
        ([r for r in pair_rows(16) if r["teaches"] == "answer"], {}, CorpusError, "none of the preferred answers"),
        (pair_rows(2), {"held_out": 0.1}, CorpusError, "to learn from and 0 to examine"),
        (pair_rows(16), {"max_length": 8}, CorpusError, "raise --max-length"),
        (pair_rows(16), {"rate": 1e18, "warmup": 0, "steps": 9}, TrainingError, "not finite"),
    ],
)
def test_bad_input_ends_in_words(
    make: Make, tmp_path: Path, rows: list[dict[str, Any]], changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    """Unpaired, of one class, too few, too long, or a rate that blows it up."""
    data = write(tmp_path / "bad.jsonl", rows)
    with pytest.raises(error, match=told):
        train(make(data=(data,), **changes), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 1.0, math.nan])
def test_a_model_must_be_examined(make: Make, share: float) -> None:
    """No share may be left out of the examination, or all of it in."""
    with pytest.raises(UsageError, match="held_out"):
        make(held_out=share)


def test_a_language_model_is_no_reward_model() -> None:
    """Opened as one it has no trained head."""
    with pytest.raises(CheckpointError):
        RewardModel.open(BASE, allow_unsound=True, device="cpu")


def test_a_policy_inherits_what_its_reward_model_was_taught(trained: Path, tmp_path: Path) -> None:
    """Families of both; unknown where the reward model's card says nothing."""
    own = {"attacks": ("base64",), "families": ("encoding",)}
    assert also_taught(str(trained), own) == {"attacks": ("base64", "plain"), "families": ("encoding", "none")}
    assert also_taught(str(tmp_path), own)["attacks"] is None
    assert also_taught("", own) == own


def test_real_preferences_are_read_learnt_and_not_believed(make: Make, shared_data: Path, tmp_path: Path) -> None:
    """Pairs of people, through a few steps: calibrated on those held out, and unusable, as nothing shows otherwise."""
    import gzip

    with gzip.open(shared_data / "hh_rlhf" / "harmless_base_test.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [next(file) for _ in range(60)]
    data = tmp_path / "harmless.jsonl"
    data.write_text("".join(lines), "utf-8")
    out = train(make(data=(data,), steps=2, max_length=512, one_class=True), tmp_path / "out")
    card = json.loads((out / REWARD_CARD).read_text())
    assert card["usable"] is False
    assert card["held_out"]["n"] >= 4
    assert "category: harmless" in card["cells"]
    assert len([f for f in card["faults"] if "more answers are needed" in f]) == 4


def read(rows: list[dict[str, Any]], **options: bool) -> list[Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return read_preferences([write(Path(folder) / "rows.jsonl", rows)], **options)
