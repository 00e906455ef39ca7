"""Formulas of one value."""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.base import Problem, layer


@layer("AbsVal")
class AbsVal(Base):
    """|x| (absval_layer.cpp)."""

    in_place = False


@layer("Power", param="power_param")
class Power(Base):
    """(shift + scale * x) ^ power (power_layer.cpp)."""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0


@layer("Exp", param="exp_param")
class Exp(Base):
    """base ^ (shift + scale * x); base -1 is e (exp_layer.cpp)."""

    base: float = -1.0
    scale: float = 1.0
    shift: float = 0.0

    def problems(self) -> Iterator[Problem]:
        """The base has a logarithm."""
        yield from _base(self.base)


@layer("Log", param="log_param")
class Log(Base):
    """The logarithm of shift + scale * x; base -1 is e (log_layer.cpp)."""

    base: float = -1.0
    scale: float = 1.0
    shift: float = 0.0

    def problems(self) -> Iterator[Problem]:
        """The base has a logarithm."""
        yield from _base(self.base)


@layer("Threshold", param="threshold_param")
class Threshold(Base):
    """1 above a threshold, else 0 (threshold_layer.cpp)."""

    threshold: float = 0.0


def _base(base: float) -> Iterator[Problem]:
    if base != -1 and base <= 0:
        yield Problem("base", f"base is {base:g}; expected more than 0, or -1 for e", "base")
