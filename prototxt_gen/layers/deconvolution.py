"""The kin of a convolution: its transpose, its windows, and one kernel for each channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.layers.base import Arity, Cost, Problem, layer
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.shapes import Dim, Shape, axis_index, count, need_rank
from prototxt_gen.layers.window import expand, too_large, window_problems


@layer("Deconvolution", param="convolution_param")
class Deconvolution(Convolution):
    """The transpose of a convolution: what it reads and writes changed (deconv_layer.cpp)."""

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(channels, num_output / group, kernel...), and (num_output,) for the bias."""
        weight, *bias = super().blob_shapes(bottoms)
        channels = bottoms[0][axis_index(self.axis, len(bottoms[0]))]
        return ((channels, self.num_output // self.group, *weight[2:]), *bias)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """One multiply-add for each weight that an input writes; the bias is not counted."""
        writes = count(self.blob_shapes(bottoms)[0][1:]) or 0
        adds = sum(writes * (count(bottom) or 0) for bottom in bottoms)
        return super().cost(bottoms, tops)._replace(multiply_adds=adds)

    def _out(self, size: Dim, kernel: int, stride: int, pad: int, dilation: int) -> Dim:
        if size is None:
            return None
        out = stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
        if out < 1:
            raise too_large(size, kernel, pad)
        return out


@layer("Im2col", param="convolution_param")
class Im2col(Convolution):
    """Each window as a column (im2col_layer.cpp): (N, C * kernel, H', W')."""

    def arity(self) -> Arity:
        """One of each."""
        return Arity()

    def problems(self) -> Iterator[Problem]:
        """The window makes sense; there are no outputs and no groups."""
        yield from window_problems(self.kernel, self.stride, self.conflicts)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """None."""
        return ()

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The channels times the size of the kernel."""
        axis = axis_index(self.axis, len(bottoms[0]))
        (top,) = super().shapes(bottoms, tops)
        kernel = expand(self.kernel, len(bottoms[0]) - axis - 1, "kernel_size")
        return ((*top[:axis], count((bottoms[0][axis], *kernel)), *top[axis + 1 :]),)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """Nothing is computed."""
        return Cost()


@layer("ConvolutionDepthwise", "DepthwiseConv", param="convolution_param")
class ConvolutionDepthwise(Convolution):
    """A kernel for each channel, whatever num_output and group say (a fork's layer)."""

    def problems(self) -> Iterator[Problem]:
        """The window makes sense."""
        yield from window_problems(self.kernel, self.stride, self.conflicts)

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
        )
