"""From chats to token ids, with a mark on each token that is learnt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_safetydrift.core.conversation import Conversation
from pytest_safetydrift.core.errors import CheckpointError, CorpusError
from pytest_safetydrift.trainer.training.example import Example

__all__ = ["IGNORED", "Encoded", "encode", "encode_all", "encode_answer", "encode_prompt"]

IGNORED = -100
"""The label of a token that is not learnt, as torch's cross entropy has it."""
_MARKS = (
    "the chat template has no generation marks, so the assistant's turns of a whole chat cannot be told from the "
    "rest; in the template write {% generation %} before the assistant's content and {% endgeneration %} after its end "
    "token, or give rows as prompt and completion, which need no marks"
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """ids [L] of a chat, and labels [L]: the id where it is learnt, else `IGNORED`."""

    ids: list[int]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.ids)


def encode_all(tokenizer: Any, examples: Sequence[Example], max_length: int) -> tuple[list[Encoded], int]:
    """Every example that fits into `max_length` tokens, and how many did not: an answer that is cut off would teach
    to break off. Raises `CorpusError` where none fits, and `CheckpointError` for a template that lacks its marks."""
    encoded = [encode(tokenizer, e) for e in examples]
    fitting = [e for e in encoded if len(e) <= max_length]
    if not fitting:
        shortest = min(map(len, encoded))
        raise CorpusError(f"no row fits into {max_length} tokens, the shortest has {shortest}; raise --max-length")
    return fitting, len(encoded) - len(fitting)


def encode(tokenizer: Any, example: Example) -> Encoded:
    """One example; the token that ends the answer is learnt with it."""
    if example.answer is None:
        return _whole(tokenizer, example.messages)
    prompt = encode_prompt(tokenizer, example.messages)
    answer = encode_answer(tokenizer, example.messages, example.answer, prompt)
    return Encoded(prompt + answer, [IGNORED] * len(prompt) + answer)


def encode_prompt(tokenizer: Any, messages: Conversation) -> list[int]:
    """Ids up to where the answer begins."""
    return _template(tokenizer, messages, add_generation_prompt=True)


def encode_answer(tokenizer: Any, messages: Conversation, answer: str, prompt: Sequence[int]) -> list[int]:
    """Ids of the answer behind `prompt`, the ids of these messages; its end token included.

    Raises `CheckpointError` where the template writes the chat with its answer otherwise than the prompt.
    """
    turns = [*_turns(messages), {"role": "assistant", "content": answer}]
    ids = _ids(tokenizer.apply_chat_template(turns, tokenize=True))
    if ids[: len(prompt)] != list(prompt):
        raise CheckpointError(
            "the chat template writes a chat with its answer otherwise than the prompt of that answer (a template that "
            "drops or adds thinking does); use a template whose prompt is the beginning of the chat"
        )
    if len(ids) == len(prompt):
        raise CorpusError("the chat template leaves nothing of an answer; look at its assistant turns")
    return ids[len(prompt) :]


def _whole(tokenizer: Any, messages: Conversation) -> Encoded:
    if "{% generation %}" not in (tokenizer.chat_template or "").replace("{%-", "{%").replace("-%}", "%}"):
        raise CheckpointError(_MARKS)
    made = tokenizer.apply_chat_template(
        _turns(messages), tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    ids = _ids(made["input_ids"])
    labels = [i if learnt else IGNORED for i, learnt in zip(ids, made["assistant_masks"], strict=True)]
    if all(label == IGNORED for label in labels):
        raise CheckpointError(f"nothing of a chat is marked as the assistant's; {_MARKS}")
    return Encoded(ids, labels)


def _template(tokenizer: Any, messages: Conversation, **options: bool) -> list[int]:
    return _ids(tokenizer.apply_chat_template(_turns(messages), tokenize=True, **options))


def _turns(messages: Conversation) -> list[dict[str, str]]:
    return [{"role": m.role, "content": m.content} for m in messages]


def _ids(made: Any) -> list[int]:
    """transformers gives a list of ids, or a mapping that holds one."""
    return list(made["input_ids"] if hasattr(made, "keys") else made)
