"""The choice among boxes that overlap, as SSD makes it (bbox_util.cpp)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array


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
