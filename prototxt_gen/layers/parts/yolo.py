"""Boxes and scores from the maps of YOLO, and the detections that remain of them.

The channels of a map (1, A * (5 + classes), S, S) are, for each anchor: the box's centre and
size, whether there is an object, and the classes. Boxes stand in the order map, row, column,
anchor. All classes suppress each other (ApplyNms in yolo_detection_output_layer.cpp).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.numeric import sigmoid, softmax
from prototxt_gen.layers.parts.suppression import LOWEST, lower_chosen, lower_limit, suppressed

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


class Grid(NamedTuple):
    """One map: its side, and the width and height (A, 2) of its anchors, as parts of an image."""

    side: int
    anchors: Array

    @property
    def corner(self) -> Array:
        """The column and row of each pixel: (S * S, 1, 2)."""
        y, x = np.mgrid[: self.side, : self.side].reshape(2, -1)
        found: Array = np.stack([x, y], axis=-1).astype(np.float32)[:, None]
        return found


class Choice(NamedTuple):
    """Which boxes are detections."""

    classes: int
    exclusive: bool  #: whether the classes are a softmax, else each is a sigmoid
    least: float  #: what a score has to be more than
    overlap: float  #: what the overlap with a better box has to be less than

    @property
    def limit(self) -> float:
        """The greatest overlap with which a box stays; it is negative if none does."""
        return below(self.overlap)


def below(value: float) -> float:
    """The next smaller float32: with it, ``>`` says what ``>=`` says of the value."""
    return float(np.nextafter(np.float32(value), np.float32("-inf")))


def detected(choice: Choice, grids: Sequence[Grid], maps: Sequence[Array]) -> Array:
    """(1, 1, found, 7): image, label from 1 on, score, corners, by falling score.

    If nothing is found, one row whose other values are -1.
    """
    parts = [_decoded(choice, grid, x) for grid, x in zip(grids, maps, strict=True)]
    boxes, scores, labels = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = suppressed(boxes, scores, choice.least, choice.limit, 1, -1)
    rows = [(0, labels[index] + 1, scores[index], *boxes[index]) for index in kept]
    return np.array(rows or [(0, *(-1,) * 6)], np.float32).reshape(1, 1, -1, 7)


def _decoded(choice: Choice, grid: Grid, x: Array) -> tuple[Array, Array, Array]:
    """Corners (S * S * A, 4), and the score and the number of the best class of each box."""
    number = len(grid.anchors)
    x = x.reshape(number, -1, grid.side**2).transpose(2, 0, 1)
    centre = (grid.corner + sigmoid(x[..., :2])) / np.float32(grid.side)
    half = np.exp(x[..., 2:4]) * grid.anchors / np.float32(2)
    classes = x[..., 5:]
    parts = softmax(classes, -1) if choice.exclusive else sigmoid(classes)
    scores = sigmoid(x[..., 4:5]) * parts
    corners = np.concatenate([centre - half, centre + half], axis=-1)
    return corners.reshape(-1, 4), scores.max(axis=-1).ravel(), scores.argmax(axis=-1).ravel()


def lower_detected(b: Builder, choice: Choice, grids: Sequence[Grid], maps: Sequence[str]) -> str:
    """The same in ONNX."""
    parts = [_lower_decoded(b, choice, grid, x) for grid, x in zip(grids, maps, strict=True)]
    boxes, scores, labels = (
        part[0] if len(part) == 1 else b.op("Concat", part, axis=0)
        for part in zip(*parts, strict=True)
    )
    number = sum(grid.side**2 * len(grid.anchors) for grid in grids)
    # NaN is not above the threshold.
    above = b.op("Greater", [scores, b.scalar(choice.least)])
    scores = b.op("Where", [above, scores, b.scalar(LOWEST)])
    scores = _kept(b, choice, boxes, scores, number)
    scores, places = b.ops("TopK", [scores, b.ints(number)], 2, axis=0)
    columns = [b.full_like(scores, 0.0), b.op("Gather", [labels, places], axis=0), scores]
    corners = b.op("Gather", [boxes, places], axis=0)
    rows = b.op("Concat", [*(b.unsqueeze(x, [1]) for x in columns), corners], axis=1)
    found = b.op("Greater", [scores, b.scalar(LOWEST)])
    # The best one is found, or nothing is.
    nothing = b.op("Not", [b.slice(found, [0], [1], [0])])
    none = b.const(np.array([[0, *(-1,) * 6]], np.float32))
    rows = b.op("Concat", [rows, none], axis=0)
    found = b.op("Concat", [found, nothing], axis=0)
    return b.reshape(b.op("Gather", [rows, b.places(found)], axis=0), [1, 1, -1, 7])


def _lower_decoded(b: Builder, choice: Choice, grid: Grid, x: str) -> tuple[str, str, str]:
    """Corners, scores and labels from 1 on, as float."""
    number = len(grid.anchors)
    x = b.transpose(b.reshape(x, [number, -1, grid.side**2]), [2, 0, 1])
    place, size, thing, classes = b.split(x, [2, 2, 1, choice.classes], 2)
    place = b.op("Add", [b.op("Sigmoid", [place]), b.const(grid.corner, "grid")])
    centre = b.op("Mul", [place, b.scalar(1 / grid.side)])
    half = b.op("Mul", [b.op("Exp", [size]), b.const(grid.anchors / np.float32(2), "anchors")])
    corners = [b.op("Sub", [centre, half]), b.op("Add", [centre, half])]
    boxes = b.reshape(b.op("Concat", corners, axis=2), [-1, 4])
    parts = b.softmax(classes, 2, 3) if choice.exclusive else b.op("Sigmoid", [classes])
    scores = b.op("Mul", [b.op("Sigmoid", [thing]), parts])
    best = b.op("ArgMax", [scores], axis=2, keepdims=0)
    labels = b.op("Add", [b.cast(best, "float"), b.scalar(1.0)])
    scores = b.reduce("ReduceMax", scores, [2], keepdims=False)
    return boxes, b.reshape(scores, [-1]), b.reshape(labels, [-1])


def _kept(b: Builder, choice: Choice, boxes: str, scores: str, number: int) -> str:
    """The scores (P,), with minus infinity for what overlaps a better box."""
    # An overlap is at least 0, so that nothing stays beside the best box below that.
    most = number if choice.limit >= 0 else 1
    inputs = [b.unsqueeze(boxes, [0]), b.unsqueeze(scores, [0, 1]), b.ints(most)]
    # Candidates are above both; OpenCV 5 refuses thresholds below 0.
    least = 0.0 if choice.least >= 0 else LOWEST
    inputs += [lower_limit(b, choice.limit), b.const(np.array([least], np.float32))]
    kept = b.op("NonMaxSuppression", inputs)
    return lower_chosen(b, scores, kept, [number, number, 1])
