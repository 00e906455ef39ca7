"""Proposals of regions (Faster R-CNN): a layer in Python, and a layer in C++.

Bottoms: scores (1, 2 * A, H, W), of background and then of objects; offsets (1, 4 * A, H, W);
and the image's height, width and scale (1, 3). Tops: regions (R, 5), and their scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Axes, Exactly, Problem, Sample, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import filled, fixed_from
from prototxt_gen.layers.parts.proposals import Rule, anchors, lower_select, select
from prototxt_gen.layers.parts.shapes import Shape, count, need_rank, show
from prototxt_gen.layers.python import Python, python_layer

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_MOST_ROWS = 2**31 - 1  #: boxes that are compared or kept
_MOST = 1e6  #: for sizes in pixels, and what they are multiplied with


@python_layer("rpn.proposal_layer", "ProposalLayer")
class ProposalLayer(Python):
    """The proposals of py-faster-rcnn (rpn/proposal_layer.py).

    ``param_str`` has ``feat_stride``, and may have ``scales`` and, in forks, ``ratios``. The
    rest stands in py-faster-rcnn's configuration, whose values for tests are those here. Where
    yours has others, ``param_str`` may say so under the names here, which the class in Python
    passes over.
    """

    selects = True

    pre_nms_top_n: ClassVar[int] = 6000  #: TEST.RPN_PRE_NMS_TOP_N
    post_nms_top_n: ClassVar[int] = 300  #: TEST.RPN_POST_NMS_TOP_N
    nms_thresh: ClassVar[float] = 0.7  #: TEST.RPN_NMS_THRESH
    min_size: ClassVar[float] = 16  #: TEST.RPN_MIN_SIZE
    base_size: ClassVar[int] = 16  #: whatever the stride (generate_anchors.py)
    ratios: ClassVar[tuple[float, ...]] = (0.5, 1, 2)
    scales: ClassVar[tuple[float, ...]] = (8, 16, 32)

    sight = Sight.ALL

    def arity(self) -> Arity:
        """Scores, offsets and the image; regions and their scores."""
        return Arity((3, 3), (1, 2))

    def problems(self) -> Iterator[Problem]:
        """What stops the class in its setup."""
        try:
            self._given()
            self._limits()
        except UnsupportedError as error:
            yield Problem("python-param", error.reason, "param_str")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, 5) and (R, 1); the data decide R."""
        _, ratios, scales = self._given()
        need_anchors(bottoms, len(ratios) * len(scales))
        return ((None, 5), (None, 1))[:tops]

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """One image; the anchors are constants for its size."""
        return one_image(bottoms, tops)

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """An image that the anchors cover."""
        return image_size(bottoms, self._given()[0]) if index == 2 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The rule, with numpy."""
        return select(self._rule(), bottoms)[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Constant anchors, TopK and NonMaxSuppression, after the arithmetic of the boxes."""
        return lower_select(b, self._rule(), bottoms)[: len(b.top_shapes)]

    def _given(self) -> tuple[int, tuple[float, ...], tuple[float, ...]]:
        """The stride, ratios and scales.

        Raises UnsupportedError where ``param_str`` is not as the class expects.
        """
        settings = self.settings()
        stride = settings.get("feat_stride")
        if not isinstance(stride, int) or isinstance(stride, bool) or not 1 <= stride < _MOST:
            raise UnsupportedError(
                f"feat_stride in its param_str is {stride!r}; expected a whole number of at least "
                f"1 and below {_MOST:.0f}"
            )
        ratios, scales = (
            _numbers(name, settings.get(name, default))
            for name, default in (("ratios", self.ratios), ("scales", self.scales))
        )
        return stride, ratios, scales

    def _limits(self) -> tuple[int, int, float, float]:
        """How many boxes are compared and kept, the overlap, and the shortest side.

        Raises UnsupportedError where ``param_str`` has other values than the configuration may.
        """
        settings = self.settings()
        found: list[Any] = []
        for name, kind, expected in (
            ("pre_nms_top_n", int, "a whole number of at least 0"),
            ("post_nms_top_n", int, "a whole number of at least 0"),
            ("nms_thresh", (int, float), "a number from 0 to 1"),
            ("min_size", (int, float), "a number of at least 0"),
        ):
            value = settings.get(name, getattr(self, name))
            most = 1 if name == "nms_thresh" else _MOST_ROWS if kind is int else math.inf
            if not isinstance(value, kind) or isinstance(value, bool) or not 0 <= value <= most:
                reason = f"{name} in its param_str is {value!r}; expected {expected}"
                raise UnsupportedError(reason)
            found.append(value)
        before, after, overlap, least = found
        return before, after, float(overlap), float(least)

    def _rule(self) -> Rule:
        stride, ratios, scales = self._given()
        made = anchors(self.base_size, np.array(ratios), np.array(scales), np.round)
        return Rule(made, stride, *self._limits(), drops=True)


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    """A list of positive numbers in ``param_str``."""
    found = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not found or not all(isinstance(one, (int, float)) and 0 < one < _MOST for one in found):
        raise UnsupportedError(f"{name} in its param_str is {value!r}; expected positive numbers")
    return found


