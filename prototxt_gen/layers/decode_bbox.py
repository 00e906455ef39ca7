"""Boxes of detectors in several stages, decoded between two stages (Cascade R-CNN)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import ROWS, Arity, Axes, Problem, Regions, Sample, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import fixed_from
from prototxt_gen.layers.parts.regions import (
    lower_moved,
    lower_sizes_and_centres,
    moved,
    regions,
    rows,
)
from prototxt_gen.layers.parts.shapes import Shape, count, need_sizes, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_SIDE = 300.0  #: of the image, for regions to test with


@layer("DecodeBBox", param="bbox_reg_param")
class DecodeBBox(Base):
    """Regions moved by the offsets predicted for their class (decode_bbox_layer.cpp).

    Bottoms: offsets (R, 4 * classes), scores (R, classes), and regions (R, 5).
    """

    bbox_mean: tuple[float, ...] = ()
    bbox_std: tuple[float, ...] = ()

    def arity(self) -> Arity:
        """Offsets, scores and regions."""
        return Arity((3, 3), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """Four means and four deviations, or none of either."""
        if not self._normalized():
            return
        for name, values in (("bbox_mean", self.bbox_mean), ("bbox_std", self.bbox_std)):
            if len(values) != 4:
                yield Problem("bbox-reg", f"has {len(values)} {name}; expected none, or 4", name)
        if any(not value > 0 for value in self.bbox_std):
            yield Problem("bbox-reg", "bbox_std has to be more than 0", "bbox_std")

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """One row for each region."""
        labels = tuple((ROWS, *(None,) * (len(shape) - 1)) for shape in bottoms)
        return fixed_from(Axes(labels, ((ROWS, None, None, None),)), 1)

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """Regions of an image."""
        return Regions(1, _SIDE, _SIDE) if index == 2 else None

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, 5, 1, 1)."""
        number = regions(bottoms[2], 2)
        for index in (0, 1):
            what = f"the first dimension of bottom {index}"
            need_sizes(bottoms[index][:1], (number,), what, index)
        return ((number, 5, 1, 1),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The decoded boxes, with the images of the regions."""
        classes = self._classes([bottom.shape for bottom in bottoms])
        scores, rois = (bottom.reshape(len(bottom), -1) for bottom in bottoms[1:])
        offsets = bottoms[0].reshape(len(rois), classes, 4)
        mean, std = self._scaling()
        found = np.empty((len(rois), 5), np.float32)
        for index, own in enumerate(scores):
            # The C++ does not keep the best score so far: the last that beats class 1 wins.
            better = [c for c in range(1, classes) if own[c] > own[1]]
            best = better[-1] if better else 1
            offset = offsets[index, best] * std + mean
            found[index, 0] = rois[index, 0]
            found[index, 1:] = moved(rois[index : index + 1, 1:5], offset[None])[0]
        return (found.reshape(-1, 5, 1, 1),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """The class, its offsets by GatherElements, and the arithmetic of the boxes."""
        classes = self._classes(b.bottom_shapes)
        offsets, scores = (b.op("Flatten", [bottom], axis=1) for bottom in bottoms[:2])
        first = b.slice(scores, [1], [2], [1])
        better = b.op("Greater", [b.slice(scores, [1], [classes], [1]), first])
        numbers = b.const(np.arange(1, classes, dtype=np.float32)[None])
        numbers = b.op("Where", [better, numbers, b.scalar(1.0)])
        best = b.reduce("ReduceMax", numbers, [1], keepdims=True)
        places = b.op("Mul", [b.cast(best, "int64"), b.ints(4)])
        places = b.op("Add", [places, b.const(np.arange(4, dtype=np.int64)[None])])
        mean, std = (b.const(value[None]) for value in self._scaling())
        offset = b.op("GatherElements", [offsets, places], axis=1)
        offset = b.op("Add", [b.op("Mul", [offset, std]), mean])
        image, boxes = b.split(rows(b, bottoms[2], 2), [1, 4], 1)
        corners = lower_moved(b, *lower_sizes_and_centres(b, boxes), offset)
        return (b.unsqueeze(b.op("Concat", [image, *corners], axis=1), [2, 3]),)

    def _normalized(self) -> bool:
        """Whether offsets are scaled: with only one of the two fields the C++ ignores it."""
        return bool(self.bbox_mean and self.bbox_std)

    def _scaling(self) -> tuple[Array, Array]:
        """The mean and the deviation of each offset."""
        if not self._normalized():
            return np.zeros(4, np.float32), np.ones(4, np.float32)
        return np.array(self.bbox_mean, np.float32), np.array(self.bbox_std, np.float32)

    def _classes(self, bottoms: Sequence[Shape]) -> int:
        """How many classes there are; raises UnsupportedError where the C++ reads past the end."""
        offsets, scores = (count(bottom[1:]) for bottom in bottoms[:2])
        if not scores or scores < 2 or offsets != 4 * scores:
            raise UnsupportedError(
                f"its offsets are {show(bottoms[0])} and its scores {show(bottoms[1])}; expected "
                "four offsets for each of two or more classes"
            )
        return scores
