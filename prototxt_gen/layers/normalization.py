"""Layers that take mean, variance or length out of a blob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.layers.base import Cost, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.shapes import Dim, Shape, count, need_rank
from prototxt_gen.layers.pooling import AVE, Pooling

if TYPE_CHECKING:
    from typing import Self

    from prototxt_gen.layers.base import Array, Builder

ACROSS_CHANNELS = Symbol("ACROSS_CHANNELS")


@layer("BatchNorm", "MKLBatchNorm", "CuDNNBatchNorm", param="batch_norm_param")
class BatchNorm(Base):
    """Mean 0 and variance 1 for each channel, which is axis 1 (batch_norm_layer.cpp).

    ``use_global_stats=None`` means those of the net in the TEST phase alone. With
    ``scale_bias`` (NVIDIA's fork) it has the factors of a Scale as well; ``layers.nvidia``.
    """

    use_global_stats: Optional[bool] = None
    moving_average_fraction: float = 0.999
    eps: float = 1e-5
    scale_bias: bool = False
    relu: bool = False  #: whether a ReLU follows inside of the layer (intel/caffe)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """NVIDIA's fillers imply ``scale_bias``; ``bias_filler`` alone may be Intel's."""
        found = super().read(params, layer)
        nvidia = params.type is not None and params.type.message("scale_filler") is not None
        implied = params.has("scale_filler") or (nvidia and params.has("bias_filler"))
        return replace(found, scale_bias=True) if implied else found

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Mean and variance, (C,) each, and (1,): the factor that both are divided by.

        With ``scale_bias`` then the scale and the bias, (C,) each.
        """
        channels = self._channels(bottoms[0])
        learned = ((channels,), (channels,)) if self.scale_bias else ()
        return ((channels,), (channels,), (1,), *learned)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the bottom."""
        self._channels(bottoms[0])
        return (bottoms[0],)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """The first three blobs are statistics: none is learned."""
        sizes = [count(shape) or 0 for shape in self.blob_shapes(bottoms)]
        return Cost(parameters=sum(sizes[3:]), statistics=sum(sizes[:3]))

    def _channels(self, bottom: Shape) -> Dim:
        # LayerSetUp provides for one axis, but Reshape then asks for the size of axis 1.
        need_rank(bottom, 2, 32, "BatchNorm")
        return bottom[1]

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """By the stored statistics, or those of the batch."""
        (x,) = bottoms
        if self.use_global_stats is False:
            axes = tuple(i for i in range(x.ndim) if i != 1)
            mean = x.mean(axis=axes, dtype=np.float64)
            variance = x.var(axis=axes, dtype=np.float64)
        else:
            mean, variance = self.statistics(blobs)
        y = (x - along(mean, 1, x.ndim)) / np.sqrt(along(variance, 1, x.ndim) + self.eps)
        if self.scale_bias:
            y = y * along(blobs[3], 1, x.ndim) + along(blobs[4], 1, x.ndim)
        return ((np.maximum(y, 0) if self.relu else y).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """BatchNormalization; by the batch ReduceMean and arithmetic."""
        (x,) = bottoms
        learned = blobs[3:5] if self.scale_bias else None
        if self.use_global_stats is False:
            y = _by_batch(b, x, self.eps, learned)
        else:
            mean, variance = self.statistics(blobs)
            scale, bias = learned or (np.ones_like(mean), np.zeros_like(mean))
            names = ("scale", "bias", "mean", "variance")
            values = (scale, bias, mean, variance)
            inputs = [b.const(v, n) for v, n in zip(values, names, strict=True)]
            y = b.op("BatchNormalization", [x, *inputs], epsilon=self.eps)
        return (b.op("Relu", [y]) if self.relu else y,)

    def statistics(self, blobs: Sequence[Array]) -> tuple[Array, Array]:
        """Mean and variance; a factor of 0 makes both 0 (batch_norm_layer.cpp).

        NVIDIA's layer, known by ``scale_bias``, has a factor too and does not look at it.
        """
        if self.scale_bias:
            return blobs[0], blobs[1]
        stored = blobs[2].reshape(-1)[0]
        factor = np.float32(0) if stored == 0 else np.float32(1) / stored
        return blobs[0] * factor, blobs[1] * factor


@layer("LRN", "CuDNNLRNCrossChannel", param="lrn_param")
class LRN(Base):
    """Divide by what neighbours have: channels, or pixels of one channel (lrn_layer.cpp)."""

    local_size: int = 5
    alpha: float = 1.0
    beta: float = 0.75
    norm_region: Symbol = ACROSS_CHANNELS
    k: float = 1.0

    def problems(self) -> Iterator[Problem]:
        """There is a middle."""
        if self.local_size % 2 == 0:
            message = f"local_size is {self.local_size}; expected an odd number"
            yield Problem("lrn-even", message, "local_size")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the bottom, (N, C, H, W)."""
        need_rank(bottoms[0], 4, 4, "LRN")
        return (bottoms[0],)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula; within a channel k counts as 1."""
        (x,) = bottoms
        square = x * x
        if self.norm_region == ACROSS_CHANNELS:
            half = self.local_size // 2
            padded = np.pad(square, ((0, 0), (half, half), (0, 0), (0, 0)))
            channels = x.shape[1]
            total = sum(padded[:, i : i + channels] for i in range(self.local_size))
            scale = self.k + self.alpha / self.local_size * total
        else:
            (mean,) = self._mean().run([square], (), 1)
            scale = 1 + self.alpha * mean
        return ((x * scale**-self.beta).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """LRN, or within a channel the mean of squares."""
        (x,) = bottoms
        if self.norm_region == ACROSS_CHANNELS:
            size = self.local_size
            return (b.op("LRN", [x], size=size, alpha=self.alpha, beta=self.beta, bias=self.k),)
        (mean,) = self._mean().lower(b, [b.op("Mul", [x, x])], ())
        scale = b.op("Add", [b.op("Mul", [mean, b.scalar(self.alpha)]), b.scalar(1.0)])
        return (b.op("Mul", [x, b.op("Pow", [scale, b.scalar(-self.beta)])]),)

    def _mean(self) -> Pooling:
        """The mean of a square of pixels, those outside the image included."""
        return Pooling(AVE, (self.local_size,), (1,), ((self.local_size - 1) // 2,))


@layer("MVN", param="mvn_param")
class MVN(Base):
    """Mean 0 and variance 1 for each channel of each image, or for the image (mvn_layer.cpp)."""

    normalize_variance: bool = True
    across_channels: bool = False
    eps: float = 1e-9

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W), with 1 for what the bottom does not have."""
        need_rank(bottoms[0], 0, 4, "MVN")
        return ((*bottoms[0], *(1,) * (4 - len(bottoms[0]))),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula; eps is added to the deviation, not to the variance."""
        (x,) = bottoms
        x = x.reshape(x.shape + (1,) * (4 - x.ndim))
        axes = (1, 2, 3) if self.across_channels else (2, 3)
        y = x - x.mean(axis=axes, keepdims=True, dtype=np.float64)
        if self.normalize_variance:
            y = y / (np.sqrt((y * y).mean(axis=axes, keepdims=True)) + self.eps)
        return (y.astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceMean and arithmetic; InstanceNormalization adds eps elsewhere."""
        rank = len(b.bottom_shapes[0])
        x = bottoms[0] if rank == 4 else b.unsqueeze(bottoms[0], list(range(rank, 4)))
        axes = (1, 2, 3) if self.across_channels else (2, 3)
        y = b.op("Sub", [x, b.reduce("ReduceMean", x, axes, keepdims=True)])
        if self.normalize_variance:
            variance = b.reduce("ReduceMean", b.op("Mul", [y, y]), axes, keepdims=True)
            deviation = b.op("Add", [b.op("Sqrt", [variance]), b.scalar(self.eps)])
            y = b.op("Div", [y, deviation])
        return (y,)


@layer("Normalize", param="norm_param")
class Normalize(Base):
    """Length 1 for each pixel's channels or for each image, then a factor (SSD)."""

    across_spatial: bool = True
    channel_shared: bool = True
    eps: float = 1e-10

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The factors: (C,), or a scalar where one is shared."""
        need_rank(bottoms[0], 2, 4, "Normalize")
        return ((),) if self.channel_shared else ((bottoms[0][1],),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula; eps is inside of the root."""
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


def _by_batch(b: Builder, x: str, eps: float, learned: Sequence[Array] | None) -> str:
    """Mean 0 and variance 1 by the statistics of the batch at hand."""
    rank = len(b.bottom_shapes[0])
    axes = [0, *range(2, rank)]
    y = b.op("Sub", [x, b.reduce("ReduceMean", x, axes, keepdims=True)])
    variance = b.reduce("ReduceMean", b.op("Mul", [y, y]), axes, keepdims=True)
    y = b.op("Div", [y, b.op("Sqrt", [b.op("Add", [variance, b.scalar(eps)])])])
    if learned is not None:
        scale, bias = (blob.reshape(-1, *(1,) * (rank - 2)) for blob in learned)
        y = b.op("Add", [b.op("Mul", [y, b.const(scale, "scale")]), b.const(bias, "bias")])
    return y
