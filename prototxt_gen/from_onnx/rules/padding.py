"""Pads that no window behind them takes.

Zeros around a plane come from a convolution whose kernel is a single 1; any other border is
concatenated: constants, or for ``reflect``, ``edge`` and ``wrap`` rows of the blob itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.from_onnx.pads import Padding, padding
from prototxt_gen.from_onnx.rules.windows import cut
from prototxt_gen.layers.combine import Concat, Slice
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.parts.window import collapse

_ROWS = 16  #: the most rows of a border that are cut out one by one


@rule("Pad")
def pad(lifting: Lifting, op: Op) -> Made:
    """Slice where pads are negative, then a Convolution or Concats."""
    net, x, found = lifting.net, lifting.bottom(op), padding(op)
    starts = [max(0, -begin) for begin in found.begins]
    sizes = [
        size + min(0, begin) + min(0, end)
        for size, begin, end in zip(x.shape, found.begins, found.ends, strict=True)
    ]
    begins = tuple(max(0, one) for one in found.begins)
    ends = tuple(max(0, one) for one in found.ends)
    more = any((*begins, *ends))
    x = cut(net, x, 0, starts, sizes, "cut" if more else "")
    if not more:
        return x
    wanted = Padding(begins, ends, found.value, found.mode)
    around = wanted.around(len(x.shape))
    if found.mode == "constant" and found.value == 0 and around:
        return _zeros(net, x, begins[2:], ends[2:])
    for axis in range(len(x.shape)):
        if begins[axis] or ends[axis]:
            last = not any((*begins[axis + 1 :], *ends[axis + 1 :]))
            x = _along(net, x, axis, wanted, "" if last else f"axis{axis}")
    return x


def _zeros(net: Net, x: Blob, begins: Sequence[int], ends: Sequence[int]) -> Blob:
    """A border of zeros around each plane."""
    channels, sizes = x.shape[1], x.shape[2:]
    pads = [max(both) for both in zip(begins, ends, strict=True)]
    layer = Convolution(channels, (1,), pad=collapse(tuple(pads)), group=channels, bias_term=False)
    suffix = "whole" if tuple(begins) != tuple(ends) else ""
    weight = np.ones((channels, 1, *(1,) * len(sizes)), np.float32)
    whole = net.add(layer, [x], (weight,), suffix=suffix)
    starts = [pad - begin for pad, begin in zip(pads, begins, strict=True)]
    wanted = [size + b + e for size, b, e in zip(sizes, begins, ends, strict=True)]
    return cut(net, whole, 2, starts, wanted)


def _along(net: Net, x: Blob, axis: int, wanted: Padding, suffix: str) -> Blob:
    """A border before and after one axis."""
    begin, end = wanted.begins[axis], wanted.ends[axis]
    if wanted.mode != "constant":
        places = np.pad(np.arange(x.shape[axis]), (begin, end), mode=wanted.mode)  # type: ignore[call-overload]
        front, back = places[:begin].tolist(), places[begin + x.shape[axis] :].tolist()
        if len(front) + len(back) > _ROWS:
            raise UnsupportedError(
                f"a border of {len(front) + len(back)} rows in the mode {wanted.mode}; expected "
                f"at most {_ROWS}, or a border of a constant"
            )
        rows = _rows(net, x, axis, {*front, *back}, suffix)
        parts = [*(rows[at] for at in front), x, *(rows[at] for at in back)]
        return net.add(Concat(axis), parts, suffix=suffix)
    parts = [_border(net, x, axis, begin, wanted.value)] if begin else []
    parts.append(x)
    if end:
        parts.append(_border(net, x, axis, end, wanted.value))
    return net.add(Concat(axis), parts, suffix=suffix)


def _border(net: Net, x: Blob, axis: int, size: int, value: float) -> Blob:
    shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
    return net.constant(np.full(shape, value, np.float32))


def _rows(net: Net, x: Blob, axis: int, wanted: set[int], suffix: str) -> dict[int, Blob]:
    """Single rows of a blob."""
    size = x.shape[axis]
    ends = sorted({end for at in wanted for end in (at, at + 1) if 0 < end < size})
    if not ends:
        return {0: x}
    tops = net.add_all(Slice(tuple(ends), axis), [x], len(ends) + 1, suffix=f"{suffix}rows")
    starts = [0, *ends]
    return {at: tops[starts.index(at)] for at in wanted}
