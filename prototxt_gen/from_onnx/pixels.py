"""Reorderings of the values of an image: of channels, or between channels and pixels.

A reordering is an array of the shape that comes out, of one image, with the place in the image
that goes in of each value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


class Moves(NamedTuple):
    """Each place of a block of ``factors`` pixels by itself: where it comes from.

    ``table`` is (channels, *factors) of channels where pixels come from channels (``wider``),
    else (channels, 3), of the channel, and the row and column in its block.
    """

    table: Array
    factors: tuple[int, int]
    wider: bool


def moves(before: Sequence[int], source: Array) -> Moves | None:
    """What a reordering is, of an image (C, H, W); None if it is nothing of the kind."""
    (_, height, width), (_, new_height, new_width) = before, source.shape
    large, small = (height, width), (new_height, new_width)
    wider = new_height * new_width > height * width
    if wider:
        large, small = small, large
    if any(a % b for a, b in zip(large, small, strict=True)):
        return None
    factors = (large[0] // small[0], large[1] // small[1])
    if wider:
        table = source[:, : factors[0], : factors[1]] // (height * width)
    else:
        channel, pixel = np.divmod(source[:, 0, 0], height * width)
        table = np.stack([channel, *np.divmod(pixel, width)], axis=1)
        if (table[:, 1:] >= factors).any():
            return None
    found = Moves(table, factors, wider)
    return found if np.array_equal(placed(found, before), source) else None


def placed(found: Moves, before: Sequence[int]) -> Array:
    """The reordering that moves stand for."""
    _, height, width = before
    places = np.arange(int(np.prod(before))).reshape(before)
    rows, columns = found.factors
    if found.wider:
        taken = places[found.table]  # (channels, rows, columns, H, W)
        return taken.transpose(0, 3, 1, 4, 2).reshape(-1, height * rows, width * columns)
    channel, row, column = found.table.T
    blocks = places.reshape(-1, height // rows, rows, width // columns, columns)
    return blocks[channel, :, row, :, column].reshape(len(found.table), *blocks.shape[1:4:2])


def darknet_stride(before: Sequence[int], source: Array) -> int | None:
    """The stride of YOLOv2's order, which reads the image as one of fewer, larger planes."""
    channels, height, width = before
    stride = height // max(source.shape[1], 1)
    if stride < 2 or channels % (stride * stride):
        return None
    places = np.arange(source.size).reshape(-1, height, stride, width, stride)
    order = places.transpose(2, 4, 0, 1, 3)
    return stride if np.array_equal(order.ravel(), source.ravel()) else None
