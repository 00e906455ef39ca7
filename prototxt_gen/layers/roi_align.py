"""Samples of each cell of a region, in two kinds: of most forks, and of the frcnn fork."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import Axes, layer
from prototxt_gen.layers.parts.axes import fixed_from
from prototxt_gen.layers.parts.regions import as_rows, looked_up, round_half_away, rounded, rows
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.layers.parts.sizes import is_free
from prototxt_gen.layers.rois import Cells

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_LAST_OPSET = 21  #: onnxruntime has no RoiAlign of later ones
_SAMPLES = 2  #: in each direction of a cell
_CUBIC = 1  #: the value of bi_type; any other is linear (roi_align_layer.hpp)
#: The weight of a pixel for its distance, below 1 and from 1 on: the factors of its powers.
_INNER, _OUTER = (1.0, 0.0, -2.0, 1.0), (4.0, -8.0, 5.0, -1.0)


@layer("ROIAlign", param="roi_align_param")
class ROIAlign(Cells):
    """Samples of each cell of a region, without rounding to pixels (forks).

    The frcnn fork, whose layer has a pad and a kind of interpolation, has the parameters in
    ``roi_pooling_param``; other forks have them in ``roi_align_param``.
    """

    pooled_h: int = 0
    pooled_w: int = 0
    spatial_scale: float = 1.0
    pad_ratio: float = 0.0
    bi_type: int = 1
    frcnn: bool = False  #: whether the layer is that of the frcnn fork

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The parameters from either message."""
        frcnn = layer.has("roi_pooling_param")
        if frcnn:
            params = layer.block("roi_pooling_param")
        return replace(super().read(params, layer), frcnn=frcnn)

    def write(self) -> Block:
        """The parameters; those of the frcnn fork stay in its own message."""
        if self.frcnn:
            return Block()
        block = super().write()
        block.remove("frcnn", "pad_ratio", "bi_type")
        return block

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As many rows as regions; the frcnn fork's height and width are in the model."""
        found = super().axes(bottoms, tops)
        return fixed_from(found, 1) if self.frcnn else found

    def remarks(self, source: Block, blobs: Sequence[Array], dialect: str) -> Iterator[str]:
        """Where the frcnn fork computes something else on a GPU."""
        if self.frcnn and source.block("roi_pooling_param").get("is_multi_interpolate", bool, True):
            yield (
                "computed as Caffe does on a CPU, with one sample for each cell; on a GPU it takes "
                "the greatest of four, as is_multi_interpolate says"
            )

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The samples of each cell, or the one sample of the frcnn fork."""
        x, rois = bottoms[0], as_rows(bottoms[1])
        found = np.empty((len(rois), x.shape[1], self.pooled_h, self.pooled_w), np.float32)
        taps = self._taps if self.frcnn else self._grid
        for index, roi in enumerate(rois):
            y, down = taps(roi[2], roi[4], x.shape[2], self.pooled_h)
            z, across = taps(roi[1], roi[3], x.shape[3], self.pooled_w)
            cells = x[int(roi[0])][:, y[:, None, :, None], z[None, :, None]]
            found[index] = np.einsum("cijst,is,jt->cij", cells, down, across)
        return (found,)

    def _grid(self, first: Array, last: Array, size: int, cells: int) -> tuple[Array, Array]:
        """The pixels along an axis that a cell's samples read, and their weights: (cells, 4)."""
        start = first * np.float32(self.spatial_scale)
        length = np.maximum(last * np.float32(self.spatial_scale) - start, np.float32(1))
        step = length / np.float32(cells)
        shares = (np.arange(_SAMPLES, dtype=np.float32) + np.float32(0.5)) / np.float32(_SAMPLES)
        places = start + np.arange(cells, dtype=np.float32)[:, None] * step + shares * step
        inside = (places >= -1) & (places <= size)
        places = np.clip(places, 0, size - 1)
        low = np.floor(places)
        high = np.minimum(low + 1, size - 1)
        weights = [(1 - places + low) * inside / _SAMPLES, (places - low) * inside / _SAMPLES]
        return np.concatenate([low, high], axis=1).astype(int), np.concatenate(weights, axis=1)

    def _centres(self, first: Array, last: Array, size: int, cells: int) -> Array:
        """Where the sample of each cell is along an axis, as float32."""
        scale, one = np.float32(self.spatial_scale), np.float32(1)
        pad = (last - first + one) * np.float32(self.pad_ratio)
        start = np.maximum((first - pad) * scale, np.float32(0))
        # The C++ limits a place on the map to the size of the image.
        end = np.minimum((last + pad) * scale, self._image(size) - one)
        step = np.maximum(end - start + one, one) / np.float32(cells)
        numbers = np.arange(cells, dtype=np.float32) + np.float32(0.5)
        found: Array = np.clip(numbers * step + start, np.float32(0), np.float32(size - 1))
        return found

    def _image(self, size: int) -> Array:
        """The size of the image, for that of the map."""
        return round_half_away(np.array(size, np.float32) / np.float32(self.spatial_scale))

    def _taps(self, first: Array, last: Array, size: int, cells: int) -> tuple[Array, Array]:
        """The pixels along an axis that each sample reads, and their weights: (cells, taps)."""
        centres = self._centres(first, last, size, cells)[:, None]
        low = np.floor(centres)
        if self.bi_type != _CUBIC:
            # At the last pixel both weights are 0.
            high = np.minimum(low + 1, size - 1)
            places = np.concatenate([low, high], axis=1)
            weights = np.concatenate([high - centres, centres - low], axis=1)
        else:
            near = low + np.arange(-1, 3)
            places = np.clip(near, 0, size - 1)
            distance = np.abs(centres.astype(np.float64) - near)
            inner, outer = (np.polyval(factors[::-1], distance) for factors in (_INNER, _OUTER))
            weights = np.where(distance < 1, inner, outer)
        return places.astype(int), weights

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """RoiAlign without the shift by half a pixel; look-ups for the frcnn fork."""
        if self.frcnn:
            return (self._lower_frcnn(b, bottoms),)
        if b.opset > _LAST_OPSET:
            raise UnsupportedError(
                f"onnxruntime has no RoiAlign from opset 22 on; use --opset {_LAST_OPSET}"
            )
        rois = rows(b, bottoms[1], 1)
        index, boxes = b.split(rois, [1, 4], 1)
        extra = {"coordinate_transformation_mode": "output_half_pixel"} if b.opset >= 16 else {}
        return (
            b.op(
                "RoiAlign",
                [bottoms[0], boxes, b.cast(b.squeeze(index, [1]), "int64")],
                output_height=self.pooled_h,
                output_width=self.pooled_w,
                spatial_scale=self.spatial_scale,
                sampling_ratio=_SAMPLES,
                mode="avg",
                **extra,
            ),
        )

    def _lower_frcnn(self, b: Builder, bottoms: Sequence[str]) -> str:
        """A look-up for each pixel that a sample reads, weighted."""
        _, channels, height, width = b.bottom_shapes[0]
        if channels is None or height is None or width is None:
            raise UnsupportedError("the size of its feature map is not known")
        sizes = (-1, height, width)
        image, corners = b.split(rows(b, bottoms[1], 1), [1, 4], 1)
        left, top, right, bottom = b.split(corners, [1, 1, 1, 1], 1)
        y = self._lower_taps(b, self._lower_centres(b, top, bottom, height, self.pooled_h), height)
        x = self._lower_taps(b, self._lower_centres(b, left, right, width, self.pooled_w), width)
        table = b.reshape(b.transpose(bottoms[0], [0, 2, 3, 1]), [-1, channels])
        number = b.unsqueeze(b.cast(image, "int64"), [2])
        found = []
        for row, down in y:
            for column, across in x:
                places = [number, b.unsqueeze(row, [2]), b.unsqueeze(column, [1])]
                weight = b.op("Mul", [b.unsqueeze(down, [2, 3]), b.unsqueeze(across, [1, 3])])
                found.append(b.op("Mul", [looked_up(b, table, places, sizes), weight]))
        return b.transpose(b.op("Sum", found), [0, 3, 1, 2])

    def _lower_centres(self, b: Builder, first: str, last: str, size: int, cells: int) -> str:
        """The same as ``_centres``, of all regions: (R, cells)."""
        scale, one = b.scalar(self.spatial_scale), b.scalar(1.0)
        length = b.op("Add", [b.op("Sub", [last, first]), one])
        pad = b.op("Mul", [length, b.scalar(self.pad_ratio)])
        start = b.op("Max", [b.op("Mul", [b.op("Sub", [first, pad]), scale]), b.scalar(0.0)])
        end = b.op("Mul", [b.op("Add", [last, pad]), scale])
        end = b.op("Min", [end, self._lower_image_end(b, size)])
        extent = b.op("Max", [b.op("Add", [b.op("Sub", [end, start]), one]), one])
        step = b.op("Div", [extent, b.scalar(float(cells))])
        numbers = b.const(np.arange(cells, dtype=np.float32)[None] + np.float32(0.5))
        centre = b.op("Add", [b.op("Mul", [numbers, step]), start])
        return b.clip(centre, 0.0, size - 1)

    def _lower_image_end(self, b: Builder, size: int) -> str:
        """The last pixel of the image, as a float."""
        if not is_free(size):
            return b.scalar(float(self._image(size)) - 1.0)
        image = rounded(b, b.op("Div", [b.scalar(size), b.scalar(self.spatial_scale)]))
        return b.op("Sub", [image, b.scalar(1.0)])

    def _lower_taps(self, b: Builder, centres: str, size: int) -> list[tuple[str, str]]:
        """The same as ``_taps``: for each of them the pixels and the weights, (R, cells)."""
        low = b.op("Floor", [centres])
        if self.bi_type != _CUBIC:
            high = b.op("Min", [b.op("Add", [low, b.scalar(1.0)]), b.scalar(size - 1)])
            taps = [(low, b.op("Sub", [high, centres])), (high, b.op("Sub", [centres, low]))]
            return [(b.cast(place, "int64"), weight) for place, weight in taps]
        share = b.op("Sub", [centres, low])
        found = []
        for shift in (-1.0, 0.0, 1.0, 2.0):
            place = b.clip(b.op("Add", [low, b.scalar(shift)]), 0.0, size - 1)
            distance = b.op("Abs", [b.op("Sub", [share, b.scalar(shift)])])
            factors = _INNER if shift in (0.0, 1.0) else _OUTER
            weight = _polynomial(b, distance, factors)
            found.append((b.cast(place, "int64"), weight))
        return found


def _polynomial(b: Builder, x: str, factors: Sequence[float]) -> str:
    """The sum of factors times powers of x, the lowest first."""
    found = b.scalar(factors[-1])
    for factor in reversed(factors[:-1]):
        found = b.op("Add", [b.op("Mul", [found, x]), b.scalar(factor)])
    return found
