"""Targeted tuning: only the parts that make a refusal are tuned, on the same rows as in supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_safetydrift.core.errors import UsageError
from pytest_safetydrift.trainer.methods.sft import SFT, learn
from pytest_safetydrift.trainer.targeted.parts import Kind, kinds_named
from pytest_safetydrift.trainer.training.base import open_base
from pytest_safetydrift.trainer.training.checks import check_least
from pytest_safetydrift.trainer.training.estimate import Estimate
from pytest_safetydrift.trainer.training.example import Example, files_of, read_examples
from pytest_safetydrift.trainer.training.hugging import model_to_train, save
from pytest_safetydrift.trainer.training.option import option
from pytest_safetydrift.trainer.training.ranks import is_first, wait_for_all
from pytest_safetydrift.trainer.training.work import Fitted, Work

if TYPE_CHECKING:
    from pytest_safetydrift.trainer.targeted.attribution import Attribution
    from pytest_safetydrift.trainer.targeted.masks import Mask

__all__ = ["ATTRIBUTION", "Targeted"]

ATTRIBUTION = "attribution.json"
"""Lies beside the weights."""


@dataclass(frozen=True, kw_only=True)
class Targeted(SFT):
    """Supervised fine-tuning of the parts with the largest effects on the refusal. Raises `UsageError` on an impossible
    value."""

    name: ClassVar[str] = "targeted"
    summary: ClassVar[str] = "fine-tuning of the layers and heads alone that make the refusal"

    refusing: str = option("", told="checkpoint that refuses what the base complies with", metavar="REF")
    pairs: tuple[Path, ...] = option(
        (), told="in its place, rows of a prompt `complied` with and one `refused` by the base", metavar="FILE"
    )
    top: float = option(0.1, told="share of the model's numbers to tune, from the largest effect down")
    kinds: tuple[str, ...] = option((), told="layer, mlp, attention or head; repeatable; default: mlp and head")
    metric: str = option(
        "first-token", told="what of an answer tells a refusal by", choices=("first-token", "continuation")
    )
    prompts: int = option(64, told="prompts to attribute on, of the rows that teach a refusal")
    control: str = option(
        "",
        told="random: as many parts drawn at random, full: all weights; to compare with",
        choices=("random", "full"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        kinds_named(self.kinds or (Kind.MLP, Kind.HEAD))
        if not (isfinite(self.top) and 0 < self.top <= 1):
            raise UsageError(f"top must be in (0, 1], got {self.top}")
        if self.lora_rank:
            raise UsageError("lora_rank must be 0: parts of the model's own weights are tuned, and adapters are none")
        if self.control != "full":
            self._check_partial()

    def inputs(self) -> tuple[Path, ...]:
        """The files of rows, and that of pairs."""
        return super().inputs() + files_of(self.pairs)

    def estimate(self) -> Estimate:
        """As of supervised fine-tuning, with fewer numbers trained; the second model is there before training only."""
        whole = super().estimate()
        if self.control == "full":
            return whole
        note = f"attribution: a forward pass of up to {self.prompts} prompts for every part, before training"
        return replace(whole, trained=int(self.top * whole.parameters), notes=(*whole.notes, note))

    def fit(self, work: Work) -> Fitted:
        """See `Method`."""
        examples = read_examples(super().inputs())
        found = None if self.control == "full" else self._attribution(work, examples)
        model = model_to_train(self, work.base)
        mask = self._mask(model, found) if found else None
        fitted = learn(self, model, examples, work)
        if mask:
            mask.check_frozen()
        save(model, work)
        return replace(fitted, facts={**fitted.facts, "targeted": self._facts(mask, found)})

    def _check_partial(self) -> None:
        if bool(self.refusing) == bool(self.pairs):
            raise UsageError(
                "name a checkpoint that refuses what the base complies with (--refusing), or a file of prompts that "
                "the base complies with and refuses (--pairs), and not both"
            )
        if self.weight_decay:
            raise UsageError(
                f"weight_decay must be 0, got {self.weight_decay:g}: AdamW shrinks every number of a tensor of which "
                "some are trained, so that the others would move, too"
            )
        check_least(self, prompts=4)

    @property
    def _kinds(self) -> tuple[Kind, ...]:
        return kinds_named(self.kinds or (Kind.MLP, Kind.HEAD))

    def _attribution(self, work: Work, examples: Sequence[Example]) -> Attribution:
        """Made by the first process, and read by all; one that an earlier try left is as good."""
        from pytest_safetydrift.trainer.targeted.document import load
        from pytest_safetydrift.trainer.targeted.document import save as write

        file = work.kept / ATTRIBUTION
        if is_first() and not file.exists():
            work.kept.mkdir(exist_ok=True)
            draft = file.with_suffix(".part")
            write(self._locate(work, examples), draft)
            draft.replace(file)
        wait_for_all()
        return load(file, complying=work.base.digest)

    def _locate(self, work: Work, examples: Sequence[Example]) -> Attribution:
        from pytest_safetydrift.trainer.targeted import locate
        from pytest_safetydrift.trainer.targeted.attribution import Metric

        metric = Metric(self.metric)
        kinds = tuple(kind for kind in Kind if kind is not Kind.HEAD or kind in self._kinds)
        if self.pairs:
            pairs = [pair for file in files_of(self.pairs) for pair in locate.read_pairs(file)]
            return locate.locate_in_prompts(work.base, pairs, kinds, metric)
        asked = locate.asked_to_refuse(examples, self.prompts, self.seed)
        return locate.locate_in_checkpoints(work.base, open_base(self.refusing), asked, kinds, metric)

    def _mask(self, model: Any, found: Attribution) -> Mask:
        from pytest_safetydrift.trainer.targeted.choice import choose_random, choose_share
        from pytest_safetydrift.trainer.targeted.layout import find_layout
        from pytest_safetydrift.trainer.targeted.masks import Mask

        layout = find_layout(model)
        choice = choose_share(found, layout, self.top, self._kinds)
        if self.control == "random":
            choice = choose_random(choice, layout, self.seed)
        return Mask(layout, choice.parts)

    def _facts(self, mask: Mask | None, found: Attribution | None) -> dict[str, Any]:
        """For the card."""
        if mask is None or found is None:
            return {"control": self.control}
        refusing = {"reference": self.refusing or self.base, "digest": found.digests[1]}
        told = {"refusing": refusing, "prompts": found.prompts, "attribution": ATTRIBUTION}
        return {"control": self.control, **mask.describe(), **told}
