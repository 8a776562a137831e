"""What constitutional training and rejection sampling share: answers are drawn first, and the good ones are learnt."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.core.request import Sampling
from pytest_safetydrift.trainer.constitution.learnt import choose_questions
from pytest_safetydrift.trainer.methods.sft import learn
from pytest_safetydrift.trainer.reward.faults import Fault
from pytest_safetydrift.trainer.training.asked import Asked, asked_of, distinct
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.checks import check_numbers
from pytest_safetydrift.trainer.training.drawing import Drawn
from pytest_safetydrift.trainer.training.encode import encode_all
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.example import Example, files_of, read_examples
from pytest_safetydrift.trainer.training.hugging import model_to_train, save
from pytest_safetydrift.trainer.training.method import Tuning
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["OwnAnswers", "check_drawn"]


@dataclass(frozen=True, kw_only=True)
class OwnAnswers(Tuning):
    """Raises `UsageError` on an impossible value."""

    data: tuple[Path, ...] = option(
        told="rows whose questions are asked: a file, or a folder of `train data`; repeatable", metavar="FILE"
    )
    questions: int = option(0, told="ask so many of the questions, drawn by chance, half of them prohibited; 0 for all")
    temperature: float = option(1.0, told="that answers are drawn at")
    max_new_tokens: int = option(256, told="most tokens of an answer; one that is cut off there is not learnt")
    balance: float = option(1.0, told="answers learnt for each refusal; 0 learns all there are")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.questions < 0 or self.max_new_tokens < 1:
            raise UsageError(
                f"questions must be at least 0 and max_new_tokens at least 1, got {self.questions} and "
                f"{self.max_new_tokens}"
            )
        check_numbers(self, above=("temperature",), least=("balance",))

    @property
    @abstractmethod
    def drawn(self) -> int:
        """Most answers of the model's own to one question."""

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows."""
        return files_of(self.data)

    def asked(self) -> list[Asked]:
        """The questions. Raises `CorpusError` where one kind is missing, or nothing says what is wanted."""
        return choose_questions(distinct(asked_of(read_examples(files_of(self.data)))), self.questions, self.seed)

    @property
    def sampling(self) -> Sampling:
        """Of the first answer."""
        return Sampling(self.temperature, max_tokens=self.max_new_tokens, seed=self.seed)

    def estimate(self) -> Estimate:
        """As if every question were learnt, with an answer as long as the data's own; drawn ones are counted as long as
        they may be."""
        base = open_base(self.base)
        asked = self.asked()
        examples = [Example(a.messages, a.golden, a.row) for a in asked]
        rows, too_long = encode_all(base.tokenizer(), examples, self.max_length)
        steps = self.steps_for(len(rows))
        return Estimate(
            rows=len(rows),
            too_long=too_long,
            steps=steps,
            tokens=self.tokens_for(rows, steps),
            generated=len(asked) * self.drawn * self.max_new_tokens,
            parameters=count_parameters(base.checkpoint),
            trained=count_trained(base.checkpoint, self.lora_rank, self.lora_targets),
        )

    def reference_of(self, work: Work) -> str:
        """Of the checkpoint that was left in `work.result`."""
        result = str(work.result.resolve())
        return f"{work.base.checkpoint.directory}+{result}" if self.lora_rank else result

    def learn(self, work: Work, file: Path) -> Fitted:
        """Fine-tune the base on the rows of `file` and leave it in `work.result`."""
        model = model_to_train(self, work.base)
        fitted = learn(self, model, read_examples([file]), work)
        save(model, work)
        return fitted


def check_drawn(base: str, asked: Sequence[Asked], drawn: Sequence[Sequence[Drawn]]) -> None:
    """Raises `UsageError` where no prohibited question was complied with: there is nothing to better."""
    prohibited = [own for a, own in zip(asked, drawn, strict=True) if a.prohibited]
    if not any(d.fault is Fault.UNSAFE for own in prohibited for d in own):
        raise UsageError(
            f"{base} complied in none of its answers to {len(prohibited)} prohibited questions: it refuses them "
            "already and there is nothing to learn; ask others, or raise --temperature"
        )
