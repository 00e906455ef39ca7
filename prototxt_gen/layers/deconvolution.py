"""Relatives of convolution: its transpose, its windows, and one kernel for each channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import Affine, Arity, Before, Cost, Lifted, Problem, layer
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.parts.numeric import windows
from prototxt_gen.layers.parts.onnx_windows import spreads
from prototxt_gen.layers.parts.shapes import Dim, Shape, axis_index, count, need_rank
from prototxt_gen.layers.parts.sight import spread
from prototxt_gen.layers.parts.window import expand, too_large, window_problems

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp


@layer("Deconvolution", param="convolution_param")
class Deconvolution(Convolution):
    """The transpose of a convolution: input and output trade places (deconv_layer.cpp)."""

    lifts = ("ConvTranspose",)
    _steps = staticmethod(spread)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(channels, num_output / group, kernel...), and (num_output,) for the bias."""
        weight, *bias = super().blob_shapes(bottoms)
        channels = bottoms[0][axis_index(self.axis, len(bottoms[0]))]
        return ((channels, self.num_output // self.group, *weight[2:]), *bias)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight that an input reaches; the bias is not counted."""
        writes = count(self.blob_shapes(bottoms)[0][1:]) or 0
        adds = sum(writes * (count(bottom) or 0) for bottom in bottoms)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def _columns(self, image: Shape) -> Shape:
        return (self.num_output, *image[1:])

    def _out(self, size: Dim, kernel: int, stride: int, pad: int, dilation: int) -> Dim:
        if size is None:
            return None
        out = stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
        if out < (1 if size else 0):  # an empty axis may stay empty
            raise too_large(size, kernel, pad)
        return out

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ConvTranspose, which stores its weights in the same order."""
        return self._lower_all(b, "ConvTranspose", bottoms, blobs)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """ConvTranspose with constant weights, as much cut off at both ends of each axis."""
        weight = op.need_constant(1, "weights")
        found = spreads(op, weight.shape[2:], op.shape()[2:])
        if any(one.begin != one.end or one.begin < 0 for one in found):
            return None
        return cls.lifted(op, weight, [one.begin for one in found])

    def absorb_before(
        self, bottom: Shape, blobs: Sequence[Array], before: Before
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """It does not: at the edges fewer values meet."""
        return None

    @classmethod
    def _outputs(cls, weight: Array, group: int) -> int:
        return int(weight.shape[1]) * group

    def _along_outputs(self, factor: Array, shape: Sequence[int]) -> Array:
        """(channels, outputs / group, ...): each group of channels has outputs of its own."""
        each = np.repeat(factor.reshape(self.group, -1), shape[0] // self.group, axis=0)
        return each.reshape(*shape[:2], *(1,) * (len(shape) - 2))

    def _end_pads(self, spatial: Shape) -> list[int]:
        """The pads at the start: as much is cut off at the end."""
        return list(self._windows(len(spatial))[2])

    def _convolved(self, x: Array, weight: Array) -> Array:
        """Each value times the kernel, summed where the kernels overlap."""
        axes = x.ndim - 2
        kernel, stride, pad, dilation = self._windows(axes)
        out = [d or 0 for d in self._spatial(x.shape[2:])]
        batch, group = x.shape[0], self.group
        grouped = x.reshape(batch, group, -1, *x.shape[2:])
        weight = weight.reshape(group, -1, *weight.shape[1:])
        full = [o + 2 * p for o, p in zip(out, pad, strict=True)]
        y = np.zeros((batch, group, weight.shape[2], *full), x.dtype)
        for tap in np.ndindex(*kernel):
            part = np.einsum("ngc...,gco->ngo...", grouped, weight[(..., *tap)])
            where = tuple(
                slice(t * d, t * d + (n - 1) * s + 1, s)
                for t, d, s, n in zip(tap, dilation, stride, x.shape[2:], strict=True)
            )
            y[(slice(None), slice(None), slice(None), *where)] += part
        inside = tuple(slice(p, p + o) for p, o in zip(pad, out, strict=True))
        return y[(slice(None), slice(None), slice(None), *inside)].reshape(batch, -1, *out)


@layer("Im2col", param="convolution_param")
class Im2col(Convolution):
    """Each window as a column (im2col_layer.cpp): (N, C * kernel, H', W')."""

    def arity(self) -> Arity:
        """One bottom and one top."""
        return Arity()

    def problems(self) -> Iterator[Problem]:
        """The window is sound; num_output and group do not matter."""
        yield from window_problems(
            self.kernel, self.stride, self.conflicts, self.pad, self.dilation
        )

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """None."""
        return ()

    def buffers(self, bottoms: Sequence[Shape]) -> tuple[tuple[str, Shape], ...]:
        """None: the top has the windows."""
        return ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The channels times the size of the kernel."""
        axis = axis_index(self.axis, len(bottoms[0]))
        (top,) = super().shapes(bottoms, tops)
        kernel = expand(self.kernel, len(bottoms[0]) - axis - 1, "kernel_size")
        return ((*top[:axis], count((bottoms[0][axis], *kernel)), *top[axis + 1 :]),)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """No multiply-adds."""
        return Cost()

    def absorb(
        self, blobs: Sequence[Array], affine: Affine
    ) -> tuple[Self, tuple[Array, ...]] | None:
        """None: there are no weights."""
        return None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The values of each window."""
        (x,) = bottoms
        (top,) = self.shapes([x.shape], 1)
        axis = axis_index(self.axis, x.ndim)
        if axis == x.ndim - 1:
            return (x,)
        flat = x.reshape(-1, *x.shape[axis:])
        axes = flat.ndim - 2
        kernel, stride, pad, dilation = self._windows(axes)
        out = [d or 0 for d in top[axis + 1 :]]
        seen = windows(flat, kernel, stride, dilation, out, pad, 0.0)
        order = (0, 1, *range(2 + axes, 2 + 2 * axes), *range(2, 2 + axes))
        return (seen.transpose(order).reshape(top),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Conv with one-hot weights, one for each position of the kernel."""
        shape = b.bottom_shapes[0]
        axis = axis_index(self.axis, len(shape))
        channels = shape[axis] or 0
        kernel = expand(self.kernel, len(shape) - axis - 1, "kernel_size")
        taps = count(kernel) or 0
        one_hot = np.eye(taps, dtype=np.float32).reshape(1, taps, 1, *kernel)
        weight = np.tile(one_hot, (channels, 1, 1, *(1,) * len(kernel)))
        weight = weight.reshape(channels * taps, 1, *kernel)
        conv = replace(self.as_convolution(), group=channels)
        plain, weight = conv._plain(weight, len(kernel))
        return (plain._lower_one(b, "Conv", bottoms[0], 0, [b.const(weight, "taps")]),)

    def as_convolution(self) -> Convolution:
        """The convolution with the same windows."""
        return Convolution(
            kernel=self.kernel,
            pad=self.pad,
            stride=self.stride,
            dilation=self.dilation,
            axis=self.axis,
            bias_term=False,
        )


@layer("ConvolutionDepthwise", "DepthwiseConv", param="convolution_param")
class ConvolutionDepthwise(Convolution):
    """One kernel for each channel, regardless of num_output and group (a fork's layer)."""

    def problems(self) -> Iterator[Problem]:
        """The window is sound."""
        yield from window_problems(
            self.kernel, self.stride, self.conflicts, self.pad, self.dilation
        )

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(C, 1, kernel...), and (C,) for the bias."""
        return self._as_groups(bottoms[0]).blob_shapes(bottoms)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """As many channels as the bottom has."""
        return self._as_groups(bottoms[0]).shapes(bottoms, tops)

    def _as_groups(self, bottom: Shape) -> Convolution:
        need_rank(bottom, 4, 4, "ConvolutionDepthwise")
        channels = bottom[1] or 0
        return Convolution(
            channels,
            self.kernel,
            self.pad,
            self.stride,
            self.dilation,
            channels,
            bias_term=self.bias_term,
            counts=self.counts,
        )

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """As a convolution with a group for each channel."""
        return self._as_groups(bottoms[0].shape).run(bottoms, blobs, tops)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Conv."""
        return self._as_groups(b.bottom_shapes[0]).lower(b, bottoms, blobs)
