"""What several layer types read from the inputs of an ONNX operator."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.numeric import FLT_MAX

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, OnnxOp

Sizes = tuple[int, ...]
_SOFTMAX_HAS_AN_AXIS = 13  #: the opset since which it is along one axis


def number(value: Any) -> float:
    """The shortest decimal that names a 32-bit float, as Caffe's files have it."""
    with np.errstate(over="ignore"):
        return float(str(np.float32(value)))


def finite(value: float, what: str) -> float:
    """A number for a parameter; raises UnsupportedError if a 32-bit float cannot hold it."""
    found = number(value)
    if abs(found) < inf:
        return found
    raise UnsupportedError(f"{what} is {found}; expected a finite number")


def computed(op: OnnxOp) -> list[int]:
    """Which inputs are given and no constants."""
    return [
        index for index in range(len(op.inputs)) if op.has(index) and op.constant(index) is None
    ]


def beside_constant(op: OnnxOp) -> tuple[int, Array] | None:
    """Which of two inputs is computed, and the constant beside it.

    None if both are computed, or if the constant makes the output larger than the input.
    """
    found = computed(op)
    if len(op.inputs) != 2 or len(found) != 1 or op.shape(found[0]) != op.top_shape():
        return None
    constant = op.constant(1 - found[0])
    return None if constant is None else (found[0], constant)


def need_fractions(op: OnnxOp) -> None:
    """Raise UnsupportedError if a Div is one of integers."""
    if op.op_type == "Div" and "int" in op.kind():
        raise UnsupportedError("it divides integers, without the rest; expected floats")


def is_row(constant: Array, size: int) -> bool:
    """Whether a constant has one value for each output of a product, or one for all."""
    return constant.size == 1 or (constant.size == size and constant.shape[-1] == size)


def reduced_axes(op: OnnxOp, rank: int) -> list[int]:
    """The axes that a reduction folds, in order and from the front: all where none is named.

    It is an empty list where the operator says that it then does nothing.
    """
    axes = op.setting("axes", 1, None)
    if not axes:
        axes = () if op.attribute("noop_with_empty_axes", 0) else range(rank)
    return sorted({axis % rank for axis in axes}) if rank else []


def softmax_axis(op: OnnxOp, rank: int) -> tuple[int, bool]:
    """The axis of a softmax, and whether it is that alone; if not, it goes to the last one.

    "single" is an attribute where a pattern found an axis between two Transposes.
    """
    single = op.attribute("single", op.opset >= _SOFTMAX_HAS_AN_AXIS)
    return op.attribute("axis", -1 if single else 1) % rank, single


def limits(op: OnnxOp) -> tuple[float, float]:
    """The bounds of a Clip, infinite where there is none.

    Raises UnsupportedError if they are computed, or if the lower one is the larger.
    """
    low, high = (
        number(np.reshape(op.setting(name, index, default), -1)[0])
        for index, (name, default) in enumerate((("min", -inf), ("max", inf)), 1)
    )
    # Opset 6 has the largest floats as defaults, which some exporters write with fewer digits.
    low = -inf if low <= -0.9999 * FLT_MAX else low
    high = inf if high >= 0.9999 * FLT_MAX else high
    if not low <= high:
        raise UnsupportedError(f"its min is {low:g} and its max {high:g}; expected min <= max")
    return low, high


def span(small: Sequence[int], large: Sequence[int]) -> tuple[int, int]:
    """The axes of ``large``, from and up to, outside of which ``small`` has only ones."""
    behind = len(large) - len(small)
    axes = [behind + axis for axis, size in enumerate(small) if size != 1]
    return (axes[0], axes[-1] + 1) if axes else (0, 0)


def span_from_front(small: Sequence[int], large: Sequence[int]) -> tuple[int, int]:
    """As ``span``, but with the axes in front, the batch first, where these are equal too."""
    start, stop = span(small, large)
    same = len(small) == len(large) and small[:start] == large[:start]
    return (0 if same else start), stop


def factors(constant: Array, shape: Sizes) -> tuple[int, Array]:
    """A constant as Scale and Bias take it: the axis of ``shape`` it begins at, and its values.

    It is repeated along axes in between that it does not have.
    """
    start, stop = span(constant.shape, shape)
    behind = constant.reshape((1,) * (len(shape) - constant.ndim) + constant.shape)
    inside = behind.reshape(behind.shape[start:stop])
    return start, np.broadcast_to(inside, shape[start:stop]).astype(np.float32)
