"""Layers that take mean, variance or length out of a blob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from prototxt_gen.document import Symbol
from prototxt_gen.layers.base import Cost, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Dim, Shape, count, need_rank

ACROSS_CHANNELS = Symbol("ACROSS_CHANNELS")


@layer("BatchNorm", "MKLBatchNorm", "CuDNNBatchNorm", param="batch_norm_param")
class BatchNorm(Base):
    """Mean 0 and variance 1 for each channel, which is axis 1 (batch_norm_layer.cpp).

    ``use_global_stats=None`` means those of the net in the TEST phase alone. With
    ``scale_bias`` (NVIDIA's fork) it has the factors of a Scale as well.
    """

    use_global_stats: Optional[bool] = None
    moving_average_fraction: float = 0.999
    eps: float = 1e-5
    scale_bias: bool = False

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
