"""The detections of SSD as TensorRT's plug-in EfficientNMS_TRT has them.

The plug-in differs from Caffe in some points (efficientNMSInference.cu, efficientNMSPlugin.cpp):
it keeps a score that equals its threshold, and drops a box whose overlap equals it, so that each
threshold here is the next greater float; it takes the best scores of an image before it looks
at any overlap, and not those of a class. What is left of the differences is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.parts.box_code import CENTER_SIZE
from prototxt_gen.layers.parts.detected import Head, lower_boxes
from prototxt_gen.layers.parts.numeric import FLT_MAX

if TYPE_CHECKING:
    from prototxt_gen.layers.parts.protocols import Array, Builder

#: How many scores of an image it takes, on most devices and on the smallest.
SELECTED, SELECTED_AT_LEAST = 5000, 2000
_DENSE = 0.007  #: with a lower threshold it sorts all scores, and marks those that do not count
_MARK = -32768


class Suppression(NamedTuple):
    """Inputs and attributes of an EfficientNMS_TRT, and where it differs from the layer."""

    boxes: str  #: (N, P, 4), or (N, P, classes, 4)
    scores: str  #: (N, P, classes)
    settings: dict[str, int | float | str]
    differences: tuple[str, ...]

    @property
    def most(self) -> int:
        """How many detections an image has in the outputs."""
        return int(self.settings["max_output_boxes"])


@runtime_checkable
class Detector(Protocol):
    """A layer whose choice of detections EfficientNMS_TRT can make."""

    def before_nms(self, bottoms: Sequence[Array]) -> tuple[Array, Array]:
        """The plug-in's boxes and scores, computed with numpy."""

    def lower_before_nms(self, b: Builder, bottoms: Sequence[str]) -> Suppression:
        """The same in ONNX; raises UnsupportedError if the plug-in cannot do what is asked."""


def detector_of(layer: object) -> Detector | None:
    """A layer as a detector; None if it is none."""
    return layer if isinstance(layer, Detector) else None


def lower_suppression(b: Builder, bottoms: Sequence[str], head: Head, keep: int) -> Suppression:
    """What EfficientNMS_TRT takes for a head; ``keep`` is how many are kept, all if negative."""
    if not head.most:
        raise UnsupportedError("nothing can be found, and EfficientNMS_TRT needs 1 or more boxes")
    if np.isnan(head.least):
        raise UnsupportedError("confidence_threshold is nan, which EfficientNMS_TRT refuses")
    every = tuple(range(head.classes))
    boxes = lower_boxes(b, bottoms[0], bottoms[2], head._replace(labels=every))
    if not head.shared:
        boxes = b.transpose(boxes, [0, 2, 1, 3])
    candidates = head.priors * len(head.labels)
    settings: dict[str, int | float | str] = {
        "plugin_version": "1",
        "score_threshold": above(head.least) if head.least >= 0 else 0.0,
        "iou_threshold": above(min(head.overlap, 1.0)),
        "max_output_boxes": min(candidates if keep < 0 else keep, candidates, SELECTED),
        "background_class": next((label for label in every if label not in head.labels), -1),
        "score_activation": 0,
        "box_coding": 0,
        "class_agnostic": 0,
    }
    scores = b.reshape(bottoms[1], [0, head.priors, head.classes])
    made = Suppression(boxes, scores, settings, ())
    return made._replace(differences=tuple(_differences(head, keep, candidates, made.most)))


def above(value: float) -> float:
    """The next greater float32: to be at least that is to be more than ``value``."""
    return float(np.nextafter(np.float32(value), np.float32(np.inf)))


def _differences(head: Head, keep: int, candidates: int, most: int) -> Iterator[str]:
    """Where the plug-in does not do what Caffe does."""
    if head.per_label < head.priors:
        yield f"top_k is not applied: Caffe takes the best {head.per_label} scores of a class"
    if candidates > SELECTED_AT_LEAST:
        yield (
            f"of the {candidates} scores of an image, it takes no more than the best {SELECTED}, "
            f"on the smallest devices {SELECTED_AT_LEAST}"
        )
    if keep < 0 or most < min(keep, candidates):
        yield f"keep_top_k is {keep}; the outputs have room for the best {most} of an image"
    if head.least < 0:
        given = "absent" if head.least <= -FLT_MAX else f"{head.least:g}"
        yield f"confidence_threshold is {given}; it finds no score below 0"
    if head.least < _DENSE:
        yield (
            f"with a confidence_threshold below {_DENSE:g} it fills its outputs with boxes that "
            f"are no detections; their score is {_MARK}"
        )
    if head.code != CENTER_SIZE:
        yield "a box with crossed corners overlaps others as if they were in order; in Caffe, none"
