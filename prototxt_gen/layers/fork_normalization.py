"""Batch normalization layers of forks that BVLC's Caffe does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.layers.base import Affine, Arity, Weight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.batch_norm import lower_channel_mean
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.shapes import Shape, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

LEARN, INFERENCE = Symbol("LEARN"), Symbol("INFERENCE")


@layer("BN", param="bn_param")
class BN(Base):
    """The batch normalization of PSPNet's fork and that of SegNet's, which share a name.

    SegNet's has ``bn_mode`` and two weights, scale and shift. Where the mode is LEARN, its
    default, it uses batch statistics even in the TEST phase; tops 2 and 3 hold them.
    PSPNet's, assumed where nothing tells them apart, has slope, bias, mean, variance.
    """

    bn_mode: Optional[Symbol] = None  #: None for PSPNet's
    eps: float = 1e-5
    momentum: float = 0.9
    frozen: bool = False

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """SegNet's is recognized by its own fields, or by its tops."""
        segnet = any(params.has(name) for name in ("bn_mode", "scale_filler", "shift_filler"))
        if segnet or len(layer.all("top")) > 1:
            return cls(bn_mode=params.get("bn_mode", Symbol, LEARN), eps=1e-9)
        return cls(
            eps=params.get("eps", float, 1e-5),
            momentum=params.get("momentum", float, 0.9),
            frozen=params.get("frozen", bool, False),
        )

    def write(self) -> Block:
        """The fields of its fork."""
        if self.bn_mode is not None:
            return Block.of(bn_mode=self.bn_mode)
        return super().write()

    def arity(self) -> Arity:
        """SegNet's may have its statistics as further tops."""
        return Arity((1, 1), (1, 3 if self.bn_mode is not None else 1))

    def by_batch(self) -> bool:
        """Where the mode is LEARN."""
        return self.bn_mode == LEARN

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(1, C, 1, 1) each: scale and shift, or slope, bias, mean and variance."""
        need_rank(bottoms[0], 2, 4, "BN")
        return ((1, bottoms[0][1], 1, 1),) * (4 if self.bn_mode is None else 2)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the bottom, with four axes for SegNet's; statistics (1, C, 1, 1)."""
        need_rank(bottoms[0], 2, 4, "BN")
        if self.bn_mode is None:
            return (bottoms[0],)
        top = (*bottoms[0], 1, 1)[:4]
        return (top, *((1, bottoms[0][1], 1, 1),) * (tops - 1))

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """Scale and shift, or slope, bias and statistics."""
        if self.bn_mode is not None:
            return (
                Weight("scale", "scale_filler", 1.0, random=1.0),
                Weight("shift", "shift_filler", random=0.0),
            )
        return (
            Weight("slope", "slope_filler", 1.0, random=1.0),
            Weight("bias", "bias_filler", random=0.0),
            Weight("mean", random=0.0, statistic=True),
            Weight("variance", value=1.0, random=1.0, statistic=True),
        )

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """As its fork does."""
        (x,) = bottoms
        first, second = (along(blob.reshape(-1), 1, x.ndim) for blob in blobs[:2])
        if self.bn_mode == INFERENCE:
            y = x * first + second
            return (y.reshape((*x.shape, 1, 1)[:4]),)
        if self.bn_mode is None:
            mean, variance = (along(blob.reshape(-1), 1, x.ndim) for blob in blobs[2:4])
        else:
            axes = tuple(i for i in range(x.ndim) if i != 1)
            mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
            variance = x.var(axis=axes, keepdims=True, dtype=np.float64)
        y = (x - mean) / np.sqrt(variance + self.eps) * first + second
        found = [y.astype(x.dtype).reshape((*x.shape, 1, 1)[:4] if self.bn_mode else x.shape)]
        channels = (1, x.shape[1], 1, 1)
        found += [np.asarray(v, x.dtype).reshape(channels) for v in (mean, variance)]
        return tuple(found[:tops])

    def affine(self, blobs: Sequence[Array]) -> Affine | None:
        """With stored statistics, or without any."""
        first, second, *statistics = (blob.reshape(-1).astype(np.float64) for blob in blobs)
        if self.bn_mode is not None:
            return Affine(first, second) if self.bn_mode == INFERENCE else None
        mean, variance = statistics
        factor = 1 / np.sqrt(variance + self.eps)
        return Affine(factor, -mean * factor).then(Affine(first, second))

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """BatchNormalization, or Mul and Add; with batch statistics, ReduceMean and arithmetic."""
        (x,) = bottoms
        rank = len(b.bottom_shapes[0])
        flat = [blob.reshape(-1) for blob in blobs]
        if self.bn_mode is None:
            names = ("slope", "bias", "mean", "variance")
            inputs = [b.const(v, n) for v, n in zip(flat, names, strict=True)]
            return (b.op("BatchNormalization", [x, *inputs], epsilon=self.eps),)
        if rank < 4:
            x = b.unsqueeze(x, list(range(rank, 4)))
        scale, shift = (
            b.const(v.reshape(-1, 1, 1), n) for v, n in zip(flat, ("scale", "shift"), strict=True)
        )
        found: list[str] = []
        if self.bn_mode == LEARN:
            mean = lower_channel_mean(b, x, 4)
            x = b.op("Sub", [x, mean])
            variance = lower_channel_mean(b, b.op("Mul", [x, x]), 4)
            x = b.op("Div", [x, b.op("Sqrt", [b.op("Add", [variance, b.scalar(self.eps)])])])
            found = [mean, variance]
        y = b.op("Add", [b.op("Mul", [x, scale]), shift])
        return (y, *found)[: len(b.top_shapes)]
