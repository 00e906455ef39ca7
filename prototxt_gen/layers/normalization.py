"""Layers that normalize by mean, variance or length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.document import Symbol
from prototxt_gen.layers.base import BOTTOM, TOP, Lifted, Problem, Seen, Sight, Weight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.shapes import MAX_COUNT, Shape, need_rank
from prototxt_gen.layers.parts.sight import windowed
from prototxt_gen.layers.parts.window import overflow
from prototxt_gen.layers.pooling import AVE, Pooling

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp

ACROSS_CHANNELS, WITHIN_CHANNEL = Symbol("ACROSS_CHANNELS"), Symbol("WITHIN_CHANNEL")


@layer("LRN", "CuDNNLRNCrossChannel", param="lrn_param")
class LRN(Base):
    """Divide by a norm of the neighbours: channels, or pixels of one channel (lrn_layer.cpp)."""

    local_size: int = 5
    alpha: float = 1.0
    beta: float = 0.75
    norm_region: Symbol = ACROSS_CHANNELS
    k: float = 1.0

    lifts = ("LRN", "ResponseWithin")
    backward = BOTTOM | TOP

    def problems(self) -> Iterator[Problem]:
        """``local_size`` is odd."""
        if self.local_size % 2 == 0:
            message = f"local_size is {self.local_size}; expected an odd number"
            yield Problem("lrn-even", message, "local_size")
        if self.local_size > MAX_COUNT:
            yield Problem("int-overflow", overflow("local_size", self.local_size), "local_size")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the bottom, (N, C, H, W)."""
        need_rank(bottoms[0], 4, 4, "LRN")
        return (bottoms[0],)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """Within a channel, a window."""
        if self.norm_region == ACROSS_CHANNELS:
            return super().sees(index, bottoms, tops)
        return windowed((self.local_size,) * 2, (1, 1), (self.local_size // 2,) * 2, (1, 1))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x / (k + alpha * mean of the squares) ^ beta; within a channel k is 1."""
        (x,) = bottoms
        square = x * x
        if self.norm_region == ACROSS_CHANNELS:
            channels = x.shape[1]
            half = min(self.local_size // 2, channels)  # zeros follow the last channel
            padded = np.pad(square, ((0, 0), (half, half), (0, 0), (0, 0)))
            total = sum(padded[:, i : i + channels] for i in range(2 * half + 1))
            scale = self.k + self.alpha / self.local_size * total
        else:
            (mean,) = self._mean().run([square], (), 1)
            scale = 1 + self.alpha * mean
        return ((x * scale**-self.beta).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """LRN, or the mean of squares and arithmetic."""
        (x,) = bottoms
        if self.norm_region == ACROSS_CHANNELS:
            size = self.local_size
            # OpenVINO is wrong for one channel, and where the neighbours are more than all.
            wide = size == 1 or size > (b.bottom_shapes[0][1] or 0)
            if wide or not (self.alpha > 0 and self.beta > 0):
                return (self._by_pooling(b, x),)
            return (b.op("LRN", [x], size=size, alpha=self.alpha, beta=self.beta, bias=self.k),)
        (mean,) = self._mean().lower(b, [b.op("Mul", [x, x])], ())
        return (self._divided(b, x, mean, 1.0),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """LRN, which is across channels; and the pattern that is within."""
        if op.op_type != "LRN":
            size, alpha, beta = (op.attribute(name) for name in ("size", "alpha", "beta"))
            return Lifted(cls(size, alpha, beta, WITHIN_CHANNEL))
        return Lifted(
            cls(
                local_size=op.attribute("size"),
                alpha=op.attribute("alpha", 1e-4),
                beta=op.attribute("beta", 0.75),
                k=op.attribute("bias", 1.0),
            )
        )

    def _by_pooling(self, b: Builder, x: str) -> str:
        """Across channels by basic operators: onnxruntime's LRN requires alpha and beta above 0."""
        half, square = self.local_size // 2, b.unsqueeze(b.op("Mul", [x, x]), [1])
        mean = b.op(
            "AveragePool",
            [square],
            kernel_shape=[self.local_size, 1, 1],
            pads=[half, 0, 0, half, 0, 0],
            count_include_pad=1,
        )
        return self._divided(b, x, b.squeeze(mean, [1]), self.k)

    def _divided(self, b: Builder, x: str, mean: str, k: float) -> str:
        scale = b.op("Add", [b.op("Mul", [mean, b.scalar(self.alpha)]), b.scalar(k)])
        return b.op("Mul", [x, b.op("Pow", [scale, b.scalar(-self.beta)])])

    def _mean(self) -> Pooling:
        """The mean over a square of pixels, zeros outside the image included."""
        return Pooling(AVE, (self.local_size,), (1,), ((self.local_size - 1) // 2,))


@layer("MVN", param="mvn_param")
class MVN(Base):
    """Mean 0 and variance 1 for each channel of each image, or for the image (mvn_layer.cpp)."""

    normalize_variance: bool = True
    across_channels: bool = False
    eps: float = 1e-9

    lifts = ("Centre", "MeanVarianceNormalization", "Standardize")
    backward = TOP

    sight = Sight.ALL

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W), with 1 for axes that the bottom does not have."""
        need_rank(bottoms[0], 0, 4, "MVN")
        return ((*bottoms[0], *(1,) * (4 - len(bottoms[0]))),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """(x - mean) / (deviation + eps): eps is not added to the variance."""
        (x,) = bottoms
        x = x.reshape(x.shape + (1,) * (4 - x.ndim))
        axes = (1, 2, 3) if self.across_channels else (2, 3)
        y = x - x.mean(axis=axes, keepdims=True, dtype=np.float64)
        if self.normalize_variance:
            y = y / (np.sqrt((y * y).mean(axis=axes, keepdims=True)) + self.eps)
        return (y.astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceMean and arithmetic; InstanceNormalization adds eps to the variance."""
        rank = len(b.bottom_shapes[0])
        x = bottoms[0] if rank == 4 else b.unsqueeze(bottoms[0], list(range(rank, 4)))
        axes = (1, 2, 3) if self.across_channels else (2, 3)
        y = b.op("Sub", [x, b.reduce("ReduceMean", x, axes, keepdims=True)])
        if self.normalize_variance:
            variance = b.reduce("ReduceMean", b.op("Mul", [y, y]), axes, keepdims=True)
            deviation = b.op("Add", [b.op("Sqrt", [variance]), b.scalar(self.eps)])
            y = b.op("Div", [y, deviation])
        return (y,)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """MeanVarianceNormalization, and its parts as patterns find them, by channel or image.

        ``Centre`` is x - mean; ``Standardize`` with the attribute ``deviation`` also divides by
        the deviation plus eps.
        """
        shape = op.shape()
        if len(shape) != 4 or len(op.inputs) > 1:
            return None
        wide = {a % 4 for a in op.attribute("axes", [0, 2, 3]) if shape[a] != 1}
        for first in (2, 1):
            if wide == {axis for axis in range(first, 4) if shape[axis] != 1}:
                break
        else:
            return None
        if op.op_type == "Centre":
            return Lifted(cls(normalize_variance=False, across_channels=first == 1))
        if op.op_type == "Standardize" and not op.attribute("deviation", False):
            return None
        return Lifted(cls(across_channels=first == 1, eps=op.attribute("epsilon", 1e-9)))


@layer("Normalize", param="norm_param")
class Normalize(Base):
    """Length 1 over each pixel's channels or over each image, then a factor (SSD)."""

    across_spatial: bool = True
    channel_shared: bool = True
    eps: float = 1e-10

    lifts = ("Normalize",)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The factors: (C,), or a scalar where it is shared."""
        need_rank(bottoms[0], 2, 4, "Normalize")
        return ((),) if self.channel_shared else ((bottoms[0][1],),)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """The factors."""
        return (Weight("scale", "scale_filler", 1.0),)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """All, or the place itself."""
        return Sight.ALL if self.across_spatial else super().sees(index, bottoms, tops)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x / sqrt(sum of squares + eps) * factor."""
        (x,) = bottoms
        axes = tuple(range(1, x.ndim)) if self.across_spatial else (1,)
        length = np.sqrt((x * x).sum(axis=axes, keepdims=True) + np.float32(self.eps))
        scale = blobs[0] if self.channel_shared else along(blobs[0], 1, x.ndim)
        return (x / length * scale,)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceSumSquare and arithmetic; LpNormalization has no eps."""
        (x,) = bottoms
        rank = len(b.bottom_shapes[0])
        axes = range(1, rank) if self.across_spatial else (1,)
        total = b.reduce("ReduceSumSquare", x, list(axes), keepdims=True)
        length = b.op("Sqrt", [b.op("Add", [total, b.scalar(self.eps)])])
        scale = blobs[0].reshape(-1, *(1,) * (rank - 2)) if blobs[0].ndim else blobs[0]
        return (b.op("Mul", [b.op("Div", [x, length]), b.const(scale, "scale")]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """What a pattern finds: x / sqrt(sum of squares + eps) * factor."""
        rank, axes = len(op.shape()), op.attribute("axes")
        factor = op.need_constant(1, "scales")
        across = axes == list(range(1, rank)) and rank > 2
        if not (across or axes == [1]) or not 2 <= rank <= 4:
            return None
        shared = factor.size == 1
        if not shared and factor.shape[1 - rank :] != (op.shape()[1], *(1,) * (rank - 2)):
            return None
        made = cls(across, shared, op.attribute("epsilon"))
        return Lifted(made, (factor.reshape(() if shared else -1),))
