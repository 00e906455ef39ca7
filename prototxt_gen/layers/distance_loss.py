"""Losses that compare values with targets: probabilities, distances and margins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.activation import Sigmoid
from prototxt_gen.layers.base import Arity, Axes, Below, Instead, Role, Sample, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import regrouped
from prototxt_gen.layers.parts.labels import lower_size, normalization, rows
from prototxt_gen.layers.parts.numeric import LOG_THRESHOLD
from prototxt_gen.layers.parts.shapes import (
    Shape,
    count,
    need_count,
    need_rank,
    need_rows,
    need_sizes,
    show,
)

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

L1 = Symbol("L1")


@layer("SigmoidCrossEntropyLoss", param="loss_param")
class SigmoidCrossEntropyLoss(Base):
    """Cross entropy of sigmoids and targets (sigmoid_cross_entropy_loss_layer.cpp)."""

    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None

    in_place = False
    role = Role.LOSS

    def arity(self) -> Arity:
        """Scores and targets."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        need_rows(bottoms)
        need_count(bottoms[1], count(bottoms[0]), "bottom 1", 1)
        return ((),) * tops

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A target is 0 or 1."""
        return Below(2) if index == 1 else None

    def at_inference(self) -> Base | Instead:
        """Sigmoid."""
        return Sigmoid()

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As many targets as scores, in any shape."""
        scores, targets = regrouped(bottoms[0], bottoms[1])
        return Axes((*scores, *targets), ((),) * len(tops))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """max(x, 0) - x * target + log(1 + exp(-|x|)); ignore_label is compared to int(target)."""
        x, target = bottoms
        target = target.reshape(x.shape)
        loss = np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x)))
        counted = np.ones(x.shape, bool)
        if self.ignore_label is not None:
            counted = target.astype(np.int64) != self.ignore_label
        normalizer = {"FULL": x.size, "VALID": counted.sum(), "BATCH_SIZE": x.shape[0], "NONE": 1}[
            normalization(self, "BATCH_SIZE")
        ]
        return (np.asarray(loss[counted].sum() / max(1, normalizer), x.dtype),)[:tops]

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
        total = b.reduce_all("ReduceSum", loss)
        kind = normalization(self, "BATCH_SIZE")
        if kind == "VALID":
            number = b.reduce_all("ReduceSum", ones)
            number = b.op("Max", [number, b.scalar(1.0)])
        elif kind == "NONE":
            return (total,)[: len(b.top_shapes)]
        elif kind == "FULL":
            number = lower_size(b, x, b.bottom_shapes[0])
        else:
            number = rows(b, x)
        return (b.op("Div", [total, number]),)[: len(b.top_shapes)]


@layer("EuclideanLoss")
class EuclideanLoss(Base):
    """Half the mean squared distance (euclidean_loss_layer.cpp)."""

    in_place = False
    role = Role.LOSS

    def arity(self) -> Arity:
        """Two blobs."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        need_rows(bottoms)
        need_count(bottoms[1][1:], count(bottoms[0][1:]), "an item of bottom 1", 1)
        return ((),) * tops

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """sum((a - b)^2) / (2 * N)."""
        x, y = bottoms
        difference = x.reshape(len(x), -1) - y.reshape(len(y), -1)
        return (np.asarray((difference**2).sum() / len(x) / 2, x.dtype),)[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ReduceSumSquare."""
        x, y = (b.op("Flatten", [blob], axis=1) for blob in bottoms)
        total = b.reduce_all("ReduceSumSquare", b.op("Sub", [x, y]))
        loss = b.op("Div", [b.op("Mul", [total, b.scalar(0.5)]), rows(b, bottoms[0])])
        return (loss,)[: len(b.top_shapes)]


