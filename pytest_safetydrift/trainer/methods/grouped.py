"""What GRPO and RLOO share: several answers to each question, weighed against each other, through trl."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.engines.loading import end_tokens, load_chat
from pytest_safetydrift.engines.options import EngineOptions
from pytest_safetydrift.trainer.methods.rewarded import Rewarded
from pytest_safetydrift.trainer.ppo.prompts import Prompt, schedule
from pytest_safetydrift.trainer.reward.model import also_taught
from pytest_safetydrift.trainer.reward.signal import Signal
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.estimate import Estimate, count_parameters, count_trained
from pytest_safetydrift.trainer.training.hugging import arguments, drop_reference_adapter, model_to_train, run, save
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.taught import taught
from pytest_safetydrift.trainer.training.work import Fitted, Work

__all__ = ["Grouped"]


@dataclass(frozen=True, kw_only=True)
class Grouped(Rewarded):
    """See `GRPO` and `RLOO`. Raises `UsageError` on an impossible value."""

    generations: int = option(8, told="answers to each question, at least 2")
    use_vllm: bool = option(False, told="draw answers with vLLM in this process; needs a GPU and trl[vllm]")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generations < 2:
            raise UsageError(f"generations must be at least 2, answers are weighed in pairs; got {self.generations}")
        questions, rest = divmod(self.batch, self.generations)
        if rest or questions < 2:
            raise UsageError(
                f"batch must hold two questions or more with {self.generations} answers each, got {self.batch}"
            )
        if self.use_vllm and not find_spec("vllm"):
            raise UsageError("use_vllm: vLLM is not installed; pip install 'trl[vllm]', or leave --use-vllm out")

    def estimate(self) -> Estimate:
        """Every answer is counted as long as it may be."""
        self.inputs()
        base = open_base(self.base)
        prompts, too_long = self.prompts(base)
        steps = self.steps_for(len(prompts) * self.generations)
        long = sum(len(p.ids) for p in prompts) / len(prompts) + self.max_new_tokens
        return Estimate(
            rows=len(prompts),
            too_long=too_long,
            steps=steps,
            tokens=round(steps * self.batch * long),
            generated=steps * self.batch * self.max_new_tokens,
            parameters=count_parameters(base.checkpoint),
            trained=count_trained(base.checkpoint, self.lora_rank, self.lora_targets),
            passes=2 + bool(self.reward),  # the prompt's, the reference's, the reward model's
            models=(not self.lora_rank) + bool(self.reward),
        )

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        from pytest_safetydrift.trainer.reward.lookout import Lookout, readings_of
        from pytest_safetydrift.trainer.training.watchful import kept

        prompts, too_long = self.prompts(work.base)
        steps = self.steps_for(len(prompts) * self.generations)
        planned = schedule(prompts, batch=self.batch // self.generations, steps=steps, seed=self.seed)
        signal = self.signal(work, prompts)
        model = model_to_train(self, work.base)
        trainer = self._trainer(model, [p for step in planned for p in step], signal, work, steps)
        lookout = Lookout(self.watching, keep=self.keep_hacked, kept=lambda: kept(work.steps))
        log = run(trainer, work, callbacks=(lookout,))
        save(model, work)
        own = taught(p.asked.row for p in prompts)
        return Fitted(
            steps=int(log[-1]["step"]),
            tokens=int(log[-1]["num_tokens"]),
            log=tuple({**row, "reading": r.to_json()} for row, r in zip(log, readings_of(log), strict=True)),
            facts={
                "questions": len(prompts),
                "questions_too_long": too_long,
                "shaping": asdict(signal.shaping) if signal.shaping else None,
                "stopped": asdict(lookout.stop) if lookout.stop else None,
            },
            **also_taught(self.reward, own),
        )

    @abstractmethod
    def _classes(self) -> tuple[Any, Any, dict[str, Any]]:
        """trl's trainer, its configuration, and what this method alone sets there."""

    def _trainer(self, model: Any, prompts: Sequence[Prompt], signal: Signal, work: Work, steps: int) -> Any:
        from datasets import Dataset

        from pytest_safetydrift.trainer.reward.lookout import Rewarder

        trainer, config, own = self._classes()
        base = work.base
        chat, settings = load_chat(base.checkpoint, EngineOptions(kind="transformers"))
        ends = end_tokens(chat, base.checkpoint.directory, settings)
        model.generation_config.eos_token_id = sorted(ends)  # an answer ends here as it does before the gate
        if base.checkpoint.adapter is not None and not self.lora_rank:
            model.config._name_or_path = _reference(model, work)
        turns = [[{"role": m.role, "content": m.content} for m in p.asked.messages] for p in prompts]
        made = trainer(
            model=model,
            reward_funcs=Rewarder(signal, [p.asked for p in prompts], ends),
            processing_class=base.tokenizer(padding_side="left"),
            train_dataset=Dataset.from_dict({"prompt": turns, "question": list(range(len(prompts)))}),
            args=config(
                **arguments(self, work, steps),
                num_generations=self.generations,
                max_completion_length=self.max_new_tokens,
                temperature=self.temperature,
                beta=self.beta,
                use_vllm=self.use_vllm,
                shuffle_dataset=False,
                **own,
            ),
        )
        drop_reference_adapter(model)
        return made


def _reference(model: Any, work: Work) -> str:
    """Where trl finds the frozen base: one with an adapter is in no folder as it stands, and is written to one."""
    place = work.folder / "reference"
    if is_first() and not place.exists():
        model.save_pretrained(place.with_suffix(".part"))
        place.with_suffix(".part").rename(place)
    wait_for_all()
    return str(place)
