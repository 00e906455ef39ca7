"""What the stages of a net cost, and its costliest layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from prototxt_gen.report.layers import LayerView

_MOST_STAGES = 12
_COSTLIEST = 10


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers whose blobs have one size: the first and the last of them, and what all cost."""

    size: str
    first: int
    last: int
    layers: int
    parameters: int
    multiply_adds: int


def stages(layers: Sequence[LayerView]) -> tuple[Stage, ...]:
    """The stages in the order of the net; layers without a cost are in none.

    Where sizes alternate, as in a detector with heads of several, a size is one stage.
    """
    costly = [one for one in layers if one.parameters or one.multiply_adds]
    rows = [list(group) for _, group in groupby(costly, lambda one: one.size)]
    if len(rows) > _MOST_STAGES:
        sizes: dict[str, list[LayerView]] = {}
        for one in costly:
            sizes.setdefault(one.size, []).append(one)
        rows = list(sizes.values())
    return tuple(map(_stage, rows))


def _stage(found: Sequence[LayerView]) -> Stage:
    return Stage(
        found[0].size or "size unknown",
        found[0].index,
        found[-1].index,
        len(found),
        sum(one.parameters or 0 for one in found),
        sum(one.multiply_adds or 0 for one in found),
    )


def costliest(layers: Iterable[LayerView]) -> tuple[int, ...]:
    """The layers with the most multiply-adds, the costliest first."""
    found = [one for one in layers if one.multiply_adds]
    found.sort(key=lambda one: -(one.multiply_adds or 0))
    return tuple(one.index for one in found[:_COSTLIEST])
