"""Layers that apply a formula to each value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import e, inf, log
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import BOTTOM, TOP, End, Lifted, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.onnx_operands import beside_constant, finite, need_fractions, number

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp

#: Power's parameters for operators of one input.
_ALONE = {"Neg": {"scale": -1.0}, "Reciprocal": {"power": -1.0}, "Sqrt": {"power": 0.5}}


@layer("AbsVal")
class AbsVal(Base):
    """|x| (absval_layer.cpp)."""

    in_place = False
    lifts = ("Abs",)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """|x|."""
        return (np.abs(bottoms[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Abs."""
        return (b.op("Abs", bottoms),)


@layer("Power", param="power_param")
class Power(Base):
    """(shift + scale * x) ^ power (power_layer.cpp)."""

    power: float = 1.0
    scale: float = 1.0
    shift: float = 0.0

    lifts = ("Power", *_ALONE, "Add", "Sub", "Mul", "Div", "Pow")

    @property
    def backward(self) -> frozenset[End]:
        """A line needs no values, a square those of its bottom."""
        if self.power in (0, 1) or self.scale == 0:
            return frozenset()
        return BOTTOM if self.power == 2 else BOTTOM | TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """(shift + scale * x) ^ power; with a power or a scale of 0, x is not read."""
        (x,) = bottoms
        kind = x.dtype.type
        if self.power == 0 or self.scale == 0:
            return (np.full_like(x, self._constant()),)
        inner = kind(self.shift) + kind(self.scale) * x
        return (inner if self.power == 1 else inner ** kind(self.power),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Mul, Add and Pow, each only where needed."""
        if self.power == 0 or self.scale == 0:
            return (b.full_like(bottoms[0], self._constant()),)
        x = _linear(b, bottoms[0], self.scale, self.shift)
        return (x if self.power == 1 else b.op("Pow", [x, b.scalar(self.power)]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Arithmetic with one number, a square, and "Power", the group that ``lower`` writes."""
        if op.op_type in ("Power", *_ALONE):
            return Lifted(cls(**_ALONE.get(op.op_type, op.attribute("line"))))
        if op.op_type == "Mul" and op.inputs[1:] == op.inputs[:1]:
            return Lifted(cls(power=2.0))
        need_fractions(op)
        found = _beside_number(op)
        if found is None:
            return None
        index, value = found
        made = _arithmetic(op.op_type, value, index == 0)
        return None if made is None else Lifted(cls(**made), bottoms=(index,))

    def _constant(self) -> float:
        """The result if it does not depend on x; NaN for an undefined power."""
        if self.power == 0:
            return 1.0
        return float(np.power(np.float32(self.shift), np.float32(self.power)))


class _Based(Base):
    """The fields of Exp and Log: the base (-1 for e), scale and shift."""

    base: float
    scale: float
    shift: float

    def problems(self) -> Iterator[Problem]:
        """The base is positive and finite, or -1."""
        if self.base != -1 and not 0 < self.base < inf:
            message = f"base is {self.base:g}; expected more than 0, or -1 for e"
            yield Problem("base", message, "base")

    def _line(self, x: Array) -> Array:
        found: Array = x.dtype.type(self.scale) * x + x.dtype.type(self.shift)
        return found


@layer("Exp", param="exp_param")
class Exp(_Based):
    """base ^ (shift + scale * x); base -1 is e (exp_layer.cpp)."""

    base: float = -1.0
    scale: float = 1.0
    shift: float = 0.0

    lifts = ("Exp", "Pow")
    backward = TOP

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """base ^ (shift + scale * x)."""
        inner = self._line(bottoms[0])
        return (np.exp(inner.dtype.type(_log(self.base)) * inner),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Exp, after Mul and Add where needed."""
        factor = _log(self.base)
        return (b.op("Exp", [_linear(b, bottoms[0], factor * self.scale, factor * self.shift)]),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Exp, of a line where a pattern found one, and a positive number to the power of x."""
        if op.op_type == "Exp":
            return Lifted(cls(**op.attribute("line", {})))
        found = _beside_number(op)
        if found is None or found[0] == 0:
            return None
        base = finite(found[1], "the base of the power")
        if base <= 0:
            raise UnsupportedError(f"its base is {base:g}; expected more than 0")
        return Lifted(cls(-1.0 if np.float32(base) == np.float32(e) else base), bottoms=(1,))


@layer("Log", param="log_param")
class Log(_Based):
    """The logarithm of shift + scale * x; base -1 is e (log_layer.cpp)."""

    base: float = -1.0
    scale: float = 1.0
    shift: float = 0.0

    lifts = ("Log",)
    backward = BOTTOM

    def problems(self) -> Iterator[Problem]:
        """The logarithm of the base is not 0."""
        yield from super().problems()
        if self.base == 1:
            yield Problem("base", "base is 1, whose logarithm is 0; expected another base", "base")

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """log(shift + scale * x) / log(base)."""
        inner = self._line(bottoms[0])
        return (np.log(inner) / inner.dtype.type(_log(self.base)),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Log, after Mul and Add where needed; Mul for the base."""
        natural = b.op("Log", [_linear(b, bottoms[0], self.scale, self.shift)])
        return (_linear(b, natural, 1 / _log(self.base), 0.0),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Log, of a line and with a base where a pattern found them."""
        return Lifted(cls(**op.attribute("line", {})))


@layer("Threshold", param="threshold_param")
class Threshold(Base):
    """1 above a threshold, else 0 (threshold_layer.cpp)."""

    threshold: float = 0.0

    lifts = ("Greater", "Less", "Threshold")

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """1 where x > threshold, else 0."""
        return ((bottoms[0] > np.float32(self.threshold)).astype(bottoms[0].dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Greater."""
        above = b.op("Greater", [bottoms[0], b.scalar(self.threshold)])
        return (b.cast(above, "float"),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """x > a number, or a number < x; true is 1."""
        found = _beside_number(op)
        if found is None or (found[0] == 0) == (op.op_type == "Less"):
            return None
        return Lifted(cls(finite(found[1], "its threshold")), bottoms=(found[0],))


def _log(base: float) -> float:
    return 1.0 if base == -1 else log(base)


def _linear(b: Builder, x: str, scale: float, shift: float) -> str:
    """scale * x + shift, without nodes that do nothing."""
    if scale != 1:
        x = b.op("Mul", [x, b.scalar(scale)])
    return b.op("Add", [x, b.scalar(shift)]) if shift else x


def _beside_number(op: OnnxOp) -> tuple[int, float] | None:
    """Which of two inputs is computed, and the number that the other one is."""
    found = beside_constant(op)
    if found is None or found[1].size != 1:
        return None
    return found[0], number(found[1].reshape(-1)[0])


def _arithmetic(operator: str, value: float, is_first: bool) -> dict[str, float] | None:
    """Power's parameters for x and a number, in this order or the other one."""
    if operator == "Add":
        made = {"shift": value}
    elif operator == "Sub":
        made = {"shift": -value} if is_first else {"scale": -1.0, "shift": value}
    elif operator == "Mul":
        made = {"scale": value}
    elif operator == "Pow":
        made = {"power": value}
    elif value == 0:
        raise UnsupportedError("it divides by 0" if is_first else "it divides 0")
    else:
        made = {"scale": 1 / value} if is_first else {"scale": 1 / value, "power": -1.0}
    if operator == "Pow" and not is_first:
        return None
    return {name: finite(one, "its constant") for name, one in made.items()}
