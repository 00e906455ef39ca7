"""Activations of forks that BVLC's Caffe does not have."""

from __future__ import annotations

from collections.abc import Sequence
from math import erf, inf, sqrt
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.base import Lifted, layer
from prototxt_gen.layers.parts.onnx_operands import limits, number
from prototxt_gen.layers.parts.shapes import Shape, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp

_SELU_ALPHA = 1.6732632423543772
_SELU_SCALE = 1.0507009873554805


@layer("ReLU6", param="relu6_param")
class ReLU6(Base):
    """Clip to the range from 0 to a threshold (SSD and MobileNet forks)."""

    threshold: float = 6.0

    lifts = ("Clip",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x between 0 and the threshold."""
        return (np.clip(bottoms[0], np.float32(0), np.float32(self.threshold)),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Clip."""
        return (b.clip(bottoms[0], 0.0, self.threshold),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Clip from 0."""
        low, high = limits(op)
        return Lifted(cls(high)) if low == 0 and high < inf else None


@layer("SELU", "SeLu")
class SELU(Base):
    """ELU with the scale and alpha that preserve mean and variance (forks)."""

    lifts = ("Selu",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """scale * x where x is positive, else scale * alpha * (exp(x) - 1)."""
        (x,) = bottoms
        below = _SELU_ALPHA * np.expm1(np.minimum(x, 0))
        return ((_SELU_SCALE * np.where(x > 0, x, below)).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Selu."""
        return (b.op("Selu", bottoms),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Selu with the numbers that it has by default."""
        wanted = {"alpha": number(_SELU_ALPHA), "gamma": number(_SELU_SCALE)}
        plain = all(op.attribute(name, value) == value for name, value in wanted.items())
        return Lifted(cls()) if plain else None


@layer("HSwish")
class HSwish(Base):
    """x * clip(x + 3, 0, 6) / 6 (forks)."""

    lifts = ("HardSwish",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x * clip(x + 3, 0, 6) / 6."""
        return (bottoms[0] * _hard_sigmoid(bottoms[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """HardSigmoid and Mul, which every opset has."""
        gate = b.op("HardSigmoid", bottoms, alpha=1 / 6, beta=0.5)
        return (b.op("Mul", [bottoms[0], gate]),)


@layer("HardSigmoid")
class HardSigmoid(Base):
    """clip(x + 3, 0, 6) / 6 (forks)."""

    lifts = ("HardSigmoid",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """clip(x + 3, 0, 6) / 6."""
        return (_hard_sigmoid(bottoms[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """HardSigmoid."""
        return (b.op("HardSigmoid", bottoms, alpha=1 / 6, beta=0.5),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """HardSigmoid with the slope of this layer, not the one that ONNX has by default."""
        found = op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
        return Lifted(cls()) if found == (number(1 / 6), 0.5) else None


@layer("Mish")
class Mish(Base):
    """x * tanh(log(1 + exp(x))) (forks)."""

    lifts = ("Mish",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x * tanh(log(1 + exp(x)))."""
        (x,) = bottoms
        return (x * np.tanh(np.logaddexp(x, x.dtype.type(0))),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softplus, Tanh and Mul."""
        gate = b.op("Tanh", [b.op("Softplus", bottoms)])
        return (b.op("Mul", [bottoms[0], gate]),)


@layer("GELU")
class GELU(Base):
    """x times the normal distribution function at x (forks)."""

    lifts = ("Gelu",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x * (1 + erf(x / sqrt(2))) / 2."""
        (x,) = bottoms
        return ((0.5 * x * (1 + np.vectorize(erf, [x.dtype])(x / sqrt(2)))).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Erf, Mul and Add."""
        (x,) = bottoms
        curve = b.op("Erf", [b.op("Mul", [x, b.scalar(1 / sqrt(2))])])
        half = b.op("Mul", [x, b.scalar(0.5)])
        return (b.op("Mul", [half, b.op("Add", [curve, b.scalar(1.0)])]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Gelu without an approximation."""
        return Lifted(cls()) if op.attribute("approximate", "none") == "none" else None


@layer("CReLU")
class CReLU(Base):
    """ReLU of x and of -x, concatenated (forks)."""

    lifts = ("CReLU",)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Twice the channels."""
        need_rank(bottoms[0], 2, 32, "CReLU")
        batch, channels, *rest = bottoms[0]
        return ((batch, None if channels is None else 2 * channels, *rest),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """x and -x, concatenated, where they are positive."""
        return (np.maximum(np.concatenate([bottoms[0], -bottoms[0]], axis=1), 0),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Concat and Relu."""
        both = b.op("Concat", [bottoms[0], b.op("Neg", bottoms)], axis=1)
        return (b.op("Relu", [both]),)


@layer("MnActivation")
class MnActivation(Base):
    """Moves activations between machines (intel/caffe); no effect on one machine."""

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The bottom, unchanged."""
        return (bottoms[0],)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """No node: the bottom itself."""
        return (bottoms[0],)


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x + np.float32(3), 0, 6) / np.float32(6)
