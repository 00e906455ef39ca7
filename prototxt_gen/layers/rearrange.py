"""Layers of forks that reorder channels and pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._words import plural
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Axes, Problem, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.shapes import Shape, count, need_rank, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("ShuffleChannel", param="shuffle_channel_param")
class ShuffleChannel(Base):
    """The channels of all groups in turn: (group, C / group) transposed (ShuffleNet's forks)."""

    group: int = 1

    rearranges = True

    def problems(self) -> Iterator[Problem]:
        """``group`` is at least 1."""
        if self.group < 1:
            yield Problem("group-zero", f"group is {self.group}, expected at least 1", "group")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W), with 1 for axes that the bottom does not have."""
        need_rank(bottoms[0], 2, 4, "ShuffleChannel")
        channels = bottoms[0][1]
        if channels is not None and channels % self.group:
            raise ShapeError(
                f"the bottom {show(bottoms[0])} has {plural(channels, 'channel')}, not "
                f"divisible by group {self.group}",
                rule="group-divides",
                field="group",
            )
        return ((*bottoms[0], 1, 1)[:4],)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All but the batch is written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Reshape, transpose, reshape."""
        (x,) = bottoms
        (top,) = self.shapes([x.shape], 1)
        grouped = x.reshape(x.shape[0], self.group, -1, *top[2:])
        return (grouped.swapaxes(1, 2).reshape(top),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Reshape, Transpose, Reshape."""
        _, channels, height, width = b.top_shapes[0]
        each = (channels or 0) // self.group
        sides = [height or 0, width or 0]
        x = b.reshape(bottoms[0], [-1, self.group, each, *sides])
        x = b.transpose(x, [0, 2, 1, 3, 4])
        return (b.reshape(x, [-1, channels or 0, *sides]),)


@layer("Reorg", param="reorg_param")
class Reorg(Base):
    """Squares of ``stride`` by ``stride`` pixels as channels (YOLOv2), or the ``reverse``."""

    stride: int = 0
    reverse: bool = False

    sight = Sight.VALUES

    def problems(self) -> Iterator[Problem]:
        """``stride`` is given."""
        if self.stride < 1:
            yield Problem("window-zero", f"stride is {self.stride}, expected at least 1", "stride")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C * s^2, H / s, W / s), or the reverse of it.

        Channels must be a multiple of s^2 in both directions: darknet's layer divides them.
        """
        need_rank(bottoms[0], 4, 4, "Reorg")
        batch, channels, height, width = bottoms[0]
        square = self.stride * self.stride
        if channels is not None and channels % square:
            raise ShapeError(
                f"the bottom {show(bottoms[0])} has {plural(channels, 'channel')}, not a "
                f"multiple of stride {self.stride} squared",
                rule="reorg-stride",
                field="stride",
            )
        if self.reverse:
            fewer = None if channels is None else channels // square
            return ((batch, fewer, count((height, self.stride)), count((width, self.stride))),)
        for side in (height, width):
            if side is not None and side % self.stride:
                raise ShapeError(
                    f"the bottom {show(bottoms[0])} is not a multiple of stride {self.stride} in "
                    "height and width",
                    rule="reorg-stride",
                    field="stride",
                )
        small = [None if side is None else side // self.stride for side in (height, width)]
        return ((batch, count((channels, square)), *small),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """All but the batch is written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Reshape, transpose, reshape, in darknet's order."""
        (x,) = bottoms
        (top,) = self.shapes([x.shape], 1)
        dims, perm = self._moves(x.shape)
        return (x.reshape(-1, *dims).transpose(perm).reshape(top),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Reshape, Transpose, Reshape; SpaceToDepth orders channels differently."""
        dims, perm = self._moves(b.bottom_shapes[0])
        x = b.transpose(b.reshape(bottoms[0], [-1, *dims]), perm)
        return (b.reshape(x, [-1, *(dim or 0 for dim in b.top_shapes[0][1:])]),)

    def _moves(self, shape: Shape) -> tuple[list[int], list[int]]:
        """The axes after the batch to split into, and their new order."""
        _, channels, height, width = (dim or 0 for dim in shape)
        s = self.stride
        few = channels // (s * s)
        if self.reverse:
            return [s, s, few, height, width], [0, 3, 4, 1, 5, 2]
        return [few, height, s, width, s], [0, 3, 5, 1, 2, 4]
