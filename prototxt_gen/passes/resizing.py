"""Pictures in another size, as ONNX's Resize makes them.

It is linear between the middles of pixels, which is where cv::resize has them with INTER_LINEAR
(resize.cpp), as convert_imageset and image_data_layer.cpp call it; nothing is smoothed before.
cv::resize of bytes computes in whole numbers and rounds down on the way, so that it differs from
this by less than 1 of 255 levels; rounding here as well would bring neither nearer to the other
(benchmarks/resize.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

MOST = 1 << 13  #: the longest side that a picture may get


def resized(pictures: Array, size: Sequence[int]) -> Array:
    """Pictures (N, C, H, W) with another height and width, as float32."""
    x = pictures.astype(np.float32)
    for axis, length in zip((2, 3), size, strict=True):
        x = _stretched(x, axis, length)
    return x


def _stretched(x: Array, axis: int, length: int) -> Array:
    """One axis with another length; beyond the outer pixels their values go on."""
    own = x.shape[axis]
    if own == length:
        return x
    # In float32, as the operator says: its coordinates in a long row are not exact.
    factor = np.float32(length) / np.float32(own)
    at = (np.arange(length, dtype=np.float32) + np.float32(0.5)) / factor - np.float32(0.5)
    at = np.clip(at, np.float32(0), np.float32(own - 1))
    first = at.astype(np.int64)
    shape = [-1 if index == axis else 1 for index in range(x.ndim)]
    share = (at - first.astype(np.float32)).reshape(shape)
    one, other = (np.take(x, np.minimum(first + more, own - 1), axis) for more in (0, 1))
    made: Array = one * (np.float32(1) - share) + other * share
    return made
