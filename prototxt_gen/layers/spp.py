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
from prototxt_gen.layers.parts.shapes import Dim, Shape, count, need_rank, show
from prototxt_gen.layers.parts.window import collapse
from prototxt_gen.layers.pooling import AVE, MAX, Pooling

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
        sizes: list[Dim] = []
        for level in range(self.pyramid_height):
            (top,) = self.level(level, bottoms[0]).shapes(bottoms, 1)
            if self.pyramid_height == 1:
                return (top,)
            sizes.append(count(top[1:]))
        cells = None if None in sizes else sum(size for size in sizes if size is not None)
        return ((bottoms[0][0], cells),)

    def level(self, level: int, bottom: Shape) -> Pooling:
        """The pooling of one grid; raises ShapeError where Caffe refuses the pad that it needs."""
        bins = 1 << level
        kernel, pad = [], []
        for size in bottom[2:]:
            window = -(-(size or bins) // bins)
            kernel.append(window)
            pad.append((window * bins - (size or bins) + 1) // 2)
            if pad[-1] >= window:
                raise ShapeError(
                    f"{plural(bins, 'bin')} over {size} would need a pad of {pad[-1]} for a window "
                    f"of {window}; "
                    "Caffe requires a smaller pad",
                    rule="pooling-pad",
                    field="pyramid_height",
                )
        if any(pad) and self.pool not in (MAX, AVE):
            raise ShapeError(
                f"{plural(bins, 'bin')} over {show(bottom[2:])} would need a pad, which goes with "
                f"MAX and AVE only; found {self.pool}",
                rule="pooling-pad",
                field="pool",
            )
        windows = collapse(tuple(kernel))
        return Pooling(self.pool, windows, windows, collapse(tuple(pad)))

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
        found = [
            self.level(level, b.bottom_shapes[0]).lower(b, bottoms, blobs)[0]
            for level in range(self.pyramid_height)
        ]
        if len(found) == 1:
            return (found[0],)
        return (b.op("Concat", [b.op("Flatten", [y], axis=1) for y in found], axis=1),)
