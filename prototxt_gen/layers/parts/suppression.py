"""The choice among boxes that overlap, as SSD makes it (bbox_util.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder

LOWEST = float("-inf")  #: the score of what does not take part


def suppressed(
    boxes: Array, scores: Array, least: float, overlap: float, eta: float, most: int
) -> list[int]:
    """Which of the boxes (P, 4) stay, by falling score (ApplyNMSFast).

    Candidates are those that score more than ``least``; of these, the first ``most``, if that
    is not negative. A box stays if it overlaps none of those that stay by more than
    ``overlap``, which each multiplies by ``eta`` while it is above 0.5.
    """
    candidates = np.flatnonzero(scores > np.float32(least))
    candidates = candidates[np.argsort(-scores[candidates], kind="stable")]
    if most >= 0:
        candidates = candidates[:most]
    limit, rate = np.float32(overlap), np.float32(eta)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[int] = []
    for index in candidates.tolist():
        # With NaN, no overlap is at most the limit, so that the box goes.
        if (_overlaps(boxes, areas, index, kept) <= limit).all():
            kept.append(index)
            if rate < 1 and limit > 0.5:
                limit *= rate
    return kept


def _overlaps(boxes: Array, areas: Array, index: int, others: list[int]) -> Array:
    """The shared part of a box and each other one, by area (JaccardOverlap).

    A box whose corners are crossed has no side in common with any other.
    """
    own, other = boxes[index], boxes[others]
    # As std::max and std::min choose, if one of the two is NaN.
    low = np.where(own[:2] < other[:, :2], other[:, :2], own[:2])
    high = np.where(other[:, 2:] < own[2:], other[:, 2:], own[2:])
    sides = high - low
    meet = (sides > 0).all(axis=1)
    shared = sides[:, 0] * sides[:, 1]
    found: Array = np.where(meet, shared / (areas[index] + areas[others] - shared), np.float32(0))
    return found


def lower_limit(b: Builder, overlap: float) -> str:
    """The threshold of ONNX's NonMaxSuppression, which an overlap has to be above."""
    # No overlap is above 1, the greatest that there may be. With 0 OpenVINO drops what only
    # touches; no overlap is between 0 and the smallest float.
    limit = max(min(overlap, 1.0), float(np.finfo(np.float32).tiny))
    return b.const(np.array([limit], np.float32))


def lower_chosen(b: Builder, scores: str, kept: str, steps: Sequence[int]) -> str:
    """The scores as a list, with minus infinity for what NonMaxSuppression has not kept.

    ``steps`` are how far apart two scores are in the list for each of its three columns. One more
    place at the end makes sure that there is something to look up: OpenCV 5 fails on nothing.
    """
    flat = b.reshape(scores, [-1])
    more = b.op("Concat", [b.ints(0, 0), b.op("Shape", [flat])], axis=0)
    kept = b.op("Concat", [kept, b.unsqueeze(more, [0])], axis=0)
    parts = b.split(kept, [1, 1, 1], 1)
    parts = [b.op("Mul", [one, b.ints(step)]) for one, step in zip(parts, steps, strict=True)]
    places = b.reshape(b.op("Add", [b.op("Add", parts[:2]), parts[2]]), [-1])
    flat = b.op("Concat", [flat, b.const(np.array([LOWEST], np.float32))], axis=0)
    values = b.op("Gather", [flat, places], axis=0)
    chosen = b.op("ScatterElements", [b.full_like(flat, LOWEST), places, values], axis=0)
    return b.slice(chosen, [0], [-1], [0])
