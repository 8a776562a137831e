"""Activations of one run put into another: the intervention of activation patching."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from pytest_safetydrift.trainer.targeted.capture import Activations, Change, Spot, hooked, spots_of
from pytest_safetydrift.trainer.targeted.layout import Layout
from pytest_safetydrift.trainer.targeted.parts import Kind, Part

__all__ = ["patched", "patched_at"]


@contextmanager
def patched(layout: Layout, part: Part, donor: Activations, places: torch.Tensor | None = None) -> Iterator[None]:
    """While inside, the part's output is the donor's; see `patched_at`. Of a head only its own numbers are.

    The weights that read the output stay: a head's is read by the output projection of the model that is patched.
    """
    columns = slice(None)
    if part.kind is Kind.HEAD and part.head is not None:
        columns = layout.heads(part.layer).columns(part.head)
    with patched_at(layout, spots_of(part), donor, places, columns):
        yield


@contextmanager
def patched_at(
    layout: Layout,
    spots: tuple[Spot, ...],
    donor: Activations,
    places: torch.Tensor | None = None,
    columns: slice = slice(None),
) -> Iterator[None]:
    """While inside, the activations at these spots are the donor's, in the dtype and on the device of the model.

    places   int64 [rows]: the place of each row that is replaced, the donor's being [rows, numbers]; None replaces all
             places, the donor's being [rows, tokens, numbers]
    columns  which of the numbers are replaced

    Raises KeyError where the donor lacks a spot, and ValueError on the forward pass where shapes do not fit.
    """
    with hooked(layout, {spot: _replacing(donor[spot], places, columns) for spot in spots}):
        yield


def _replacing(given: torch.Tensor, places: torch.Tensor | None, columns: slice) -> Change:
    def change(activation: torch.Tensor) -> torch.Tensor:
        whole = activation.clone()
        fitting = given.to(activation.device, activation.dtype)
        expected = activation.shape if places is None else (activation.shape[0], activation.shape[2])
        if fitting.shape != expected:
            raise ValueError(f"the donor's activation is {tuple(fitting.shape)}, and {tuple(expected)} is replaced")
        if places is None:
            whole[..., columns] = fitting[..., columns]
        else:
            rows = torch.arange(len(whole), device=whole.device)
            whole[rows, places.to(whole.device), columns] = fitting[:, columns]
        return whole

    return change
