"""What the outputs of a net say of a picture: classes, boxes, a map, or plain numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_COLUMNS = 7  #: of a detection: image, class, score and the four corners
_MOST_LABELS = 1 << 16  #: above which whole numbers are no classes of pixels


class Score(NamedTuple):
    """A class, and how sure it is."""

    number: int
    score: float


class Box(NamedTuple):
    """A class, a score, and left, top, right and bottom from 0 to 1."""

    number: int
    score: float
    corners: tuple[float, float, float, float]


class Share(NamedTuple):
    """A class, and which part of the pixels has it."""

    number: int
    part: float


@dataclass(frozen=True)
class Classes:
    """The classes with the highest scores, the highest first."""

    blob: str
    shape: tuple[int, ...]
    scores: tuple[Score, ...]
    kind: str = field(default="classes", init=False)


@dataclass(frozen=True)
class Boxes:
    """The boxes of a detector, the surest first, and how many score less than was asked for."""

    blob: str
    shape: tuple[int, ...]
    boxes: tuple[Box, ...]
    below: int
    kind: str = field(default="boxes", init=False)


@dataclass(frozen=True)
class Segments:
    """The class of each pixel, (height, width), and the part of each class, the largest first."""

    blob: str
    shape: tuple[int, ...]
    labels: Array
    shares: tuple[Share, ...]
    kind: str = field(default="segments", init=False)


@dataclass(frozen=True)
class Numbers:
    """Values that are none of these; a plane of them, (height, width), is a grey picture."""

    blob: str
    shape: tuple[int, ...]
    values: Array
    kind: str = field(default="numbers", init=False)

    @property
    def plane(self) -> Array | None:
        """The plane, if it is one."""
        value = self.values
        is_plane = value.ndim == 3 and len(value) == 1 and min(value.shape[1:]) > 1
        return value[0] if is_plane else None


Answer = Union[Classes, Boxes, Segments, Numbers]


def answers(
    outputs: Mapping[str, Array],
    image: int,
    batch: int,
    *,
    top: int = 5,
    least: float = 0.5,
    detectors: Collection[str] | None = None,
) -> list[Answer]:
    """What the outputs say of one image of a batch.

    ``detectors`` are the outputs with boxes; None if that is to be seen by their values. If an
    output is a distribution, one beside it that is none is no list of classes.
    """
    own: dict[str, Array] = {}
    found: dict[str, Answer] = {}
    for name, value in outputs.items():
        boxes = is_boxes(value) if detectors is None else name in detectors
        if boxes and value.ndim == 4 and value.shape[3] == _COLUMNS:
            found[name] = _boxes(name, value, image, least)
        else:
            own[name] = value[image] if value.ndim and len(value) == batch else value
    some = any(_is_distribution(value) for value in own.values())
    for name, value in own.items():
        found[name] = _answer(name, value, top, some)
    return [found[name] for name in outputs]


def is_boxes(value: Array) -> bool:
    """Whether (1, 1, N, 7) has rows as DetectionOutput makes them."""
    if value.ndim != 4 or value.shape[:2] != (1, 1) or value.shape[3] != _COLUMNS:
        return False
    rows = value[0, 0, :, :3]
    with np.errstate(invalid="ignore"):
        whole = bool((rows[:, :2] == np.floor(rows[:, :2])).all())
        return whole and bool((rows[:, 0] >= -1).all() and (rows[:, 1] >= -1).all())


def _boxes(name: str, value: Array, image: int, least: float) -> Boxes:
    rows = value.reshape(-1, _COLUMNS)
    rows = rows[(rows[:, 0] == image) & (rows[:, 1] >= 0)]
    rows = rows[np.isfinite(rows).all(1)]
    kept = rows[rows[:, 2] >= least]
    kept = kept[np.argsort(-kept[:, 2], kind="stable")]
    boxes = []
    for row in kept.astype(np.float64).tolist():
        left, top, right, bottom = row[3:]
        boxes.append(Box(int(row[1]), row[2], (left, top, right, bottom)))
    return Boxes(name, value.shape, tuple(boxes), len(rows) - len(kept))


def _answer(name: str, value: Array, top: int, some: bool) -> Answer:
    """What an output says of an image; ``some`` if one of the outputs is a distribution."""
    shape = value.shape
    if value.ndim == 3 and min(shape[1:]) >= 1 and max(shape[1:]) > 1:
        if len(shape) == 3 and shape[0] > 1:
            return _segments(name, shape, np.argmax(value, 0))
        if shape[0] == 1 and _is_map(value[0]):
            return _segments(name, shape, value[0].astype(np.int64))
        return Numbers(name, shape, value)
    flat = value.reshape(-1)
    is_list = value.ndim >= 1 and flat.size > 1 and max(shape) == flat.size
    if is_list and np.issubdtype(value.dtype, np.floating) and _is_distribution(value) >= some:
        order = np.argsort(-np.nan_to_num(flat, nan=-np.inf), kind="stable")[:top]
        return Classes(name, shape, tuple(Score(int(i), float(flat[i])) for i in order))
    return Numbers(name, shape, value)


def _is_distribution(value: Array) -> bool:
    """Whether the values are a list, not negative, whose sum is 1."""
    if value.size < 2 or max(value.shape) != value.size:
        return False
    return bool((value >= 0).all()) and abs(float(value.sum(dtype=np.float64)) - 1) < 1e-3


def _is_map(value: Array) -> bool:
    """Whether the values are classes of pixels: whole numbers from 0 on, of which some differ."""
    if not np.isfinite(value).all() or value.min() < 0 or value.max() >= _MOST_LABELS:
        return False
    return bool((value == np.floor(value)).all())


def _segments(name: str, shape: tuple[int, ...], labels: Array) -> Segments:
    numbers, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    shares = [Share(int(numbers[i]), float(counts[i]) / labels.size) for i in order]
    return Segments(name, shape, labels, tuple(shares))
