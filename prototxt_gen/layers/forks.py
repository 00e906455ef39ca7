"""Layers that several forks have, and BVLC's Caffe has not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Optional, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block, Symbol
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Arity, Cost, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.numeric import along
from prototxt_gen.layers.shapes import Dim, Shape, count, need_rank, need_sizes, show

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_RESIZE_HAS_AXES = 18
LEARN, INFERENCE = Symbol("LEARN"), Symbol("INFERENCE")


@layer("BN", param="bn_param")
class BN(Base):
    """The batch normalisations of PSPNet's and of SegNet's fork, which share a name.

    SegNet's has ``bn_mode``, two weights, scale and shift, and takes statistics of the
    batch even in the TEST phase where the mode is LEARN, its default: tops 2 and 3 are
    they. PSPNet's, taken where nothing tells them apart, has slope, bias, mean, variance.
    """

    bn_mode: Optional[Symbol] = None  #: None for PSPNet's
    eps: float = 1e-5
    momentum: float = 0.9
    frozen: bool = False

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """SegNet's is known by its own fields, or by its tops."""
        segnet = any(params.has(name) for name in ("bn_mode", "scale_filler", "shift_filler"))
        if segnet or len(layer.all("top")) > 1:
            return cls(bn_mode=params.get("bn_mode", Symbol, LEARN), eps=1e-9)
        return cls(
            eps=params.get("eps", float, 1e-5),
            momentum=params.get("momentum", float, 0.9),
            frozen=params.get("frozen", bool, False),
        )

    def write(self) -> Block:
        """The fields of the fork that it is of."""
        if self.bn_mode is not None:
            return Block.of(bn_mode=self.bn_mode)
        return super().write()

    def arity(self) -> Arity:
        """SegNet's has its statistics as tops, if they are asked for."""
        return Arity((1, 1), (1, 3 if self.bn_mode is not None else 1))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """(1, C, 1, 1) each: scale and shift, or slope, bias, mean and variance."""
        need_rank(bottoms[0], 2, 4, "BN")
        return ((1, bottoms[0][1], 1, 1),) * (4 if self.bn_mode is None else 2)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """That of the bottom, in SegNet's with four axes; the statistics (1, C, 1, 1)."""
        need_rank(bottoms[0], 2, 4, "BN")
        if self.bn_mode is None:
            return (bottoms[0],)
        top = (*bottoms[0], 1, 1)[:4]
        return (top, *((1, bottoms[0][1], 1, 1),) * (tops - 1))

    def cost(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Cost:
        """PSPNet's mean and variance are statistics."""
        channels = bottoms[0][1] or 0
        return Cost(2 * channels, 2 * channels if self.bn_mode is None else 0)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """By the fork that it is of."""
        (x,) = bottoms
        first, second = (along(blob.reshape(-1), 1, x.ndim) for blob in blobs[:2])
        if self.bn_mode == INFERENCE:
            y = x * first + second
            return (y.reshape((*x.shape, 1, 1)[:4]),)
        if self.bn_mode is None:
            mean, variance = (along(blob.reshape(-1), 1, x.ndim) for blob in blobs[2:4])
        else:
            axes = tuple(i for i in range(x.ndim) if i != 1)
            mean = x.mean(axis=axes, keepdims=True, dtype=np.float64)
            variance = x.var(axis=axes, keepdims=True, dtype=np.float64)
        y = (x - mean) / np.sqrt(variance + self.eps) * first + second
        found = [y.astype(x.dtype).reshape((*x.shape, 1, 1)[:4] if self.bn_mode else x.shape)]
        channels = (1, x.shape[1], 1, 1)
        found += [np.asarray(v, x.dtype).reshape(channels) for v in (mean, variance)]
        return tuple(found[:tops])

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """BatchNormalization; Mul and Add; or by the batch ReduceMean and arithmetic."""
        (x,) = bottoms
        rank = len(b.bottom_shapes[0])
        flat = [blob.reshape(-1) for blob in blobs]
        if self.bn_mode is None:
            names = ("slope", "bias", "mean", "variance")
            inputs = [b.const(v, n) for v, n in zip(flat, names, strict=True)]
            return (b.op("BatchNormalization", [x, *inputs], epsilon=self.eps),)
        if rank < 4:
            x = b.unsqueeze(x, list(range(rank, 4)))
        scale, shift = (
            b.const(v.reshape(-1, 1, 1), n) for v, n in zip(flat, ("scale", "shift"), strict=True)
        )
        found: list[str] = []
        if self.bn_mode == LEARN:
            mean = b.reduce("ReduceMean", x, [0, 2, 3], keepdims=True)
            x = b.op("Sub", [x, mean])
            variance = b.reduce("ReduceMean", b.op("Mul", [x, x]), [0, 2, 3], keepdims=True)
            x = b.op("Div", [x, b.op("Sqrt", [b.op("Add", [variance, b.scalar(self.eps)])])])
            found = [mean, variance]
        y = b.op("Add", [b.op("Mul", [x, scale]), shift])
        return (y, *found)[: len(b.top_shapes)]


@layer("Interp", param="interp_param")
class Interp(Base):
    """Bilinear, with corners on corners (DeepLab's and PSPNet's forks).

    First ``pad_beg`` and ``pad_end``, which are negative, cut rows and columns. The size
    then comes from what is given: one factor alone; else height and width; else both
    factors, shrink before zoom. None stands for a field that is absent.
    """

    height: Optional[int] = None
    width: Optional[int] = None
    zoom_factor: Optional[int] = None
    shrink_factor: Optional[int] = None
    pad_beg: int = 0
    pad_end: int = 0
    use_blob_size: bool = False  #: that of a second bottom (soeaver's fork)

    def arity(self) -> Arity:
        """One bottom, and a second one where that gives the size."""
        return Arity((2, 2) if self.use_blob_size else (1, 1), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """What interp_layer.cpp checks."""
        for name, pad in (("pad_beg", self.pad_beg), ("pad_end", self.pad_end)):
            if pad > 0:
                yield Problem("interp-pad", f"{name} is {pad}; expected 0 or less", name)
        for name, factor in (
            ("zoom_factor", self.zoom_factor),
            ("shrink_factor", self.shrink_factor),
        ):
            if factor is not None and factor < 1:
                yield Problem("interp-factor", f"{name} is {factor}; expected at least 1", name)
        given = (self.zoom_factor, self.shrink_factor, self.height and self.width)
        if given == (None, None, None) and not self.use_blob_size:
            message = "has no size; expected height and width, zoom_factor or shrink_factor"
            yield Problem("interp-size", message)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H', W')."""
        need_rank(bottoms[0], 4, 4, "Interp")
        if self.use_blob_size:
            need_rank(bottoms[1], 4, 4, "Interp")
            return ((*bottoms[0][:2], *bottoms[1][2:]),)
        given = (self.height, self.width)
        sizes = [self._size(*axis) for axis in zip(bottoms[0][2:], given, strict=True)]
        return ((*bottoms[0][:2], *sizes),)

    def _size(self, size: Dim, given: int | None) -> Dim:
        one_factor = (self.zoom_factor is None) != (self.shrink_factor is None)
        if not one_factor and self.height is not None and self.width is not None:
            found: Dim = given
        elif size is None:
            return None
        else:
            found = size + self.pad_beg + self.pad_end
            if self.shrink_factor is not None:
                found = (found - 1) // self.shrink_factor + 1
            if self.zoom_factor is not None:
                found = found + (found - 1) * (self.zoom_factor - 1)
        if found is not None and found < 1:
            raise ShapeError(f"a side would be {found}; expected at least 1", rule="interp-size")
        return found

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Corners on corners."""
        x = bottoms[0]
        (top,) = self.shapes([y.shape for y in bottoms], 1)
        x = x[
            :,
            :,
            -self.pad_beg : x.shape[2] + self.pad_end,
            -self.pad_beg : x.shape[3] + self.pad_end,
        ]
        for axis in (2, 3):
            x = _stretched(x, axis, top[axis] or 0)
        return (x,)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Slice, and Resize by sizes with align_corners."""
        shape = b.bottom_shapes[0]
        x, sizes = bottoms[0], [size or 0 for size in shape[2:]]
        if self.pad_beg or self.pad_end:
            starts = [-self.pad_beg] * 2
            ends = [size + self.pad_end for size in sizes]
            x = b.slice(x, starts, ends, [2, 3])
            sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        wanted = [size or 0 for size in b.top_shapes[0][2:]]
        if wanted == sizes:
            return (x,)
        mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        if b.opset >= _RESIZE_HAS_AXES:
            return (b.op("Resize", [x, "", "", b.ints(*wanted)], axes=[2, 3], **mode),)
        front = b.slice(b.op("Shape", [x]), [0], [2], [0])
        whole = b.op("Concat", [front, b.ints(*wanted)], axis=0)
        # Before opset 13 the second input is not optional.
        roi = b.const(np.zeros(0, np.float32)) if b.opset < 13 else ""
        scales = b.const(np.zeros(0, np.float32)) if b.opset < 13 else ""
        return (b.op("Resize", [x, roi, scales, whole], **mode),)


@layer("Upsample", param="upsample_param")
class Upsample(Base):
    """Values put where a pooling found them: bottoms are the data and its mask (SegNet).

    The size is ``upsample_h`` and ``upsample_w``, or ``scale_h`` and ``scale_w``, or
    ``scale`` times that of the bottom, one less where ``pad_out`` says so. With one bottom
    it repeats each value (other forks).
    """

    scale: int = 2
    scale_h: Optional[int] = None
    scale_w: Optional[int] = None
    pad_out_h: bool = False
    pad_out_w: bool = False
    upsample_h: Optional[int] = None
    upsample_w: Optional[int] = None

    always = frozenset({"scale"})  # of which forks have other defaults

    def arity(self) -> Arity:
        """The data, and a mask or none."""
        return Arity((1, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """What upsample_layer.cpp checks."""
        if (self.upsample_h is None) != (self.upsample_w is None):
            yield Problem("upsample-size", "expected both upsample_h and upsample_w, or neither")
        if (self.scale_h is None) != (self.scale_w is None):
            yield Problem("upsample-size", "expected both scale_h and scale_w, or neither")
        if self.scale < 1:
            yield Problem("upsample-size", "scale is 0; expected at least 1", "scale")
        pads = (
            (self.pad_out_h, self.scale_h, "pad_out_h"),
            (self.pad_out_w, self.scale_w, "pad_out_w"),
        )
        for pad, scale, name in pads:
            if pad and (self.scale if scale is None else scale) != 2:
                yield Problem("upsample-pad", f"{name} goes with a scale of 2 only", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H', W')."""
        need_rank(bottoms[0], 4, 4, "Upsample")
        if len(bottoms) == 2:
            need_sizes(bottoms[1], bottoms[0], "bottom 1, the mask,")
        if self.upsample_h is not None:
            return ((*bottoms[0][:2], self.upsample_h, self.upsample_w),)
        height, width = bottoms[0][2:]
        return (
            (
                *bottoms[0][:2],
                _scaled(height, self.scale_h or self.scale, self.pad_out_h),
                _scaled(width, self.scale_w or self.scale, self.pad_out_w),
            ),
        )

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Values at the places of the mask; the last of two with the same place stays."""
        x = bottoms[0]
        (top,) = self.shapes([y.shape for y in bottoms], 1)
        if len(bottoms) == 1:
            rows = np.arange(top[2] or 0) * x.shape[2] // (top[2] or 1)
            columns = np.arange(top[3] or 0) * x.shape[3] // (top[3] or 1)
            return (x[:, :, rows][:, :, :, columns],)
        found = np.zeros((x.shape[0] * x.shape[1], (top[2] or 0) * (top[3] or 0)), x.dtype)
        values = x.reshape(len(found), -1)
        index = bottoms[1].reshape(len(found), -1).astype(np.int64)
        plane = np.arange(len(found))
        for place in range(values.shape[1]):  # the last of two with the same index stays
            found[plane, index[:, place]] = values[:, place]
        return (found.reshape([size or 0 for size in top]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ScatterElements in each plane."""
        shape, top = b.bottom_shapes[0], b.top_shapes[0]
        if len(bottoms) == 1:
            factors = [1.0, 1.0, *(o / (i or 1) for o, i in zip(top[2:], shape[2:], strict=True))]  # type: ignore[operator]
            scales = b.const(np.array(factors, np.float32))
            mode = {
                "mode": "nearest",
                "coordinate_transformation_mode": "asymmetric",
                "nearest_mode": "floor",
            }
            roi = b.const(np.zeros(0, np.float32)) if b.opset < 13 else ""
            return (b.op("Resize", [bottoms[0], roi, scales], **mode),)
        plane, inside = count(top[2:]) or 1, count(shape[2:]) or 1
        values = b.reshape(bottoms[0], [-1, inside])
        index = b.cast(b.reshape(bottoms[1], [-1, inside]), "int64")
        rows = b.slice(b.op("Shape", [values]), [0], [1], [0])
        size = b.op("Concat", [rows, b.ints(plane)], axis=0)
        empty = b.op("Expand", [b.scalar(0.0), size])
        filled = b.op("ScatterElements", [empty, index, values], axis=1)
        return (b.reshape_like(filled, 0),)


@layer("ShuffleChannel", param="shuffle_channel_param")
class ShuffleChannel(Base):
    """Channels of groups in turn: (group, C / group) transposed (ShuffleNet's forks)."""

    group: int = 1

    def problems(self) -> Iterator[Problem]:
        """There is a group."""
        if self.group < 1:
            yield Problem("group-zero", f"group is {self.group}, expected at least 1", "group")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W), with 1 for what the bottom does not have."""
        need_rank(bottoms[0], 2, 4, "ShuffleChannel")
        channels = bottoms[0][1]
        if channels is not None and channels % self.group:
            raise ShapeError(
                f"the bottom {show(bottoms[0])} has {channels} channels, not divisible by group "
                f"{self.group}",
                rule="group-divides",
                field="group",
            )
        return ((*bottoms[0], 1, 1)[:4],)

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
    """Squares of ``stride`` pixels a side as channels (YOLOv2), or ``reverse`` of that."""

    stride: int = 0
    reverse: bool = False

    def problems(self) -> Iterator[Problem]:
        """The stride is given."""
        if self.stride < 1:
            yield Problem("window-zero", f"stride is {self.stride}, expected at least 1", "stride")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C * s^2, H / s, W / s), or the reverse of it.

        Channels are a multiple of s^2 in both directions: darknet's layer divides them.
        """
        need_rank(bottoms[0], 4, 4, "Reorg")
        batch, channels, height, width = bottoms[0]
        square = self.stride * self.stride
        if channels is not None and channels % square:
            raise ShapeError(
                f"the bottom {show(bottoms[0])} has {channels} channels, no multiple of stride "
                f"{self.stride} squared",
                rule="reorg-stride",
                field="stride",
            )
        if self.reverse:
            fewer = None if channels is None else channels // square
            return ((batch, fewer, count((height, self.stride)), count((width, self.stride))),)
        for side in (height, width):
            if side is not None and side % self.stride:
                raise ShapeError(
                    f"the bottom {show(bottoms[0])} is no multiple of stride {self.stride} high "
                    "and wide",
                    rule="reorg-stride",
                    field="stride",
                )
        small = [None if side is None else side // self.stride for side in (height, width)]
        return ((batch, count((channels, square)), *small),)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """In darknet's order."""
        (x,) = bottoms
        (top,) = self.shapes([x.shape], 1)
        dims, perm = self._moves(x.shape)
        return (x.reshape(-1, *dims).transpose(perm).reshape(top),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Reshape, Transpose, Reshape; SpaceToDepth has another order."""
        dims, perm = self._moves(b.bottom_shapes[0])
        x = b.transpose(b.reshape(bottoms[0], [-1, *dims]), perm)
        return (b.reshape(x, [-1, *(dim or 0 for dim in b.top_shapes[0][1:])]),)

    def _moves(self, shape: Shape) -> tuple[list[int], list[int]]:
        """The axes behind the batch to split into, and their new order."""
        _, channels, height, width = (dim or 0 for dim in shape)
        s = self.stride
        few = channels // (s * s)
        if self.reverse:
            return [s, s, few, height, width], [0, 3, 4, 1, 5, 2]
        return [few, height, s, width, s], [0, 3, 5, 1, 2, 4]


def _scaled(size: Dim, scale: int, pad_out: bool) -> Dim:
    return None if size is None else size * scale - pad_out


def _stretched(x: Array, axis: int, size: int) -> Array:
    """Linear along an axis, with corners on corners."""
    old = x.shape[axis]
    if old == size:
        return x
    place = np.arange(size) * (old - 1) / max(size - 1, 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, old - 1)
    share = along((place - low).astype(x.dtype), axis, x.ndim)
    found: Array = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return found
