"""Spatial pyramid pooling (spp_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Axes, Problem, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.mean_pool import weighted_mean
from prototxt_gen.layers.parts.numeric import FLT_MAX
from prototxt_gen.layers.parts.shapes import Shape, need_rank, show
from prototxt_gen.layers.parts.sizes import any_free
from prototxt_gen.layers.pooling import AVE, MAX, STOCHASTIC, Pooling

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_HIGHEST_PYRAMID = 16  #: a grid of 32768 cells a side; no image has that many pixels


@layer("SPP", param="spp_param")
class SPP(Base):
    """Pooling over grids of 1, 2, 4... cells a side, joined into one vector (spp_layer.cpp)."""

    pyramid_height: int = 0
    pool: Symbol = MAX

    in_place = False

    sight = Sight.ALL

    def problems(self) -> Iterator[Problem]:
        """There is a grid, and the finest one is of a sensible size."""
        if not 0 < self.pyramid_height <= _HIGHEST_PYRAMID:
            message = f"pyramid_height is {self.pyramid_height}; expected 1 to {_HIGHEST_PYRAMID}"
            yield Problem("pyramid-height", message, "pyramid_height")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C * cells); (N, C, 1, 1) for the grid of a single cell."""
        need_rank(bottoms[0], 4, 4, "SPP")
        if 0 in bottoms[0][2:]:
            raise ShapeError(
                f"the bottom {show(bottoms[0])} is empty; SPP needs a height and width",
                bottom=0,
            )
        for level in range(self.pyramid_height):
            self.level(level, bottoms[0])
        batch, channels, *_ = bottoms[0]
        if self.pyramid_height == 1:
            return ((batch, channels, 1, 1),)
        # The windows of a grid are as many as its cells, whatever the size.
        cells = sum(1 << 2 * level for level in range(self.pyramid_height))
        return ((batch, None if channels is None else channels * cells),)

    def level(self, level: int, bottom: Shape) -> Pooling:
        """The pooling of one grid; raises ShapeError where Caffe refuses the pad that it needs."""
        bins = 1 << level
        kernel, pad = [], []
        for size in bottom[2:]:
            window, before, _ = _windows(bins if size is None else size, bins)
            kernel.append(window)
            pad.append(before)
            if before >= window:
                raise ShapeError(
                    f"{plural(bins, 'bin')} over {size} would need a pad of {pad[-1]} for a window "
                    f"of {window}; "
                    "Caffe requires a smaller pad",
                    rule="pooling-pad",
                    field="pyramid_height",
                )
        if self.pool not in (MAX, AVE) and any(pad):
            raise ShapeError(
                f"{plural(bins, 'bin')} over {show(bottom[2:])} would need a pad, which goes with "
                f"MAX and AVE only; found {self.pool}",
                rule="pooling-pad",
                field="pool",
            )
        return Pooling(self.pool, tuple(kernel), tuple(kernel), tuple(pad))

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The sizes of a map are written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The grids, joined into one vector."""
        (x,) = bottoms
        found = [
            self.level(level, x.shape).run(bottoms, blobs, 1)[0]
            for level in range(self.pyramid_height)
        ]
        if len(found) == 1:
            return (found[0],)
        return (np.concatenate([y.reshape(y.shape[0], -1) for y in found], 1),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """The poolings of all grids, flattened, and Concat."""
        bottom = b.bottom_shapes[0]
        free = any_free(bottom[2:])
        found = [
            self._lower_free(b, bottoms[0], 1 << level)
            if free and level
            else self._level(level, bottom, free).lower(b, bottoms, blobs)[0]
            for level in range(self.pyramid_height)
        ]
        if len(found) == 1:
            return (found[0],)
        return (b.op("Concat", [b.op("Flatten", [y], axis=1) for y in found], axis=1),)

    def _level(self, level: int, bottom: Shape, free: bool) -> Pooling:
        """The same as ``level``, where the grid of one cell has no size written in it."""
        return Pooling(self.pool, global_pooling=True) if free else self.level(level, bottom)

    def _lower_free(self, b: Builder, x: str, bins: int) -> str:
        """A grid of a map of any size: (N, C, bins, window, bins, window), from pads, reduced.

        A mean counts the pads: with them all cells are whole windows.
        """
        sizes = b.bottom_shapes[0][2:]
        (high, top, bottom), (wide, left, right) = (_windows(size or 1, bins) for size in sizes)
        border = -FLT_MAX if self.pool == MAX else 0.0
        if self.pool != STOCHASTIC:
            x = b.pad(x, [0, 0, top, left], [0, 0, bottom, right], border)
        x = b.reshape(x, [0, 0, bins, high, bins, wide])
        if self.pool != STOCHASTIC:
            kind = "ReduceMax" if self.pool == MAX else "ReduceMean"
            return b.reduce(kind, x, [3, 5], keepdims=False)
        mean, squares = (
            b.reduce("ReduceMean", y, [3, 5], keepdims=False) for y in (x, b.op("Mul", [x, x]))
        )
        return weighted_mean(b, squares, mean)


def _windows(size: int, bins: int) -> tuple[int, int, int]:
    """The window along an axis, and the pads before and after that make whole windows."""
    window = (size + bins - 1) // bins
    missing = window * bins - size
    return window, (missing + 1) // 2, missing // 2
