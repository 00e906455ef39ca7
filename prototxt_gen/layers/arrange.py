"""The same values in another order, cut out or repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Axes, Problem, Seen, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.shapes import Shape, axis_index, show
from prototxt_gen.layers.parts.sight import Step

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("Permute", param="permute_param")
class Permute(Base):
    """The axes in another order; axes that are not given follow in their order (SSD)."""

    order: tuple[int, ...] = ()

    rearranges = True

    sight = Sight.VALUES

    def problems(self) -> Iterator[Problem]:
        """No axis occurs twice."""
        if len(set(self.order)) < len(self.order):
            message = f"order is {', '.join(map(str, self.order))}; expected each axis once"
            yield Problem("permute-order", message, "order")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The dimensions in the new order."""
        return (_permuted(bottoms[0], self.order, "order"),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Every axis, in the new order."""
        return _moved(bottoms[0], self.order)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The axes in the new order."""
        return (bottoms[0].transpose(_whole(self.order, bottoms[0].ndim)),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Transpose."""
        return (b.transpose(bottoms[0], _whole(self.order, len(b.bottom_shapes[0]))),)


@layer("Transpose", param="transpose_param")
class Transpose(Base):
    """The axes in another order (CTPN's fork)."""

    dim: tuple[int, ...] = ()

    rearranges = True

    sight = Sight.VALUES

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The dimensions in the new order; ``dim`` must name every axis."""
        if sorted(self.dim) != list(range(len(bottoms[0]))):
            raise ShapeError(
                f"dim is {', '.join(map(str, self.dim)) or 'absent'}; expected each axis of the "
                f"bottom {show(bottoms[0])} once",
                rule="permute-order",
                field="dim",
            )
        return (_permuted(bottoms[0], self.dim, "dim"),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Every axis, in the new order."""
        return _moved(bottoms[0], self.dim)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The axes in the new order."""
        return (bottoms[0].transpose(self.dim),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Transpose."""
        return (b.transpose(bottoms[0], self.dim),)


@layer("Reverse", param="reverse_param")
class Reverse(Base):
    """An axis reversed (CTPN's fork)."""

    axis: int = 0

    rearranges = True

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the bottom, which must have the axis."""
        axis_index(self.axis, len(bottoms[0]))
        return (bottoms[0],)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """Along an axis of places, others."""
        along = axis_index(self.axis, len(bottoms[0])) > 1
        return Sight.VALUES if along else super().sees(index, bottoms, tops)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The values along the axis in reverse."""
        return (np.flip(bottoms[0], self.axis),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Slice with a step of -1."""
        axis = axis_index(self.axis, len(b.bottom_shapes[0]))
        return (b.slice(bottoms[0], [-1], [-(2**31)], [axis], [-1]),)


@layer("Crop", param="crop_param")
class Crop(Base):
    """The first bottom cut to the size of the second, from ``axis`` on (crop_layer.cpp)."""

    axis: int = 2
    offset: tuple[int, ...] = ()

    rearranges = True

    def arity(self) -> Arity:
        """The blob to cut, and the one that gives the size."""
        return Arity((2, 2), (1, 1))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes of the first bottom before ``axis``, then those of the second."""
        large, small = bottoms
        axis = axis_index(self.axis, len(large))
        if len(small) < len(large):
            raise ShapeError(
                f"bottom 1 is {show(small)}; expected as many axes as bottom 0, {show(large)}",
                rule="bottom-rank",
                bottom=1,
            )
        cuts = len(large) - axis
        if len(self.offset) > 1 and len(self.offset) != cuts:
            raise ShapeError(
                f"{len(self.offset)} offset values for {plural(cuts, 'axis')} from axis {axis} "
                f"on; expected none, 1 or {cuts}",
                rule="crop-offset",
                field="offset",
            )
        for index, offset in enumerate(self._offsets(len(large))[axis:], axis):
            whole, part = large[index], small[index]
            if whole is not None and part is not None and whole - offset < part:
                raise ShapeError(
                    f"axis {index} has {whole}, too few after offset {offset} for the {part} "
                    f"of bottom 1, {show(small)}",
                    rule="crop-bounds",
                    field="offset" if self.offset else None,
                    bottom=None if self.offset else 1,
                )
        return ((*large[:axis], *small[axis : len(large)]),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """Axes before ``axis`` are the first bottom's, the others the second's."""
        large, small = bottoms
        axis = axis_index(self.axis, len(large))
        kept = tuple(str(index) if index < axis else None for index in range(len(large)))
        cut = tuple(str(index) if index >= axis else None for index in range(len(small)))
        return Axes((kept, cut), (tuple(map(str, range(len(large)))),))

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """What lies an offset further on."""
        if index == 1:
            return Sight.NOTHING
        return tuple(Step(center=o) for o in self._offsets(len(bottoms[0]))[2:])

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The part of the first bottom that is kept."""
        (top,) = self.shapes([x.shape for x in bottoms], 1)
        starts = self._offsets(bottoms[0].ndim)
        parts = tuple(slice(s, s + (d or 0)) for s, d in zip(starts, top, strict=True))
        return (bottoms[0][parts],)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Slice."""
        rank = len(b.bottom_shapes[0])
        axes = list(range(axis_index(self.axis, rank), rank))
        starts = [self._offsets(rank)[axis] for axis in axes]
        ends = [s + (b.top_shapes[0][axis] or 0) for s, axis in zip(starts, axes, strict=True)]
        return (b.slice(bottoms[0], starts, ends, axes),)

    def _offsets(self, rank: int) -> list[int]:
        """Where the part begins, for each axis of the first bottom."""
        axis = axis_index(self.axis, rank)
        cuts = rank - axis
        offsets = self.offset * cuts if len(self.offset) == 1 else self.offset or (0,) * cuts
        return [*(0,) * axis, *offsets]


@layer("Tile", param="tile_param")
class Tile(Base):
    """Repeats a blob along an axis (tile_layer.cpp)."""

    axis: int = 1
    tiles: int = 0

    rearranges = True

    def problems(self) -> Iterator[Problem]:
        """``tiles`` is at least 1."""
        if self.tiles < 1:
            yield Problem("tiles", f"tiles is {self.tiles}; expected at least 1", "tiles")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axis times the number of copies."""
        axis = axis_index(self.axis, len(bottoms[0]))
        size = bottoms[0][axis]
        tiled = None if size is None else size * self.tiles
        return ((*bottoms[0][:axis], tiled, *bottoms[0][axis + 1 :]),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The copies."""
        axis = axis_index(self.axis, bottoms[0].ndim)
        times = [self.tiles if i == axis else 1 for i in range(bottoms[0].ndim)]
        return (np.tile(bottoms[0], times),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Tile."""
        rank = len(b.bottom_shapes[0])
        axis = axis_index(self.axis, rank)
        times = [self.tiles if i == axis else 1 for i in range(rank)]
        return (b.op("Tile", [bottoms[0], b.ints(*times)]),)


def _moved(bottom: Shape, order: Sequence[int]) -> Axes:
    """Every axis stays, in another position."""
    whole = _whole(order, len(bottom))
    return Axes((tuple(map(str, range(len(bottom)))),), (tuple(map(str, whole)),))


def _permuted(bottom: Shape, order: Sequence[int], field: str) -> Shape:
    if any(not 0 <= axis < len(bottom) for axis in order):
        raise ShapeError(
            f"{field} is {', '.join(map(str, order))}, but the bottom {show(bottom)} has "
            f"{plural(len(bottom), 'axis')}",
            rule="axis-out-of-range",
            field=field,
        )
    return tuple(bottom[axis] for axis in _whole(order, len(bottom)))


def _whole(order: Sequence[int], rank: int) -> tuple[int, ...]:
    """The order of all axes: those that are not given follow in their order."""
    return (*order, *(axis for axis in range(rank) if axis not in order))
