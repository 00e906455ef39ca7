"""The windows of ONNX's convolutions and pools: pads resolved, positions and sizes counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from prototxt_gen.layers.parts.protocols import OnnxOp


class Span(NamedTuple):
    """The windows along one axis; window i begins at i * stride - begin."""

    size: int
    kernel: int
    stride: int = 1
    begin: int = 0
    end: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """From the first tap of a window to the last, both included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def out(self) -> int:
        """The number of windows of a convolution."""
        return (self.size + self.begin + self.end - self.extent) // self.stride + 1


def spans(op: OnnxOp, kernel: Sequence[int], sizes: Sequence[int]) -> list[Span]:
    """The windows along each spatial axis; ``auto_pad`` becomes pads."""
    axes = len(kernel)
    strides = op.attribute("strides", [1] * axes)
    dilations = op.attribute("dilations", [1] * axes)
    pads = op.attribute("pads", [0] * 2 * axes)
    auto = op.attribute("auto_pad", "NOTSET")
    found = []
    for axis in range(axes):
        begin, end = (pads[axis], pads[axes + axis]) if auto == "NOTSET" else (0, 0)
        span = Span(sizes[axis], kernel[axis], strides[axis], begin, end, dilations[axis])
        if auto.startswith("SAME"):
            out = -(-span.size // span.stride)
            total = max(0, (out - 1) * span.stride + span.extent - span.size)
            less, more = total // 2, total - total // 2
            begin, end = (less, more) if auto == "SAME_UPPER" else (more, less)
            span = span._replace(begin=begin, end=end)
        found.append(span)
    return found


class Pooled(NamedTuple):
    """The windows of a pool along one axis.

    ``before`` and ``after`` are pads that a mean always counts, ``include`` says whether it
    counts those of the span.
    """

    span: Span
    out: int
    include: bool = False
    before: int = 0
    after: int = 0

    @property
    def lead(self) -> int:
        """How far the first window begins before the image."""
        return self.span.begin + self.before

    def starts(self) -> list[int]:
        """Where each window begins; the image begins at 0."""
        return [i * self.span.stride - self.lead for i in range(self.out)]

    def counts(self) -> list[int]:
        """What a mean divides by along this axis, for each window."""
        (size, kernel, _, begin, end, dilation), extent = self.span, self.span.extent
        low = -self.before - (begin if self.include else 0)
        high = size + self.after + (end if self.include else 0)
        return [
            len([at for at in range(start, start + extent, dilation) if low <= at < high])
            if kernel
            else 0
            for start in self.starts()
        ]


def pooled(op: OnnxOp) -> list[Pooled]:
    """The windows of MaxPool or AveragePool along each spatial axis."""
    sizes, out = op.shape()[2:], op.top_shape()[2:]
    include = bool(op.attribute("count_include_pad", 0))
    found = spans(op, op.attribute("kernel_shape"), sizes)
    image = op.attribute("image_pads", [0] * 2 * len(sizes))
    plain = [one if one.kernel > 1 else one._replace(dilation=1) for one in found]
    return [
        Pooled(span, out[axis], include, image[axis], image[len(sizes) + axis])
        for axis, span in enumerate(plain)
    ]


class Spread(NamedTuple):
    """What ConvTranspose keeps along one axis: ``out`` values, from ``begin`` on."""

    span: Span
    begin: int
    out: int

    @property
    def full(self) -> int:
        """How many values there are before any are cut off."""
        return self.span.stride * (self.span.size - 1) + self.span.extent

    @property
    def end(self) -> int:
        """How many are cut off at the end; below 0 where zeros follow."""
        return self.full - self.begin - self.out


def spreads(op: OnnxOp, kernel: Sequence[int], sizes: Sequence[int]) -> list[Spread]:
    """What ConvTranspose keeps along each spatial axis."""
    axes = len(kernel)
    auto = op.attribute("auto_pad", "NOTSET")
    more = op.attribute("output_padding", [0] * axes)
    wanted = op.attribute("output_shape")
    found = []
    for axis in range(axes):
        stride = op.attribute("strides", [1] * axes)[axis]
        dilation = op.attribute("dilations", [1] * axes)[axis]
        pads = op.attribute("pads", [0] * 2 * axes) if auto == "NOTSET" else [0] * 2 * axes
        span = Span(sizes[axis], kernel[axis], stride, pads[axis], pads[axes + axis], dilation)
        spread = Spread(span, span.begin, 0)
        whole = spread.full + more[axis]
        if wanted or auto.startswith("SAME"):
            same = min(whole, sizes[axis] * stride)  # as onnxruntime has it
            out = wanted[len(wanted) - axes + axis] if wanted else same
            total = max(0, whole - out)
            begin = total // 2 if auto == "SAME_UPPER" else total - total // 2
            found.append(spread._replace(begin=begin, out=out))
        else:
            found.append(spread._replace(out=whole - span.begin - span.end))
    return found
