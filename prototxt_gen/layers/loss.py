"""Losses, and what is measured beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Optional, Self

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import (
    Shape,
    axis_index,
    count,
    need_count,
    need_rank,
    need_sizes,
    show,
)

L1 = Symbol("L1")


@layer("SoftmaxWithLoss", param="loss_param")
class SoftmaxWithLoss(Base):
    """The mean of -log p at the label (softmax_loss_layer.cpp); a second top is p itself.

    ``axis`` is that of the layer's ``softmax_param``.
    """

    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None
    axis: int = 1

    loss = True

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


@layer("SigmoidCrossEntropyLoss", param="loss_param")
class SigmoidCrossEntropyLoss(Base):
    """The cross entropy of sigmoids with targets (sigmoid_cross_entropy_loss_layer.cpp)."""

    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None

    loss = True

    def arity(self) -> Arity:
        """Scores and targets."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        need_count(bottoms[1], count(bottoms[0]), "bottom 1")
        return ((),) * tops


@layer("EuclideanLoss")
class EuclideanLoss(Base):
    """Half the mean of squared distances (euclidean_loss_layer.cpp)."""

    loss = True

    def arity(self) -> Arity:
        """Two blobs."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        _one_row_each(bottoms)
        need_count(bottoms[1][1:], count(bottoms[0][1:]), "an item of bottom 1")
        return ((),) * tops


@layer("ContrastiveLoss", param="contrastive_loss_param")
class ContrastiveLoss(Base):
    """Pairs that are alike should be near, others apart (contrastive_loss_layer.cpp)."""

    margin: float = 1.0
    legacy_version: bool = False

    loss = True

    def arity(self) -> Arity:
        """Two blobs, and whether they are alike."""
        return Arity((3, 3), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar; the blobs are (N, C), the third one (N,)."""
        _one_row_each(bottoms[:2])
        for index, bottom in enumerate(bottoms):
            need_rank(bottom, 1 if index == 2 else 2, 4, "ContrastiveLoss")
            if any(dim not in (1, None) for dim in bottom[1 if index == 2 else 2 :]):
                raise ShapeError(f"bottom {index} is {show(bottom)}; expected one vector an item")
        need_sizes(bottoms[1][1:2], bottoms[0][1:2], "the length of bottom 1")
        return ((),) * tops


@layer("HingeLoss", param="hinge_loss_param")
class HingeLoss(Base):
    """One against all, with a margin of 1 (hinge_loss_layer.cpp)."""

    norm: Symbol = L1

    loss = True

    def arity(self) -> Arity:
        """Scores and labels."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        _one_row_each(bottoms)
        return ((),) * tops


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Base):
    """-log of the probability at the label (multinomial_logistic_loss_layer.cpp)."""

    loss = True

    def arity(self) -> Arity:
        """Probabilities and labels."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar; there is one label an item."""
        _one_row_each(bottoms)
        need_count(bottoms[1][1:], 1, "an item of bottom 1")
        return ((),) * tops


@layer("InfogainLoss", param="infogain_loss_param")
class InfogainLoss(Base):
    """Cross entropy weighted by a matrix of classes (infogain_loss_layer.cpp).

    The matrix is the third bottom, or in the file ``source``. A second top is the softmax.
    """

    source: str = ""
    axis: int = 1
    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None

    loss = True

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """What losses share stands in the layer's ``loss_param``."""
        shared = layer.block("loss_param")
        return replace(
            super().read(params, layer),
            ignore_label=shared.get("ignore_label", int, 0) if shared.has("ignore_label") else None,
            normalization=(
                shared.get("normalization", Symbol, None) if shared.has("normalization") else None
            ),
        )

    def write(self) -> Block:
        """The layer's own parameters; what losses share is not part of this message."""
        return Block.of(source=self.source or None, axis=self.axis if self.axis != 1 else None)

    @classmethod
    def models(cls) -> frozenset[str]:
        """The layer's own parameters."""
        return frozenset({"source", "axis"})

    def arity(self) -> Arity:
        """Scores and labels, and the matrix where no file has it."""
        return Arity((2 if self.source else 3, 3), (0, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and the shape of the scores."""
        axis = axis_index(self.axis, len(bottoms[0]))
        _one_label_each(bottoms[:2], axis)
        classes = bottoms[0][axis]
        if len(bottoms) == 3 and classes is not None:
            need_count(bottoms[2], classes * classes, "bottom 2, the matrix of classes,")
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


def _one_row_each(bottoms: Sequence[Shape]) -> None:
    """Scores and labels have the same first dimension (loss_layer.cpp)."""
    first, second = bottoms
    need_rank(first, 1, 32, "a loss")
    need_rank(second, 1, 32, "a loss")
    need_sizes(second[:1], first[:1], "the first dimension of bottom 1")


def _one_label_each(bottoms: Sequence[Shape], axis: int) -> None:
    scores, labels = bottoms
    wanted = count((*scores[:axis], *scores[axis + 1 :]))
    found = count(labels)
    if wanted is not None and found is not None and wanted != found:
        raise ShapeError(
            f"bottom 1 is {show(labels)}, {found} labels; bottom 0, {show(scores)}, needs {wanted}"
        )
