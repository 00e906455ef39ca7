"""AVE and STOCHASTIC pooling in ONNX, with Caffe's windows and what it divides by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.grid import lower_places
from prototxt_gen.layers.parts.pool_window import Grid
from prototxt_gen.layers.parts.sizes import any_free
from prototxt_gen.layers.parts.window import Window

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Builder


def window_counts(
    sizes: Sequence[int], out: Sequence[int], kernel: Window, stride: Window, pad: Window
) -> list[list[int]]:
    """What AVE divides by along each axis: the pad counts, but not what lies beyond it."""
    return [
        [min(start + k, size + p) - start for start in range(-p, o * s - p, s)]
        for size, o, k, s, p in zip(sizes, out, kernel, stride, pad, strict=True)
    ]


def lower_mean(b: Builder, x: str, grid: Grid) -> str:
    """AveragePool, whose divisor counts either all pads of the attribute or none."""
    pad, ends = grid.pad, grid.ends
    window = {"kernel_shape": list(grid.kernel), "strides": list(grid.stride)}
    if all(end <= p for end, p in zip(ends, pad, strict=True)):
        return b.op("AveragePool", [x], **window, pads=[*pad, *ends], count_include_pad=1)
    if not grid.gap:
        wide = b.pad(x, [0, 0, *pad], [0, 0, *pad], 0.0) if any(pad) else x
        rest = [max(0, end - p) for end, p in zip(ends, pad, strict=True)]
        return b.op("AveragePool", [wide], **window, pads=[0, 0, *rest], count_include_pad=0)
    # A window that reads nothing is 0 divided by a size that is 0 or less (pooling_layer.cpp).
    wide = b.pad(x, [0, 0, *pad], [0, 0, *ends], 0.0)
    mean = b.op("AveragePool", [wide], **window)
    return b.op("Mul", [mean, _factors(b, grid)])


def _factors(b: Builder, grid: Grid) -> str:
    """The size of a whole window, divided by what Caffe counts of each: (H', W')."""
    windows = (grid.sizes, grid.out, grid.kernel, grid.stride, grid.pad)
    whole = np.float32(grid.kernel[0] * grid.kernel[1])
    if not any_free(grid.sizes):
        with np.errstate(divide="ignore"):
            rows, columns = window_counts(*windows)
            return b.const(whole / np.outer(rows, columns).astype(np.float32))
    axes = []
    for size, o, k, s, p in zip(*windows, strict=True):
        start = b.op("Mul", [lower_places(b, o), b.scalar(s)])
        left = b.op("Sub", [b.scalar(size + 2 * p), start])
        axes.append(b.op("Min", [left, b.scalar(k)]))
    area = b.op("Mul", [b.unsqueeze(axes[0], [1]), b.unsqueeze(axes[1], [0])])
    return b.op("Div", [b.scalar(float(whole)), area])


def lower_stochastic(b: Builder, x: str, grid: Grid) -> str:
    """The mean of each window, weighted by the values; 0 where a window reads nothing."""
    ends = grid.ends
    if grid.gap:
        x, ends = b.pad(x, [0, 0, 0, 0], [0, 0, *ends], 0.0), (0, 0)
    window = {"kernel_shape": list(grid.kernel), "strides": list(grid.stride)}
    window["pads"] = [0, 0, *ends]
    mean = b.op("AveragePool", [x], **window)
    squares = b.op("AveragePool", [b.op("Mul", [x, x])], **window)
    return weighted_mean(b, squares, mean)


def weighted_mean(b: Builder, squares: str, mean: str) -> str:
    """The mean of squares divided by the mean; 0 where that is not above 0."""
    zero = b.scalar(0.0)
    ratio = b.op("Div", [squares, mean])
    return b.op("Where", [b.op("Greater", [mean, zero]), ratio, zero])
