"""How losses and accuracy use labels: the values at them, and the divisor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.parts.facets import Below, Sample
from prototxt_gen.layers.parts.shapes import Shape, axis_index, count, show
from prototxt_gen.layers.parts.sizes import is_free

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


class Labelled(Protocol):
    """The parameters that SoftmaxWithLoss and InfogainLoss share."""

    @property
    def ignore_label(self) -> int | None:
        """The label whose rows do not count."""

    @property
    def normalization(self) -> Symbol | None:
        """The divisor of the sum."""


def normalization(loss: Labelled, usual: str = "VALID") -> str:
    """The normalization, ``usual`` by default; ``normalize`` is used if it is absent."""
    old = getattr(loss, "normalize", None)
    if loss.normalization is not None or old is None:
        return loss.normalization or usual
    return "VALID" if old else "BATCH_SIZE"


def mean_at_label(values: Array, labels: Array, axis: int, loss: Labelled) -> Array:
    """The values at the labels, summed and divided as the loss says (loss_layer.cpp)."""
    axis = axis_index(axis, values.ndim)
    at, counted = labels_of(values, labels, axis, loss.ignore_label)
    found = np.take_along_axis(values, at, axis)
    normalizer = {
        "FULL": counted.size,
        "VALID": counted.sum(),
        "BATCH_SIZE": int(np.prod(values.shape[:axis])),
        "NONE": 1,
    }[normalization(loss)]
    return np.asarray(found[counted].sum() / max(1, normalizer), values.dtype)


def labels_of(scores: Array, labels: Array, axis: int, ignored: int | None) -> tuple[Array, Array]:
    """The labels in the shape of the scores, 1 along the class axis, and which of them count.

    An ignored label becomes 0.
    """
    shape = (*scores.shape[:axis], 1, *scores.shape[axis + 1 :])
    at = labels.reshape(shape).astype(np.int64)
    counted = np.ones(shape, bool) if ignored is None else at != ignored
    return np.where(counted, at, 0), counted


def lower_labels(b: Builder, labels: str, axis: int, ignored: int | None) -> tuple[str, str | None]:
    """The same as ONNX; None where all count, else 1 for the labels that count."""
    at = _labels_along(b, labels, axis)
    if ignored is None:
        return at, None
    same = b.op("Equal", [at, b.const(np.array(ignored))])
    counted = b.cast(b.op("Not", [same]), "float")
    return b.op("Where", [same, b.const(np.array(0)), at]), counted


def _labels_along(b: Builder, labels: str, axis: int) -> str:
    """The labels as int64, in the shape of the scores with 1 along the class axis."""
    dims = [dim or 0 for dim in b.bottom_shapes[0]]
    dims[axis] = 1
    if axis != 0:
        dims[0] = -1
    return b.reshape(b.cast(labels, "int64"), dims)


def lower_mean_at_label(b: Builder, values: str, labels: str, axis: int, loss: Labelled) -> str:
    """The same as ONNX."""
    shape = b.bottom_shapes[0]
    axis = axis_index(axis, len(shape))
    at, counted = lower_labels(b, labels, axis, loss.ignore_label)
    found = b.op("GatherElements", [values, at], axis=axis)
    if counted is not None:
        found = b.op("Mul", [found, counted])
    total = b.reduce_all("ReduceSum", found)
    kind = normalization(loss)
    if kind == "NONE":
        return total
    number = lower_size(b, at, (*shape[:axis], 1, *shape[axis + 1 :]))
    if kind == "VALID" and counted is not None:
        number = b.reduce_all("ReduceSum", counted)
        number = b.op("Max", [number, b.scalar(1.0)])
    elif kind == "BATCH_SIZE":
        inner = count(shape[axis + 1 :]) or 1
        number = b.op("Div", [number, b.scalar(inner)])
    return b.op("Div", [total, number])


def each_class(b: Builder, at: str, right: str, counted: str, axis: int) -> str:
    """The accuracy of each class; 0 for a class that does not occur."""
    classes = b.bottom_shapes[0][axis] or 1
    flat = b.reshape(at, [-1])
    one_hot = b.op(
        "OneHot", [flat, b.ints(classes), b.const(np.array([0, 1], np.float32))], axis=-1
    )
    hits = b.op("MatMul", [b.reshape(right, [1, -1]), one_hot])
    total = b.op("MatMul", [b.reshape(counted, [1, -1]), one_hot])
    share = b.op("Div", [hits, b.op("Max", [total, b.scalar(1.0)])])
    return b.squeeze(share, [0])


def lower_size(b: Builder, x: str, shape: Shape) -> str:
    """How many values a blob of a shape has, as a float."""
    size = count(shape)
    if size is None or is_free(size):
        return b.cast(b.op("Size", [x]), "float")
    return b.scalar(float(size))  # not Size, which OpenCV 5 gives an axis


def rows(b: Builder, x: str) -> str:
    """The first dimension of a blob, as a float."""
    return b.cast(b.squeeze(b.slice(b.op("Shape", [x]), [0], [1], [0]), [0]), "float")


def classes_along(bottoms: Sequence[Shape], axis: int) -> Sample:
    """A label is one of the classes, along an axis of the first bottom."""
    return Below(bottoms[0][axis_index(axis, len(bottoms[0]))] or 1)


def need_one_label_each(bottoms: Sequence[Shape], axis: int) -> None:
    """Refuse labels that are not one for each place along all other axes of the scores."""
    scores, labels = bottoms
    wanted = count((*scores[:axis], *scores[axis + 1 :]))
    found = count(labels)
    if wanted is not None and found is not None and wanted != found:
        raise ShapeError(
            f"bottom 1 is {show(labels)}, {plural(found, 'label')}; bottom 0, {show(scores)}, "
            f"needs {wanted}",
            bottom=1,
        )
