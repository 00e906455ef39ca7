"""Position-sensitive pooling of regions (R-FCN): each cell of a region has its own channels.

Channel (c * group_size + i) * group_size + j of the map is read for cell (i, j) of output c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import Arity, Axes, Problem, layer
from prototxt_gen.layers.parts.axes import fixed_from
from prototxt_gen.layers.parts.regions import (
    as_rows,
    looked_up,
    quotient,
    regions,
    round_half_away,
    rounded,
    rows,
)
from prototxt_gen.layers.parts.shapes import Shape, need_rank, show
from prototxt_gen.layers.rois import OfRegions

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_LEAST = 0.1  #: a region is at least this long (psroi_pooling_layer.cu)


class _Grouped(OfRegions):
    """What both types share; a subclass is a layer type with these fields."""

    output_dim: int
    group_size: int

    always = frozenset({"spatial_scale", "output_dim", "group_size"})

    def arity(self) -> Arity:
        """The feature map and the regions."""
        return Arity((2, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """output_dim and group_size are at least 1."""
        for name, value in (("output_dim", self.output_dim), ("group_size", self.group_size)):
            if value < 1:
                yield Problem("window-zero", f"{name} is {value}; expected at least 1", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(R, output_dim, group_size, group_size)."""
        need_rank(bottoms[0], 4, 4, "a map of regions")
        outputs, size = self.output_dim, self.group_size
        wanted = outputs * size * size
        if bottoms[0][1] not in (wanted, None):
            raise ShapeError(
                f"the bottom {show(bottoms[0])} has {plural(bottoms[0][1] or 0, 'channel')}; "
                f"output_dim {outputs} and group_size {size} need {wanted}",
                rule="group-divides",
                field="output_dim",
            )
        return ((regions(bottoms[1]), outputs, size, size),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """As many rows as regions; height and width are written into the model."""
        return fixed_from(super().axes(bottoms, tops), 1)

    def _by_cell(self, x: Array) -> Array:
        """(N, output_dim, group_size, group_size, H, W)."""
        size = self.group_size
        return x.reshape(len(x), self.output_dim, size, size, *x.shape[2:])

    def _table(self, b: Builder, x: str, extra: int = 0) -> tuple[str, Sequence[int]]:
        """For ``looked_up``: rows of output_dim, along axes of images, of cells and of the map."""
        size, outputs = self.group_size, self.output_dim
        _, _, height, width = b.bottom_shapes[0]
        if height is None or width is None:
            raise UnsupportedError("the height and width of its feature map are not known")
        sizes = [size, size, height + extra, width + extra]
        table = b.transpose(b.reshape(x, [-1, outputs, *sizes]), [0, 2, 3, 4, 5, 1])
        return b.reshape(table, [-1, outputs]), (-1, *sizes)

    def _cell_numbers(self, b: Builder, axes: int) -> tuple[str, str]:
        """The numbers of rows and of columns of cells, along axes 1 and 1 + axes / 2."""
        numbers = np.arange(self.group_size, dtype=np.int64)
        first, second = [1] * (axes + 1), [1] * (axes + 1)
        first[1] = second[1 + axes // 2] = -1
        return b.const(numbers.reshape(first)), b.const(numbers.reshape(second))


@layer("PSROIPooling", param="psroi_pooling_param")
class PSROIPooling(_Grouped):
    """The mean of each cell of a region (psroi_pooling_layer.cu)."""

    spatial_scale: float = 1.0
    output_dim: int = 0
    group_size: int = 0

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The mean of each cell; 0 for an empty cell."""
        maps, rois = self._by_cell(bottoms[0]), as_rows(bottoms[1])
        height, width = maps.shape[4:]
        found = np.zeros((len(rois), *maps.shape[1:4]), np.float32)
        for index, roi in enumerate(rois):
            left, top, right, bottom = round_half_away(roi[1:5])
            for i, row in enumerate(self._bins(top, bottom, height)):
                for j, column in enumerate(self._bins(left, right, width)):
                    cell = maps[int(roi[0]), :, i, j, row, column]
                    if cell.size:
                        found[index, :, i, j] = cell.mean(axis=(1, 2), dtype=np.float64)
        return (found,)

    def _bins(self, first: Array, last: Array, size: int) -> list[slice]:
        """The pixels of each cell along an axis."""
        scale, cells = np.float32(self.spatial_scale), np.float32(self.group_size)
        start, end = first * scale, (last + np.float32(1)) * scale
        step = np.maximum(end - start, np.float32(_LEAST)) / cells
        numbers = np.arange(self.group_size, dtype=np.float32)
        low = np.clip(np.floor(numbers * step + start), 0, size).astype(int)
        high = np.clip(np.ceil((numbers + 1) * step + start), 0, size).astype(int)
        return [slice(a, b) for a, b in zip(low, high, strict=True)]

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Differences of sums over all pixels before each corner, in double."""
        image, corners = b.split(rows(b, bottoms[1], 1), [1, 4], 1)
        left, top, right, bottom = b.split(rounded(b, corners), [1, 1, 1, 1], 1)
        _, _, height, width = (dim or 0 for dim in b.bottom_shapes[0])
        y = [b.unsqueeze(edge, [2]) for edge in self._edges(b, top, bottom, height)]
        x = [b.unsqueeze(edge, [1]) for edge in self._edges(b, left, right, width)]
        places = [b.unsqueeze(b.cast(image, "int64"), [2]), *self._cell_numbers(b, 2)]
        table, sizes = self._sums(b, bottoms[0])
        ends = [looked_up(b, table, [*places, row, column], sizes) for row in y for column in x]
        total = b.op("Sub", [b.op("Sub", [ends[3], ends[2]]), b.op("Sub", [ends[1], ends[0]])])
        sides = [b.op("Sub", [edges[1], edges[0]]) for edges in (y, x)]
        area = b.cast(b.unsqueeze(b.op("Mul", sides), [3]), "double")
        mean = b.transpose(b.cast(b.op("Div", [total, area]), "float"), [0, 3, 1, 2])
        some = b.op("And", [b.op("Less", [edges[0], edges[1]]) for edges in (y, x)])
        return (b.op("Where", [b.unsqueeze(some, [1]), mean, b.scalar(0.0)]),)

    def _edges(self, b: Builder, first: str, last: str, size: int) -> tuple[str, str]:
        """The first pixel of each cell along an axis, and the one after its last: (R, cells)."""
        scale, numbers = b.scalar(self.spatial_scale), np.arange(self.group_size, dtype=np.float32)
        start = b.op("Mul", [first, scale])
        end = b.op("Mul", [b.op("Add", [last, b.scalar(1.0)]), scale])
        length = b.op("Max", [b.op("Sub", [end, start]), b.scalar(_LEAST)])
        step = quotient(b, length, self.group_size)
        found = []
        for kind, factors in (("Floor", numbers), ("Ceil", numbers + 1)):
            edge = b.op("Add", [b.op("Mul", [b.const(factors[None]), step]), start])
            found.append(b.cast(b.clip(b.op(kind, [edge]), 0.0, size), "int64"))
        return found[0], found[1]

    def _sums(self, b: Builder, x: str) -> tuple[str, Sequence[int]]:
        """The table of the sums over all pixels above and left of each corner."""
        # In float32 the difference of two sums over a whole map would lose the digits of a cell.
        sums = b.cast(x, "double")
        for axis in (2, 3):
            sums = b.op("CumSum", [sums, b.const(np.array(axis, np.int64))])
        zero = b.const(np.array(0.0, np.float64))
        border = b.ints(0, 0, 1, 1, 0, 0, 0, 0)
        return self._table(b, b.op("Pad", [sums, border, zero], mode="constant"), 1)


@layer("PSROIAlign", param="psroi_align_param")
class PSROIAlign(_Grouped):
    """The mean of samples of each cell, without rounding to pixels (the frcnn fork).

    The samples stand at equal distances in each cell. The clipped end of a cell drops those
    behind it, but the sum is divided by the number of all (psroi_align_layer.cpp).
    """

    spatial_scale: float = 1.0
    output_dim: int = 0
    group_size: int = 0
    sample_num: int = 2

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The mean of the samples of each cell."""
        maps, rois = self._by_cell(bottoms[0]), as_rows(bottoms[1])
        height, width = maps.shape[4:]
        found = np.zeros((len(rois), *maps.shape[1:4]), np.float32)
        for index, roi in enumerate(rois):
            rows = self._places(roi[2], roi[4], height)
            columns = self._places(roi[1], roi[3], width)
            for i, row in enumerate(rows):
                for j, column in enumerate(columns):
                    plane = maps[int(roi[0]), :, i, j]
                    for y in row:
                        for x in column:
                            found[index, :, i, j] += _interpolated(plane, y, x)
        return (found / np.float32(self.sample_num**2),)

    def _places(self, first: Array, last: Array, size: int) -> list[list[float]]:
        """The coordinates of each cell's samples along an axis."""
        scale, cells = np.float32(self.spatial_scale), np.float32(self.group_size)
        start, end = first * scale, (last + np.float32(1)) * scale
        step = np.maximum(end - start, np.float32(_LEAST)) / cells
        distance = step / np.float32(self.sample_num + 1)
        found = []
        for cell in range(self.group_size):
            low = np.clip(np.float32(cell) * step + start, 0, np.float32(size - 1))
            high = np.clip(np.float32(cell + 1) * step + start, 0, np.float32(size - 1))
            places = [low + np.float32(i) * distance for i in range(1, self.sample_num + 1)]
            found.append([place for place in places if place < high])
        return found

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Four look-ups for each sample, weighted."""
        image, corners = b.split(rows(b, bottoms[1], 1), [1, 4], 1)
        left, top, right, bottom = b.split(corners, [1, 1, 1, 1], 1)
        _, _, height, width = (dim or 0 for dim in b.bottom_shapes[0])
        table, sizes = self._table(b, bottoms[0])
        y = self._samples(b, top, bottom, height, [3, 4])  # (R, cells, samples, 1, 1)
        x = self._samples(b, left, right, width, [1, 2])  # (R, 1, 1, cells, samples)
        places = [b.unsqueeze(b.cast(image, "int64"), [2, 3, 4]), *self._cell_numbers(b, 4)]
        found = []
        for row, high in y:
            for column, long in x:
                value = looked_up(b, table, [*places, row, column], sizes)
                weight = b.unsqueeze(b.op("Mul", [high, long]), [5])
                found.append(b.op("Mul", [value, weight]))
        total = b.reduce("ReduceSum", b.op("Sum", found), [2, 4], keepdims=False)
        mean = b.op("Div", [total, b.scalar(float(self.sample_num**2))])
        return (b.transpose(mean, [0, 3, 1, 2]),)

    def _samples(
        self, b: Builder, first: str, last: str, size: int, axes: Sequence[int]
    ) -> list[tuple[str, str]]:
        """The pixels on both sides of each sample along an axis, and their weights."""
        scale, cells = b.scalar(self.spatial_scale), np.arange(self.group_size, dtype=np.float32)
        start = b.op("Mul", [first, scale])
        end = b.op("Mul", [b.op("Add", [last, b.scalar(1.0)]), scale])
        length = b.op("Max", [b.op("Sub", [end, start]), b.scalar(_LEAST)])
        step = quotient(b, length, self.group_size)
        low, high = (
            b.unsqueeze(b.clip(b.op("Add", [shift, start]), 0.0, size - 1), [2])
            for shift in (b.op("Mul", [b.const(k[None]), step]) for k in (cells, cells + 1))
        )
        distance = b.unsqueeze(b.op("Div", [step, b.scalar(self.sample_num + 1.0)]), [2])
        numbers = np.arange(1, self.sample_num + 1, dtype=np.float32)
        place = b.op("Add", [low, b.op("Mul", [b.const(numbers[None, None]), distance])])
        inside = b.cast(b.op("Less", [place, high]), "float")
        pixel = b.op("Floor", [place])
        share = b.op("Sub", [place, pixel])
        found = []
        for shift, weight in ((0.0, b.op("Sub", [b.scalar(1.0), share])), (1.0, share)):
            # A sample outside has no weight; its pixel must exist all the same.
            at = b.clip(b.op("Add", [pixel, b.scalar(shift)]), 0.0, size - 1)
            parts = b.cast(at, "int64"), b.op("Mul", [weight, inside])
            found.append((b.unsqueeze(parts[0], axes), b.unsqueeze(parts[1], axes)))
        return found


def _interpolated(planes: Array, y: float, x: float) -> Array:
    """The values of planes (C, H, W) between four pixels; the last ones lie behind y and x."""
    i, j = int(y), int(x)
    v, u = np.float32(y - i), np.float32(x - j)
    one = np.float32(1)
    above = planes[:, i, j] * (one - u) + planes[:, i, j + 1] * u
    below = planes[:, i + 1, j] * (one - u) + planes[:, i + 1, j + 1] * u
    found: Array = above * (one - v) + below * v
    return found
