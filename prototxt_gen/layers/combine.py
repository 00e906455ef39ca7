"""Layers that make one blob of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import MANY, Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, axis_index, need_equal, same, show

SUM = Symbol("SUM")


@layer("Eltwise", param="eltwise_param")
class Eltwise(Base):
    """Sum, product or maximum of blobs of one shape (eltwise_layer.cpp)."""

    operation: Symbol = SUM
    coeff: tuple[float, ...] = ()

    def arity(self) -> Arity:
        """Two bottoms or more."""
        return Arity((2, MANY), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """Coefficients go with a sum; MAX ignores them."""
        if self.operation == "PROD" and self.coeff:
            yield Problem("eltwise-coeff", "coeff goes with SUM only, found PROD", "coeff")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That which all bottoms have."""
        if self.coeff and len(self.coeff) != len(bottoms):
            raise ShapeError(
                f"has {len(self.coeff)} coeff for {len(bottoms)} bottoms; expected none, or one "
                "for each",
                rule="eltwise-coeff",
                field="coeff",
            )
        return (need_equal(bottoms),)


@layer("Concat", param="concat_param")
class Concat(Base):
    """Blobs side by side along an axis (concat_layer.cpp)."""

    axis: int = 1
    conflict: bool = False  #: both axis and concat_dim are given

    spellings = frozenset({"concat_dim"})

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``concat_dim`` is the old name of ``axis``."""
        both = params.has("axis") and params.has("concat_dim")
        old = params.has("concat_dim") and not both
        return cls(params.get("concat_dim" if old else "axis", int, 1), both)

    def write(self) -> Block:
        """The axis by its present name."""
        return Block.of(axis=self.axis if self.axis != 1 else None)

    def arity(self) -> Arity:
        """One bottom or more."""
        return Arity((1, MANY), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """One name for the axis."""
        if self.conflict:
            message = "has both axis and concat_dim; expected one of them"
            yield Problem("concat-axis", message, "concat_dim")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The sum along the axis; all others are equal."""
        axis = axis_index(self.axis, len(bottoms[0]))
        rest: Shape = (*bottoms[0][:axis], None, *bottoms[0][axis + 1 :])
        total = bottoms[0][axis]
        for index, bottom in enumerate(bottoms[1:], 1):
            if not same(rest, (*bottom[:axis], None, *bottom[axis + 1 :])):
                raise ShapeError(
                    f"bottom {index} is {show(bottom)} and bottom 0 {show(bottoms[0])}; expected "
                    f"equal shapes but for axis {axis}"
                )
            size = bottom[axis]
            total = None if total is None or size is None else total + size
        return ((*rest[:axis], total, *rest[axis + 1 :]),)
