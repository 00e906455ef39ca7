"""Rows that are ordered by a score, of which nearly equal ones may change places."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array

_EQUAL = 1e-5  #: scores that differ by no more of their size are equal


def in_the_places_of(ours: Array, theirs: Array, column: int) -> Array:
    """Their rows, each run of nearly equal scores put in the order of our most similar ones.

    Rows are along the last axis but one; the score is in a column, and the columns before it
    say what a row belongs to. Arrays of different shapes are left as they are.
    """
    if ours.shape != theirs.shape:
        return theirs
    a, b = (value.reshape(-1, value.shape[-1]) for value in (ours, theirs))
    order: list[int] = []
    for start, end in _runs(a, column):
        left = list(range(start, end))
        for row in a[start:end]:
            distances = np.nan_to_num(np.abs(b[left] - row), nan=np.inf).sum(axis=1)
            order.append(left.pop(int(distances.argmin())))
    found: Array = b[order].reshape(theirs.shape)
    return found


def _runs(rows: Array, column: int) -> list[tuple[int, int]]:
    """From where to where the score hardly changes, and nothing before it."""
    scores, groups = rows[:, column], rows[:, :column]
    near = np.abs(np.diff(scores)) <= _EQUAL * np.abs(scores[1:])
    ties = near & (groups[1:] == groups[:-1]).all(axis=1)
    starts = [0, *(np.flatnonzero(~ties) + 1).tolist(), len(rows)]
    return list(pairwise(starts))
