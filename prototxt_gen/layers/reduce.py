"""From many values to few: sums, maxima, selected rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import (
    MANY,
    ROWS,
    Arity,
    Axes,
    Below,
    Lifted,
    Problem,
    Sample,
    Seen,
    Sight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.shapes import Shape, axis_index, count, need_rank, same, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp

SUM = Symbol("SUM")

_LAST_INDEX = 12  #: the opset that introduced ArgMax's ``select_last_index``


@layer("Reduction", param="reduction_param")
class Reduction(Base):
    """One number for all axes from ``axis`` on (reduction_layer.cpp)."""

    operation: Symbol = SUM
    axis: int = 0
    coeff: float = 1.0

    sight = Sight.ALL

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes before ``axis``; a scalar where there are none."""
        return (bottoms[0][: axis_index(self.axis, len(bottoms[0]))],)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """coeff times the sum, the sum of magnitudes or squares, or the mean."""
        (x,) = bottoms
        axes = tuple(range(axis_index(self.axis, x.ndim), x.ndim))
        values = {"ASUM": np.abs, "SUMSQ": np.square}.get(self.operation, np.asarray)(x)
        total = values.mean(axis=axes) if self.operation == "MEAN" else values.sum(axis=axes)
        return (np.asarray(np.float32(self.coeff) * total, x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceSum, also of Abs, ReduceL1, ReduceSumSquare or ReduceMean."""
        rank = len(b.bottom_shapes[0])
        axes = list(range(axis_index(self.axis, rank), rank))
        kinds = {"SUM": "ReduceSum", "ASUM": "ReduceL1", "SUMSQ": "ReduceSumSquare"}
        kind = kinds.get(self.operation, "ReduceMean")
        if len(axes) == rank:
            y = b.reduce_all(kind, bottoms[0])
        elif kind == "ReduceL1":  # of which OpenVINO overlooks the axes at opsets 13 to 17
            y = b.reduce("ReduceSum", b.op("Abs", bottoms), axes, keepdims=False)
        else:
            y = b.reduce(kind, bottoms[0], axes, keepdims=False)
        return (y if self.coeff == 1 else b.op("Mul", [y, b.scalar(self.coeff)]),)


@layer("ArgMax", param="argmax_param")
class ArgMax(Base):
    """The positions of the ``top_k`` greatest values (argmax_layer.cpp).

    Along ``axis``; without it over the whole of each image, and then ``out_max_val`` adds
    the values to the indices. With both, the top holds the values only.
    """

    out_max_val: bool = False
    top_k: int = 1
    axis: Optional[int] = None

    lifts = ("LastPlaces",)

    def problems(self) -> Iterator[Problem]:
        """``top_k`` is at least 1."""
        if self.top_k == 0:
            yield Problem("top-k", "top_k is 0, expected at least 1", "top_k")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axis becomes ``top_k``; without an axis (N, 1 or 2, top_k, 1...)."""
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
                f"top_k is {self.top_k}, but the bottom {show(bottom)} has "
                f"{plural(values, 'value')}",
                rule="top-k",
                field="top_k",
            )

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Without an axis the size of an image is written into the model."""
        found = alike(bottoms, tops)
        return fixed_from(found, 1) if self.axis is None else found

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """All of an image, or all along an axis of places."""
        along = self.axis is None or axis_index(self.axis, len(bottoms[0])) > 1
        return Sight.ALL if along else super().sees(index, bottoms, tops)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The indices, the values, or both."""
        (x,) = bottoms
        axis = 1 if self.axis is None else axis_index(self.axis, x.ndim)
        flat = x.reshape(x.shape[0], -1) if self.axis is None else x
        # Of equal values, the one with the greater index comes first.
        order = np.flip(np.argsort(flat, axis=axis, kind="stable"), axis)
        best = np.take(order, range(self.top_k), axis)
        values = np.take_along_axis(flat, best, axis)
        if self.axis is not None:
            return (values if self.out_max_val else best.astype(x.dtype),)
        rows = [best.astype(x.dtype), values] if self.out_max_val else [best.astype(x.dtype)]
        return (np.stack(rows, 1).reshape(self.shapes([x.shape], 1)[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ArgMax, or TopK on the reversed axis, since of equal values Caffe takes the last."""
        rank = len(b.bottom_shapes[0])
        x, axis = bottoms[0], 1
        if self.axis is None:
            x = b.op("Flatten", bottoms, axis=1)
            size = count(b.bottom_shapes[0][1:])
        else:
            axis = axis_index(self.axis, rank)
            size = b.bottom_shapes[0][axis]
        values, best = self._best(b, x, axis, size or 0)
        if self.axis is not None:
            return (values if self.out_max_val else best,)
        y = b.unsqueeze(best, [1])
        if self.out_max_val:
            y = b.op("Concat", [y, b.unsqueeze(values, [1])], axis=1)
        ones = len(b.top_shapes[0]) - 3
        return (b.unsqueeze(y, list(range(3, 3 + ones))) if ones else y,)

    def _best(self, b: Builder, x: str, axis: int, size: int) -> tuple[str, str]:
        """The greatest values and their indices, as floats."""
        if self.top_k == 1 and not self.out_max_val and b.opset >= _LAST_INDEX:
            best = b.op("ArgMax", [x], axis=axis, keepdims=1, select_last_index=1)
            return "", b.cast(best, "float")
        back = b.slice(x, [-1], [-(2**31)], [axis], [-1])
        values, found = b.ops("TopK", [back, b.ints(self.top_k)], 2, axis=axis)
        return values, b.cast(b.op("Sub", [b.ints(size - 1), found]), "float")

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """The places of the greatest values, as a pattern finds them on a reversed axis."""
        return Lifted(cls(top_k=op.attribute("top_k"), axis=op.attribute("axis")))


@layer("BatchReindex")
class BatchReindex(Base):
    """Rows selected by index: bottoms are the rows and the indices (batch_reindex_layer.cpp)."""

    in_place = False
    lifts = ("Gather",)

    def arity(self) -> Arity:
        """Rows and indices."""
        return Arity((2, 2), (1, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """As many rows as indices."""
        need_rank(bottoms[1], 1, 1, "BatchReindex", 1)
        return ((bottoms[1][0], *bottoms[0][1:]),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As many rows as indices; the other axes stay."""
        rest = tuple(str(index) for index in range(1, len(bottoms[0])))
        return Axes(((None, *rest), (ROWS,)), ((ROWS, *rest),))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """The index of a row."""
        return Below(bottoms[0][0] or 1) if index == 1 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The rows."""
        return (bottoms[0][bottoms[1].astype(np.int64)],)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Gather."""
        return (b.op("Gather", [bottoms[0], b.cast(bottoms[1], "int64")], axis=0),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Gather from computed rows by a computed list of indices."""
        known = op.constant(0) is not None or op.constant(1) is not None
        if known or op.attribute("axis", 0) % len(op.shape()) or len(op.shape(1)) != 1:
            return None
        return Lifted(cls(), bottoms=(0, 1))


@layer("Filter")
class Filter(Base):
    """The rows whose selector, the last bottom, is not 0 (filter_layer.cpp)."""

    lifts = ("Filter",)

    def arity(self) -> Arity:
        """One top for each bottom except the selector."""
        return Arity((2, MANY), (1, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """As many rows as the data select: an unknown number."""
        *data, selector = bottoms
        if tops != len(data):
            raise ShapeError(
                f"has {plural(tops, 'top')} for {plural(len(data), 'bottom')} and a selector; "
                "expected one for each bottom except the selector",
                rule="top-count",
                field="top",
            )
        need_rank(selector, 1, 32, "Filter's selector", len(data))
        if any(dim not in (1, None) for dim in selector[1:]):
            raise ShapeError(
                f"the selector is {show(selector)}; expected one value for each row",
                bottom=len(data),
            )
        for index, bottom in enumerate(data):
            if not same(bottom[:1], selector[:1]):
                raise ShapeError(
                    f"bottom {index} is {show(bottom)}; expected a row per value of the selector, "
                    f"{show(selector)}",
                    bottom=index,
                )
        return tuple((None, *bottom[1:]) for bottom in data)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All bottoms have the same rows; the tops have some of them."""
        rows = tuple(("0", *(None,) * (len(shape) - 1)) for shape in bottoms)
        return Axes(rows, tuple((None,) * len(shape) for shape in tops))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A selector is 0 or 1 for each row."""
        return Below(2) if index == len(bottoms) - 1 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The selected rows."""
        *data, selector = bottoms
        chosen = selector.reshape(-1) != 0
        return tuple(x[chosen] for x in data)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Gather, of the places that NonZero finds."""
        *data, selector = bottoms
        flat = b.reshape(selector, [-1])
        chosen = b.op("Not", [b.op("Equal", [flat, b.scalar(0.0)])])
        places = b.places(chosen)
        return tuple(b.op("Gather", [x, places], axis=0) for x in data)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """Rows of a blob by a selector, as a pattern finds them."""
        return Lifted(cls(), bottoms=(0, 1))
