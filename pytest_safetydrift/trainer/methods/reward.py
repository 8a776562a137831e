"""The pairwise reward model: a score for an answer, learnt from which of two is better."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CorpusError, TrainingError, UsageError
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.trainer.preferences.hh import is_hh, read_hh
from pytest_safetydrift.trainer.preferences.rows import FILE, Preference, check_both_classes, read_preferences
from pytest_safetydrift.trainer.reward.examining import Examined, examine, split_pairs
from pytest_safetydrift.trainer.reward.hard import hard_negatives, known_pairs
from pytest_safetydrift.trainer.reward.model import REWARD_CARD, RewardModel
from pytest_safetydrift.trainer.reward.soundness import Limits
from pytest_safetydrift.trainer.training.base import Base, open_base
from pytest_safetydrift.trainer.training.checks import check_least
from pytest_safetydrift.trainer.training.encode import encode_answer, encode_prompt
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.example import files_of
from pytest_safetydrift.trainer.training.hugging import arguments, lora, run, save
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.order import draw_order
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.taught import taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["Reward"]


@dataclass(frozen=True, slots=True)
class _Row:
    """Token ids of a question with its better and its worse answer."""

    chosen: list[int]
    rejected: list[int]
    noise: float

    def __len__(self) -> int:
        return len(self.chosen) + len(self.rejected)

    @property
    def longest(self) -> int:
        return max(len(self.chosen), len(self.rejected))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """What is learnt, and what is held out.

    learnt    made pairs included
    made      of them
    too_long  left out
    left_out  of the files' rows, by reason
    """

    learnt: list[_Row]
    held_out: list[Preference]
    made: int
    too_long: int
    left_out: Mapping[str, int]
    rows: list[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Reward(Tuning):
    """Bradley-Terry loss with the pairs' own noise, through trl's RewardTrainer; then the examination on held-out
    questions, whose verdict is `reward_card.json`. Raises `UsageError` on an impossible value."""

    name: ClassVar[str] = "reward"
    summary: ClassVar[str] = "pairwise reward model, examined for shortcuts before a policy may be trained on it"

    data: tuple[Path, ...] = option(
        told="pairs: a file, a folder of `train preferences`, or a file of hh-rlhf; repeatable", metavar="FILE"
    )
    held_out: float = option(0.2, told="share of the pairs, by question, that the model is examined on")
    hard_negatives: bool = option(
        True, told="learn from made pairs too: right answers against off-topic ones, refusals and empty phrases"
    )
    off_topic: int = option(2, told="answers to other questions among the made pairs of each allowed question")
    one_class: bool = option(False, told="take pairs that all prefer refusals, or all prefer answers")
    batch: int = option(32, told="pairs of one step, over all processes")
    rate: float = option(1e-5, told="peak learning rate")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.held_out) and 0 < self.held_out < 1):
            raise UsageError(
                f"held_out must be in (0, 1), got {self.held_out}: a model that is not examined may not be used"
            )
        check_least(self, off_topic=0)

    def inputs(self) -> tuple[Path, ...]:
        """The files of pairs."""
        return files_of(self.data, FILE)

    def estimate(self) -> Estimate:
        """Counts the pairs' tokens with the base's own tokenizer."""
        base = open_base(self.base)
        pairs = self._pairs(base)
        steps = self.steps_for(len(pairs.learnt))
        return Estimate(
            rows=len(pairs.learnt),
            too_long=pairs.too_long,
            steps=steps,
            tokens=self.tokens_for(pairs.learnt, steps),
            parameters=count_parameters(base.checkpoint),
            trained=count_trained(base.checkpoint, self.lora_rank, self.lora_targets),
            notes=(f"held out: {len(pairs.held_out):,} pairs; made: {pairs.made:,} of the rows",),
        )

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        pairs = self._pairs(work.base)
        steps = self.steps_for(len(pairs.learnt))
        model = _classifier(self, work.base)
        log = run(_trainer(self, model, pairs.learnt, work, steps), work)
        save(model.merge_and_unload() if self.lora_rank else model, work)
        examined = self._examined(pairs.held_out, work) if is_first() else None
        wait_for_all()
        return Fitted(
            steps=steps,
            tokens=self.tokens_for(pairs.learnt, steps),
            log=log,
            facts={
                "pairs": len(pairs.learnt) - pairs.made,
                "pairs_made": pairs.made,
                "pairs_held_out": len(pairs.held_out),
                "pairs_too_long": pairs.too_long,
                "rows_left_out": dict(pairs.left_out),
                "usable": bool(examined and examined.soundness.usable),
            },
            said=examined.soundness.told if examined else "",
            **taught(pairs.rows),
        )

    def _pairs(self, base: Base) -> _Pairs:
        """Raises `CorpusError` where too little is left to learn from, or to hold out."""
        found, left_out = _read(self.inputs(), self.one_class)
        learnt, held_out = split_pairs(found, self.held_out, seed=self.seed)
        if not learnt or not held_out:
            raise CorpusError(
                f"{len(found)} pairs of too few questions leave {len(learnt)} to learn from and {len(held_out)} to "
                "examine the model on; give more questions, or another --held-out"
            )
        made = self._made(learnt) if self.hard_negatives else []
        tokenizer, most = base.tokenizer(), self._most(base)
        rows = [_encode(tokenizer, p) for p in (*learnt, *made)]
        fitting = [row for row in rows if row.longest <= most]
        kept = [p for p in held_out if _encode(tokenizer, p).longest <= most]
        if not fitting or not kept:
            raise CorpusError(f"no pair fits into {most} tokens; raise --max-length, or take a base that reads more")
        too_long = len(rows) - len(fitting) + len(held_out) - len(kept)
        return _Pairs(fitting, kept, len(made), too_long, left_out, [p.row for p in learnt])

    def _made(self, learnt: Sequence[Preference]) -> list[Preference]:
        return hard_negatives(known_pairs(learnt), seed=self.seed, off_topic=self.off_topic)

    def _examined(self, held_out: Sequence[Preference], work: Work) -> Examined:
        """The verdict on the model as it was saved, left where it is published."""
        tokenizer, most = work.base.tokenizer(), self._most(work.base)

        def length(messages: Conversation, text: str) -> int | None:
            prompt = encode_prompt(tokenizer, messages)
            answer = len(encode_answer(tokenizer, messages, text, prompt))
            return answer if len(prompt) + answer <= most else None

        model = RewardModel.open(work.result, allow_unsound=True)
        examined = examine(model, held_out, length, seed=self.seed, limits=Limits())
        model.close()
        try:
            (work.result / REWARD_CARD).write_text(json.dumps(examined.to_json(), indent=1) + "\n", "utf-8")
        except OSError as error:
            raise TrainingError(f"{work.result}: {error}; free some space and give the same command again") from error
        return examined

    def _most(self, base: Base) -> int:
        """Tokens of a chat that is learnt or rated: more than the base reads are rated by nobody."""
        return min(self.max_length, base.context or self.max_length)


def _read(files: Sequence[Path], one_class: bool) -> tuple[list[Preference], dict[str, int]]:
    """Pairs of files in either format, and how many rows of hh-rlhf were none."""
    found: list[Preference] = []
    left_out: dict[str, int] = {}
    for file in files:
        if is_hh(file):
            pairs, without = read_hh(file)
            left_out |= {why: left_out.get(why, 0) + count for why, count in without.items()}
        else:
            pairs = read_preferences([file], one_class=True)
        found += pairs
    if not one_class:
        check_both_classes((p.messages, p.chosen) for p in found)
    return found, left_out


def _encode(tokenizer: Any, pair: Preference) -> _Row:
    prompt = encode_prompt(tokenizer, pair.messages)
    chosen, rejected = (encode_answer(tokenizer, pair.messages, text, prompt) for text in (pair.chosen, pair.rejected))
    return _Row(prompt + chosen, prompt + rejected, pair.noise)


def _classifier(config: Reward, base: Base) -> Any:
    """The base's body with a fresh head of one score; adapters on it where they are wanted.

    Raises `UsageError` where transformers has no such head for this kind of model.
    """
    import torch
    from transformers import AutoModelForSequenceClassification

    causal = base.model()
    settings = copy.deepcopy(causal.config)
    settings.num_labels = 1
    settings.use_cache = False
    settings.get_text_config().pad_token_id = base.tokenizer().pad_token_id
    torch.manual_seed(config.seed)
    try:
        model = AutoModelForSequenceClassification.from_config(settings, dtype=torch.float32)
        model.base_model.load_state_dict(causal.base_model.state_dict())
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{base.reference}: no reward model can be made of it: {one_line(str(error), 200)}") from None
    model.train()
    return lora(config, model, "SEQ_CLS", ["score"]) if config.lora_rank else model


def _trainer(config: Reward, model: Any, rows: Sequence[_Row], work: Work, steps: int) -> Any:
    from datasets import Dataset
    from trl import RewardConfig

    from pytest_safetydrift.trainer.reward.pairwise import NoisyRewardTrainer

    order = draw_order([len(row) for row in rows], batch=config.batch, steps=steps, seed=config.seed)
    columns = {
        "chosen_ids": [row.chosen for row in rows],
        "rejected_ids": [row.rejected for row in rows],
        "noise": [row.noise for row in rows],
    }
    return NoisyRewardTrainer(
        model=model,
        processing_class=work.base.tokenizer(),
        train_dataset=Dataset.from_dict(columns).select(order),
        args=RewardConfig(**arguments(config, work, steps), max_length=None, remove_unused_columns=False),
    )