@layer("Proposal", param="proposal_param")
class Proposal(Base):
    """The proposals of PVANET's C++ layer, which OpenVINO reads too (proposal_layer.cpp).

    A box that is too small scores 0, but is not dropped. The image may have two scales, of
    its height and of its width.
    """

    feat_stride: int = 16
    base_size: int = 16
    min_size: int = 16
    ratio: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    pre_nms_topn: int = 6000
    post_nms_topn: int = 300
    nms_thresh: float = 0.7

    selects = True

    sight = Sight.ALL

    def arity(self) -> Arity:
        """Scores, offsets and the image; regions and their scores."""
        return Arity((3, 3), (1, 2))

    def problems(self) -> Iterator[Problem]:
        """At least one anchor, and numbers that leave at least one region."""
        for name, values in (("ratio", self.ratio), ("scale", self.scale)):
            if not values or any(not 0 < value < _MOST for value in values):
                shown = " ".join(f"{value:g}" for value in values) or "missing"
                message = f"{name} is {shown}; expected one or more positive numbers"
                yield Problem("proposals", message, name)
        for name in ("feat_stride", "base_size", "pre_nms_topn", "post_nms_topn"):
            value = getattr(self, name)
            if value < 1:
                yield Problem("proposals", f"{name} is {value}; expected at least 1", name)
            elif name in ("feat_stride", "base_size") and value >= _MOST:
                message = f"{name} is {value}; expected less than {_MOST:.0f}"
                yield Problem("proposals", message, name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, 5) and (R); the data decide R."""
        need_anchors(bottoms, len(self.ratio) * len(self.scale))
        return ((None, 5), (None,))[:tops]

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """One image; the anchors are constants for its size."""
        return one_image(bottoms, tops)

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """An image that the anchors cover."""
        return image_size(bottoms, self.feat_stride) if index == 2 else None

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The rule, with numpy."""
        found, scores = select(self._rule(), bottoms)
        return (found, scores.reshape(-1))[:tops]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Constant anchors, TopK and NonMaxSuppression, after the arithmetic of the boxes."""
        found, scores = lower_select(b, self._rule(), bottoms)
        return (found, b.reshape(scores, [-1]))[: len(b.top_shapes)]

    def _rule(self) -> Rule:
        ratios, scales = (np.array(values, np.float32) for values in (self.ratio, self.scale))
        made = anchors(self.base_size, ratios, scales, _half_up)
        before, after = self.pre_nms_topn, self.post_nms_topn
        least = float(self.min_size)
        return Rule(made, self.feat_stride, before, after, self.nms_thresh, least, drops=False)


@layer("FrcnnProposal")
class FrcnnProposal(Base):
    """The proposals of a C++ layer whose settings are not in the net (frcnn_proposal_layer.cpp).

    Anchors, stride and limits stand in a JSON file, which the fork's own program loads
    (FrcnnParam::load_param in frcnn_param.cpp); the layer reads none of its parameters.
    """

    detects = True

    sight = Sight.ALL

    def arity(self) -> Arity:
        """Some forks have one layer for the maps of several scales."""
        return Arity((1, MANY), (1, MANY))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, 5, 1, 1) and (R, 1, 1, 1); the data decide R."""
        if len(bottoms) != 3 or tops > 2:
            raise UnsupportedError("only the form with scores, offsets and the image is known")
        return ((None, 5, 1, 1), (None, 1, 1, 1))[:tops]

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """One image."""
        return one_image(bottoms, tops)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Refused."""
        raise UnsupportedError(
            "its anchors, stride and limits are not in the net: the fork's program loads them "
            "from a JSON file"
        )


def _half_up(value: Array) -> Array:
    """Halves up, as the C++ rounds; numpy, as the layer in Python, rounds to the even number."""
    found: Array = np.floor(value + np.float32(0.5))
    return found


def need_anchors(bottoms: Sequence[Shape], number: int) -> None:
    """Raise ShapeError unless scores and offsets are those of so many anchors in one image."""
    scores, offsets, image = bottoms
    for index, bottom, each in ((0, scores, 2), (1, offsets, 4)):
        need_rank(bottom, 4, 4, "a layer of proposals", index)
        if bottom[0] not in (1, None):
            raise ShapeError(
                f"bottom {index} is {show(bottom)}; proposals are those of one image",
                rule="proposals",
                bottom=index,
            )
        if bottom[1] not in (each * number, None):
            raise ShapeError(
                f"bottom {index} is {show(bottom)}; expected {each * number} channels for "
                f"{plural(number, 'anchor')}",
                rule="proposals",
                bottom=index,
            )
    if scores[2:] != offsets[2:]:
        raise ShapeError(
            f"the scores are {show(scores)} and the offsets {show(offsets)}; expected equal "
            "heights and widths",
            rule="proposals",
            bottom=1,
        )
    values = count(image)
    if values is not None and values < 3:
        raise ShapeError(
            f"bottom 2 is {show(image)}; expected height, width and scale",
            rule="proposals",
            bottom=2,
        )


def one_image(bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
    """No axis of a bottom may change, and none goes into a top."""
    alone = tuple((None,) * len(shape) for shape in bottoms)
    return fixed_from(Axes(alone, filled([()] * len(tops), tops)), 0)


def image_size(bottoms: Sequence[Shape], stride: int) -> Exactly:
    """The size of an image that the feature map covers, at scale 1."""
    height, width = (float((size or 1) * stride) for size in bottoms[0][2:])
    return Exactly((height, width) + (1.0,) * ((count(bottoms[2]) or 3) - 2))
