"""One answer in all processes of a training: what the first one knows."""

from __future__ import annotations

from typing import Any

__all__ = ["alone", "as_the_first"]


def alone() -> bool:
    """Whether torch.distributed joins this process with no other."""
    from torch import distributed

    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1


def as_the_first(flag: bool, device: Any) -> bool:
    """The first process's flag, in every process; all of them must call it. `device` is the training's own."""
    if alone():
        return flag
    import torch
    from torch import distributed

    told = torch.tensor([int(flag)], device=device)
    distributed.broadcast(told, src=0)
    return bool(told.item())
