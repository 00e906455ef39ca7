"""The interfaces by which ``lower`` writes ONNX and ``lift`` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from prototxt_gen.layers.parts.shapes import Dim, Shape

if TYPE_CHECKING:
    from prototxt_gen._numpy import np

    Array = np.ndarray[Any, np.dtype[Any]]


class Builder(Protocol):
    """The interface by which ``lower`` writes ONNX; ``to_onnx.builder`` implements it."""

    opset: int
    bottom_shapes: tuple[Shape, ...]
    top_shapes: tuple[Shape, ...]

    def full(self, value: float, shape: Sequence[Dim]) -> str:
        """A blob of one value."""

    def full_like(self, x: str, value: float) -> str:
        """A blob of the same shape with one value everywhere."""

    def op(self, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; return the output's name."""

    def ops(self, name: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names."""

    def const(self, value: Any, name: str = "") -> str:
        """Add an initializer; return its name."""

    def ints(self, *values: int) -> str:
        """A list of int64: a constant, or computed where a size is free."""

    def scalar(self, value: float) -> str:
        """A float without axes: a constant, or computed where it is a free size."""

    def cast(self, x: str, to: str) -> str:
        """Convert to another type: float, int64, bool or double."""

    def transpose(self, x: str, perm: Sequence[int]) -> str:
        """Put the axes into another order."""

    def reshape(self, x: str, dims: Sequence[int]) -> str:
        """Give another shape; 0 keeps the axis at that position, one -1 is inferred."""

    def reshape_to_top(self, x: str, index: int = 0, bottom: int = 0) -> str:
        """Give a bottom's values the shape of a top, for any free sizes."""

    def reshape_like(self, x: str, index: int) -> str:
        """Give a value the shape of a top; its elements are the top's, in the same order."""

    def unsqueeze(self, x: str, axes: Sequence[int]) -> str:
        """Insert axes of size 1."""

    def squeeze(self, x: str, axes: Sequence[int]) -> str:
        """Remove axes of size 1."""

    def split(self, x: str, sizes: Sequence[int], axis: int) -> list[str]:
        """Cut along an axis."""

    def reduce(self, kind: str, x: str, axes: Sequence[int], *, keepdims: bool) -> str:
        """ReduceSum, ReduceMean and the like, over some axes."""

    def reduce_all(self, kind: str, x: str) -> str:
        """The same over all axes: a value without axes."""

    def places(self, condition: str) -> str:
        """The indices at which a list of bools is true."""

    def softmax(self, x: str, axis: int, rank: int) -> str:
        """Softmax along one axis."""

    def slice(
        self,
        x: str,
        starts: Sequence[int],
        ends: Sequence[int],
        axes: Sequence[int],
        steps: Sequence[int] | None = None,
    ) -> str:
        """A part of a blob."""

    def pad(self, x: str, begin: Sequence[int], end: Sequence[int], value: float) -> str:
        """Add a border of one value."""

    def clip(self, x: str, low: float, high: float) -> str:
        """Limit values to two bounds."""


class OnnxOp(Protocol):
    """The interface by which ``lift`` reads an ONNX operator; ``from_onnx.model`` implements it."""

    inputs: list[str]
    outputs: list[str]

    @property
    def op_type(self) -> str:
        """The operator's name."""

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute: a number, a text, a list or an array."""

    def has(self, index: int) -> bool:
        """Whether an input is given."""

    def constant(self, index: int) -> Array | None:
        """The value of an input, if it is a constant."""

    def need_constant(self, index: int, what: str) -> Array:
        """The value of an input; raises UnsupportedError if it is computed."""

    def setting(self, name: str, index: int, default: Any = ...) -> Any:
        """An attribute that became an input in a later opset, as a number or a list."""

    def shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an input; raises UnsupportedError if it is not known."""

    def top_shape(self, index: int = 0) -> tuple[int, ...]:
        """The shape of an output; raises UnsupportedError if it is not known."""

    def kind(self, index: int = 0) -> str:
        """What numpy calls the type of an input."""
