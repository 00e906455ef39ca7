"""Pooling over two spatial axes (pooling_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Dim, Shape, count, need_rank
from prototxt_gen.layers.window import (
    ALL_SPELLINGS,
    SPELLINGS,
    Window,
    both_spellings,
    collapse,
    expand,
    read_window,
    too_large,
    window_problems,
    write_window,
)

MAX, AVE = Symbol("MAX"), Symbol("AVE")
CEIL, FLOOR = Symbol("CEIL"), Symbol("FLOOR")

_HIGHEST_PYRAMID = 16  #: a grid of 32768 cells a side; no image has so many pixels


@layer("Pooling", param="pooling_param")
class Pooling(Base):
    """The greatest or the mean of each window; a second top of MAX is its mask."""

    pool: Symbol = MAX
    kernel: Window = ()
    stride: Window = (1,)
    pad: Window = (0,)
    global_pooling: bool = False
    round_mode: Symbol = CEIL
    conflicts: tuple[str, ...] = ()  #: windows that are spelled in two ways
    halves: tuple[str, ...] = ()  #: windows with a height or a width alone
    ceil_mode: bool = False  #: whether the rounding is spelled so, as forks do

    spellings = ALL_SPELLINGS | {"ceil_mode"}

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """Both spellings of a window become one, and a fork's ``ceil_mode`` round_mode."""
        mode = CEIL if params.get("ceil_mode", bool, True) else FLOOR
        return cls(
            pool=params.get("pool", Symbol, MAX),
            kernel=read_window(params, "kernel_size"),
            stride=read_window(params, "stride", (1,)),
            pad=read_window(params, "pad", (0,)),
            global_pooling=params.get("global_pooling", bool, False),
            round_mode=params.get("round_mode", Symbol, mode) if params.has("round_mode") else mode,
            conflicts=both_spellings(params),
            halves=_halves(params),
            ceil_mode=params.has("ceil_mode") and not params.has("round_mode"),
        )

    def write(self) -> Block:
        """A global pooling has no window; the pad is written where there is one."""
        block = Block.of(pool=self.pool)
        if self.global_pooling:
            block.add("global_pooling", True)
        else:
            write_window(block, "kernel_size", self.kernel)
            write_window(block, "stride", self.stride)
        if self.pad != (0,):
            write_window(block, "pad", self.pad)
        if self.ceil_mode:
            block.add("ceil_mode", self.round_mode == CEIL)
        elif self.round_mode != CEIL:
            block.add("round_mode", self.round_mode)
        return block

    def arity(self) -> Arity:
        """One bottom; MAX has a second top, the mask."""
        return Arity((1, 1), (1, 2 if self.pool == MAX else 1))

    def problems(self) -> Iterator[Problem]:
        """What pooling_layer.cpp checks in LayerSetUp."""
        for name in self.halves:
            pair = " and ".join(SPELLINGS[name])
            yield Problem("window-spelling", f"expected both {pair}, or neither")
        if self.halves:
            return
        if self.global_pooling:
            if self.kernel:
                message = "has global_pooling and a kernel; expected one of them"
                yield Problem("global-pooling", message, "kernel_size")
            if self.pad != (0,) or self.stride != (1,):
                message = "global_pooling goes with pad 0 and stride 1 only"
                yield Problem("global-pooling", message, "global_pooling")
            return
        yield from window_problems(self.kernel, self.stride, self.conflicts)
        if self.pad != (0,) and self.pool not in (MAX, AVE):
            message = f"pad goes with MAX and AVE only, found {self.pool}"
            yield Problem("pooling-pad", message, "pad")
        if len(self.kernel) in (1, 2) and len(self.pad) in (1, 2):
            for pad, kernel in zip(_pair(self.pad), _pair(self.kernel), strict=True):
                if pad >= kernel > 0:
                    message = f"pad is {pad} for a kernel of {kernel}; expected less than that"
                    yield Problem("pooling-pad", message, "pad")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W) to (N, C, H', W'), twice for a mask."""
        need_rank(bottoms[0], 4, 4, "Pooling")
        batch, channels, *sizes = bottoms[0]
        return ((batch, channels, *self._spatial(sizes)),) * tops

    def _spatial(self, sizes: Sequence[Dim]) -> tuple[Dim, ...]:
        if self.global_pooling:
            return (1, 1)
        kernel = expand(self.kernel, 2, "kernel_size")
        stride, pad = expand(self.stride, 2, "stride"), expand(self.pad, 2, "pad")
        # Both axes are clipped where either has a pad.
        clip, ceil = any(pad), self.round_mode != FLOOR
        return tuple(
            _out(*axis, clip=clip, ceil=ceil)
            for axis in zip(sizes, kernel, stride, pad, strict=True)
        )


def _out(size: Dim, kernel: int, stride: int, pad: int, *, clip: bool, ceil: bool) -> Dim:
    if size is None or stride == 0:
        return None
    room = size + 2 * pad - kernel
    out = (-(-room // stride) if ceil else room // stride) + 1
    if clip and (out - 1) * stride >= size + pad:
        out -= 1
    if out < 1:
        raise too_large(size, kernel, pad)
    return out


def _halves(params: Block) -> tuple[str, ...]:
    """Windows with a height or a width alone, which a pooling does not take."""
    return tuple(
        name
        for name, (height, width) in SPELLINGS.items()
        if not params.has(name) and params.has(height) != params.has(width)
    )


def _pair(values: Window) -> Window:
    return values * 2 if len(values) == 1 else values


@layer("SPP", param="spp_param")
class SPP(Base):
    """Pooling over grids of 1, 2, 4... cells a side, as one vector (spp_layer.cpp)."""

    pyramid_height: int = 0
    pool: Symbol = MAX

    def problems(self) -> Iterator[Problem]:
        """There is a grid; the side of the finest is still a number."""
        if not 0 < self.pyramid_height <= _HIGHEST_PYRAMID:
            message = f"pyramid_height is {self.pyramid_height}; expected 1 to {_HIGHEST_PYRAMID}"
            yield Problem("pyramid-height", message, "pyramid_height")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C * cells); a grid of one cell alone stays (N, C, 1, 1)."""
        need_rank(bottoms[0], 4, 4, "SPP")
        sizes: list[Dim] = []
        for level in range(self.pyramid_height):
            (top,) = self.level(level, bottoms[0]).shapes(bottoms, 1)
            if self.pyramid_height == 1:
                return (top,)
            sizes.append(count(top[1:]))
        cells = None if None in sizes else sum(size for size in sizes if size is not None)
        return ((bottoms[0][0], cells),)

    def level(self, level: int, bottom: Shape) -> Pooling:
        """The pooling of one grid; raises ShapeError where Caffe refuses its pad."""
        bins = 1 << level
        kernel, pad = [], []
        for size in bottom[2:]:
            window = -(-(size or bins) // bins)
            kernel.append(window)
            pad.append((window * bins - (size or bins) + 1) // 2)
            if pad[-1] >= window:
                raise ShapeError(
                    f"{bins} bins over {size} need a pad of {pad[-1]} for a window of {window}; "
                    "Caffe refuses a pad that is not less",
                    rule="pooling-pad",
                    field="pyramid_height",
                )
        windows = collapse(tuple(kernel))
        return Pooling(self.pool, windows, windows, collapse(tuple(pad)))
