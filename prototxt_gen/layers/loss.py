"""Losses that compare scores with a label: softmax and infogain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Optional, Self, TypeVar

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.activation import Softmax
from prototxt_gen.layers.base import (
    CLASSES,
    Arity,
    Axes,
    Instead,
    Problem,
    Role,
    Sample,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.labels import (
    classes_along,
    lower_mean_at_label,
    mean_at_label,
    need_one_label_each,
)
from prototxt_gen.layers.parts.numeric import FLT_MIN, LOG_THRESHOLD, softmax
from prototxt_gen.layers.parts.shapes import Shape, axis_index, need_count, need_rows

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

T = TypeVar("T")


@layer("SoftmaxWithLoss", param="loss_param")
class SoftmaxWithLoss(Base):
    """The mean of -log p at the label (softmax_loss_layer.cpp); a second top is p.

    ``axis`` comes from the layer's ``softmax_param``.
    """

    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None
    axis: int = 1

    in_place = False
    besides = frozenset({"softmax_param"})
    role = Role.LOSS

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``normalize``, the old form of ``normalization``, counts where the latter is absent."""
        axis = layer.block("softmax_param").get("axis", int, 1)
        return replace(super().read(params, layer), axis=axis)

    def write(self) -> Block:
        """The loss's own parameters; the axis is not in this message."""
        return Block.of(
            ignore_label=self.ignore_label,
            normalization=self.normalization,
            normalize=self.normalize,
        )

    def arity(self) -> Arity:
        """Scores and labels; Caffe makes a top for a loss that has none."""
        return Arity((2, 2), (0, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and the shape of the scores."""
        need_rows(bottoms)
        need_one_label_each(bottoms, axis_index(self.axis, len(bottoms[0])))
        return ((), bottoms[0])[:tops]

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A label is a class."""
        return classes_along(bottoms, self.axis) if index == 1 else None

    def at_inference(self) -> Base | Instead:
        """Softmax."""
        return Softmax(self.axis)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All but the batch is written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

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


@layer("InfogainLoss", param="infogain_loss_param")
class InfogainLoss(Base):
    """Cross entropy weighted by a matrix of classes (infogain_loss_layer.cpp).

    The matrix is the third bottom, or it is in the file ``source``. A second top is the softmax.
    """

    source: str = ""
    axis: int = 1
    ignore_label: Optional[int] = None
    normalization: Optional[Symbol] = None
    normalize: Optional[bool] = None  #: refused where it is given

    in_place = False
    besides = frozenset({"loss_param", "softmax_param"})
    role = Role.LOSS

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The parameters that losses share come from the layer's ``loss_param``."""
        shared = layer.block("loss_param")
        return replace(
            super().read(params, layer),
            ignore_label=shared.get("ignore_label", int, 0) if shared.has("ignore_label") else None,
            normalization=(
                shared.get("normalization", Symbol, None) if shared.has("normalization") else None
            ),
            normalize=shared.get("normalize", bool, False) if shared.has("normalize") else None,
        )

    def write(self) -> Block:
        """The layer's own parameters; those that losses share are not in this message."""
        return Block.of(source=self.source or None, axis=self.axis if self.axis != 1 else None)

    @classmethod
    def models(cls) -> frozenset[str]:
        """The layer's own parameters."""
        return frozenset({"source", "axis"})

    def arity(self) -> Arity:
        """Scores and labels, and the matrix where no file has it."""
        return Arity((2 if self.source else 3, 3), (0, 2))

    def problems(self) -> Iterator[Problem]:
        """``normalize`` is refused (infogain_loss_layer.cpp)."""
        if self.normalize is not None:
            message = "has normalize, which InfogainLoss refuses; expected normalization"
            yield Problem("loss-normalize", message, "loss_param.normalize")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """A scalar, and the shape of the scores."""
        axis = axis_index(self.axis, len(bottoms[0]))
        need_rows(bottoms[:2])
        need_one_label_each(bottoms[:2], axis)
        classes = bottoms[0][axis]
        if len(bottoms) == 3 and classes is not None:
            need_count(bottoms[2], classes * classes, "bottom 2, the matrix of classes,", 2)
        return ((), bottoms[0])[:tops]

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A label is a class."""
        return classes_along(bottoms, self.axis) if index == 1 else None

    def labels(self, bottoms: int) -> frozenset[int]:
        """The second bottom; the matrix is not a label."""
        return frozenset({1})

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The matrix has a row for each class."""
        found = fixed_from(alike(bottoms, tops), 1)
        matrix = ((CLASSES, *(None,) * (len(bottoms[2]) - 1)),) if len(bottoms) == 3 else ()
        return found._replace(bottoms=(*found.bottoms[:2], *matrix))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The mean of -sum over k of H[label, k] log p[k]."""
        scores, labels = bottoms[:2]
        p = softmax(scores, self.axis)
        matrix = self._matrix(bottoms).reshape(scores.shape[self.axis], -1)
        surprise = -np.log(np.maximum(p, np.float32(LOG_THRESHOLD)))
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
        surprise = b.op("Neg", [b.op("Log", [b.op("Max", [p, b.scalar(LOG_THRESHOLD)])])])
        classes = b.bottom_shapes[0][axis] or 1
        matrix = b.transpose(b.reshape(bottoms[2], [classes, classes]), [1, 0])
        perm = [i for i in range(rank) if i != axis] + [axis]
        weighted = b.op("MatMul", [b.transpose(surprise, perm), matrix])
        weighted = b.transpose(weighted, [perm.index(i) for i in range(rank)])
        loss = lower_mean_at_label(b, weighted, labels, self.axis, self)
        return (loss, p)[: len(b.top_shapes)]

    def _matrix(self, bottoms: Sequence[T]) -> T:
        """The third bottom; raises UnsupportedError for the matrix in a file."""
        if len(bottoms) < 3:
            raise UnsupportedError(f"the matrix in the file {self.source!r} cannot be read")
        return bottoms[2]
