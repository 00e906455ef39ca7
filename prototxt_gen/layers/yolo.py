"""Heads of YOLO: a map whose values are made probabilities, and layers that detect.

``YoloDetectionOutput`` and ``Yolov3DetectionOutput`` are layers of eric612/MobileNet-YOLO,
``Region`` is one of Tengine. Forks and versions of the former agree on square maps of one
image: the boxes of all images compete there, and are said to be of image 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Axes, Problem, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, filled, fixed_from
from prototxt_gen.layers.parts.numeric import sigmoid, softmax
from prototxt_gen.layers.parts.ranking import in_the_places_of
from prototxt_gen.layers.parts.shapes import Shape, need_rank, show
from prototxt_gen.layers.parts.yolo import Choice, Grid, below, detected, lower_detected

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_BY_SCORE = [0, 2, 1, 3, 4, 5, 6]  #: the columns of a detection, with the score before the label
_SAME_BOX = 0.99  #: a box overlaps itself by 1, but for rounding


class _Detector(Base):
    """What the two versions have in common."""

    num_classes: Optional[int]
    num_box: int
    confidence_threshold: float
    nms_threshold: float
    biases: tuple[float, ...]

    selects = True
    detects = True

    sight = Sight.ALL

    def problems(self) -> Iterator[Problem]:
        """Classes that are named (LayerSetUp), and values in reach of what is read."""
        if not self.num_classes:
            yield Problem("num-classes", "num_classes is missing or 0", "num_classes")
        if self.num_box < 1:
            yield Problem("yolo", f"num_box is {self.num_box}; expected at least 1", "num_box")
        for name in ("confidence_threshold", "nms_threshold"):
            value = getattr(self, name)
            if not np.isfinite(np.float32(value)):
                yield Problem("yolo", f"{name} is {value:g}; expected a finite number", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(1, 1, found, 7); the data decide how many boxes are found."""
        for index, bottom in enumerate(bottoms):
            need_boxes(index, bottom, self.num_box, self.num_classes or 0)
        return ((1, 1, None, 7),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """One image; its grid is a constant."""
        alone = tuple((None,) * len(shape) for shape in bottoms)
        return fixed_from(Axes(alone, filled([()] * len(tops), tops)), 0)

    def aligned(self, index: int, ours: Array, theirs: Array) -> Array:
        """Detections of nearly equal score may change places, whatever their labels."""
        if ours.shape != theirs.shape:
            return theirs
        found = in_the_places_of(ours[..., _BY_SCORE], theirs[..., _BY_SCORE], 1)
        return found[..., _BY_SCORE]

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The detections, chosen one by one."""
        grids = self._grids([x.shape for x in bottoms])
        return (detected(self._choice(), grids, bottoms),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """NonMaxSuppression over all classes and TopK, after the arithmetic of the boxes."""
        return (lower_detected(b, self._choice(), self._grids(b.bottom_shapes), bottoms),)

    def _choice(self) -> Choice:
        raise NotImplementedError

    def _anchors(self, index: int, side: int) -> Array:
        """(num_box, 2), as parts of an image."""
        raise NotImplementedError

    def _grids(self, bottoms: Sequence[Shape]) -> list[Grid]:
        """Raises UnsupportedError for maps that the forks read differently."""
        grids = []
        for index, shape in enumerate(bottoms):
            batch, _, height, width = shape
            if batch != 1:
                raise UnsupportedError(
                    f"bottom {index} is {show(shape)}; expected one image: the fork makes no "
                    "difference between images (it says 0 for each)"
                )
            if height is None or width != height:
                raise UnsupportedError(
                    f"bottom {index} is {show(shape)}; expected a square: the fork takes the "
                    "width for the height"
                )
            grids.append(Grid(height, self._anchors(index, height)))
        return grids


@layer("YoloDetectionOutput", param="yolo_detection_output_param")
class YoloDetectionOutput(_Detector):
    """The detections of YOLOv2 (yolo_detection_output_layer.cpp).

    Bottoms: one map, or two with the same anchors. ``biases`` are widths and heights in pixels
    of the map; each box has its best class, of a softmax. ``side`` and ``coords`` are not read.
    """

    num_classes: Optional[int] = None
    num_box: int = 5
    confidence_threshold: float = 0.01
    nms_threshold: float = 0.45
    biases: tuple[float, ...] = ()

    def arity(self) -> Arity:
        """A second map is read by later versions."""
        return Arity((1, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """And a width and a height for each box."""
        yield from super().problems()
        if len(self.biases) < 2 * self.num_box:
            message = f"has {len(self.biases)} biases; {self.num_box} boxes need two for each"
            yield Problem("yolo", message, "biases")

    def _choice(self) -> Choice:
        # Here a score that equals the threshold is enough.
        least = below(self.confidence_threshold)
        return Choice(self.num_classes or 0, True, least, self.nms_threshold)

    def _anchors(self, index: int, side: int) -> Array:
        sizes = np.array(self.biases[: 2 * self.num_box], np.float32).reshape(-1, 2)
        return sizes / np.float32(side)


@layer("Yolov3DetectionOutput", param="yolov3_detection_output_param")
class Yolov3DetectionOutput(_Detector):
    """The detections of YOLOv3 (yolov3_detection_output_layer.cpp).

    Bottoms: ``mask_group_num`` maps. Each has its part of ``mask``, numbers of anchors among
    ``biases``, which are in pixels of the net's input, ``anchors_scale`` times the map. Each
    class is a sigmoid; a box's best one suppresses its others, which have the same box.
    """

    num_classes: Optional[int] = None
    num_box: int = 3
    confidence_threshold: float = 0.01
    nms_threshold: float = 0.45
    biases: tuple[float, ...] = ()
    anchors_scale: tuple[int, ...] = ()
    mask_group_num: int = 2
    mask: tuple[int, ...] = ()

    def arity(self) -> Arity:
        """As many maps as groups (LayerSetUp)."""
        groups = self.mask_group_num
        return Arity((groups, groups) if groups else (1, MANY), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """And a scale for each map, and a mask and an anchor for each of its boxes."""
        yield from super().problems()
        groups = self.mask_group_num
        if groups < 1:
            message = f"mask_group_num is {groups}; expected at least 1"
            yield Problem("yolo", message, "mask_group_num")
            return
        if len(self.anchors_scale) < groups or 0 in self.anchors_scale:
            shown = " ".join(map(str, self.anchors_scale)) or "missing"
            message = f"anchors_scale is {shown}; expected {groups} scales of at least 1"
            yield Problem("yolo", message, "anchors_scale")
        needed = (groups - 1) * (len(self.mask) // groups) + self.num_box
        if len(self.mask) < needed:
            message = f"has {len(self.mask)} masks; expected {groups * self.num_box}"
            yield Problem("yolo", message, "mask")
        last = max(self.mask, default=0)
        if len(self.biases) < 2 * last + 2:
            message = f"has {len(self.biases)} biases; mask {last} needs {2 * last + 2}"
            yield Problem("yolo", message, "biases")

    def _choice(self) -> Choice:
        classes = self.num_classes or 0
        if self.nms_threshold > _SAME_BOX and classes > 1:
            raise UnsupportedError(
                f"nms_threshold is {self.nms_threshold:g}, with which one box may be found in "
                f"several classes; expected at most {_SAME_BOX:g}"
            )
        return Choice(classes, False, self.confidence_threshold, self.nms_threshold)

    def _anchors(self, index: int, side: int) -> Array:
        start = index * (len(self.mask) // self.mask_group_num)
        sizes = np.array(self.biases, np.float32)[: len(self.biases) // 2 * 2].reshape(-1, 2)
        chosen: Array = sizes[list(self.mask[start : start + self.num_box])]
        return chosen / np.float32(side * self.anchors_scale[index])


@layer("Region", param="region_param")
class Region(Base):
    """The map of YOLOv2 with probabilities in it (Tengine's region_ref.c).

    A sigmoid of each box's centre and of whether it is an object, and a softmax of its
    classes; sizes are left as they are. The rest of ``region_param`` is for code that decodes.
    """

    num_classes: int = 20
    num_box: int = 5
    coords: int = 4

    detects = True

    def problems(self) -> Iterator[Problem]:
        """At least one box and class; four coordinates, which the layer counts with."""
        for name in ("num_classes", "num_box"):
            if getattr(self, name) < 1:
                yield Problem("yolo", f"{name} is 0; expected at least 1", name)
        if self.coords != 4:
            yield Problem("yolo", f"coords is {self.coords}; the layer is for 4", "coords")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Those of the bottom."""
        need_boxes(0, bottoms[0], self.num_box, self.num_classes)
        return (bottoms[0],)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All but the batch is written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The formulas."""
        (x,) = bottoms
        y = x.reshape(len(x), self.num_box, -1, *x.shape[2:])
        centre, size, thing, classes = np.split(y, [2, 4, 5], axis=2)
        parts = [sigmoid(centre), size, sigmoid(thing), softmax(classes, 2)]
        return (np.concatenate(parts, axis=2).reshape(x.shape),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Sigmoid and Softmax of slices."""
        _, channels, height, width = (dim or 0 for dim in b.bottom_shapes[0])
        each = channels // self.num_box
        x = b.reshape(bottoms[0], [-1, each, height, width])
        centre, size, thing, classes = b.split(x, [2, 2, 1, each - 5], 1)
        centre, thing = (b.op("Sigmoid", [part]) for part in (centre, thing))
        y = b.op("Concat", [centre, size, thing, b.softmax(classes, 1, 4)], axis=1)
        return (b.reshape(y, [-1, channels, height, width]),)


def need_boxes(index: int, bottom: Shape, boxes: int, classes: int) -> None:
    """Raise ShapeError unless a map has the channels of so many boxes and classes."""
    need_rank(bottom, 4, 4, "a head of YOLO")
    wanted = boxes * (5 + classes)
    if bottom[1] not in (wanted, None):
        raise ShapeError(
            f"bottom {index} is {show(bottom)}; {boxes} boxes of 5 values and {classes} classes "
            f"need {wanted} channels",
            rule="yolo",
            field="num_classes",
        )
