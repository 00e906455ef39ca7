"""Pooling over two spatial axes (pooling_layer.cpp)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Axes, Lifted, Problem, Seen, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.max_pool import lower_max
from prototxt_gen.layers.parts.mean_pool import (
    lower_mean,
    lower_stochastic,
    weighted_mean,
    window_counts,
)
from prototxt_gen.layers.parts.numeric import FLT_MAX, windows
from prototxt_gen.layers.parts.onnx_windows import Pooled, pooled
from prototxt_gen.layers.parts.pool_window import (
    Grid,
    free_ends,
    halves,
    pool_conflicts,
    pool_kernel,
)
from prototxt_gen.layers.parts.shapes import Dim, Shape, need_rank, show
from prototxt_gen.layers.parts.sight import windowed
from prototxt_gen.layers.parts.sizes import any_free
from prototxt_gen.layers.parts.window import (
    ALL_SPELLINGS,
    SPELLINGS,
    Window,
    collapse,
    expand,
    read_window,
    spelling,
    too_large,
    window_problems,
    write_window,
)

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder, OnnxOp

MAX, AVE, STOCHASTIC = Symbol("MAX"), Symbol("AVE"), Symbol("STOCHASTIC")
#: The mode of an operator, by what its name has; all others are means.
MODES = {"Max": MAX, "Stochastic": STOCHASTIC}
CEIL, FLOOR = Symbol("CEIL"), Symbol("FLOOR")


@layer("Pooling", param="pooling_param")
class Pooling(Base):
    """The maximum or the mean of each window; a second top of MAX is its mask."""

    pool: Symbol = MAX
    kernel: Window = ()
    stride: Window = (1,)
    pad: Window = (0,)
    global_pooling: bool = False
    round_mode: Symbol = CEIL
    conflicts: tuple[str, ...] = ()  #: windows given in both spellings
    halves: tuple[str, ...] = ()  #: windows given only a height or only a width
    ceil_mode: bool = False  #: whether the rounding is given by ``ceil_mode``, as in forks

    spellings = ALL_SPELLINGS | {"ceil_mode"}
    lifts = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "StochasticPool")

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """Both spellings of a window become one; a fork's ``ceil_mode`` becomes round_mode."""
        mode = CEIL if params.get("ceil_mode", bool, True) else FLOOR
        return cls(
            pool=params.get("pool", Symbol, MAX),
            kernel=pool_kernel(params),
            stride=read_window(params, "stride", (1,)),
            pad=read_window(params, "pad", (0,)),
            global_pooling=params.get("global_pooling", bool, False),
            round_mode=params.get("round_mode", Symbol, mode) if params.has("round_mode") else mode,
            conflicts=pool_conflicts(params),
            halves=halves(params),
            ceil_mode=params.has("ceil_mode") and not params.has("round_mode"),
        )

    def in_test(self) -> Self:
        """Without the spelling of its rounding."""
        return replace(self, ceil_mode=False)

    def write(self) -> Block:
        """Global pooling has no window; the pad is written where there is one."""
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
            yield Problem(
                "window-spelling", f"has only one of {pair}; expected both, or neither", name
            )
        if self.halves:
            return
        if self.global_pooling:
            if self.kernel:
                message = "has global_pooling and a kernel; expected one of them"
                yield Problem("global-pooling", message, "kernel_size")
            if self.pad != (0,) or self.stride != (1,):
                name = "stride" if self.pad == (0,) else "pad"
                message = f"has global_pooling and a {name}; expected pad 0 and stride 1"
                yield Problem("global-pooling", message, name)
            return
        yield from window_problems(self.kernel, self.stride, self.conflicts, self.pad)
        if self.pad != (0,) and self.pool not in (MAX, AVE):
            message = f"pad goes with MAX and AVE only; found {self.pool}"
            yield Problem("pooling-pad", message, "pad")
        if len(self.kernel) in (1, 2) and len(self.pad) in (1, 2):
            pairs = zip(_pair(self.pad), _pair(self.kernel), strict=True)
            for index, (pad, kernel) in enumerate(pairs):
                if pad >= kernel > 0:
                    message = f"pad is {pad} for a kernel of {kernel}; expected less than that"
                    yield Problem("pooling-pad", message, spelling("pad", self.pad, index))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W) to (N, C, H', W'), twice for a mask."""
        need_rank(bottoms[0], 4, 4, "Pooling")
        batch, channels, *sizes = bottoms[0]
        return ((batch, channels, *self._spatial(sizes)),) * tops

    def cautions(self, bottoms: Sequence[Shape]) -> Iterator[Problem]:
        """Without a pad the last window may start after the last pixel (pooling_layer.cpp)."""
        if self.global_pooling:
            return
        sizes = bottoms[0][2:]
        axes = zip(sizes, self._spatial(sizes), *self._window(), strict=True)
        for index, (size, out, kernel, stride, pad) in enumerate(axes):
            if size and out and (start := (out - 1) * stride - pad) >= size:
                # A mean divides 0 by what is left of the window: nothing, or less.
                mean = "NaN" if start == size and self.pool == AVE else "0"
                value = f"{-FLT_MAX:g}" if self.pool == MAX else mean
                yield Problem(
                    "pooling-outside",
                    f"the last window starts at {start}, outside the bottom {show(bottoms[0])}: it "
                    f"reads nothing, and its value is {value}; expected a stride of at most "
                    f"{kernel}, as the kernel, or round_mode: FLOOR",
                    spelling("stride", self.stride, index),
                )

    def rounded_down(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...] | None:
        """Those of round_mode FLOOR."""
        if self.global_pooling or None in bottoms[0][2:]:
            return None
        batch, channels, *sizes = bottoms[0]
        out = replace(self, round_mode=FLOOR).windows([size or 0 for size in sizes])
        found = ((batch, channels, *out),) * tops
        return None if found == self.shapes(bottoms, tops) else found

    def _spatial(self, sizes: Sequence[Dim]) -> tuple[Dim, ...]:
        if self.global_pooling:
            return (1, 1)
        window = self._window()
        # Both axes are clipped where either has a pad.
        clip, ceil = any(window[2]), self.round_mode != FLOOR
        return tuple(_out(*axis, clip=clip, ceil=ceil) for axis in zip(sizes, *window, strict=True))

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The sizes of a map are written into the model."""
        return fixed_from(alike(bottoms, tops), 2)

    def plane(self, top: int, bottoms: Sequence[Shape]) -> Shape | None:
        """The mask has places of the bottom."""
        return bottoms[0][2:] if top == 1 else None

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """A window at each position, or all."""
        return Sight.ALL if self.global_pooling else windowed(*self._window(), (1, 1))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The maximum, the mean, or for STOCHASTIC in the TEST phase the weighted mean."""
        (x,) = bottoms
        if self.global_pooling:
            return replace(self, global_pooling=False, kernel=x.shape[2:]).run(bottoms, blobs, tops)
        kernel, stride, pad = self._window()
        out = [d or 0 for d in self._spatial(x.shape[2:])]
        if self.pool == MAX:
            return self._greatest(x, kernel, stride, pad, out)[:tops]
        seen = windows(x, kernel, stride, (1, 1), out, pad, 0.0)
        total = seen.sum(axis=(4, 5))
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.pool == AVE:
                return (total / self._sizes(x.shape[2:], out),)
            squares = (seen * seen).sum(axis=(4, 5))
            return (np.where(total > 0, squares / total, 0).astype(x.dtype),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """MaxPool or AveragePool, with pads that give the same windows; never ceil_mode."""
        sizes = [size or 0 for size in b.bottom_shapes[0][2:]]
        if self.global_pooling and len(b.top_shapes) == 1 and self.pool in (MAX, AVE):
            return (b.op("GlobalMaxPool" if self.pool == MAX else "GlobalAveragePool", bottoms),)
        if any_free(sizes):
            return self._lower_free(b, bottoms[0], sizes)
        if self.global_pooling:
            return replace(self, global_pooling=False, kernel=tuple(sizes)).lower(b, bottoms, blobs)
        out = [d or 0 for d in self._spatial(sizes)]
        kernel, stride, pad = self._window()
        ends = [
            max(0, (o - 1) * s + k - size - p)
            for o, s, k, size, p in zip(out, stride, kernel, sizes, pad, strict=True)
        ]
        return self._lower_grid(b, bottoms[0], Grid(sizes, out, kernel, stride, pad, ends))

    def _lower_free(self, b: Builder, x: str, sizes: Sequence[int]) -> tuple[str, ...]:
        """The same where a size is free, with pads that are right for all sizes."""
        if self.global_pooling:
            return self._lower_whole(b, x, len(b.top_shapes))
        out = [d or 0 for d in self._spatial(sizes)]
        kernel, stride, pad = self._window()
        ends = free_ends(kernel, stride, pad, floor=self.round_mode == FLOOR)
        return self._lower_grid(b, x, Grid(sizes, out, kernel, stride, pad, ends))

    def _lower_grid(self, b: Builder, x: str, grid: Grid) -> tuple[str, ...]:
        if self.pool == MAX:
            return lower_max(b, x, len(b.top_shapes), grid)
        return ((lower_mean if self.pool == AVE else lower_stochastic)(b, x, grid),)

    def _lower_whole(self, b: Builder, x: str, tops: int) -> tuple[str, ...]:
        """One window as large as the map, with its mask, or the mean weighted by the values."""
        if self.pool == MAX:
            # Of equal values the first counts, in the plane (pooling_layer.cpp).
            places = b.op("ArgMax", [b.reshape(x, [0, 0, -1])], axis=2, keepdims=1)
            mask = b.unsqueeze(b.cast(places, "float"), [3])
            return (b.op("GlobalMaxPool", [x]), mask)[:tops]
        squares = b.op("GlobalAveragePool", [b.op("Mul", [x, x])])
        return (weighted_mean(b, squares, b.op("GlobalAveragePool", [x])),)

    @classmethod
    def lift(cls, op: OnnxOp) -> Lifted | None:
        """A pool of two axes that has the same windows when Caffe rounds up, as it always did."""
        mode = next((one for name, one in MODES.items() if name in op.op_type), AVE)
        if len(op.shape()) != 4 or len(op.outputs) > 1:
            return None
        if op.op_type.startswith("Global"):
            return Lifted(cls(mode, global_pooling=True))
        axes = pooled(op)
        if any(one.span.dilation != 1 or one.lead >= one.span.kernel for one in axes):
            return None
        made = cls.of(mode, axes, [one.lead for one in axes])
        sizes, out = [one.span.size for one in axes], [one.out for one in axes]
        if made.windows(sizes) != out:
            return None
        counts = [one.counts() for one in axes]
        same = mode != AVE or counts == made.counts(sizes, out)
        return Lifted(made) if same else None

    def windows(self, sizes: Sequence[int]) -> list[int]:
        """The number of windows along each axis; 0 where there would be an error."""
        try:
            return [size or 0 for size in self._spatial(sizes)]
        except ShapeError:
            return [0, 0]

    @classmethod
    def of(cls, mode: Symbol, axes: Sequence[Pooled], pads: Sequence[int]) -> Self:
        """A pool with the kernels and strides of ONNX's, and these pads."""
        return cls(
            mode,
            kernel=collapse(tuple(one.span.kernel for one in axes)),
            stride=collapse(tuple(one.span.stride for one in axes)),
            pad=collapse(tuple(pads)),
        )

    def _window(self) -> tuple[Window, Window, Window]:
        """Kernel, stride and pad of both axes."""
        return (
            expand(self.kernel, 2, "kernel_size"),
            expand(self.stride, 2, "stride"),
            expand(self.pad, 2, "pad"),
        )

    def counts(self, sizes: Sequence[int], out: Sequence[int]) -> list[list[int]]:
        """What AVE divides by along each axis: the pad counts, but not what lies beyond it."""
        return window_counts(sizes, out, *self._window())

    def _sizes(self, sizes: Sequence[int], out: Sequence[int]) -> Array:
        rows, columns = self.counts(sizes, out)
        found: Array = np.outer(rows, columns).astype(np.float32)
        return found

    def _greatest(
        self, x: Array, kernel: Window, stride: Window, pad: Window, out: Sequence[int]
    ) -> tuple[Array, Array]:
        """The maximum of each window, and its index in the plane; -1 for an empty window."""
        seen = windows(x, kernel, stride, (1, 1), out, pad, -np.inf)
        flat = seen.reshape(*seen.shape[:4], -1)
        best = flat.argmax(axis=-1)
        values = np.take_along_axis(flat, best[..., None], -1)[..., 0]
        rows = np.arange(out[0])[:, None] * stride[0] - pad[0] + best // kernel[1]
        columns = np.arange(out[1]) * stride[1] - pad[1] + best % kernel[1]
        index = (rows * x.shape[3] + columns).astype(x.dtype)
        empty = np.isneginf(values)
        return (
            np.where(empty, x.dtype.type(-FLT_MAX), values),
            np.where(empty, x.dtype.type(-1), index),
        )


def _out(size: Dim, kernel: int, stride: int, pad: int, *, clip: bool, ceil: bool) -> Dim:
    if size is None or stride == 0:
        return None
    if clip and ceil and 0 < kernel - pad < stride:
        # The last window that begins inside, as what rounding up gives is never less than that.
        out = -(-(size + pad) // stride)
    else:
        room = size + 2 * pad - kernel
        out = (-(-room // stride) if ceil else room // stride) + 1
        if clip and kernel <= pad and (out - 1) * stride >= size + pad:
            out -= 1
    if out < (1 if size else 0):  # an empty axis may stay empty
        raise too_large(size, kernel, pad)
    return out


def _pair(values: Window) -> Window:
    return values * 2 if len(values) == 1 else values
