"""Layers that bend each value and leave the shape alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.base import Problem, layer
from prototxt_gen.layers.shapes import Shape, axis_index, need_rank


@layer("ReLU", param="relu_param")
class ReLU(Base):
    """Pass what is positive; scale what is negative (relu_layer.cpp)."""

    negative_slope: float = 0.0


@layer("PReLU", param="prelu_param")
class PReLU(Base):
    """Scale what is negative by a learned slope for each channel (prelu_layer.cpp)."""

    channel_shared: bool = False

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(C,), or a scalar where the slope is shared."""
        need_rank(bottoms[0], 2, 32, "PReLU")
        return ((),) if self.channel_shared else ((bottoms[0][1],),)


@layer("ELU", param="elu_param")
class ELU(Base):
    """Pass what is positive; the rest nears -alpha (elu_layer.cpp)."""

    alpha: float = 1.0


@layer("Sigmoid", param="sigmoid_param")
class Sigmoid(Base):
    """1 / (1 + exp(-x)) (sigmoid_layer.cpp)."""


@layer("TanH", param="tanh_param")
class TanH(Base):
    """The hyperbolic tangent (tanh_layer.cpp)."""


@layer("Swish", param="swish_param")
class Swish(Base):
    """x * sigmoid(beta * x) (swish_layer.cpp)."""

    beta: float = 1.0


@layer("BNLL")
class BNLL(Base):
    """log(1 + exp(x)) (bnll_layer.cpp)."""


@layer("Clip", param="clip_param")
class Clip(Base):
    """Values below min become min, values above max become max (clip_layer.cpp)."""

    min: float = 0.0
    max: float = 0.0

    always = frozenset({"min", "max"})


@layer("Dropout", "SpatialDropout", "SeLuDropout", param="dropout_param")
class Dropout(Base):
    """Set values to 0 at random in training; nothing in the TEST phase (dropout_layer.cpp)."""

    dropout_ratio: float = 0.5

    def problems(self) -> Iterator[Problem]:
        """A ratio of 1 would divide by 0; only a debug build of Caffe checks it."""
        if not 0 <= self.dropout_ratio < 1:
            message = f"dropout_ratio is {self.dropout_ratio:g}; expected 0 or more and less than 1"
            yield Problem("dropout-ratio", message, "dropout_ratio")


@layer("Softmax", param="softmax_param")
class Softmax(Base):
    """Values that are positive and sum up to 1 along an axis (softmax_layer.cpp)."""

    axis: int = 1

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the bottom, which has the axis."""
        axis_index(self.axis, len(bottoms[0]))
        return (bottoms[0],)
