"""Layers of two-stage detectors: regions of interest and their contents.

A region is a row of five values: the index of its image, and the corners x1, y1, x2, y2 in
pixels of the image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen.layers.base import ROWS, Arity, Axes, Problem, Regions, Sample, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.regions import as_rows, regions, round_half_away, rows
from prototxt_gen.layers.parts.roi_table import lower_roi_pooling
from prototxt_gen.layers.parts.shapes import Shape, need_rank

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


class OfRegions(Base):
    """The base of layers that pool the regions of bottom 1 from the feature map, bottom 0."""

    spatial_scale: float

    sight = Sight.OPEN

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As many rows as regions."""
        image = (None,) * len(bottoms[0])
        rest = (None,) * (len(bottoms[1]) - 1)
        return Axes((image, (ROWS, *rest)), ((ROWS, None, None, None),))

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """Regions inside the images."""
        if index != 1:
            return None
        images, _, height, width = (size or 1 for size in bottoms[0])
        scale = self.spatial_scale or 1.0
        return Regions(images, height / scale, width / scale)


class Cells(OfRegions):
    """What ROIPooling and ROIAlign share; a subclass is a layer type with these fields."""

    pooled_h: int
    pooled_w: int

    def arity(self) -> Arity:
        """The feature map and the regions."""
        return Arity((2, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """pooled_h and pooled_w are at least 1."""
        for name, value in (("pooled_h", self.pooled_h), ("pooled_w", self.pooled_w)):
            if value == 0:
                yield Problem("window-zero", f"{name} is 0; expected at least 1", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, C, pooled_h, pooled_w)."""
        need_rank(bottoms[0], 4, 4, self.type)
        return ((regions(bottoms[1]), bottoms[0][1], self.pooled_h, self.pooled_w),)


@layer("ROIPooling", param="roi_pooling_param")
class ROIPooling(Cells):
    """The maximum of each cell of a region (Fast R-CNN)."""

    pooled_h: int = 0
    pooled_w: int = 0
    spatial_scale: float = 1.0

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The maximum of each cell; 0 for an empty cell."""
        x, rois = bottoms[0], as_rows(bottoms[1])
        scale = np.float32(self.spatial_scale)
        found = np.zeros((len(rois), x.shape[1], self.pooled_h, self.pooled_w), x.dtype)
        for index, roi in enumerate(rois):
            left, top, right, bottom = (int(round_half_away(value * scale)) for value in roi[1:5])
            rows = _bins(top, bottom, self.pooled_h, x.shape[2])
            columns = _bins(left, right, self.pooled_w, x.shape[3])
            for i, row in enumerate(rows):
                for j, column in enumerate(columns):
                    cell = x[int(roi[0]), :, row, column]
                    if cell.size:
                        found[index, :, i, j] = cell.max(axis=(1, 2))
        return (found,)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """A table of maxima, and look-ups.

        Not MaxRoiPool, which OpenCV 5, tract and TensorRT lack, OpenVINO takes for another one at
        the edges of cells, and onnxruntime has up to opset 21 alone.
        """
        rois = rows(b, bottoms[1], 1)
        shape = [self.pooled_h, self.pooled_w]
        return (lower_roi_pooling(b, bottoms[0], rois, shape, self.spatial_scale),)


def _bins(start: int, end: int, cells: int, size: int) -> list[slice]:
    """The pixels of each cell along an axis (roi_pooling_layer.cpp)."""
    step = np.float32(max(end - start + 1, 1)) / np.float32(cells)
    found = []
    for cell in range(cells):
        low = int(np.floor(np.float32(cell) * step)) + start
        high = int(np.ceil(np.float32(cell + 1) * step)) + start
        found.append(slice(min(max(low, 0), size), min(max(high, 0), size)))
    return found
