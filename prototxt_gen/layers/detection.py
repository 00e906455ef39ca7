"""Boxes of single-shot detectors (SSD): prior boxes, and the measure of detections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import TYPE_CHECKING, Optional

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import FIXED, Arity, Axes, Problem, Role, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import fixed_from
from prototxt_gen.layers.parts.grid import lower_places
from prototxt_gen.layers.parts.shapes import Shape, count, need_rank
from prototxt_gen.layers.parts.sizes import any_free

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_MOST = 2**31 - 1  #: for sizes in pixels, and for ratios and their inverses
_SAME_RATIO = 1e-6  #: ratios nearer than this are one (prior_box_layer.cpp)


@layer("PriorBox", param="prior_box_param")
class PriorBox(Base):
    """Boxes of several sizes and ratios around each pixel (prior_box_layer.cpp).

    Bottoms: the feature map, and the image. Sizes are in pixels of the image.
    """

    min_size: tuple[float, ...] = ()
    max_size: tuple[float, ...] = ()
    aspect_ratio: tuple[float, ...] = ()
    flip: bool = True
    clip: bool = False
    variance: tuple[float, ...] = ()
    img_size: Optional[int] = None
    img_h: Optional[int] = None
    img_w: Optional[int] = None
    step: Optional[float] = None
    step_h: Optional[float] = None
    step_w: Optional[float] = None
    offset: float = 0.5

    sight = Sight.NOTHING

    def arity(self) -> Arity:
        """The feature map and the image."""
        return Arity((2, 2), (1, 1))

    def ratios(self) -> tuple[float, ...]:
        """1 and each further distinct ratio, with its inverse if ``flip`` is set."""
        found = [1.0]
        for ratio in self.aspect_ratio:
            if all(abs(ratio - other) >= _SAME_RATIO for other in found):
                found.append(ratio)
                if self.flip and ratio:
                    found.append(1.0 / ratio)
        return tuple(found)

    def boxes(self) -> int:
        """How many boxes there are around a pixel."""
        return len(self.ratios()) * len(self.min_size) + len(self.max_size)

    def problems(self) -> Iterator[Problem]:
        """What prior_box_layer.cpp checks."""
        if not self.min_size:
            yield Problem("prior-box-size", "has no min_size; expected at least one")
        steps = [("step", self.step), ("step_h", self.step_h), ("step_w", self.step_w)]
        images = [("img_size", self.img_size), ("img_h", self.img_h), ("img_w", self.img_w)]
        for name, sizes, most in (
            ("min_size", self.min_size, _MOST),
            ("max_size", self.max_size, _MOST),
            ("aspect_ratio", self.aspect_ratio, _MOST),
            *((name, () if value is None else (value,), _MOST) for name, value in steps + images),
        ):
            for index, size in enumerate(sizes):
                # The C++ converts sizes to whole numbers, and divides by ratios.
                if not 1 / most <= size <= most:
                    wanted = f"at most {most}" if size > 0 else "more than 0"
                    message = f"{name} is {size:g}; expected {wanted}"
                    yield Problem("prior-box-size", message, name, which=index)
                    break
        if self.max_size and len(self.max_size) != len(self.min_size):
            message = f"{len(self.max_size)} max_size for {len(self.min_size)} min_size"
            yield Problem(
                "prior-box-size", f"{message}; expected none, or equally many", "max_size"
            )
        else:
            pairs = zip(self.min_size, self.max_size, strict=False)
            for index, (least, greatest) in enumerate(pairs):
                if greatest <= least:
                    message = f"max_size is {greatest:g}; expected more than min_size {least:g}"
                    yield Problem("prior-box-size", message, "max_size", which=index)
                    break
        if len(self.variance) not in (0, 1, 4):
            message = f"has {len(self.variance)} variance values; expected none, 1 or 4"
            yield Problem("prior-box-variance", message, "variance")
        if any(not value > 0 for value in self.variance):
            shown = ", ".join(f"{value:g}" for value in self.variance)
            message = f"variance is {shown}; expected numbers above 0"
            yield Problem("prior-box-variance", message, "variance")
        yield from _one_form("img_size", self.img_size, self.img_h, self.img_w, "img_h", "img_w")
        yield from _one_form("step", self.step, self.step_h, self.step_w, "step_h", "step_w")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(1, 2, H * W * boxes * 4): the corners and their variances."""
        need_rank(bottoms[0], 4, 4, "PriorBox")
        need_rank(bottoms[1], 4, 4, "PriorBox", 1)
        return ((1, 2, count((*bottoms[0][2:], self.boxes(), 4))),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The boxes of one image serve every image."""
        alone = tuple((None,) * len(shape) for shape in bottoms)
        return fixed_from(Axes(alone, ((FIXED, None, None),)), 2)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The corners and their variances."""
        return (self._values(bottoms[0].shape, bottoms[1].shape),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """A constant: it depends only on shapes; computed where a size is free."""
        pixels, image = b.bottom_shapes[0][2:], b.bottom_shapes[1][2:]
        if None in pixels or None in image:
            raise UnsupportedError("the heights and widths of both bottoms must be known")
        if any_free([*pixels, *image]):
            return (self._lower_values(b, pixels, image),)
        return (b.const(self._values(b.bottom_shapes[0], b.bottom_shapes[1]), "boxes"),)

    def _lower_values(self, b: Builder, pixels: Shape, image: Shape) -> str:
        """The same as ``_values``, as operators."""
        sides = np.array(self._sides(), np.float32) / np.float32(2)
        images = (self.img_size or self.img_h or image[0], self.img_size or self.img_w or image[1])
        steps = (self.step or self.step_h, self.step or self.step_w)
        low, high = [], []
        for axis in (1, 0):  # across first
            size, length = (b.scalar(n or 0) for n in (images[axis], pixels[axis]))
            step = b.scalar(steps[axis] or 0.0) if all(steps) else b.op("Div", [size, length])
            places = lower_places(b, pixels[axis] or 0)
            centre = b.op("Mul", [b.op("Add", [places, b.scalar(self.offset)]), step])
            centre = b.unsqueeze(centre, [0, 2] if axis else [1, 2])
            side = b.const(np.ascontiguousarray(sides[:, 1 - axis]))
            low.append(b.op("Div", [b.op("Sub", [centre, side]), size]))
            high.append(b.op("Div", [b.op("Add", [centre, side]), size]))
        whole = b.ints(*(size or 0 for size in pixels), len(sides))
        parts = [b.unsqueeze(b.op("Expand", [x, whole]), [3]) for x in (*low, *high)]
        boxes = b.op("Concat", parts, axis=3)
        if self.clip:
            boxes = b.clip(boxes, 0.0, 1.0)
        variance = np.array(self.variance or (0.1,), np.float32)
        each = b.const(np.broadcast_to(variance, 4).copy())
        variances = b.op("Expand", [each, b.ints(*(n or 0 for n in pixels), len(sides), 4)])
        flat = [b.reshape(x, [1, 1, -1]) for x in (boxes, variances)]
        return b.op("Concat", flat, axis=1)

    def _values(self, pixels: Shape, image: Shape) -> Array:
        """(1, 2, H * W * boxes * 4) in the order of prior_box_layer.cpp, in its float32."""
        height, width = (size or 0 for size in pixels[2:])
        image_h = self.img_size or self.img_h or image[2] or 0
        image_w = self.img_size or self.img_w or image[3] or 0
        step_h = np.float32(self.step or self.step_h or 0)
        step_w = np.float32(self.step or self.step_w or 0)
        if step_h == 0 or step_w == 0:
            step_h = np.float32(image_h) / np.float32(height)
            step_w = np.float32(image_w) / np.float32(width)
        offset = np.float32(self.offset)
        y = (np.arange(height, dtype=np.float32) + offset) * step_h
        x = (np.arange(width, dtype=np.float32) + offset) * step_w
        sides = np.array(self._sides(), np.float32) / np.float32(2)
        boxes = np.empty((height, width, len(sides), 4), np.float32)
        boxes[..., 0] = (x[None, :, None] - sides[:, 0]) / np.float32(image_w)
        boxes[..., 1] = (y[:, None, None] - sides[:, 1]) / np.float32(image_h)
        boxes[..., 2] = (x[None, :, None] + sides[:, 0]) / np.float32(image_w)
        boxes[..., 3] = (y[:, None, None] + sides[:, 1]) / np.float32(image_h)
        if self.clip:
            boxes = np.clip(boxes, 0, 1)
        variance = np.array(self.variance or (0.1,), np.float32)
        variances = np.tile(np.broadcast_to(variance, 4), boxes.size // 4)
        return np.stack([boxes.reshape(-1), variances])[None]

    def _sides(self) -> list[tuple[float, float]]:
        """Width and height of each box in pixels; sizes are truncated to integers first."""
        found = []
        for index, size in enumerate(self.min_size):
            low = float(int(size))
            found.append((low, low))
            if self.max_size:
                mean = sqrt(low * int(self.max_size[index]))
                found.append((mean, mean))
            found += [(low * sqrt(r), low / sqrt(r)) for r in self.ratios()[1:]]
        return found


@layer("DetectionEvaluate", param="detection_evaluate_param")
class DetectionEvaluate(Base):
    """Detected boxes compared with labels (SSD); a row has image, class, score, tp, fp."""

    num_classes: int = 0

    role = Role.TRAINING

    sight = Sight.ALL

    def arity(self) -> Arity:
        """The detections and the labels."""
        return Arity((2, 2), (1, 1))

    def labels(self, bottoms: int) -> frozenset[int]:
        """The labelled boxes."""
        return frozenset({1})

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(1, 1, rows, 5); the data decide the number of rows."""
        return ((1, 1, None, 5),)


def _one_form(
    name: str, one: float | None, height: float | None, width: float | None, *names: str
) -> Iterator[Problem]:
    """A size is given for both axes together, or for each of them."""
    pair = " and ".join(names)
    if one is not None and (height is not None or width is not None):
        yield Problem("prior-box-form", f"has both {name} and {pair}; expected one form", name)
    elif (height is None) != (width is None):
        missing, given = names if height is None else names[::-1]
        yield Problem("prior-box-form", f"{missing} is missing; expected both {pair}", given)
