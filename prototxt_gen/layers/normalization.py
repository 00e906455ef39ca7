"""BatchNorm, and the Scale that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Cost, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Dim, Shape, axis_index, same, show


@layer("BatchNorm", param="batch_norm_param")
class BatchNorm(Base):
    """Mean 0 and variance 1 for each channel, which is axis 1 (batch_norm_layer.cpp).

    ``use_global_stats=None`` means those of the net in the TEST phase alone.
    """

    use_global_stats: Optional[bool] = None
    moving_average_fraction: float = 0.999
    eps: float = 1e-5

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """Mean and variance, (C,) each, and (1,): the factor that both are divided by."""
        channels = self._channels(bottoms[0])
        return (channels,), (channels,), (1,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the bottom."""
        self._channels(bottoms[0])
        return (bottoms[0],)

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """The three blobs are statistics: none is learned."""
        return Cost(statistics=super().cost(bottoms, tops).parameters)

    def _channels(self, bottom: Shape) -> Dim:
        # LayerSetUp provides for one axis, but Reshape then asks for the size of axis 1.
        if len(bottom) < 2:
            raise ShapeError(
                f"BatchNorm needs a bottom of 2 axes or more, found {show(bottom)}",
                rule="bottom-rank",
            )
        return bottom[1]


@layer("Scale", param="scale_param")
class Scale(Base):
    """Multiply by a weight, or by a second bottom, and add a bias (scale_layer.cpp).

    The factors have the shape of the ``num_axes`` axes of the bottom from ``axis`` on; -1
    stands for all of them, and 0 for a single factor.
    """

    bias_term: bool = False
    axis: int = 1
    num_axes: int = 1

    def arity(self) -> Arity:
        """The second bottom takes the place of the weight."""
        return Arity((1, 2), (1, 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The weight, unless a second bottom gives it, and the bias; of one shape."""
        factors = self._factors(bottoms)
        weight = (factors,) if len(bottoms) == 1 else ()
        return (*weight, factors) if self.bias_term else weight

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the first bottom."""
        factors = self._factors(bottoms)
        axis = axis_index(self.axis, len(bottoms[0])) if factors else 0
        if not same(bottoms[0][axis : axis + len(factors)], factors):
            raise ShapeError(
                f"bottom 1 is {show(factors)}, which is not what bottom 0, {show(bottoms[0])}, "
                f"has from axis {axis} on",
                field="axis",
            )
        return (bottoms[0],)

    def _factors(self, bottoms: Sequence[Shape]) -> Shape:
        if len(bottoms) == 2:
            return bottoms[1]
        axis = axis_index(self.axis, len(bottoms[0]))
        if self.num_axes < 0:
            return bottoms[0][axis:]
        if axis + self.num_axes > len(bottoms[0]):
            raise ShapeError(
                f"num_axes {self.num_axes} from axis {axis} on is more than the bottom, "
                f"{show(bottoms[0])}, has",
                rule="axis-out-of-range",
                field="num_axes",
            )
        return bottoms[0][axis : axis + self.num_axes]
