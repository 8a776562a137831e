"""Where the parts of a model like Llama are: its modules, and the slices of weights that belong to each part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_safetydrift.core.errors import CheckpointError
from pytest_safetydrift.trainer.targeted.parts import Kind, Part

__all__ = ["Block", "Heads", "Layout", "Slice", "find_layout"]

_LAYERS = ("model.layers", "model.language_model.layers", "language_model.model.layers", "model.decoder.layers")
_ATTENTION = ("self_attn", "attention", "attn")
_MLP = ("mlp", "feed_forward", "block_sparse_moe")
_OUTPUT = ("o_proj", "out_proj", "dense", "wo")
_QUERIES, _KEYS, _VALUES = "q_proj", "k_proj", "v_proj"


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of one parameter: all of it where `axis` is None, else rows (axis 0) or columns (axis 1) start to stop."""

    parameter: str
    axis: int | None = None
    start: int = 0
    stop: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """The heads of one layer's attention.

    count   heads, whose outputs lie side by side in what the output projection reads
    groups  of keys and values: `count` of them, or fewer where heads share them (grouped queries)
    width   numbers of a head
    """

    count: int
    groups: int
    width: int

    def columns(self, head: int) -> slice:
        """Where a head's output lies in what the output projection reads."""
        return slice(head * self.width, (head + 1) * self.width)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One layer. `heads` is None where they cannot be told apart, for the reason in `why`."""

    module: Any
    attention: str
    mlp: str
    output: str
    heads: Heads | None
    why: str = ""

    @property
    def attention_output(self) -> Any:
        """The linear module that turns the heads' outputs into what attention adds to the residual stream."""
        return self.module.get_submodule(f"{self.attention}.{self.output}")

    @property
    def mlp_module(self) -> Any:
        """What adds to the residual stream after attention, or beside it."""
        return self.module.get_submodule(self.mlp)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The layers of a model. Embeddings, output matrix and last norm belong to no part and are never tuned."""

    model: Any
    path: str
    blocks: tuple[Block, ...]

    def parts(self, kinds: Iterable[Kind]) -> tuple[Part, ...]:
        """All parts of these kinds, layer by layer; raises `CheckpointError` where heads cannot be told apart."""
        return tuple(part for kind in kinds for layer in range(len(self.blocks)) for part in self._of(kind, layer))

    def heads(self, layer: int) -> Heads:
        """The layer's heads; raises `CheckpointError` where they cannot be told apart."""
        block = self.blocks[layer]
        if block.heads is None:
            raise CheckpointError(
                f"heads of {self.path}.{layer} cannot be told apart: {block.why}; choose among the kinds "
                f"{Kind.LAYER}, {Kind.MLP} and {Kind.ATTENTION}"
            )
        return block.heads

    def slices(self, part: Part) -> tuple[Slice, ...]:
        """The weights that belong to the part.

        A head has its rows of the query projection and its columns of the output projection. Rows of keys and values
        are its own only where no other head reads them; in a group of several heads they belong to none of these, and
        are tuned with the kinds attention and layer alone: else tuning one head would change what others read.
        """
        block = self.blocks[part.layer]
        inside = {Kind.LAYER: "", Kind.ATTENTION: f"{block.attention}.", Kind.MLP: f"{block.mlp}."}
        if part.kind in inside:
            prefix = inside[part.kind]
            names = (name for name, _ in block.module.named_parameters() if name.startswith(prefix))
            return tuple(Slice(f"{self.path}.{part.layer}.{name}") for name in names)
        return tuple(self._head_slices(block, part))

    def numbers(self, parts: Sequence[Part]) -> int:
        """How many trainable numbers these parts have; parts that overlap are counted twice."""
        sizes = {name: parameter.shape for name, parameter in self.model.named_parameters()}
        return sum(_size(sizes[s.parameter], s) for part in parts for s in self.slices(part))

    @property
    def total(self) -> int:
        """Numbers in the whole model, weights that are tied counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def _of(self, kind: Kind, layer: int) -> Iterator[Part]:
        if kind is Kind.HEAD:
            yield from (Part(layer, kind, head) for head in range(self.heads(layer).count))
        else:
            yield Part(layer, kind)

    def _head_slices(self, block: Block, part: Part) -> Iterator[Slice]:
        heads = self.heads(part.layer)
        at = heads.columns(part.head if part.head is not None else -1)
        rows = (_QUERIES, _KEYS, _VALUES) if heads.groups == heads.count else (_QUERIES,)
        prefix = f"{self.path}.{part.layer}.{block.attention}"
        for name in rows:
            yield Slice(f"{prefix}.{name}.weight", 0, at.start, at.stop)
            if block.module.get_submodule(f"{block.attention}.{name}").bias is not None:
                yield Slice(f"{prefix}.{name}.bias", 0, at.start, at.stop)
        yield Slice(f"{prefix}.{block.output}.weight", 1, at.start, at.stop)


def find_layout(model: Any) -> Layout:
    """The layers of a transformers causal language model, found by the names of its modules.

    Raises `CheckpointError` that says what was looked for where the model is built otherwise, where an adapter stays
    apart from its base, and where weights are quantised.
    """
    if hasattr(model, "peft_config"):
        raise CheckpointError("the model has an adapter apart from its base; merge it first: model.merge_and_unload()")
    for path in _LAYERS:
        layers = _child(model, path)
        if layers is not None and len(layers):
            break
    else:
        raise CheckpointError(
            f"{type(model).__name__} is not built like Llama: layers were looked for at {', '.join(_LAYERS)}"
        )
    for name, parameter in layers.named_parameters():
        if not parameter.is_floating_point():
            raise CheckpointError(f"{path}.{name} is quantised ({parameter.dtype}): load the model in full precision")
    blocks = (_block(layer, f"{path}.{i}", model.config.get_text_config()) for i, layer in enumerate(layers))
    return Layout(model, path, tuple(blocks))


def _block(layer: Any, path: str, config: Any) -> Block:
    attention = _named(layer, path, _ATTENTION, "attention")
    mlp = _named(layer, path, _MLP, "MLP")
    output = _named(getattr(layer, attention), f"{path}.{attention}", _OUTPUT, "output projection")
    heads = _heads(getattr(layer, attention), output, config)
    return Block(layer, attention, mlp, output, *((None, heads) if isinstance(heads, str) else (heads,)))


def _named(module: Any, path: str, names: Sequence[str], what: str) -> str:
    for name in names:
        if _child(module, name) is not None:
            return name
    children = ", ".join(name for name, _ in module.named_children()) or "nothing"
    raise CheckpointError(f"{path} has no {what}: looked for {', '.join(names)}, and found {children}")


def _heads(attention: Any, output: str, config: Any) -> Heads | str:
    """The heads, or why they cannot be told apart."""
    linears = {name: _child(attention, name) for name in (_QUERIES, _KEYS, _VALUES)}
    if lost := [name for name, linear in linears.items() if linear is None]:
        return f"there is no {', '.join(lost)}"
    width = getattr(attention, "head_dim", None) or config.hidden_size // config.num_attention_heads
    read, queries = getattr(attention, output).weight.shape[1], linears[_QUERIES].weight.shape[0]
    keys, values = linears[_KEYS].weight.shape[0], linears[_VALUES].weight.shape[0]
    if read != queries or keys != values or read % width or keys % width:
        return (
            f"{_QUERIES}, {_KEYS}, {_VALUES} write {queries}, {keys} and {values} numbers and {output} reads {read}, "
            f"which are no equal heads of {width}"
        )
    return Heads(read // width, keys // width, width)


def _child(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name, None)
    return module


def _size(shape: Sequence[int], part: Slice) -> int:
    whole = 1
    for axis, length in enumerate(shape):
        whole *= part.stop - part.start if axis == part.axis else length
    return whole
