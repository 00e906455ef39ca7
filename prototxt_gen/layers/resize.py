"""Layers of forks that enlarge or shrink a feature map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Optional, Self

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import Arity, Axes, Places, Problem, Sample, Seen, Sight, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import alike, fixed_from
from prototxt_gen.layers.parts.grid import lower_places
from prototxt_gen.layers.parts.numeric import along
from prototxt_gen.layers.parts.onnx_resize import absent, as_large_as, sizes_of
from prototxt_gen.layers.parts.shapes import Dim, Shape, count, need_rank, need_sizes, show
from prototxt_gen.layers.parts.sight import Step
from prototxt_gen.layers.parts.sizes import always_equal, any_free, is_free

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder

_RESIZE_HAS_AXES = 18  #: the opset that introduced Resize's ``axes``


@layer("Interp", param="interp_param")
class Interp(Base):
    """Bilinear interpolation with aligned corners (DeepLab's and PSPNet's forks).

    First ``pad_beg`` and ``pad_end``, which are 0 or less, cut rows and columns. The size
    then comes from one factor, if only one is given; else from height and width; else from both
    factors, shrink before zoom. None stands for an absent field.
    """

    height: Optional[int] = None
    width: Optional[int] = None
    zoom_factor: Optional[int] = None
    shrink_factor: Optional[int] = None
    pad_beg: int = 0
    pad_end: int = 0
    use_blob_size: bool = False  #: whether a second bottom gives the size (soeaver's fork)

    def arity(self) -> Arity:
        """One bottom, and a second one where it gives the size."""
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
        for size in bottoms[0][2:]:
            if size is not None and (left := size + self.pad_beg + self.pad_end) < 1:
                raise ShapeError(
                    f"pad_beg and pad_end leave {left} of {size}; expected at least 1",
                    rule="interp-size",
                )
        if self.use_blob_size:
            need_rank(bottoms[1], 4, 4, "Interp", 1)
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

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The sizes of a map are written into the model."""
        return fixed_from(alike(bottoms, tops), 2)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """The two pixels beside a place between them."""
        if index == 1:
            return Sight.NOTHING
        steps = []
        for size, out in zip(bottoms[0][2:], tops[0][2:], strict=True):
            if size is None or out is None:
                return Sight.OPEN
            stride = Fraction(size + self.pad_beg + self.pad_end - 1, max(1, out - 1))
            steps.append(Step(2 - (stride.denominator == 1), stride, Fraction(-self.pad_beg)))
        return tuple(steps)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Linear interpolation along each axis, with aligned corners."""
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
        """Slice, and Resize to sizes with align_corners."""
        shape = b.bottom_shapes[0]
        x, sizes = bottoms[0], [size or 0 for size in shape[2:]]
        if self.pad_beg or self.pad_end:
            starts = [-self.pad_beg] * 2
            ends = [size + self.pad_end for size in sizes]
            x = b.slice(x, starts, ends, [2, 3])
            sizes = [end - start for start, end in zip(starts, ends, strict=True)]
        wanted = [size or 0 for size in b.top_shapes[0][2:]]
        if all(map(always_equal, wanted, sizes)):
            return (x,)
        mode = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        if b.opset >= _RESIZE_HAS_AXES:
            return (b.op("Resize", [x, "", "", b.ints(*wanted)], axes=[2, 3], **mode),)
        return (as_large_as(b, x, sizes_of(b, x, wanted), **mode),)


@layer("Upsample", param="upsample_param")
class Upsample(Base):
    """Values put back where a pooling found them: bottoms are the data and its mask (SegNet).

    The size is ``upsample_h`` and ``upsample_w``, or ``scale_h`` and ``scale_w``, or
    ``scale``, times that of the bottom, less one where ``pad_out`` is set. With a single
    bottom it repeats each value (other forks, whose ``scale`` is 1 where none is given).
    """

    scale: int = 1
    scale_h: Optional[int] = None
    scale_w: Optional[int] = None
    pad_out_h: bool = False
    pad_out_w: bool = False
    upsample_h: Optional[int] = None
    upsample_w: Optional[int] = None

    always = frozenset({"scale"})  # forks have different defaults

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """A mask shows that the layer is SegNet's, whose ``scale`` is 2 where none is given."""
        own = super().read(params, layer)
        masked = len(layer.all("bottom")) == 2
        return replace(own, scale=2) if masked and not params.has("scale") else own

    def arity(self) -> Arity:
        """The data, and optionally a mask."""
        return Arity((1, 2), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """What upsample_layer.cpp checks."""
        for name, height, width in (
            ("upsample", self.upsample_h, self.upsample_w),
            ("scale", self.scale_h, self.scale_w),
        ):
            if (height is None) != (width is None):
                given, missing = (f"{name}_{one}" for one in ("wh" if height is None else "hw"))
                message = f"has {given} without {missing}; expected both, or neither"
                yield Problem("upsample-size", message, given)
        if self.scale < 1:
            yield Problem("upsample-size", "scale is 0; expected at least 1", "scale")
        pads = (
            (self.pad_out_h, self.scale_h, "pad_out_h"),
            (self.pad_out_w, self.scale_w, "pad_out_w"),
        )
        for pad, scale, name in pads:
            if pad and (self.scale if scale is None else scale) != 2:
                yield Problem("upsample-pad", f"{name} requires a scale of 2", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H', W')."""
        need_rank(bottoms[0], 4, 4, "Upsample")
        if len(bottoms) == 2:
            need_sizes(bottoms[1], bottoms[0], "bottom 1, the mask,", 1)
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

    def sample(self, index: int, bottoms: Sequence[Shape]) -> Sample:
        """A mask has a different position for each value of a plane."""
        return Places(count(bottoms[1][2:]) or 1) if index == 1 else None

    def need_plane(self, plane: Shape, tops: Sequence[Shape]) -> None:
        """What was pooled is no larger than the top; with a literal size it is of one size."""
        top = tops[0][2:]
        if None in (*plane, *top) or not any_free((*plane, *top)):
            return
        if self.upsample_h is not None:
            raise UnsupportedError(
                f"its mask has places of {show(top)} pixels, and the map that was pooled would "
                f"be {show(plane)}"
            )
        for inside, size in zip(plane, top, strict=True):
            if (inside or 0) > (size or 0):  # narrows what is free
                raise UnsupportedError(
                    f"its mask has places of a map of {show(plane)}, and its top would be "
                    f"{show(top)}"
                )

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The sizes of a map are written into the model."""
        return fixed_from(alike(bottoms, tops), 1)

    def sees(self, index: int, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Seen:
        """The pixel that is repeated; with a mask, what lies where the mask says."""
        scales = (self.scale_h or self.scale, self.scale_w or self.scale)
        if len(bottoms) == 2 or self.upsample_h is not None or self.pad_out_h or self.pad_out_w:
            return Sight.OPEN
        return tuple(Step(1, Fraction(1, s), Fraction(1 - s, 2 * s)) for s in scales)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """Values at the positions of the mask; of two with the same position the last remains."""
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
        for place in range(values.shape[1]):  # of two with the same index the last remains
            found[plane, index[:, place]] = values[:, place]
        return (found.reshape([size or 0 for size in top]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """ScatterElements in each plane; Resize where there is no mask."""
        shape, top = b.bottom_shapes[0], b.top_shapes[0]
        if len(bottoms) == 1:
            return (self._repeated(b, bottoms[0]),)
        if self.upsample_h is not None and any_free(shape[2:]):
            raise UnsupportedError(
                f"its mask has places of {self.upsample_h}x{self.upsample_w} pixels, and its "
                f"bottom would be {show(shape)}"
            )
        plane, inside = count(top[2:]) or 1, count(shape[2:]) or 1
        values = b.reshape(bottoms[0], [-1, inside])
        index = b.cast(b.reshape(bottoms[1], [-1, inside]), "int64")
        rows = b.slice(b.op("Shape", [values]), [0], [1], [0])
        size = b.op("Concat", [rows, b.ints(plane)], axis=0)
        empty = b.op("Expand", [b.scalar(0.0), size])
        filled = b.op("ScatterElements", [empty, index, values], axis=1)
        return (b.reshape_like(filled, 0),)

    def _repeated(self, b: Builder, x: str) -> str:
        """Without a mask: each value as often as the scale says.

        Where the size is no multiple of the bottom's, each place reads the value that its
        share of the size falls on.
        """
        axes = list(zip(b.bottom_shapes[0][2:], b.top_shapes[0][2:], strict=True))
        scaled = self.upsample_h is None and not (self.pad_out_h or self.pad_out_w)
        if scaled:
            scales = [self.scale_h or self.scale, self.scale_w or self.scale]
            return _nearest(b, x, [1.0, 1.0, *scales])
        for axis, (size, out) in enumerate(axes, 2):
            x = b.op("Gather", [x, _shares(b, size or 1, out or 1)], axis=axis)
        return x


def _shares(b: Builder, size: int, out: int) -> str:
    """The place of a map of one size that each place of another reads."""
    if not is_free(size) and not is_free(out):
        return b.const(np.arange(out) * size // out)
    place = b.op("Mul", [b.cast(lower_places(b, out), "int64"), b.ints(size)])
    return b.op("Div", [place, b.ints(out)])


def _nearest(b: Builder, x: str, factors: Sequence[float]) -> str:
    """Each value repeated, or every so many left out."""
    mode = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    scales = b.const(np.array(factors, np.float32))
    return b.op("Resize", [x, absent(b), scales], **mode)


def _scaled(size: Dim, scale: int, pad_out: bool) -> Dim:
    return None if size is None else size * scale - pad_out


def _stretched(x: Array, axis: int, size: int) -> Array:
    """Linear interpolation along an axis, with aligned corners."""
    old = x.shape[axis]
    if old == size:
        return x
    place = np.arange(size) * (old - 1) / max(size - 1, 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, old - 1)
    share = along((place - low).astype(x.dtype), axis, x.ndim)
    found: Array = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return found
