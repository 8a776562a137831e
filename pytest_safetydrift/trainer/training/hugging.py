"""The seam to transformers' Trainer: its arguments, one run of it, and its checkpoint saved."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_safetydrift.core.errors import SafetyDriftError, TrainingError, UsageError
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.trainer.training.base import Base
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all, world_size
from pytest_safetydrift.trainer.training.work import Work

__all__ = ["arguments", "drop_reference_adapter", "lora", "model_to_train", "run", "save"]


def arguments(config: Tuning, work: Work, steps: int) -> dict[str, Any]:
    """What all trl and transformers configurations take, for `steps` optimiser steps in the order of the rows.

    Raises `UsageError` where the batch cannot be shared out evenly among the processes.
    """
    import torch

    share, rest = divmod(config.batch, world_size())
    micro = min(config.micro_batch or share, share)
    if rest or not share or share % micro:
        raise UsageError(f"batch {config.batch} cannot be shared by {world_size()} processes; make it a multiple")
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(work.steps),
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "max_steps": steps,
        "train_sampling_strategy": "sequential",
        "learning_rate": config.rate,
        "lr_scheduler_type": "linear",
        "warmup_steps": min(config.warmup, max(steps - 1, 0)),
        "weight_decay": config.weight_decay,
        "adam_beta2": 0.98,
        "max_grad_norm": 1.0,
        "ddp_find_unused_parameters": False,
        "seed": config.seed,
        "use_cpu": not gpu,
        "bf16": arithmetic(config) == "bfloat16",
        "gradient_checkpointing": False,
        "save_strategy": "steps",
        "save_steps": config.save_every,
        "save_total_limit": 2,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": [],
        "disable_tqdm": True,
    }


def arithmetic(config: Tuning) -> str:
    """float32 or bfloat16. Raises `UsageError` for bfloat16 on a CPU, where it is slower and no better."""
    import torch

    able = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    if config.dtype == "bfloat16" and not able:
        raise UsageError("--dtype bfloat16 needs a GPU that has it; leave it out to train in float32")
    return config.dtype if config.dtype != "auto" else ("bfloat16" if able else "float32")


def model_to_train(config: Tuning, base: Base) -> Any:
    """The base's weights in float32, with fresh adapters where the configuration wants them."""
    model = base.model()
    model.config.use_cache = False
    return lora(config, model) if config.lora_rank else model


def lora(config: Tuning, model: Any, task: str = "CAUSAL_LM", whole: Sequence[str] = ()) -> Any:
    """The model with adapters (Hu et al. 2021), which alone are trained, beside the modules that are `whole`.

    task  as peft names it

    Raises `UsageError` where no adapter fits.
    """
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(config.seed)
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha or 2 * config.lora_rank,
        target_modules=list(config.lora_targets) or "all-linear",
        modules_to_save=list(whole) or None,
        task_type=task,
    )
    try:
        return get_peft_model(model, settings)
    except ValueError as error:
        raise UsageError(f"lora_targets {', '.join(config.lora_targets)}: {one_line(str(error), 200)}") from None


def drop_reference_adapter(model: Any) -> None:
    """trl copies fresh adapters to compare with them; with them switched off the base is the same, and nothing of the
    copy is saved."""
    if "ref" in getattr(model, "peft_config", {}):
        model.delete_adapter("ref")


def run(trainer: Any, work: Work, *, callbacks: tuple[Any, ...] = ()) -> tuple[Mapping[str, Any], ...]:
    """Train from the last whole step to the end; returns the log, a row a step, that of an earlier try included.

    Raises `TrainingError`: numbers that are not finite, or a save that failed, as on a full disk. The last whole step
    stays, and the same command goes on from it.
    """
    from transformers import PrinterCallback

    from pytest_safetydrift.trainer.training.watchful import Finite, Marks, Told, kept

    trainer.remove_callback(PrinterCallback)
    for callback in (Finite(work.steps), Marks(), Told(), *callbacks):
        trainer.add_callback(callback)
    last = work.last_whole()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(pin_memory|AcceleratorError|torch_dtype).*")
            trainer.train(resume_from_checkpoint=str(last) if last else None)
    except SafetyDriftError:
        raise
    except Exception as error:
        # a full disk shows as OSError, as a RuntimeError of torch's writer or as an error of safetensors
        said = one_line(f"{type(error).__name__}: {error}", 260).rstrip(": ")
        raise TrainingError(
            f"step {trainer.state.global_step}: {said}; {kept(work.steps)}; the same command goes on from it"
        ) from error
    return tuple(row for row in trainer.state.log_history if "loss" in row or "reward" in row)


def save(model: Any, work: Work) -> None:
    """Leave the model, or the adapter, in `work.result` with the base's tokenizer and template; one process writes.

    Weights are saved in the base's own type; an adapter that was trained on BASE+ADAPTER is merged with both.
    Raises `TrainingError` where the disk is full.
    """
    import torch

    if is_first():
        inner = model.module if hasattr(model, "module") else model
        try:
            work.result.mkdir(parents=True, exist_ok=True)
            if hasattr(inner, "peft_config") and work.base.checkpoint.adapter is not None:
                inner = inner.merge_and_unload()  # an adapter on an adapter has no name: BASE+OUT would lose the first
            if hasattr(inner, "peft_config"):
                for settings in inner.peft_config.values():
                    settings.base_model_name_or_path = str(work.base.checkpoint.directory)
            else:
                inner.to(getattr(torch, str(work.base.config.get("dtype") or "float32").removeprefix("torch.")))
            inner.config.use_cache = True
            inner.save_pretrained(work.result)
            work.base.copy_chat(work.result)
        except Exception as error:
            raise TrainingError(
                f"{work.result}: cannot be saved: {one_line(str(error), 200)}; free some space"
            ) from error
    wait_for_all()
