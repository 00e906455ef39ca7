"""Boxes as offsets from prior boxes, the codes of SSD (DecodeBBox in bbox_util.cpp).

A box has its least and its greatest corner. An offset is scaled by the prior's variances,
unless the target of training was; then, by the code, it moves

- ``CORNER``: the corners,
- ``CORNER_SIZE``: the corners, in units of the prior's size,
- ``CENTER_SIZE``: the centre, in units of the size, and the logarithm of the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.document import Symbol

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder

CORNER, CORNER_SIZE = Symbol("CORNER"), Symbol("CORNER_SIZE")
CENTER_SIZE = Symbol("CENTER_SIZE")


def decoded(code: Symbol, offsets: Array, priors: Array, variances: Array | None) -> Array:
    """Boxes (..., P, 4) from offsets of that shape; priors and variances are (P, 4).

    Without variances the offsets are as they are.
    """
    moved = offsets if variances is None else variances * offsets
    if code == CORNER:
        found: Array = priors + moved
        return found
    low, high = priors[:, :2], priors[:, 2:]
    size = high - low
    if code == CORNER_SIZE:
        found = priors + moved * np.tile(size, 2)
        return found
    centre = moved[..., :2] * size + (low + high) / np.float32(2)
    half = np.exp(moved[..., 2:]) * size / np.float32(2)
    return np.concatenate([centre - half, centre + half], axis=-1)


def lower_decoded(b: Builder, code: Symbol, offsets: str, priors: str, variances: str) -> str:
    """The same in ONNX; ``variances`` is empty for offsets that are as they are."""
    moved = b.op("Mul", [offsets, variances]) if variances else offsets
    if code == CORNER:
        return b.op("Add", [priors, moved])
    low, high = b.split(priors, [2, 2], 1)
    size = b.op("Sub", [high, low])
    if code == CORNER_SIZE:
        sizes = b.op("Concat", [size, size], axis=1)
        return b.op("Add", [priors, b.op("Mul", [moved, sizes])])
    move, scale = b.split(moved, [2, 2], -1)
    centre = b.op("Mul", [b.op("Add", [low, high]), b.scalar(0.5)])
    centre = b.op("Add", [b.op("Mul", [move, size]), centre])
    half = b.op("Mul", [b.op("Mul", [b.op("Exp", [scale]), size]), b.scalar(0.5)])
    corners = [b.op("Sub", [centre, half]), b.op("Add", [centre, half])]
    return b.op("Concat", corners, axis=-1)
