"""Resize along one axis as a matrix: each new value is a row of weights over the old ones.

Positions are computed in 32 bits, in the order of onnxruntime's upsamplebase.h, so that ties are
broken as it breaks them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from prototxt_gen.errors import UnsupportedError

Array = np.ndarray[Any, np.dtype[Any]]
_PROBE = 9  #: a size at which the middle is free of borders


class Sampling(NamedTuple):
    """The attributes of Resize that say where values are taken from."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude: bool = False


class Taps(NamedTuple):
    """A Deconvolution along an axis by a whole factor, and what its results are multiplied by."""

    stride: int
    pad: int
    kernel: Array
    factors: Array


def matrix(size: int, out: int, scale: float, how: Sampling) -> Array:
    """The weights, (out, size)."""
    places = _places(size, out, np.float32(scale), how.coordinates)
    rows = np.zeros((out, size))
    each = np.arange(out)
    if how.mode == "nearest":
        rows[each, np.clip(_rounded(places, scale, how.nearest), 0, size - 1)] = 1
    elif how.mode == "linear":
        places = np.clip(places, 0, size - 1)
        low = np.floor(places).astype(int)
        share = places.astype(np.float64) - low
        np.add.at(rows, (each, low), 1 - share)
        np.add.at(rows, (each, np.minimum(low + 1, size - 1)), share)
    else:
        _add_cubic(rows, places, how)
    return rows


def taps(size: int, out: int, scale: float, how: Sampling) -> Taps | None:
    """The Deconvolution that gives the matrix, if one does.

    Where ONNX repeats the border, Caffe sees nothing; where that only makes a row's sum smaller,
    dividing by the sum makes up for it.
    """
    factor = out // size
    if out % size or scale != factor:
        return None
    column = matrix(_PROBE, _PROBE * factor, scale, how)[:, _PROBE // 2]
    reach = np.flatnonzero(column) - _PROBE // 2 * factor
    pad = int(max(-reach[0], reach[-1] - factor + 1, 0))
    first = _PROBE // 2 * factor - pad
    kernel = column[first : first + factor + 2 * pad]
    place = np.arange(out)[:, None] - factor * np.arange(size) + pad
    inside = (place >= 0) & (place < len(kernel))
    found = np.where(inside, kernel[np.clip(place, 0, len(kernel) - 1)], 0)
    sums = found.sum(axis=1)
    if (sums == 0).any():
        return None
    if np.abs(found / sums[:, None] - matrix(size, out, scale, how)).max() > 1e-6:
        return None
    factors = np.where(np.abs(sums - 1) < 1e-6, 1, 1 / sums)
    return Taps(factor, pad, kernel, factors)


def _places(size: int, out: int, scale: np.float32, kind: str) -> Array:
    """Where each new value lies among the old ones."""
    x, half = np.arange(out, dtype=np.float32), np.float32(0.5)
    if kind in ("align_corners", "pytorch_half_pixel") and out == 1:
        return np.zeros(1, np.float32)
    if kind in ("half_pixel", "pytorch_half_pixel"):
        return (x + half) / scale - half
    if kind == "half_pixel_symmetric":
        adjusted = np.float32(out) / (scale * np.float32(size))
        middle = np.float32(size / 2)
        return middle * (1 - adjusted) + (x + half) / scale - half
    if kind == "asymmetric":
        return x / scale
    if kind == "tf_half_pixel_for_nn":
        return (x + half) / scale
    if kind == "align_corners":
        return x * np.float32(size - 1) / np.float32(out - 1)
    raise UnsupportedError(
        f"coordinate_transformation_mode is {kind}, which cuts the image; cut it with a Slice, "
        "and use half_pixel"
    )


def _rounded(places: Array, scale: float, kind: str) -> Array:
    if kind == "simple":  # Resize of opset 10
        return (np.ceil(places) if scale < 1 else np.trunc(places)).astype(int)
    if kind == "floor":
        return np.floor(places).astype(int)
    if kind == "ceil":
        return np.ceil(places).astype(int)
    down = kind == "round_prefer_floor"
    halves = places - np.floor(places) == 0.5
    nearest = np.where(halves & down, np.floor(places), np.floor(places + np.float32(0.5)))
    return nearest.astype(int)


def _add_cubic(rows: Array, places: Array, how: Sampling) -> None:
    """Four taps; those outside are the border's, or do not count (``exclude_outside``)."""
    size, low = rows.shape[1], np.floor(places).astype(int)
    t, a = places.astype(np.float64) - low, how.cubic
    near = [((a + 2) * d - (a + 3)) * d * d + 1 for d in (t, 1 - t)]
    far = [((a * d - 5 * a) * d + 8 * a) * d - 4 * a for d in (1 + t, 2 - t)]
    weights = np.stack([far[0], *near, far[1]])
    at = low + np.arange(-1, 3)[:, None]
    if how.exclude:
        weights = np.where((at >= 0) & (at < size), weights, 0)
        weights = weights / weights.sum(axis=0)
    for tap in range(4):
        np.add.at(rows, (np.arange(len(rows)), np.clip(at[tap], 0, size - 1)), weights[tap])