@layer("ContrastiveLoss", param="contrastive_loss_param")
class ContrastiveLoss(Base):
    """Similar pairs should be close, others apart (contrastive_loss_layer.cpp)."""

    margin: float = 1.0
    legacy_version: bool = False

    role = Role.LOSS

    def arity(self) -> Arity:
        """Two blobs, and whether they are similar."""
        return Arity((3, 3), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar; the blobs are (N, C), the third one (N,)."""
        need_rows(bottoms[:2])
        for index, bottom in enumerate(bottoms):
            need_rank(bottom, 1 if index == 2 else 2, 4, "ContrastiveLoss", index)
            if any(dim not in (1, None) for dim in bottom[1 if index == 2 else 2 :]):
                raise ShapeError(
                    f"bottom {index} is {show(bottom)}; expected one vector per item",
                    bottom=index,
                )
        need_sizes(bottoms[1][1:2], bottoms[0][1:2], "the length of bottom 1", 1)
        need_sizes(bottoms[2][:1], bottoms[0][:1], "the number of bottom 2", 2)
        return ((),) * tops

    def labels(self, bottoms: int) -> frozenset[int]:
        """Whether the two are similar."""
        return frozenset({2})

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """1 for a similar pair, else 0."""
        return Below(2) if index == 2 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Half the mean of d^2 for similar pairs, of max(margin - d, 0)^2 for others."""
        x, y, alike = bottoms
        squared = ((x - y).reshape(len(x), -1) ** 2).sum(axis=1)
        if self.legacy_version:
            apart = np.maximum(np.float32(self.margin) - squared, 0)
        else:
            apart = np.maximum(np.float32(self.margin) - np.sqrt(squared), 0) ** 2
        loss = np.where(alike.reshape(-1).astype(int) != 0, squared, apart)
        return (np.asarray(loss.sum() / len(x) / 2, x.dtype),)[:tops]

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
        total = b.reduce_all("ReduceSum", b.op("Where", [same, squared, apart]))
        loss = b.op("Div", [b.op("Mul", [total, b.scalar(0.5)]), rows(b, x)])
        return (loss,)[: len(b.top_shapes)]


@layer("HingeLoss", param="hinge_loss_param")
class HingeLoss(Base):
    """One class against all others, with a margin of 1 (hinge_loss_layer.cpp)."""

    norm: Symbol = L1

    role = Role.LOSS

    def arity(self) -> Arity:
        """Scores and labels."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar."""
        need_rows(bottoms)
        return ((),) * tops

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A label is a class."""
        return Below(count(bottoms[0][1:]) or 1) if index == 1 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """max(0, 1 - x) at the label and max(0, 1 + x) elsewhere, summed by the norm, over N."""
        x, labels = bottoms
        flat = x.reshape(len(x), -1)
        sign = np.ones_like(flat)
        sign[np.arange(len(x)), labels.reshape(-1).astype(int)] = -1
        over = np.maximum(0, 1 + sign * flat)
        total = over.sum() if self.norm == L1 else (over * over).sum()
        return (np.asarray(total / len(x), x.dtype),)[:tops]

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
        loss = b.op("Div", [b.reduce_all(kind, over), rows(b, x)])
        return (loss,)[: len(b.top_shapes)]


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Base):
    """-log of the probability at the label (multinomial_logistic_loss_layer.cpp)."""

    role = Role.LOSS

    def arity(self) -> Arity:
        """Probabilities and labels."""
        return Arity((2, 2), (0, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar; each item has one label."""
        need_rows(bottoms)
        need_count(bottoms[1][1:], 1, "an item of bottom 1", 1)
        return ((),) * tops

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A label is a class."""
        return Below(count(bottoms[0][1:]) or 1) if index == 1 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """-log(max(p, LOG_THRESHOLD)) at the label, averaged over the batch."""
        p, labels = bottoms
        at = p.reshape(len(p), -1)[np.arange(len(p)), labels.reshape(-1).astype(int)]
        loss = -np.log(np.maximum(at, np.float32(LOG_THRESHOLD))).sum() / len(p)
        return (np.asarray(loss, p.dtype),)[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """GatherElements and Log."""
        p, labels = bottoms
        flat = b.op("Flatten", [p], axis=1)
        at = b.op("GatherElements", [flat, b.reshape(b.cast(labels, "int64"), [-1, 1])], axis=1)
        surprise = b.op("Log", [b.op("Max", [at, b.scalar(LOG_THRESHOLD)])])
        total = b.op("Neg", [b.reduce_all("ReduceSum", surprise)])
        return (b.op("Div", [total, rows(b, p)]),)[: len(b.top_shapes)]
