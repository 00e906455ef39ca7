"""How often a net is right (accuracy_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import (
    Arity,
    Axes,
    Problem,
    Role,
    Sample,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.labels import (
    classes_along,
    each_class,
    labels_of,
    lower_labels,
    need_one_label_each,
)
from prototxt_gen.layers.parts.shapes import Shape, axis_index, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("Accuracy", param="accuracy_param")
class Accuracy(Base):
    """How often the label is among the ``top_k`` best scores (accuracy_layer.cpp)."""

    top_k: int = 1
    axis: int = 1
    ignore_label: Optional[int] = None

    role = Role.MEASURE

    def arity(self) -> Arity:
        """Scores and labels; a second top has the accuracy of each class."""
        return Arity((2, 2), (1, 2))

    def problems(self) -> Iterator[Problem]:
        """``top_k`` is at least 1."""
        if self.top_k == 0:
            yield Problem("top-k", "top_k is 0, expected at least 1", "top_k")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and (classes,)."""
        scores = bottoms[0]
        axis = axis_index(self.axis, len(scores))
        need_one_label_each(bottoms, axis)
        classes = scores[axis]
        if classes is not None and self.top_k > classes:
            message = (
                f"top_k is {self.top_k}, but bottom 0, {show(bottoms[0])}, has "
                f"{plural(classes, 'class')}"
            )
            raise ShapeError(message, rule="top-k", field="top_k")
        return ((), (classes,))[:tops]

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A label is a class."""
        return classes_along(bottoms, self.axis) if index == 1 else None

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All but the batch is written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """How often at most top_k scores, the label's own included, reach that of the label."""
        scores, labels = bottoms
        axis = axis_index(self.axis, scores.ndim)
        at, counted = labels_of(scores, labels, axis, self.ignore_label)
        own = np.take_along_axis(scores, at, axis)
        # A tie counts against the label.
        right = ((scores >= own).sum(axis=axis, keepdims=True) <= self.top_k) & counted
        mean = np.asarray(right.sum() / max(1, counted.sum()), scores.dtype)
        classes = np.arange(scores.shape[axis])
        of = [counted & (at == c) for c in classes]
        each = [float((right & c).sum() / c.sum()) if c.any() else 0.0 for c in of]
        return (mean, np.array(each, scores.dtype))[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """GatherElements and comparisons; TopK would count ties as correct."""
        scores, labels = bottoms
        axis = axis_index(self.axis, len(b.bottom_shapes[0]))
        at, counted = lower_labels(b, labels, axis, self.ignore_label)
        own = b.op("GatherElements", [scores, at], axis=axis)
        rivals = b.cast(b.op("Not", [b.op("Less", [scores, own])]), "float")
        rank = b.reduce("ReduceSum", rivals, [axis], keepdims=True)
        right = b.cast(b.op("Less", [rank, b.scalar(self.top_k + 0.5)]), "float")
        if counted is None:
            tops = [b.reduce_all("ReduceMean", right)]
            counted = b.op("Add", [b.op("Mul", [right, b.scalar(0.0)]), b.scalar(1.0)])
        else:
            right = b.op("Mul", [right, counted])
            total = b.reduce_all("ReduceSum", counted)
            hits = b.reduce_all("ReduceSum", right)
            tops = [b.op("Div", [hits, b.op("Max", [total, b.scalar(1.0)])])]
        if len(b.top_shapes) == 2:
            tops.append(each_class(b, at, right, counted, axis))
        return tuple(tops)
