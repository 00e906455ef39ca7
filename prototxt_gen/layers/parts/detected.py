"""The detections of SSD in ONNX: from scores and decoded boxes to the rows that remain.

A place in an image is a number, class * P + prior. A score that takes part is in a table
(N, C * P), and what does not is minus infinity there: first what is not above the threshold,
then what is not among the best of its class, then what overlaps. So ties go to the lower
class and the lower prior, as in Caffe, at every step, and no order of NonMaxSuppression's
output is relied upon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen._numpy import np
from prototxt_gen.document import Symbol
from prototxt_gen.layers.parts.box_code import CENTER_SIZE, lower_decoded
from prototxt_gen.layers.parts.sizes import always_equal, is_free
from prototxt_gen.layers.parts.suppression import LOWEST, lower_chosen, lower_limit

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Builder

_AWAY = 1e6  #: outside of any image


class Head(NamedTuple):
    """What is asked of the detections.

    ``per_label`` and ``most`` are how many may be candidates in a class, and remain in an image;
    where the number of priors is free, they are limits of what there is.
    """

    priors: int
    classes: int
    labels: tuple[int, ...]  #: all classes but the background
    shared: bool  #: whether all classes have the same boxes
    code: Symbol
    varied: bool  #: whether variances scale the offsets
    least: float
    overlap: float
    per_label: int
    most: int


def lower_head(b: Builder, bottoms: Sequence[str], head: Head) -> str:
    """(1, 1, found, 7) from offsets, scores and priors."""
    images = _images(b, bottoms[0])
    none = b.op("Concat", [b.cast(images, "float"), _minus_ones(b, images)], axis=1)
    if not head.most:
        return b.reshape(none, [1, 1, -1, 7])
    boxes = lower_boxes(b, bottoms[0], bottoms[2], head)
    scores = _candidates(b, _by_label(b, bottoms[1], head, 1), head)
    table = _suppressed(b, boxes, scores, head)
    rows, found = _rows(b, boxes, table, images, head)
    # Of bools there is no greatest one.
    none_found = b.op("Less", [b.op("ReduceMax", [b.cast(found, "float")]), b.scalar(0.5)])
    nothing = b.op("Expand", [none_found, b.op("Shape", [b.squeeze(images, [1])])])
    rows = b.op("Concat", [rows, none], axis=0)
    found = b.op("Concat", [found, nothing], axis=0)
    return b.reshape(b.op("Gather", [rows, b.places(found)], axis=0), [1, 1, -1, 7])


def _images(b: Builder, offsets: str) -> str:
    """The number of each image, (N, 1)."""
    batch = b.bottom_shapes[0][0]
    if batch is not None and not is_free(batch):
        return b.const(np.arange(batch, dtype=np.int64)[:, None])
    size = b.squeeze(b.slice(b.op("Shape", [offsets]), [0], [1], [0]), [0])
    zero, one = (b.const(np.array(value, np.int64)) for value in (0, 1))
    return b.unsqueeze(b.op("Range", [zero, size, one]), [1])


def _minus_ones(b: Builder, images: str) -> str:
    """(N, 6)."""
    shape = b.op("Concat", [b.op("Shape", [b.squeeze(images, [1])]), b.ints(6)], axis=0)
    return b.op("Expand", [b.scalar(-1.0), shape])


def _by_label(b: Builder, x: str, head: Head, width: int) -> str:
    """(N, labels, P, width), or without the last axis if that is 1, without the background."""
    last = [width] if width > 1 else []
    x = b.reshape(x, [0, head.priors, head.classes, *last])
    if len(head.labels) < head.classes:
        x = b.op("Gather", [x, b.ints(*head.labels)], axis=2)
    return b.transpose(x, [0, 2, 1, 3][: 3 + len(last)])


def lower_boxes(b: Builder, offsets: str, priors: str, head: Head) -> str:
    """(N, P, 4), or (N, labels, P, 4) if they are not shared."""
    if head.shared:
        moves = b.reshape(offsets, [0, head.priors, 4])
    else:
        moves = _by_label(b, offsets, head, 4)
    both = b.reshape(priors, [2, head.priors, 4])
    corners, variances = (b.squeeze(part, [0]) for part in b.split(both, [1, 1], 0))
    return lower_decoded(b, head.code, moves, corners, variances if head.varied else "")


def _candidates(b: Builder, scores: str, head: Head) -> str:
    """The scores (N, labels, P), with minus infinity for what is no candidate."""
    # NaN is not above the threshold.
    above = b.op("Greater", [scores, b.scalar(head.least)])
    scores = b.op("Where", [above, scores, b.scalar(LOWEST)])
    if not always_equal(head.per_label, head.priors):
        number = _at_most(b, head.priors, head.per_label)
        best, places = b.ops("TopK", [scores, number], 2, axis=2)
        empty = b.full_like(scores, LOWEST)
        scores = b.op("ScatterElements", [empty, places, best], axis=2)
    return scores


def limited(number: int, limit: int) -> int:
    """The smaller one; of a number that is free, the limit alone is known."""
    return limit if is_free(number) else min(number, limit)


def _at_most(b: Builder, number: int, limit: int) -> str:
    """How many there are, up to a limit, which is no more than that if both are known."""
    if not is_free(number) or always_equal(number, limit):
        return b.ints(limit)
    there, most = b.ints(number), b.ints(limit)
    return b.op("Where", [b.op("Less", [there, most]), there, most])


def _counted(b: Builder, most: str, head: Head) -> str:
    """0 and up, one number for each row of an image; ``most`` has their number."""
    if not is_free(head.priors):
        return b.ints(*range(head.most))
    zero, one = (b.const(np.array(value, np.int64)) for value in (0, 1))
    return b.op("Range", [zero, b.squeeze(most, [0]), one])


def _suppressed(b: Builder, boxes: str, scores: str, head: Head) -> str:
    """The table (N, labels * P) without what overlaps."""
    if head.code != CENTER_SIZE:
        boxes = _with_area(b, boxes, head)
    if not head.shared:
        # NonMaxSuppression has boxes for each image: each label is an image to it.
        boxes = b.reshape(boxes, [-1, head.priors, 4])
        scores = b.reshape(scores, [-1, 1, head.priors])
    inputs = [boxes, scores, b.ints(head.priors)]
    inputs.append(lower_limit(b, head.overlap))
    # Candidates are above both; OpenCV 5 refuses thresholds below 0.
    least = 0.0 if head.least >= 0 else LOWEST
    inputs += [b.const(np.array([least], np.float32))]
    kept = b.op("NonMaxSuppression", inputs)
    labels = len(head.labels)
    steps = [labels * head.priors, head.priors, 1] if head.shared else [head.priors, 0, 1]
    table = lower_chosen(b, scores, kept, steps)
    return b.reshape(table, [-1, labels * head.priors])


def _with_area(b: Builder, boxes: str, head: Head) -> str:
    """Boxes without an area, or with crossed corners, replaced by some that nothing overlaps.

    In Caffe they overlap nothing either. ONNX's operator puts corners in order, and to OpenCV 5
    two boxes without an area are the same.
    """
    low, high = b.split(boxes, [2, 2], -1)
    sides = b.split(b.cast(b.op("Less", [low, high]), "float"), [1, 1], -1)
    has_area = b.op("Less", [b.scalar(0.5), b.op("Mul", sides)])
    zero, one = (b.const(np.array(value, np.int64)) for value in (0, 1))
    numbers = b.op("Range", [zero, b.squeeze(b.ints(head.priors), [0]), one])
    away = b.op("Mul", [b.cast(b.unsqueeze(numbers, [1]), "float"), b.scalar(2.0)])
    low, high = (b.op("Add", [away, b.scalar(_AWAY + side)]) for side in (0, 1))
    return b.op("Where", [has_area, boxes, b.op("Concat", [low, low, high, high], axis=1)])


def _rows(b: Builder, boxes: str, table: str, images: str, head: Head) -> tuple[str, str]:
    """Rows (N * most, 7) by image, label and falling score, and which of them are found."""
    most = _at_most(b, head.priors * len(head.labels), head.most)
    scores, places = b.ops("TopK", [table, most], 2, axis=1)
    labels = b.op("Div", [places, b.ints(head.priors)])
    # Equal labels keep their order, which not every runtime's TopK does by itself.
    keys = b.op("Add", [b.op("Mul", [labels, b.ints(head.most)]), _counted(b, most, head)])
    keys, _ = b.ops("TopK", [keys, most], 2, axis=1, largest=0)
    labels, order = (b.op(name, [keys, b.ints(head.most)]) for name in ("Div", "Mod"))
    scores, places = (b.op("GatherElements", [x, order], axis=1) for x in (scores, places))
    zeros = b.op("Mul", [places, b.ints(0)])
    columns = [
        b.cast(b.op("Add", [images, zeros]), "float"),
        b.op("Gather", [b.const(np.array(head.labels, np.float32)), labels], axis=0),
        scores,
    ]
    each = head.priors if head.shared else head.priors * len(head.labels)
    if head.shared:
        places = b.op("Mod", [places, b.ints(head.priors)])
    places = b.op("Add", [places, b.op("Mul", [images, b.ints(each)])])
    corners = b.op("Gather", [b.reshape(boxes, [-1, 4]), places], axis=0)
    rows = b.op("Concat", [*(b.unsqueeze(x, [2]) for x in columns), corners], axis=2)
    found = b.op("Greater", [scores, b.scalar(LOWEST)])
    return b.reshape(rows, [-1, 7]), b.reshape(found, [-1])
