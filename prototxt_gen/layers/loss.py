"""Losses, and what is measured beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional, Self

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, axis_index, count, show


@layer("SoftmaxWithLoss", param="loss_param")
class SoftmaxWithLoss(Base):
    """The mean of -log p at the label (softmax_loss_layer.cpp); a second top is p itself.

    ``axis`` is that of the layer's ``softmax_param``.
    """

    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None
    axis: int = 1

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``normalize`` is the old form of ``normalization``, and counts where that is absent."""
        axis = layer.block("softmax_param").get("axis", int, 1)
        return replace(super().read(params, layer), axis=axis)

    def write(self) -> Block:
        """The loss's own parameters; the axis is not part of this message."""
        return Block.of(
            ignore_label=self.ignore_label,
            normalization=self.normalization,
            normalize=self.normalize,
        )

    def arity(self) -> Arity:
        """Scores and labels; Caffe makes up a top for a loss that has none."""
        return Arity((2, 2), (0, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and the shape of the scores."""
        _one_label_each(bottoms, axis_index(self.axis, len(bottoms[0])))
        return ((), bottoms[0])[:tops]


@layer("Accuracy", param="accuracy_param")
class Accuracy(Base):
    """How often the label is among the ``top_k`` best (accuracy_layer.cpp)."""

    top_k: int = 1
    axis: int = 1
    ignore_label: Optional[int] = None

    def arity(self) -> Arity:
        """Scores and labels; a second top has the accuracy of each class."""
        return Arity((2, 2), (1, 2))

    def problems(self) -> Iterator[Problem]:
        """There is a best."""
        if self.top_k == 0:
            yield Problem("top-k", "top_k is 0, expected at least 1", "top_k")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and (classes,)."""
        scores = bottoms[0]
        axis = axis_index(self.axis, len(scores))
        _one_label_each(bottoms, axis)
        classes = scores[axis]
        if classes is not None and self.top_k > classes:
            message = (
                f"top_k is {self.top_k}, but bottom 0, {show(bottoms[0])}, has {classes} classes"
            )
            raise ShapeError(message, rule="top-k", field="top_k")
        return ((), (classes,))[:tops]


def _one_label_each(bottoms: Sequence[Shape], axis: int) -> None:
    scores, labels = bottoms
    wanted = count((*scores[:axis], *scores[axis + 1 :]))
    found = count(labels)
    if wanted is not None and found is not None and wanted != found:
        raise ShapeError(
            f"bottom 1 is {show(labels)}, {found} labels; bottom 0, {show(scores)}, needs {wanted}"
        )
