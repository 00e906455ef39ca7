"""Activations that forks have, and BVLC's Caffe has not."""

from __future__ import annotations

from collections.abc import Sequence

from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.base import layer
from prototxt_gen.layers.shapes import Shape, need_rank


@layer("ReLU6", param="relu6_param")
class ReLU6(Base):
    """Pass what is between 0 and a threshold (SSD and MobileNet forks)."""

    threshold: float = 6.0


@layer("SELU", "SeLu")
class SELU(Base):
    """ELU with the scale and alpha that keep mean and variance (forks)."""


@layer("HSwish")
class HSwish(Base):
    """x * clip(x + 3, 0, 6) / 6 (forks)."""


@layer("HardSigmoid")
class HardSigmoid(Base):
    """clip(x + 3, 0, 6) / 6 (forks)."""


@layer("Mish")
class Mish(Base):
    """x * tanh(log(1 + exp(x))) (forks)."""


@layer("GELU")
class GELU(Base):
    """x times the normal distribution at x (forks)."""


@layer("CReLU")
class CReLU(Base):
    """ReLU of x and of -x, side by side (forks)."""

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Twice the channels."""
        need_rank(bottoms[0], 2, 32, "CReLU")
        batch, channels, *rest = bottoms[0]
        return ((batch, None if channels is None else 2 * channels, *rest),)


@layer("MnActivation")
class MnActivation(Base):
    """Moves activations between machines (intel/caffe); nothing on one."""
