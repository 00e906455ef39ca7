"""The selection of proposals: anchors moved by offsets, the best of them, without overlaps.

Anchors stand around each pixel of a feature map, in the order row, column, anchor. Boxes
include their last pixel, hence sides are one pixel longer than the difference of corners.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.parts.grid import lower_placed
from prototxt_gen.layers.parts.regions import (
    lower_moved,
    lower_sizes_and_centres,
    moved,
    sizes_and_centres,
)
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.sizes import any_free
from prototxt_gen.layers.parts.suppression import LOWEST

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder


@dataclass(frozen=True, slots=True)
class Rule:
    """What is selected.

    ``least`` is the shortest side in pixels of the original image. A smaller box is dropped
    if ``drops`` is set, and else scores 0. 0 as ``before`` or ``after`` means no limit.
    """

    anchors: Array  #: (A, 4), around the first pixel
    stride: int
    before: int  #: how many of the best are compared
    after: int  #: how many are kept at most
    overlap: float  #: of two boxes that overlap more than this, the better is kept
    least: float
    drops: bool


def anchors(base: int, ratios: Array, scales: Array, rounding: Callable[[Array], Array]) -> Array:
    """(ratios * scales, 4): around a square of ``base`` pixels (generate_anchors.py).

    The arithmetic is that of the type of ``ratios`` and ``scales``.
    """
    width = rounding(np.sqrt(base * base / ratios))
    height = rounding(width * ratios)
    centre = 0.5 * (base - 1)
    x, y = (0.5 * (side[:, None] * scales[None] - 1) for side in (width, height))
    found = np.stack([centre - x, centre - y, centre + x, centre + y], axis=-1)
    return found.reshape(-1, 4).astype(np.float32)


def select(rule: Rule, bottoms: Sequence[Array]) -> tuple[Array, Array]:
    """Regions (R, 5) and scores (R, 1) from scores, offsets and the size of the image."""
    number = len(rule.anchors)
    scores = bottoms[0][0, number:].transpose(1, 2, 0).reshape(-1)
    offsets = bottoms[1][0].transpose(1, 2, 0).reshape(-1, 4)
    height, width, scale, *more = bottoms[2].reshape(-1)
    boxes = moved(_placed(rule, bottoms[0].shape), offsets)
    last = np.array([width, height, width, height], np.float32) - np.float32(1)
    boxes = np.maximum(np.minimum(boxes, last), np.float32(0))
    least = np.float32(rule.least) * np.array([_across(scale, more, rule), scale], np.float32)
    large = (boxes[:, 2:] - boxes[:, :2] + np.float32(1) >= least).all(axis=1)
    if rule.drops:
        boxes, scores = boxes[large], scores[large]
    else:
        scores = scores * large
    order = np.argsort(-scores, kind="stable")[: rule.before or None]
    kept = order[_without_overlaps(boxes[order], rule.overlap, rule.after)]
    images = np.zeros((len(kept), 1), np.float32)
    return np.concatenate([images, boxes[kept]], axis=1), scores[kept, None]


def _across(scale: Array, more: Sequence[Array], rule: Rule) -> Array:
    """The scale of the image across, which the C++ layer has apart."""
    return more[0] if more and not rule.drops else scale


def _placed(rule: Rule, shape: Shape) -> Array:
    """The anchors around every pixel: (H * W * A, 4)."""
    height, width = (size or 0 for size in shape[2:])
    y, x = np.mgrid[:height, :width].reshape(2, -1, 1) * rule.stride
    places = np.concatenate([x, y, x, y], axis=1).astype(np.float32)
    found: Array = (places[:, None] + rule.anchors[None]).reshape(-1, 4)
    return found


def _without_overlaps(boxes: Array, most: float, limit: int) -> list[int]:
    """The indices of boxes that no kept box in front of them overlaps too much."""
    one = np.float32(1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2] + one, axis=1)
    alive = np.ones(len(boxes), bool)
    kept: list[int] = []
    for index, box in enumerate(boxes):
        if not alive[index]:
            continue
        kept.append(index)
        if len(kept) == limit:
            break
        low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
        shared = np.prod(np.maximum(high - low + one, np.float32(0)), axis=1)
        alive &= ~(shared / (areas + areas[index] - shared) > np.float32(most))
    return kept


def lower_select(b: Builder, rule: Rule, bottoms: Sequence[str]) -> tuple[str, str]:
    """The same: the anchors are constants, TopK sorts, NonMaxSuppression selects."""
    number = len(rule.anchors)
    scores = b.slice(bottoms[0], [number], [2 * number], [1])
    scores = b.reshape(b.transpose(scores, [0, 2, 3, 1]), [-1])
    offsets = b.reshape(b.transpose(bottoms[1], [0, 2, 3, 1]), [-1, 4])
    low, high = lower_moved(b, *_lower_anchors(b, rule), offsets)
    info = b.reshape(bottoms[2], [-1])
    last = b.op("Sub", [b.op("Gather", [info, b.ints(1, 0)]), b.scalar(1.0)])
    low, high = (
        b.op("Max", [b.op("Min", [corner, last]), b.scalar(0.0)]) for corner in (low, high)
    )
    end = b.op("Add", [high, b.scalar(1.0)])
    large = _large(b, rule, b.op("Add", [b.op("Sub", [high, low]), b.scalar(1.0)]), info)
    boxes = b.op("Concat", [low, high, end], axis=1)
    if rule.drops:
        scores = b.op("Where", [large, scores, b.scalar(LOWEST)])
    else:
        scores = b.op("Mul", [scores, b.cast(large, "float")])
    scores, order = b.ops("TopK", [scores, _first(b, rule, scores)], 2)
    boxes = b.op("Gather", [boxes, order], axis=0)
    if rule.drops:
        # Not before: tract has no TopK of a number that the data decide.
        places = b.places(b.op("Less", [b.scalar(LOWEST), scores]))
        boxes, scores = (b.op("Gather", [value, places], axis=0) for value in (boxes, scores))
    low, high, end = b.split(boxes, [2, 2, 2], 1)
    kept = _kept(b, rule, b.op("Concat", [low, end], axis=1), scores)
    scores = b.op("Gather", [b.unsqueeze(scores, [1]), kept], axis=0)
    boxes = b.op("Gather", [b.op("Concat", [low, high], axis=1), kept], axis=0)
    return b.op("Concat", [b.full_like(scores, 0.0), boxes], axis=1), scores


def _lower_anchors(b: Builder, rule: Rule) -> tuple[str, str]:
    """The sides and centres of all anchors: constants, unless the size of the map is free."""
    height, width = (size or 0 for size in b.bottom_shapes[0][2:])
    if any_free([height, width]):
        boxes = lower_placed(b, rule.anchors, rule.stride, height, width)
        return lower_sizes_and_centres(b, boxes)
    size, centre = sizes_and_centres(_placed(rule, b.bottom_shapes[0]))
    return b.const(size, "sizes"), b.const(centre, "centres")


def _large(b: Builder, rule: Rule, sides: str, info: str) -> str:
    """Whether both sides of each box are long enough."""
    across = 3 if not rule.drops and _values(b.bottom_shapes[2]) > 3 else 2
    scales = b.op("Gather", [info, b.ints(across, 2)])
    least = b.op("Mul", [b.scalar(rule.least), scales])
    short = b.cast(b.op("Less", [sides, least]), "float")
    return b.op("Less", [b.reduce("ReduceMax", short, [1], keepdims=False), b.scalar(0.5)])


def _values(shape: Shape) -> int:
    """How many values the size of the image has."""
    return int(np.prod([size or 1 for size in shape]))


def _first(b: Builder, rule: Rule, scores: str) -> str:
    """How many scores TopK takes: at most a limit, and no more than there are."""
    height, width = (size or 0 for size in b.bottom_shapes[0][2:])
    if not any_free([height, width]):
        there = len(rule.anchors) * height * width
        return b.ints(min(rule.before or there, there))
    number = b.op("Shape", [scores])
    if not rule.before:
        return number
    limit = b.ints(rule.before)
    return b.op("Where", [b.op("Less", [number, limit]), number, limit])


def _kept(b: Builder, rule: Rule, boxes: str, scores: str) -> str:
    """The indices of boxes that remain, the best first."""
    # NonMaxSuppression takes 0 for no box at all.
    limit = b.ints(rule.after) if rule.after else b.op("Shape", [scores])
    threshold = b.const(np.array([rule.overlap], np.float32))
    inputs = [b.unsqueeze(boxes, [0]), b.unsqueeze(scores, [0, 1]), limit, threshold]
    found = b.op("NonMaxSuppression", inputs)
    return b.squeeze(b.slice(found, [2], [3], [1]), [1])
