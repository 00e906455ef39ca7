"""Losses, and what is measured beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Optional, Self, TypeVar

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.labels import (
    each_class,
    labels_along,
    lower_mean_at_label,
    mean_at_label,
    rows,
)
from prototxt_gen.layers.numeric import FLT_MIN, softmax
from prototxt_gen.layers.shapes import (
    Shape,
    axis_index,
    count,
    need_count,
    need_rank,
    need_sizes,
    show,
)

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

L1 = Symbol("L1")
T = TypeVar("T")

_LOG_THRESHOLD = 1e-20  #: kLOG_THRESHOLD of the losses that take a logarithm


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The mean of -log p at the label."""
        scores, labels = bottoms
        p = softmax(scores, self.axis)
        loss = mean_at_label(-np.log(np.maximum(p, np.float32(FLT_MIN))), labels, self.axis, self)
        return (loss, p)[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softmax, GatherElements, Log and sums."""
        scores, labels = bottoms
        rank = len(b.bottom_shapes[0])
        p = b.softmax(scores, self.axis, rank)
        surprise = b.op("Neg", [b.op("Log", [b.op("Max", [p, b.scalar(FLT_MIN)])])])
        loss = lower_mean_at_label(b, surprise, labels, self.axis, self)
        return (loss, p)[: len(b.top_shapes)]


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula; a target is cut to a whole number to be compared with what to ignore."""
        x, target = bottoms
        target = target.reshape(x.shape)
        loss = np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))
        counted = np.ones(x.shape, bool)
        if self.ignore_label is not None:
            counted = target.astype(np.int64) != self.ignore_label
        normalizer = {"FULL": x.size, "VALID": counted.sum(), "BATCH_SIZE": x.shape[0], "NONE": 1}[
            self._normalization()
        ]
        return (np.asarray(loss[counted].sum() / max(1, normalizer), x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softplus and sums."""
        x, target = bottoms
        if b.bottom_shapes[0] != b.bottom_shapes[1]:
            target = b.op("Reshape", [target, b.op("Shape", [x])])
        zero = b.scalar(0.0)
        fine = b.op("Softplus", [b.op("Neg", [b.op("Abs", [x])])])
        gain = b.op("Sub", [b.op("Max", [x, zero]), b.op("Mul", [x, target])])
        loss = b.op("Add", [gain, fine])
        ones = b.op("Add", [b.op("Mul", [target, zero]), b.scalar(1.0)])
        if self.ignore_label is not None:
            same = b.op("Equal", [b.cast(target, "int64"), b.const(np.array(self.ignore_label))])
            loss = b.op("Where", [same, zero, loss])
            ones = b.op("Where", [same, zero, ones])
        axes = list(range(len(b.bottom_shapes[0])))
        total = b.reduce("ReduceSum", loss, axes, keepdims=False)
        kind = self._normalization()
        if kind == "VALID":
            number = b.reduce("ReduceSum", ones, axes, keepdims=False)
            number = b.op("Max", [number, b.scalar(1.0)])
        elif kind == "NONE":
            return (total,)
        elif kind == "FULL":
            number = b.cast(b.op("Size", [x]), "float")
        else:
            number = rows(b, x)
        return (b.op("Div", [total, number]),)

    def _normalization(self) -> str:
        """The one that counts; by the batch where nothing is said."""
        if self.normalization is not None or self.normalize is None:
            return self.normalization or "BATCH_SIZE"
        return "VALID" if self.normalize else "BATCH_SIZE"


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula."""
        x, y = bottoms
        difference = x.reshape(len(x), -1) - y.reshape(len(y), -1)
        return (np.asarray((difference**2).sum() / len(x) / 2, x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceSumSquare."""
        x, y = (b.op("Flatten", [blob], axis=1) for blob in bottoms)
        total = b.reduce("ReduceSumSquare", b.op("Sub", [x, y]), [0, 1], keepdims=False)
        return (b.op("Div", [b.op("Mul", [total, b.scalar(0.5)]), rows(b, bottoms[0])]),)


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula."""
        x, y, alike = bottoms
        squared = ((x - y).reshape(len(x), -1) ** 2).sum(axis=1)
        if self.legacy_version:
            apart = np.maximum(np.float32(self.margin) - squared, 0)
        else:
            apart = np.maximum(np.float32(self.margin) - np.sqrt(squared), 0) ** 2
        loss = np.where(alike.reshape(-1).astype(int) != 0, squared, apart)
        return (np.asarray(loss.sum() / len(x) / 2, x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Sums and Where."""
        x, y, alike = bottoms
        difference = b.op("Flatten", [b.op("Sub", [x, y])], axis=1)
        squared = b.reduce("ReduceSumSquare", difference, [1], keepdims=False)
        zero, margin = b.scalar(0.0), b.scalar(self.margin)
        length = squared if self.legacy_version else b.op("Sqrt", [squared])
        apart = b.op("Max", [b.op("Sub", [margin, length]), zero])
        if not self.legacy_version:
            apart = b.op("Mul", [apart, apart])
        same = b.cast(b.cast(b.reshape(alike, [-1]), "int64"), "bool")
        total = b.reduce("ReduceSum", b.op("Where", [same, squared, apart]), [0], keepdims=False)
        return (b.op("Div", [b.op("Mul", [total, b.scalar(0.5)]), rows(b, x)]),)


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula."""
        x, labels = bottoms
        flat = x.reshape(len(x), -1)
        sign = np.ones_like(flat)
        sign[np.arange(len(x)), labels.reshape(-1).astype(int)] = -1
        over = np.maximum(0, 1 + sign * flat)
        total = over.sum() if self.norm == L1 else (over * over).sum()
        return (np.asarray(total / len(x), x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """OneHot and sums."""
        x, labels = bottoms
        flat = b.op("Flatten", [x], axis=1)
        classes = count(b.bottom_shapes[0][1:]) or 1
        at = b.cast(b.reshape(labels, [-1]), "int64")
        values = b.const(np.array([1, -1], np.float32))
        sign = b.op("OneHot", [at, b.ints(classes), values], axis=-1)
        over = b.op("Relu", [b.op("Add", [b.op("Mul", [sign, flat]), b.scalar(1.0)])])
        kind = "ReduceSum" if self.norm == L1 else "ReduceSumSquare"
        return (b.op("Div", [b.reduce(kind, over, [0, 1], keepdims=False), rows(b, x)]),)


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formula."""
        p, labels = bottoms
        at = p.reshape(len(p), -1)[np.arange(len(p)), labels.reshape(-1).astype(int)]
        loss = -np.log(np.maximum(at, np.float32(_LOG_THRESHOLD))).sum() / len(p)
        return (np.asarray(loss, p.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """GatherElements and Log."""
        p, labels = bottoms
        flat = b.op("Flatten", [p], axis=1)
        at = b.op("GatherElements", [flat, b.reshape(b.cast(labels, "int64"), [-1, 1])], axis=1)
        surprise = b.op("Log", [b.op("Max", [at, b.scalar(_LOG_THRESHOLD)])])
        total = b.op("Neg", [b.reduce("ReduceSum", surprise, [0, 1], keepdims=False)])
        return (b.op("Div", [total, rows(b, p)]),)


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The mean of -sum over k of H[label, k] log p[k]."""
        scores, labels = bottoms[:2]
        p = softmax(scores, self.axis)
        matrix = self._matrix(bottoms).reshape(scores.shape[self.axis], -1)
        surprise = -np.log(np.maximum(p, np.float32(_LOG_THRESHOLD)))
        axis = axis_index(self.axis, scores.ndim)
        weighted = np.moveaxis(np.moveaxis(surprise, axis, -1) @ matrix.T, -1, axis)
        return (mean_at_label(weighted, labels, self.axis, self), p)[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Softmax, MatMul with the matrix, and GatherElements."""
        scores, labels = bottoms[:2]
        rank = len(b.bottom_shapes[0])
        axis = axis_index(self.axis, rank)
        self._matrix(bottoms)
        p = b.softmax(scores, self.axis, rank)
        surprise = b.op("Neg", [b.op("Log", [b.op("Max", [p, b.scalar(_LOG_THRESHOLD)])])])
        classes = b.bottom_shapes[0][axis] or 1
        matrix = b.transpose(b.reshape(bottoms[2], [classes, classes]), [1, 0])
        perm = [i for i in range(rank) if i != axis] + [axis]
        weighted = b.op("MatMul", [b.transpose(surprise, perm), matrix])
        weighted = b.transpose(weighted, [perm.index(i) for i in range(rank)])
        loss = lower_mean_at_label(b, weighted, labels, self.axis, self)
        return (loss, p)[: len(b.top_shapes)]

    def _matrix(self, bottoms: Sequence[T]) -> T:
        """The third bottom; that of a file is not read."""
        if len(bottoms) < 3:
            raise UnsupportedError(f"the matrix in the file {self.source!r} is not read")
        return bottoms[2]


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

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """How often fewer than top_k scores reach the label's, itself included."""
        scores, labels = bottoms
        axis = axis_index(self.axis, scores.ndim)
        shape = (*scores.shape[:axis], 1, *scores.shape[axis + 1 :])
        at = labels.reshape(shape).astype(np.int64)
        counted = np.ones(shape, bool) if self.ignore_label is None else at != self.ignore_label
        at = np.where(counted, at, 0)
        own = np.take_along_axis(scores, at, axis)
        # What ties counts against the label.
        right = ((scores >= own).sum(axis=axis, keepdims=True) <= self.top_k) & counted
        mean = np.asarray(right.sum() / max(1, counted.sum()), scores.dtype)
        classes = np.arange(scores.shape[axis])
        of = [counted & (at == c) for c in classes]
        each = [float((right & c).sum() / c.sum()) if c.any() else 0.0 for c in of]
        return (mean, np.array(each, scores.dtype))[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """GatherElements and counts; TopK would let ties pass."""
        scores, labels = bottoms
        axis = axis_index(self.axis, len(b.bottom_shapes[0]))
        at = labels_along(b, labels, axis)
        counted = None
        if self.ignore_label is not None:
            ignored = b.op("Equal", [at, b.const(np.array(self.ignore_label))])
            counted = b.cast(b.op("Not", [ignored]), "float")
            at = b.op("Where", [ignored, b.const(np.array(0)), at])
        own = b.op("GatherElements", [scores, at], axis=axis)
        rivals = b.cast(b.op("Not", [b.op("Less", [scores, own])]), "float")
        rank = b.reduce("ReduceSum", rivals, [axis], keepdims=True)
        right = b.cast(b.op("Less", [rank, b.scalar(self.top_k + 0.5)]), "float")
        every = list(range(len(b.bottom_shapes[0])))
        if counted is None:
            tops = [b.reduce("ReduceMean", right, every, keepdims=False)]
            counted = b.op("Add", [b.op("Mul", [right, b.scalar(0.0)]), b.scalar(1.0)])
        else:
            right = b.op("Mul", [right, counted])
            total = b.reduce("ReduceSum", counted, every, keepdims=False)
            hits = b.reduce("ReduceSum", right, every, keepdims=False)
            tops = [b.op("Div", [hits, b.op("Max", [total, b.scalar(1.0)])])]
        if len(b.top_shapes) == 2:
            tops.append(each_class(b, at, right, counted, axis))
        return tuple(tops)


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
