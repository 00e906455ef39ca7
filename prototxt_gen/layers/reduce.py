"""Many values to few: sums, greatest values, chosen rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Optional

from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import MANY, Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, axis_index, count, need_rank, same, show

SUM = Symbol("SUM")


@layer("Reduction", param="reduction_param")
class Reduction(Base):
    """One number for all axes from ``axis`` on (reduction_layer.cpp)."""

    operation: Symbol = SUM
    axis: int = 0
    coeff: float = 1.0

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes in front; a scalar where there are none."""
        return (bottoms[0][: axis_index(self.axis, len(bottoms[0]))],)


@layer("ArgMax", param="argmax_param")
class ArgMax(Base):
    """Where the ``top_k`` greatest values are (argmax_layer.cpp).

    Along ``axis``; without one over all of each image, and then with ``out_max_val`` the
    values beside the indices. With both, the values alone.
    """

    out_max_val: bool = False
    top_k: int = 1
    axis: Optional[int] = None

    def problems(self) -> Iterator[Problem]:
        """There is a greatest."""
        if self.top_k == 0:
            yield Problem("top-k", "top_k is 0, expected at least 1", "top_k")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axis becomes ``top_k``; without one (N, 1 or 2, top_k, 1...)."""
        bottom = bottoms[0]
        if self.axis is not None:
            axis = axis_index(self.axis, len(bottom))
            self._need(bottom[axis], bottom)
            return ((*bottom[:axis], self.top_k, *bottom[axis + 1 :]),)
        need_rank(bottom, 1, 32, "ArgMax")
        self._need(count(bottom[1:]), bottom)
        ones = (1,) * (max(3, len(bottom)) - 3)
        return ((bottom[0], 2 if self.out_max_val else 1, self.top_k, *ones),)

    def _need(self, values: int | None, bottom: Shape) -> None:
        if values is not None and self.top_k > values:
            raise ShapeError(
                f"top_k is {self.top_k}, but there are {values} values in the bottom "
                f"{show(bottom)}",
                rule="top-k",
                field="top_k",
            )


@layer("BatchReindex")
class BatchReindex(Base):
    """Rows by their index: bottoms are the rows and a list of indices (batch_reindex_layer.cpp)."""

    in_place = False

    def arity(self) -> Arity:
        """Rows and indices."""
        return Arity((2, 2), (1, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """As many rows as indices."""
        need_rank(bottoms[1], 1, 1, "BatchReindex")
        return ((bottoms[1][0], *bottoms[0][1:]),)


@layer("Filter")
class Filter(Base):
    """The rows whose selector, the last bottom, is not 0 (filter_layer.cpp)."""

    def arity(self) -> Arity:
        """One top for each bottom but the selector."""
        return Arity((2, MANY), (1, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """As many rows as the data select, which is not known."""
        *data, selector = bottoms
        if tops != len(data):
            raise ShapeError(
                f"has {tops} tops for {len(data)} bottoms and a selector", rule="top-count"
            )
        need_rank(selector, 1, 32, "Filter's selector")
        if any(dim not in (1, None) for dim in selector[1:]):
            raise ShapeError(f"the selector is {show(selector)}; expected one value for each row")
        for index, bottom in enumerate(data):
            if not same(bottom[:1], selector[:1]):
                raise ShapeError(
                    f"bottom {index} is {show(bottom)}; expected a row for each of the selector, "
                    f"{show(selector)}"
                )
        return tuple((None, *bottom[1:]) for bottom in data)
