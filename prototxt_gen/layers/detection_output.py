"""Detections of single-shot detectors (SSD): what is found, where, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Optional, Self

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import (
    BATCH,
    FIXED,
    Arity,
    Axes,
    Priors,
    Problem,
    Sample,
    Sight,
    layer,
)
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import filled
from prototxt_gen.layers.parts.box_code import CORNER, decoded
from prototxt_gen.layers.parts.detected import Head, limited, lower_head
from prototxt_gen.layers.parts.efficient_nms import Suppression, lower_suppression
from prototxt_gen.layers.parts.numeric import FLT_MAX
from prototxt_gen.layers.parts.ranking import in_the_places_of
from prototxt_gen.layers.parts.shapes import Shape, count, need_rank, need_sizes, show
from prototxt_gen.layers.parts.suppression import suppressed

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_HALF = 0.5  #: eta acts on limits above this one (ApplyNMSFast in bbox_util.cpp)


@layer("DetectionOutput", param="detection_output_param")
class DetectionOutput(Base):
    """The boxes that remain after a selection by score and overlap (detection_output_layer.cpp).

    Bottoms: offsets (N, P * 4) for each class or shared by all, scores (N, P * classes), and
    the prior boxes (1, 2, P * 4). A row of the top has image, class, score and corners; rows
    are ordered by image, class and falling score. If nothing is found in any image, each has
    a row whose other values are -1.
    """

    num_classes: int = 0
    share_location: bool = True
    background_label_id: int = 0
    code_type: Symbol = CORNER
    variance_encoded_in_target: bool = False
    keep_top_k: int = -1
    confidence_threshold: Optional[float] = None
    nms_threshold: float = 0.3
    nms_top_k: Optional[int] = None
    nms_eta: float = 1.0

    spellings = frozenset({"nms_param"})
    selects = True
    detects = True

    sight = Sight.ALL

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The parameters of the non-maximum suppression have a message of their own."""
        nms = params.block("nms_param")
        return replace(
            super().read(params, layer),
            nms_threshold=nms.get("nms_threshold", float, 0.3),
            nms_top_k=nms.get("top_k", int, 0) if nms.has("top_k") else None,
            nms_eta=nms.get("eta", float, 1.0),
        )

    def write(self) -> Block:
        """The parameters; those of the non-maximum suppression in their own message."""
        block = super().write()
        block.remove("nms_threshold", "nms_top_k", "nms_eta")
        nms = Block.of(nms_threshold=self.nms_threshold, top_k=self.nms_top_k)
        nms.add("eta", self.nms_eta if self.nms_eta != 1 else None)
        block.add("nms_param", nms)
        return block

    def arity(self) -> Arity:
        """Offsets, scores and priors; a fourth bottom, in a fork, is not read."""
        return Arity((3, 4), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """What detection_output_layer.cpp checks."""
        if self.num_classes == 0:
            yield Problem(
                "num-classes", "num_classes is missing or 0; expected at least 1", "num_classes"
            )
        if not self.nms_threshold >= 0:
            message = f"nms_threshold is {self.nms_threshold:g}; expected 0 or more"
            yield Problem("nms", message, "nms_param.nms_threshold")
        if not 0 < self.nms_eta <= 1:
            message = f"eta is {self.nms_eta:g}; expected more than 0, at most 1"
            yield Problem("nms", message, "nms_param.eta")
        if self.share_location and self.background_label_id == -1:
            # -1 is also the label of shared locations, which are then skipped (Forward_cpu).
            message = "background_label_id is -1, with which Caffe finds no shared location"
            yield Problem("background-label", message, "background_label_id")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(1, 1, found, 7); the data decide how many boxes are found."""
        offsets, scores, priors = bottoms[:3]
        need_rank(priors, 3, 4, "DetectionOutput's priors", 2)
        need_rank(offsets, 2, 4, "DetectionOutput")
        need_rank(scores, 2, 4, "DetectionOutput", 1)
        need_sizes(scores[:1], offsets[:1], "the batch of bottom 1", 1)
        if priors[2] is not None:
            number = priors[2] // 4
            classes = 1 if self.share_location else self.num_classes
            for index, bottom, wanted in (
                (0, offsets, number * classes * 4),
                (1, scores, number * self.num_classes),
            ):
                if bottom[1] not in (wanted, None):
                    raise ShapeError(
                        f"bottom {index} is {show(bottom)}; {plural(number, 'prior')} and "
                        f"{plural(self.num_classes, 'class')} need {plural(wanted, 'value')}",
                        rule="prior-count",
                        bottom=index,
                    )
        return ((1, 1, None, 7),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The priors are those of one image."""
        first = [(BATCH,), (BATCH,), (FIXED,), (None,)]
        return Axes(filled(first[: len(bottoms)], bottoms), ((None,) * 4,))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """Prior boxes have a width and a height."""
        return Priors((bottoms[2][2] or 0) // 4) if index == 2 else None

    def aligned(self, index: int, ours: Array, theirs: Array) -> Array:
        """Detections of nearly equal score may change places."""
        return in_the_places_of(ours, theirs, 2)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The detections, chosen one by one."""
        boxes, scores = self._candidates(bottoms)
        batch = len(scores)
        rows = [
            (image, label, scores[image, index, label], *boxes[image, index, place])
            for image in range(batch)
            for label, index in self._chosen(boxes[image], scores[image])
            for place in [0 if self.share_location else label]
        ]
        none = [(image, *(-1,) * 6) for image in range(batch)]
        return (np.array(rows or none, np.float32).reshape(1, 1, -1, 7),)

    def before_nms(self, bottoms: Sequence[Array]) -> tuple[Array, Array]:
        """Boxes, without an axis for classes if they share them, and scores."""
        boxes, scores = self._candidates(bottoms)
        return boxes[:, :, 0] if self.share_location else boxes, scores

    def _candidates(self, bottoms: Sequence[Array]) -> tuple[Array, Array]:
        """Boxes (N, P, location classes, 4) and scores (N, P, classes)."""
        _need_plain([value.shape for value in bottoms])
        batch, number = len(bottoms[0]), bottoms[2].shape[2] // 4
        boxes = self._boxes(bottoms[0].reshape(batch, number, -1, 4), bottoms[2])
        return boxes, bottoms[1].reshape(batch, number, self.num_classes)

    def _boxes(self, offsets: Array, priors: Array) -> Array:
        """(N, P, location classes, 4) from offsets of that shape."""
        corners, variances = priors.reshape(2, -1, 4)
        if self.code_type != CORNER and not (corners[:, 2:] > corners[:, :2]).all():
            raise UnsupportedError("a prior box has no width or no height, with which Caffe stops")
        used = None if self.variance_encoded_in_target else variances
        moved = decoded(self.code_type, offsets.swapaxes(1, 2), corners, used)
        return moved.swapaxes(1, 2)

    def _chosen(self, boxes: Array, scores: Array) -> list[tuple[int, int]]:
        """Label and prior of each detection of an image, by label and falling score."""
        found = [
            (label, index)
            for label in self._labels()
            for index in suppressed(
                boxes[:, 0 if self.share_location else label],
                scores[:, label],
                self._least,
                self.nms_threshold,
                self.nms_eta,
                -1 if self.nms_top_k is None else self.nms_top_k,
            )
        ]
        if -1 < self.keep_top_k < len(found):
            found.sort(key=lambda pair: -scores[pair[1], pair[0]])
            found = sorted(found[: self.keep_top_k], key=lambda pair: pair[0])
        return found

    def _labels(self) -> list[int]:
        return [label for label in range(self.num_classes) if label != self.background_label_id]

    @property
    def _least(self) -> float:
        """What a detection scores more than."""
        return -FLT_MAX if self.confidence_threshold is None else self.confidence_threshold

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """NonMaxSuppression and TopK, after the arithmetic of the boxes."""
        return (lower_head(b, bottoms, self._head(b, "ONNX's NonMaxSuppression")),)

    def lower_before_nms(self, b: Builder, bottoms: Sequence[str]) -> Suppression:
        """The arithmetic of the boxes, for TensorRT's EfficientNMS_TRT."""
        head = self._head(b, "EfficientNMS_TRT")
        return lower_suppression(b, bottoms, head, self.keep_top_k)

    def _head(self, b: Builder, chooser: str) -> Head:
        """What is asked of the operator that chooses; raises UnsupportedError."""
        if self.nms_eta < 1 and self.nms_threshold > _HALF:
            raise UnsupportedError(
                f"eta is {self.nms_eta:g}, which lowers an nms_threshold above {_HALF:g} with each "
                f"box; {chooser} has one threshold"
            )
        _need_plain(b.bottom_shapes)
        priors = b.bottom_shapes[2][2]
        if priors is None:
            raise UnsupportedError("the number of prior boxes must be known")
        number = priors // 4
        top_k = self.nms_top_k or -1
        per_label = number if top_k < 0 else limited(number, top_k)
        labels = self._labels()
        most = 0 if self.nms_top_k == 0 else per_label * len(labels)
        return Head(
            number,
            self.num_classes,
            tuple(labels),
            self.share_location,
            self.code_type,
            not self.variance_encoded_in_target,
            self._least,
            self.nms_threshold,
            per_label,
            limited(most, self.keep_top_k) if self.keep_top_k > -1 else most,
        )


def _need_plain(bottoms: Sequence[Shape]) -> None:
    """Caffe reads what it expects from the front; refuse bottoms that have more or less."""
    for index, shape in enumerate(bottoms[:2]):
        if count(shape[1:]) != shape[1]:
            raise UnsupportedError(f"bottom {index} is {show(shape)}; expected one value a channel")
    priors = bottoms[2]
    if priors[2] is not None and (count(priors) != 2 * priors[2] or priors[2] % 4):
        raise UnsupportedError(
            f"the priors are {show(priors)}; expected 1x2xP, where P is a multiple of 4"
        )
