"""Batch normalization of BVLC's Caffe, and of NVIDIA's, which has five blobs.

NVIDIA's batch_norm_layer.cpp keeps mean, variance, a factor, scale and bias, in this order,
and ignores the factor in the TEST phase, where BVLC's divides by it (NVIDIA/caffe#512).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Optional, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import Affine, Lifted, Weight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.phase import own_phase
from prototxt_gen.layers.parts.shapes import Dim, Shape, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, Normal, OnnxOp

NVIDIA = "nvcaffe"  #: the dialect


_WEIGHTS = (
    Weight("mean", random=0.0, statistic=True, fixed=True),
    Weight("variance", random=1.0, statistic=True, fixed=True),
    Weight("factor", random=1.0, statistic=True, fixed=True),
    Weight("scale", "scale_filler", 1.0, random=1.0),
    Weight("bias", "bias_filler", random=0.0),
)


@layer("BatchNorm", "MKLBatchNorm", "CuDNNBatchNorm", param="batch_norm_param")
class BatchNorm(Base):
    """Mean 0 and variance 1 for each channel, which is axis 1 (batch_norm_layer.cpp).

    ``use_global_stats=None`` means the stored statistics in the TEST phase only. With
    ``scale_bias`` (NVIDIA's fork) it has the blobs of a Scale as well.
    """

    use_global_stats: Optional[bool] = None
    moving_average_fraction: float = 0.999
    eps: float = 1e-5
    scale_bias: bool = False
    relu: bool = False  #: whether the layer applies a ReLU at the end (intel/caffe)

    lifts = ("BatchNormalization",)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """What the parameters imply.

        A layer whose own phase is TRAIN uses batch statistics by default. NVIDIA's fillers
        imply ``scale_bias``; ``bias_filler`` alone may be Intel's.
        """
        own = super().read(params, layer)
        if own.use_global_stats is None and own_phase(layer) == "TRAIN":
            own = replace(own, use_global_stats=False)
        nvidia = params.type is not None and params.type.message("scale_filler") is not None
        implied = params.has("scale_filler") or (nvidia and params.has("bias_filler"))
        return replace(own, scale_bias=True) if implied else own

    def as_stored(self, blobs: Sequence[Array]) -> tuple[Self, str] | None:
        """Five blobs of one size, except for a single number in the middle, are NVIDIA's."""
        if self.scale_bias or len(blobs) != 5:
            return None
        sizes = [blob.size for blob in blobs]
        clear = sizes[2] == 1 and len({sizes[0], sizes[1], sizes[3], sizes[4]}) == 1
        return (replace(self, scale_bias=True), NVIDIA) if clear else None

    def remarks(self, source: Block, blobs: Sequence[Array], dialect: str) -> Iterator[str]:
        """How the factor is used, which BVLC's and NVIDIA's layers treat differently."""
        if len(blobs) < 3:
            return
        factor = float(blobs[2].reshape(-1)[0])
        if not self.scale_bias:
            if dialect == NVIDIA and factor != 1:
                yield (
                    f"mean and variance are divided by their factor {factor:g}, as in BVLC's "
                    "Caffe; NVIDIA's Caffe does not use it"
                )
            return
        if not self.read(source.block("batch_norm_param"), source).scale_bias:
            yield "has a scale and a bias in the file, and is read as in NVIDIA's Caffe"
        if factor != 1:
            yield (
                f"its factor {factor:g} is ignored, as in NVIDIA's Caffe; BVLC's would divide "
                "mean and variance by it"
            )

    def in_test(self) -> Self:
        """With the stored statistics, however they were made, unless that is refused."""
        fraction = type(self)().moving_average_fraction
        stored = self.use_global_stats is not False
        return replace(self, use_global_stats=stored, moving_average_fraction=fraction)

    def by_batch(self) -> bool:
        """Where use_global_stats is false."""
        return self.use_global_stats is False

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Mean and variance, (C,) each, and (1,): the factor that both are divided by.

        With ``scale_bias`` then the scale and the bias, (C,) each.
        """
        channels = self._channels(bottoms[0])
        learned = ((channels,), (channels,)) if self.scale_bias else ()
        return ((channels,), (channels,), (1,), *learned)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the bottom."""
        self._channels(bottoms[0])
        return (bottoms[0],)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """Statistics, which start as zeros and are not learned, then factors, which are."""
        return _WEIGHTS[: len(shapes)]

    def _channels(self, bottom: Shape) -> Dim:
        # LayerSetUp allows for a single axis, but Reshape then reads the size of axis 1.
        need_rank(bottom, 2, 32, "BatchNorm")
        return bottom[1]

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """With the stored statistics, or those of the batch."""
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
        """BatchNormalization; with batch statistics, ReduceMean and arithmetic."""
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

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """BatchNormalization with stored statistics, a scale of 1 and a bias of 0."""
        scale, bias = op.need_constant(1, "scales"), op.need_constant(2, "biases")
        if (scale != 1).any() or bias.any():
            return None
        return cls.with_statistics(op)

    @classmethod
    def with_statistics(cls, op: OnnxOp) -> Lifted:
        """What a BatchNormalization does before its scale and bias.

        Raises UnsupportedError for batch statistics, and for a mean of each pixel.
        """
        if op.attribute("training_mode", 0) or len([name for name in op.outputs if name]) > 1:
            raise UnsupportedError("it is in training mode; export the model for inference")
        if not op.attribute("spatial", 1):
            raise UnsupportedError("its statistics are of each pixel (spatial=0), not of channels")
        mean, variance = op.need_constant(3, "means"), op.need_constant(4, "variances")
        made = cls(use_global_stats=True, eps=op.attribute("epsilon", 1e-5))
        return Lifted(made, (mean, variance, np.ones(1, np.float32)))

    def canonical(self, bottoms: Sequence[Shape], blobs: Sequence[Array]) -> Normal:
        """With the stored statistics, already divided by their factor."""
        if self.use_global_stats is False or self.scale_bias or self.relu:
            return self, tuple(blobs)
        ones = np.ones(1, np.float32)
        return replace(self, use_global_stats=True), (*self.statistics(blobs), ones)

    def affine(self, blobs: Sequence[Array]) -> Affine | None:
        """With the stored statistics: 1 / s and -m / s, where s = sqrt(variance + eps)."""
        if self.use_global_stats is False or self.relu:
            return None
        mean, variance = (value.astype(np.float64) for value in self.statistics(blobs))
        factor = 1 / np.sqrt(variance + self.eps)
        found = Affine(factor, -mean * factor)
        return found.then(Affine(blobs[3], blobs[4])) if self.scale_bias else found

    def statistics(self, blobs: Sequence[Array]) -> tuple[Array, Array]:
        """Mean and variance; a factor of 0 makes both 0 (batch_norm_layer.cpp).

        NVIDIA's layer, known by ``scale_bias``, has a factor too but ignores it.
        """
        if self.scale_bias:
            return blobs[0], blobs[1]
        stored = blobs[2].reshape(-1)[0]
        factor = np.float32(0) if stored == 0 else np.float32(1) / stored
        return blobs[0] * factor, blobs[1] * factor


def lower_channel_mean(b: Builder, x: str, rank: int) -> str:
    """The mean of each channel, (1, C, 1...): of pixels, then of images.

    All at once, over axes that are not neighbours, is wrong in OpenCV 5.
    """
    if rank > 2:
        x = b.reduce("ReduceMean", x, list(range(2, rank)), keepdims=True)
    return b.reduce("ReduceMean", x, [0], keepdims=True)


def _by_batch(b: Builder, x: str, eps: float, learned: Sequence[Array] | None) -> str:
    """Mean 0 and variance 1 by the statistics of the batch."""
    rank = len(b.bottom_shapes[0])
    y = b.op("Sub", [x, lower_channel_mean(b, x, rank)])
    variance = lower_channel_mean(b, b.op("Mul", [y, y]), rank)
    y = b.op("Div", [y, b.op("Sqrt", [b.op("Add", [variance, b.scalar(eps)])])])
    if learned is not None:
        scale, bias = (blob.reshape(-1, *(1,) * (rank - 2)) for blob in learned)
        y = b.op("Add", [b.op("Mul", [y, b.const(scale, "scale")]), b.const(bias, "bias")])
    return y
