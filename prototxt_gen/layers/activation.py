"""Layers that change each value by itself and keep the shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import BOTTOM, TOP, Lifted, Problem, Seen, Sight, Weight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.numeric import along, sigmoid, softmax
from prototxt_gen.layers.parts.onnx_operands import limits, softmax_axis, span
from prototxt_gen.layers.parts.phase import own_phase
from prototxt_gen.layers.parts.shapes import Shape, axis_index, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, Normal, OnnxOp

_MOST = 3.4028235e38  #: the largest float, by its shortest name


@layer("ReLU", param="relu_param")
class ReLU(Base):
    """Pass positive values; scale negative ones (relu_layer.cpp)."""

    negative_slope: float = 0.0

    lifts = ("Relu", "LeakyRelu", "Clip")

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x where it is positive, else negative_slope * x."""
        (x,) = bottoms
        return (np.where(x > 0, x, x.dtype.type(self.negative_slope) * x),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Relu, or LeakyRelu."""
        if self.negative_slope == 0:
            return (b.op("Relu", bottoms),)
        return (b.op("LeakyRelu", bottoms, alpha=self.negative_slope),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Relu, LeakyRelu, and Clip at 0."""
        if op.op_type == "Clip" and limits(op) != (0, inf):
            return None
        return Lifted(cls(op.attribute("alpha", 0.01) if op.op_type == "LeakyRelu" else 0.0))


@layer("PReLU", param="prelu_param")
class PReLU(Base):
    """Scale negative values by a learned slope for each channel (prelu_layer.cpp)."""

    channel_shared: bool = False

    legacy = True
    lifts = ("PRelu",)

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(C,), or a scalar where the slope is shared."""
        need_rank(bottoms[0], 2, 32, "PReLU")
        return ((),) if self.channel_shared else ((bottoms[0][1],),)

    def weights(self, shapes: Sequence[Shape]) -> tuple[Weight, ...]:
        """The slopes."""
        return (Weight("slope", "filler", 0.25),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x where it is positive, else the channel's slope * x."""
        (x,) = bottoms
        slope = blobs[0] if self.channel_shared else along(blobs[0], 1, x.ndim)
        return (np.where(x > 0, x, slope * x),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """PRelu."""
        rank = len(b.bottom_shapes[0])
        slope = blobs[0].reshape((-1,) + (1,) * (0 if self.channel_shared else rank - 2))
        return (b.op("PRelu", [*bottoms, b.const(slope, "slope")]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """PRelu with a slope for each channel, or one for all."""
        slope, shape = op.need_constant(1, "slopes"), op.shape()
        if not 2 <= len(shape) <= 4:  # LegacyShape in blob.hpp takes no more
            return None
        if slope.size == 1 and (slope.ndim < 2 or shape[1] > 1):
            return Lifted(cls(channel_shared=True), (slope.reshape(()),))
        is_along_channels = slope.size == 1 or span(slope.shape, shape) == (1, 2)
        return Lifted(cls(), (slope.reshape(-1),)) if is_along_channels else None


@layer("ELU", param="elu_param")
class ELU(Base):
    """Pass positive values; negative ones approach -alpha (elu_layer.cpp)."""

    alpha: float = 1.0

    lifts = ("Elu",)
    backward = TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x where it is positive, else alpha * (exp(x) - 1)."""
        (x,) = bottoms
        return (np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0))).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Elu."""
        return (b.op("Elu", bottoms, alpha=self.alpha),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Elu."""
        return Lifted(cls(op.attribute("alpha", 1.0)))


@layer("Sigmoid", param="sigmoid_param")
class Sigmoid(Base):
    """1 / (1 + exp(-x)) (sigmoid_layer.cpp)."""

    lifts = ("Sigmoid",)
    backward = TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """1 / (1 + exp(-x))."""
        return (sigmoid(bottoms[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Sigmoid."""
        return (b.op("Sigmoid", bottoms),)


@layer("TanH", param="tanh_param")
class TanH(Base):
    """The hyperbolic tangent (tanh_layer.cpp)."""

    lifts = ("Tanh",)
    backward = TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """tanh(x)."""
        return (np.tanh(bottoms[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Tanh."""
        return (b.op("Tanh", bottoms),)


@layer("Swish", param="swish_param")
class Swish(Base):
    """x * sigmoid(beta * x) (swish_layer.cpp)."""

    beta: float = 1.0

    lifts = ("Swish",)
    backward = BOTTOM | TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x * sigmoid(beta * x)."""
        (x,) = bottoms
        return (x * sigmoid(x.dtype.type(self.beta) * x),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Sigmoid and Mul; the operator Swish is too new for most runtimes."""
        (x,) = bottoms
        inner = x if self.beta == 1 else b.op("Mul", [x, b.scalar(self.beta)])
        return (b.op("Mul", [x, b.op("Sigmoid", [inner])]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Swish, as ONNX has it since opset 24, and as it is written before."""
        return Lifted(cls(op.attribute("alpha", 1.0)))


@layer("BNLL")
class BNLL(Base):
    """log(1 + exp(x)) (bnll_layer.cpp)."""

    lifts = ("Softplus",)
    backward = BOTTOM

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """log(1 + exp(x))."""
        return (np.logaddexp(bottoms[0], bottoms[0].dtype.type(0)),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softplus."""
        return (b.op("Softplus", bottoms),)


@layer("Clip", param="clip_param")
class Clip(Base):
    """Values below min become min, values above max become max (clip_layer.cpp)."""

    min: float = 0.0
    max: float = 0.0

    lifts = ("Clip",)
    backward = BOTTOM
    always = frozenset({"min", "max"})

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x between min and max."""
        return (np.clip(bottoms[0], np.float32(self.min), np.float32(self.max)),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Clip."""
        return (b.clip(bottoms[0], self.min, self.max),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Clip with a bound or two; the largest float is none."""
        low, high = limits(op)
        if (low, high) == (-inf, inf):
            return None
        return Lifted(cls(max(low, -_MOST), min(high, _MOST)))


@layer("Dropout", "SpatialDropout", "SeLuDropout", param="dropout_param")
class Dropout(Base):
    """Set values to 0 at random in training; no effect in the TEST phase (dropout_layer.cpp)."""

    dropout_ratio: float = 0.5
    live: bool = False  #: whether the layer's own phase is TRAIN

    rearranges = True

    def problems(self) -> Iterator[Problem]:
        """A ratio of 1 divides by 0; only a debug build checks that (dropout_layer.cpp)."""
        if not 0 <= self.dropout_ratio < 1:
            message = (
                f"dropout_ratio is {self.dropout_ratio:g}; expected 0 or more and less than 1, "
                "since training scales by 1 / (1 - dropout_ratio) (dropout_layer.cpp)"
            )
            yield Problem("dropout-ratio", message, "dropout_ratio", warning=True)

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``live`` comes from the layer's own phase, not from this message."""
        return replace(super().read(params, layer), live=own_phase(layer) == "TRAIN")

    def write(self) -> Block:
        """The ratio."""
        block = super().write()
        block.remove("live")
        return block

    @classmethod
    def models(cls) -> frozenset[str]:
        """The ratio."""
        return frozenset({"dropout_ratio"})

    def in_test(self) -> Self | None:
        """Nothing, unless its own phase is TRAIN."""
        return self if self.live and self.dropout_ratio else None

    def canonical(self, bottoms: Sequence[Shape], blobs: Sequence[Array]) -> Normal:
        """Nothing."""
        return None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The bottom, unchanged."""
        self._need_rest()
        return (bottoms[0],)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """No node: the bottom itself."""
        self._need_rest()
        return (bottoms[0],)

    def _need_rest(self) -> None:
        if self.live and self.dropout_ratio != 0:
            raise UnsupportedError(
                "its own phase is TRAIN, where it drops values at random; expected no phase, "
                "or TEST"
            )


@layer("Softmax", param="softmax_param")
class Softmax(Base):
    """Positive values that sum to 1 along an axis (softmax_layer.cpp)."""

    axis: int = 1

    backward = TOP

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the bottom, which must have the axis."""
        axis_index(self.axis, len(bottoms[0]))
        return (bottoms[0],)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """All along an axis of places."""
        along = axis_index(self.axis, len(bottoms[0])) > 1
        return Sight.ALL if along else super().sees(index, bottoms, tops)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """exp(x) / sum(exp(x)) along the axis."""
        return (softmax(bottoms[0], self.axis),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softmax along one axis."""
        return (b.softmax(bottoms[0], self.axis, len(b.bottom_shapes[0])),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Softmax along one axis; before opset 13 it is along all axes from one on."""
        shape = op.shape()
        axis, single = softmax_axis(op, len(shape))
        if not single and any(size != 1 for size in shape[axis + 1 :]):
            return None
        return Lifted(cls(axis))
