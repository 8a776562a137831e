"""Load tokenizer and weights, and refuse what cannot be trusted to answer as it was trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_safetydrift.core.errors import CheckpointError, EngineError
from pytest_safetydrift.core.text import one_line
from pytest_safetydrift.engines.chat import Chat
from pytest_safetydrift.engines.checkpoint import Checkpoint, check_checkpoint
from pytest_safetydrift.engines.options import EngineOptions

__all__ = ["check_finite", "end_tokens", "load_chat", "load_model", "load_weights"]


def load_chat(checkpoint: Checkpoint, options: EngineOptions) -> tuple[Chat, Any]:
    """The tokenizer with its template, and the model's transformers config.

    Raises `CheckpointError` on unsound files and where the model's vocabulary is too small for the tokenizer.
    """
    check_checkpoint(checkpoint, options)
    try:
        from transformers import AutoConfig, AutoTokenizer
    except ImportError as error:
        raise EngineError(f"{error}; local checkpoints need: pip install 'pytest-safetydrift[local]'") from None

    trust = options.trust_remote_code
    try:
        config = AutoConfig.from_pretrained(checkpoint.directory, trust_remote_code=trust, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(checkpoint.tokenizer, trust_remote_code=trust, local_files_only=True)
    except Exception as error:
        raise _unloadable(checkpoint.directory, error) from error
    text = config.get_text_config()
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if text.vocab_size <= largest:
        raise CheckpointError(
            f"{checkpoint.directory}: the vocabulary does not fit: the model embeds {text.vocab_size} tokens, the "
            f"tokenizer in {checkpoint.tokenizer} has ids up to {largest}; it belongs to another model, or the "
            "embeddings were not resized after tokens were added"
        )
    return Chat(tokenizer, getattr(text, "max_position_embeddings", None)), config


def load_model(checkpoint: Checkpoint, options: EngineOptions, dtype: str, device: str) -> Any:
    """The model with its adapter, in evaluation mode. Raises `CheckpointError` on missing, foreign or NaN weights.

    A float32 adapter is merged into its base, which is as exact and faster; in a smaller dtype it stays apart,
    as merging would round.
    """
    from transformers import AutoModelForCausalLM

    arguments = {"device_map": device, **options.arguments}
    model = load_weights(AutoModelForCausalLM, checkpoint, options, dtype, arguments)
    if checkpoint.adapter is not None:
        model = _with_adapter(model, checkpoint.adapter, merge=dtype == "float32")
    return model.eval()


def load_weights(
    kind: Any, checkpoint: Checkpoint, options: EngineOptions, dtype: str, arguments: Mapping[str, Any]
) -> Any:
    """The model of the checkpoint's directory, as `kind`, one of transformers' auto classes, has it.

    Raises `CheckpointError` on missing, foreign or NaN weights, and `EngineError` where the device has no room.
    """
    import torch

    directory = checkpoint.directory
    try:
        model, found = kind.from_pretrained(
            directory,
            dtype=getattr(torch, dtype),
            use_safetensors=not (checkpoint.pickled and options.allow_pickle),
            trust_remote_code=options.trust_remote_code,
            local_files_only=True,
            output_loading_info=True,
            **arguments,
        )
    except torch.OutOfMemoryError as error:
        raise EngineError(f"{directory}: no room on the device for it: {one_line(str(error))}") from None
    except Exception as error:
        raise _unloadable(directory, error) from error
    if missing := sorted(found["missing_keys"]):
        raise CheckpointError(
            f"{directory}: {len(missing)} tensors of the model are in no weight file ({missing[0]}), and would be "
            "made up at random; save or download the checkpoint again"
        )
    check_finite(checkpoint)
    return model


def check_finite(checkpoint: Checkpoint) -> None:
    """Read every tensor; raises `CheckpointError` naming the first that holds a NaN or an infinity."""
    import torch
    from safetensors import safe_open

    checked = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for folder in checkpoint.folders:
        for path in sorted(folder.glob("*.safetensors")):
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118  a safetensors file is no mapping
                    tensor = file.get_tensor(name)
                    if tensor.dtype in checked and not torch.isfinite(tensor).all():
                        raise CheckpointError(
                            f"{path}: tensor {name!r} holds NaN or infinite values; "
                            "the training diverged or the file is damaged"
                        )


def end_tokens(chat: Chat, directory: Path, config: Any) -> frozenset[int]:
    """Ids that end an answer: the tokenizer's, the configuration's and the generation configuration's."""
    from transformers import GenerationConfig

    ids = {chat.tokenizer.eos_token_id, *_ids(config.get_text_config().eos_token_id)}
    if (directory / "generation_config.json").is_file():
        ids.update(_ids(GenerationConfig.from_pretrained(directory, local_files_only=True).eos_token_id))
    return frozenset(i for i in ids if i is not None)


def _ids(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _with_adapter(model: Any, adapter: Path, *, merge: bool) -> Any:
    try:
        from peft import PeftModel
    except ImportError:
        raise EngineError("a LoRA adapter needs peft; pip install 'pytest-safetydrift[local]'") from None
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*missing adapter keys.*")
        try:
            adapted = PeftModel.from_pretrained(model, adapter, local_files_only=True)
        except Exception as error:
            raise CheckpointError(
                f"{adapter}: this adapter does not fit its base: {one_line(str(error), 240)}"
            ) from error
    return adapted.merge_and_unload() if merge else adapted


def _unloadable(directory: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{directory}: cannot be loaded: {type(error).__name__}: {one_line(str(error), 300)}")
