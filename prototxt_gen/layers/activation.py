"""Layers that change each value and leave the shape alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.base import Problem, layer
from prototxt_gen.layers.shapes import Shape, axis_index


@layer("ReLU", param="relu_param")
class ReLU(Base):
    """Pass what is positive; scale what is negative (relu_layer.cpp)."""

    negative_slope: float = 0.0


@layer("Dropout", param="dropout_param")
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
