"""Supervised fine-tuning: answers are learnt as they stand, all weights or low-rank adapters."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_safetydrift.core.errors import CorpusError
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.encode import Encoded, encode_all
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.example import Example, files_of, read_examples
from pytest_safetydrift.trainer.training.hugging import arguments, model_to_train, run, save
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.order import draw_order
from pytest_safetydrift.trainer.training.ranks import is_first
from pytest_safetydrift.trainer.training.taught import one_class, taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["SFT", "fine_tune", "learn"]


@dataclass(frozen=True, kw_only=True)
class SFT(Tuning):
    """Next-token loss on answers alone, through trl's SFTTrainer."""

    name: ClassVar[str] = "sft"
    summary: ClassVar[str] = "supervised fine-tuning on answers, full or LoRA"

    data: tuple[Path, ...] = option(
        told="rows to learn: a file, or a folder of `train data`; repeatable", metavar="FILE"
    )

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows."""
        return files_of(self.data)

    def estimate(self) -> Estimate:
        """Counts the rows' tokens with the base's own tokenizer."""
        base = open_base(self.base)
        examples = read_examples(self.inputs())
        rows, too_long = encode_all(base.tokenizer(), examples, self.max_length)
        steps = self.steps_for(len(rows))
        feared = one_class(e.row for e in examples)
        return Estimate(
            rows=len(rows),
            too_long=too_long,
            steps=steps,
            tokens=self.tokens_for(rows, steps),
            parameters=count_parameters(base.checkpoint),
            trained=count_trained(base.checkpoint, self.lora_rank, self.lora_targets),
            notes=(feared,) if feared else (),
        )

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        examples = read_examples(self.inputs())
        if is_first() and (feared := one_class(e.row for e in examples)):
            print(f"note: {feared}", file=sys.stderr)
        model = model_to_train(self, work.base)
        fitted = learn(self, model, examples, work)
        save(model, work)
        return fitted


def learn(config: Tuning, model: Any, examples: Sequence[Example], work: Work) -> Fitted:
    """Train `model` in place on the answers of the examples; what the card says of it. Raises as `fine_tune` does."""
    rows, too_long = encode_all(work.base.tokenizer(), examples, config.max_length)
    log = fine_tune(config, model, rows, work)
    steps = config.steps_for(len(rows))
    return Fitted(
        steps=steps,
        tokens=config.tokens_for(rows, steps),
        log=log,
        facts={"rows": len(rows), "rows_too_long": too_long},
        **taught(e.row for e in examples),
    )


def fine_tune(config: Tuning, model: Any, rows: Sequence[Encoded], work: Work) -> tuple[Mapping[str, Any], ...]:
    """Train `model` in place on the rows, going on from the last whole step; returns the log.

    Raises `CorpusError` without a row and `TrainingError`, see `run`.
    """
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    if not rows:
        raise CorpusError("there is no row to learn")
    steps = config.steps_for(len(rows))
    order = draw_order([len(r) for r in rows], batch=config.batch, steps=steps, seed=config.seed)
    data = Dataset.from_dict({"input_ids": [r.ids for r in rows], "labels": [r.labels for r in rows]}).select(order)
    trainer = SFTTrainer(
        model=model,
        processing_class=work.base.tokenizer(),
        train_dataset=data,
        args=SFTConfig(**arguments(config, work, steps), max_length=None),
    )
    return run(trainer, work)
