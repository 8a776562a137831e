"""A training of a few steps on a tiny model. As a script, one of several processes: OUT."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.engines.conftest import make_model, make_tokenizer

STEPS = 6


def train(out: Path, *callbacks: Any, tokenizer: Any = None, model: Any = None, **change: Any) -> Any:
    """Six steps on four rows, a save every second one; returns the trainer."""
    from datasets import Dataset
    from transformers import PrinterCallback, Trainer, TrainingArguments

    rows = [{"input_ids": list(range(5, 25)), "labels": list(range(5, 25))}] * 4
    args = {
        "per_device_train_batch_size": 1,
        "max_steps": STEPS,
        "save_steps": 2,
        "logging_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "save_only_model": True,
        **change,
    }
    trainer = Trainer(
        model=model or make_model(),
        args=TrainingArguments(output_dir=str(out), **args),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return trainer


def main() -> None:
    """Train as one of several, and leave what this process saw in OUT/rank-N.json."""
    from pytest_safetydrift.trainer import SafetyDriftCallback
    from tests.trainer.watching.conftest import COMMAND

    signal.signal(signal.SIGINT, signal.default_int_handler)  # where the tests run in the background it is ignored
    out = Path(sys.argv[1])
    callback = SafetyDriftCallback(action="stop", wait="each", command=COMMAND)
    many = {"ddp_backend": "gloo", "ddp_find_unused_parameters": False} if "WORLD_SIZE" in os.environ else {}
    trainer = train(out, callback, tokenizer=make_tokenizer(), **many)
    seen = {"step": trainer.state.global_step, "verdicts": [v.name for v in callback.verdicts]}
    (out / f"rank-{os.environ.get('RANK', '0')}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
