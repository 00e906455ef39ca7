"""Convolution over any number of spatial axes (base_conv_layer.cpp, conv_layer.cpp)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.activation import ReLU
from prototxt_gen.layers.base import (
    MANY,
    Affine,
    Arity,
    Axes,
    Before,
    Cost,
    Lifted,
    Problem,
    Seen,
    Sight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import fixed_from, in_front
from prototxt_gen.layers.parts.numeric import along, convolved, preceded, scaled, windows
from prototxt_gen.layers.parts.onnx_windows import spans
from prototxt_gen.layers.parts.shapes import Dim, Shape, axis_index, count, need_equal, show
from prototxt_gen.layers.parts.sight import windowed
from prototxt_gen.layers.parts.window import (
    ALL_SPELLINGS,
    Counts,
    Window,
    both_spellings,
    collapse,
    counted,
    expand,
    need_counts,
    read_window,
    too_large,
    window_problems,
    write_window,
)

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp


@layer("Convolution", "DepthwiseConvolution", param="convolution_param")
class Convolution(Base):
    """Weights of (num_output, channels / group, kernel...); each bottom has its own top."""

    num_output: int = 0
    kernel: Window = ()
    pad: Window = (0,)
    stride: Window = (1,)
    dilation: Window = (1,)
    group: int = 1
    axis: int = 1
    bias_term: bool = True
    relu: bool = False  #: whether the layer applies a ReLU at the end (intel/caffe)
    negative_slope: float = 0.0
    conflicts: tuple[str, ...] = ()  #: windows given in both spellings
    #: How windows were written; layers that differ only in that are equal.
    counts: Counts = dataclasses.field(default=(), compare=False, repr=False)

    spellings = ALL_SPELLINGS
    lifts = ("Conv",)
    _steps = staticmethod(windowed)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """Both spellings of a window are read into one."""
        return cls(
            num_output=params.get("num_output", int, 0),
            kernel=read_window(params, "kernel_size"),
            pad=read_window(params, "pad", (0,)),
            stride=read_window(params, "stride", (1,)),
            dilation=read_window(params, "dilation", (1,)),
            group=params.get("group", int, 1),
            axis=params.get("axis", int, 1),
            bias_term=params.get("bias_term", bool, True),
            relu=params.get("relu", bool, False),
            negative_slope=params.get("negative_slope", float, 0.0),
            conflicts=both_spellings(params),
            counts=counted(params),
        )

    def write(self) -> Block:
        """Pad and stride are always written, as is customary."""
        block = Block.of(num_output=self.num_output)
        write_window(block, "kernel_size", self.kernel)
        write_window(block, "pad", self.pad)
        write_window(block, "stride", self.stride)
        block.add("dilation", self.dilation if self.dilation != (1,) else None)
        block.add("group", self.group if self.group != 1 else None)
        block.add("axis", self.axis if self.axis != 1 else None)
        block.add("bias_term", None if self.bias_term else False)
        block.add("relu", True if self.relu else None)
        block.add("negative_slope", self.negative_slope or None)
        return block

    def arity(self) -> Arity:
        """As many tops as bottoms."""
        return Arity((1, MANY), (1, MANY), equal=True)

    def problems(self) -> Iterator[Problem]:
        """What base_conv_layer.cpp checks before it looks at a shape."""
        yield from window_problems(
            self.kernel, self.stride, self.conflicts, self.pad, self.dilation
        )
        if self.num_output == 0:
            yield Problem("num-output-zero", "num_output is 0, expected at least 1", "num_output")
        if self.group == 0:
            yield Problem("group-zero", "group is 0, expected at least 1", "group")
        elif self.num_output % self.group:
            message = f"num_output {self.num_output} is not divisible by group {self.group}"
            yield Problem("group-divides", message, "group")

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(num_output, channels / group, kernel...), and (num_output,) for the bias."""
        axis = axis_index(self.axis, len(bottoms[0]))
        channels = bottoms[0][axis]
        if channels is not None and self.group:
            if channels % self.group:
                raise ShapeError(
                    f"the bottom {show(bottoms[0])} has {plural(channels, 'channel')}, not "
                    f"divisible by group {self.group}",
                    rule="group-divides",
                    field="group",
                )
            channels //= self.group
        kernel = expand(self.kernel, len(bottoms[0]) - axis - 1, "kernel_size")
        weight = (self.num_output, channels, *kernel)
        return (weight, (self.num_output,)) if self.bias_term else (weight,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(batch..., num_output, spatial...); all bottoms have the same shape."""
        need_equal(bottoms)
        axis = axis_index(self.axis, len(bottoms[0]))
        return tuple(
            (*shape[:axis], self.num_output, *self._spatial(shape[axis + 1 :])) for shape in bottoms
        )

    def buffers(self, bottoms: Sequence[Shape]) -> tuple[tuple[str, Shape], ...]:
        """The windows of an image as columns, even if they stay unused (base_conv_layer.cpp)."""
        axis = axis_index(self.axis, len(bottoms[0]))
        channels, *spatial = self._columns(bottoms[0][axis:])
        kernel = expand(self.kernel, len(spatial), "kernel_size")
        return (("the buffer of an image's windows", (count((channels, *kernel)), *spatial)),)

    def _columns(self, image: Shape) -> Shape:
        """The channels and positions of the smaller end of the windows."""
        return (image[0], *self._spatial(image[1:]))

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The axes before the channels stay."""
        kept = in_front(bottoms, tops, axis_index(self.axis, len(bottoms[0])))
        return fixed_from(kept, 1)  # all but the batch is written into the model

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight that an output reads; the bias is not counted."""
        reads = count(self.blob_shapes(bottoms)[0][1:]) or 0
        adds = sum(reads * (count(top) or 0) for top in tops)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """A window at each position; all of a bottom with channels among the positions."""
        rank = len(bottoms[index])
        axis = axis_index(self.axis, rank)
        if axis > 1:
            return Sight.ALL
        return type(self)._steps(*self._windows(rank - axis - 1))[1 - axis :]

    def _spatial(self, sizes: Shape) -> tuple[Dim, ...]:
        return tuple(map(self._out, sizes, *self._windows(len(sizes))))

    def _out(self, size: Dim, kernel: int, stride: int, pad: int, dilation: int) -> Dim:
        """The number of windows along an axis."""
        if size is None:
            return None
        extent = dilation * (kernel - 1) + 1
        room = size + 2 * pad - extent
        # C++ truncates, so that -1 / 2 is 0.
        out = (room // stride if room >= 0 else -(-room // stride)) + 1
        if out < (1 if size else 0):  # an empty axis may stay empty
            raise too_large(size, extent, pad)
        return out

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """A sum of products at each position."""
        axis = axis_index(self.axis, bottoms[0].ndim)
        shapes = self.shapes([x.shape for x in bottoms], tops)
        found = []
        for x, top in zip(bottoms, shapes, strict=True):
            spatial = x.shape[axis + 1 :]
            flat = x.reshape(-1, x.shape[axis], *(spatial or (1,)))
            plain, weight = self._plain(blobs[0], len(spatial))
            y = plain._convolved(flat, weight)
            if self.bias_term:
                y = y + along(blobs[1].reshape(-1), 1, y.ndim)
            y = y.reshape(top)
            found.append(ReLU(self.negative_slope).run([y], (), 1)[0] if self.relu else y)
        return tuple(found)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Conv; the axes before the channels become one batch axis."""
        return self._lower_all(b, "Conv", bottoms, blobs)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Conv with constant weights, if the windows are those of a pad on both sides."""
        weight = op.need_constant(1, "weights")
        found = spans(op, weight.shape[2:], op.shape()[2:])
        lifted = cls.lifted(op, weight, [span.begin for span in found])
        try:
            (top,) = lifted.layer.shapes([op.shape()], 1)
        except ShapeError:  # no window fits with the pads at the start alone
            return None
        return lifted if list(top[2:]) == [span.out for span in found] else None

    @classmethod
    def lifted(cls, op: OnnxOp, weight: Array, pads: Sequence[int]) -> Lifted:
        """The layer of a Conv, with these pads at both ends."""
        bias = (op.need_constant(2, "biases"),) if op.has(2) else ()
        axes = weight.ndim - 2
        made = cls(
            num_output=cls._outputs(weight, op.attribute("group", 1)),
            kernel=collapse(weight.shape[2:]),
            pad=collapse(tuple(pads)),
            stride=collapse(tuple(op.attribute("strides", [1] * axes))),
            dilation=collapse(tuple(op.attribute("dilations", [1] * axes))),
            group=op.attribute("group", 1),
            bias_term=bool(bias),
        )
        return Lifted(made, (weight, *bias))

    @classmethod
    def _outputs(cls, weight: Array, group: int) -> int:
        return len(weight)

    def absorb(
        self, blobs: Sequence[Array], affine: Affine
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """Times the factor of each output; None where a ReLU comes between."""
        if self.axis != 1 or self.relu:
            return None
        weight = scaled(blobs[0], self._along_outputs(affine.factor, blobs[0].shape))
        bias = affine.shift
        if self.bias_term:
            bias = bias + affine.factor * blobs[1].reshape(-1)
        made = (weight, bias.astype(np.float32))
        return replace(self, bias_term=True), made

    def absorb_before(
        self, bottom: Shape, blobs: Sequence[Array], before: Before
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """Other weights; a mean becomes part of the bias where nothing is padded.

        Caffe pads with 0 after the mean was subtracted, so that a pad is not minus the mean.
        """
        if self.axis != 1 or blobs[0].shape[1] * self.group != bottom[1]:
            return None
        if before.order and self.group != 1:
            return None
        if before.mean is None:
            return self, (preceded(blobs[0], before, self.group)[0], *blobs[1:])
        if any((*self._windows(len(bottom) - 2)[2], *self._end_pads(bottom[2:]))):
            return None
        weight, shift = preceded(blobs[0], before, self.group)
        bias = shift + (blobs[1].reshape(-1) if self.bias_term else 0.0)
        return replace(self, bias_term=True), (weight, bias.astype(np.float32))

    def _along_outputs(self, factor: Array, shape: Sequence[int]) -> Array:
        """A factor for each output, shaped to broadcast over the weights."""
        found: Array = factor.reshape(-1, *(1,) * (len(shape) - 1))
        return found

    def _convolved(self, x: Array, weight: Array) -> Array:
        """(N, C, ...) convolved, without the bias."""
        kernel, stride, pad, dilation = self._windows(x.ndim - 2)
        out = [d or 0 for d in self._spatial(x.shape[2:])]
        seen = windows(x, kernel, stride, dilation, out, pad, 0.0)
        return convolved(seen, weight, self.group)

    def _windows(self, axes: int) -> tuple[Window, Window, Window, Window]:
        """Kernel, stride, pad and dilation for each spatial axis."""
        need_counts(self.counts, axes)
        return (
            expand(self.kernel, axes, "kernel_size"),
            expand(self.stride, axes, "stride"),
            expand(self.pad, axes, "pad"),
            expand(self.dilation, axes, "dilation"),
        )

    def _plain(self, weight: Array, axes: int) -> tuple[Convolution, Array]:
        """The same with a spatial axis, one of 1 at least, and dilations from 1 on.

        A dilation of 0 has all taps on one pixel (im2col.cpp): a kernel of 1, their sum.
        """
        if axes == 0:
            none = replace(self, kernel=(1,), stride=(1,), pad=(0,), dilation=(1,))
            return none, weight[..., None]
        kernel, _, _, dilation = self._windows(axes)
        if 0 not in dilation:
            return self, weight
        first = weight.ndim - axes
        added = tuple(first + index for index, d in enumerate(dilation) if d == 0)
        kernel = tuple(k if d else 1 for k, d in zip(kernel, dilation, strict=True))
        plain = replace(self, kernel=kernel, dilation=tuple(d or 1 for d in dilation))
        return plain, weight.sum(axis=added, keepdims=True)

    def _lower_all(
        self, b: Builder, op: str, bottoms: Sequence[str], blobs: Sequence[Array]
    ) -> tuple[str, ...]:
        axis = axis_index(self.axis, len(b.bottom_shapes[0]))
        plain, weight = self._plain(blobs[0], len(b.bottom_shapes[0]) - axis - 1)
        weights = [b.const(weight, "weight")]
        if self.bias_term:
            weights.append(b.const(blobs[1].reshape(-1), "bias"))
        return tuple(plain._lower_one(b, op, x, index, weights) for index, x in enumerate(bottoms))

    def _lower_one(self, b: Builder, op: str, x: str, index: int, weights: Sequence[str]) -> str:
        """One bottom; for an axis other than 1, the axes before it become one batch axis."""
        shape = b.bottom_shapes[index]
        axis = axis_index(self.axis, len(shape))
        spatial = shape[axis + 1 :] or (1,)
        reshaped = axis != 1 or spatial != shape[axis + 1 :]
        if reshaped:
            x = b.reshape(x, [-1, *(dim or 0 for dim in (shape[axis], *spatial))])
        kernel, stride, pad, dilation = self._windows(len(spatial))
        y = b.op(
            op,
            [x, *weights],
            kernel_shape=list(kernel),
            strides=list(stride),
            pads=[*pad, *self._end_pads(spatial)],
            dilations=list(dilation),
            group=self.group,
        )
        if reshaped:
            y = b.reshape_like(y, index)
        return ReLU(self.negative_slope).lower(b, [y], ())[0] if self.relu else y

    def _end_pads(self, spatial: Shape) -> list[int]:
        """The pads at the end, larger where Caffe's only window exceeds the image.

        Its division truncates, so that a window fits that is too large by less than a stride;
        im2col.cpp reads zeros there.
        """
        kernel, _, pad, dilation = self._windows(len(spatial))
        return [
            p + max(0, d * (k - 1) + 1 - 2 * p - (size if size is not None else d * k))
            for size, k, p, d in zip(spatial, kernel, pad, dilation, strict=True)
        ]
