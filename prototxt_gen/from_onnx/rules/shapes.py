"""The same values in another shape, another order, or several times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.lifting import Lifting, Made, rule
from prototxt_gen.from_onnx.model import Op
from prototxt_gen.from_onnx.net import Blob, Net
from prototxt_gen.layers.arrange import Permute, Tile
from prototxt_gen.layers.combine import Concat, Slice
from prototxt_gen.layers.reshape import Flatten, Reshape

MOST_PIECES = 64  #: the most parts that a blob is cut into and put together again
#: Types that hold every number that Caffe's floats count exactly.
_WIDE = ("int32", "int64", "uint32", "uint64")


@rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(lifting: Lifting, op: Op) -> Made:
    """Flatten where it is one, else Reshape; nothing where the shape stays."""
    asked = op.constant(1) if op.op_type == "Reshape" else None
    dims = None if asked is None else asked.reshape(-1).tolist()
    return reshaped(lifting.net, lifting.bottom(op), op.top_shape(), dims=dims)


@rule("Transpose")
def transpose(lifting: Lifting, op: Op) -> Made:
    """Permute; without it what reshapes, slices and joins can do."""
    bottom = lifting.bottom(op)
    order = op.attribute("perm", list(range(len(bottom.shape)))[::-1])
    return permuted(lifting.net, bottom, order)


@rule("Expand")
def expand(lifting: Lifting, op: Op) -> Made:
    """Tile, for each axis that grows."""
    bottom, wanted = lifting.bottom(op), op.top_shape()
    whole = (*(1,) * (len(wanted) - len(bottom.shape)), *bottom.shape)
    times = [new // old if old else 1 for old, new in zip(whole, wanted, strict=True)]
    return _tiled(lifting.net, bottom, whole, times)


@rule("Tile")
def tile(lifting: Lifting, op: Op) -> Made:
    """Tile, for each axis that is repeated."""
    bottom = lifting.bottom(op)
    times = op.need_constant(1, "repeats").reshape(-1).tolist()
    return _tiled(lifting.net, bottom, bottom.shape, times)


@rule("Cast", "CastLike")
def cast(lifting: Lifting, op: Op) -> Made:
    """Nothing where no value changes: Caffe has floats only."""
    source, target = op.model.kind(op.inputs[0]), op.model.kind(op.outputs[0])
    if target == "bool" and source != "bool":
        raise UnsupportedError("it asks which values are not 0; no layer of Caffe does")
    whole = not source.startswith(("float", "bfloat"))
    if target == "float32" or (whole and target in _WIDE) or source in (target, "bool"):
        return lifting.bottom(op)
    if whole:
        raise UnsupportedError(f"a value of {source} may be too large for {target}")
    raise UnsupportedError(
        f"it makes {target} of {source}; expected integers, since Caffe cannot round"
    )


def reshaped(
    net: Net,
    blob: Blob,
    shape: Sequence[int],
    suffix: str = "",
    dims: Sequence[int] | None = None,
) -> Blob:
    """A blob in another shape; ``dims`` is that shape as the model writes it, maybe with a -1.

    Where an earlier layer had the values in this shape, they are read there.
    """
    wanted = tuple(shape)
    if blob.shape == wanted:
        return blob
    before = blob.source
    while before is not None:
        if before.shape == wanted:
            return before
        before = before.source
    if prod(wanted) != prod(blob.shape):
        raise UnsupportedError(f"{prod(blob.shape)} values do not make {prod(wanted)}")
    layer = _flatten(blob.shape, wanted) or _reshape(blob.shape, wanted, dims)
    made = net.add(layer, [blob], (), suffix)
    made.source = blob
    return made


def permuted(net: Net, blob: Blob, order: Sequence[int], suffix: str = "") -> Blob:
    """The axes in another order.

    Raises UnsupportedError where the target has no Permute, and the order is none that moves
    one group of axes over another of at most MOST_PIECES.
    """
    shape = tuple(blob.shape[axis] for axis in order)
    moved = [axis for axis in order if blob.shape[axis] != 1]
    if moved == sorted(moved):
        return reshaped(net, blob, shape, suffix)
    if net.target.has("Permute"):
        return net.add(Permute(tuple(order)), [blob], (), suffix)
    blocks = _blocks(blob.shape, moved)
    if blocks is None or min(blocks[1:3]) > MOST_PIECES:
        raise UnsupportedError(
            f"it puts the axes in the order {', '.join(map(str, order))}; only Permute does, "
            f"which {net.target.name} does not have; --target ssd does"
        )
    return _swapped(net, blob, blocks, shape, suffix)


def sliced(net: Net, blob: Blob, axis: int, start: int, stop: int, suffix: str = "") -> Blob:
    """The part of an axis from ``start`` up to, but not including, ``stop``."""
    size = blob.shape[axis]
    if (start, stop) == (0, size):
        return blob
    points = tuple(point for point in (start, stop) if 0 < point < size)
    parts = net.add_all(Slice(points, axis), [blob], len(points) + 1, (), suffix)
    return parts[1 if start else 0]


def picked(net: Net, blob: Blob, axis: int, indices: Sequence[int], suffix: str = "") -> Blob:
    """The rows of an axis with these indices, in this order; runs of rows are cut as one."""
    if not indices:
        raise UnsupportedError("nothing is left of an axis; Caffe has no empty blobs")
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and index == runs[-1][1]:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    if len(runs) == 1:
        return sliced(net, blob, axis, runs[0][0], runs[0][1], suffix)
    if len(runs) > MOST_PIECES:
        raise UnsupportedError(
            f"it puts together {len(runs)} parts of an axis; expected at most {MOST_PIECES}"
        )
    size = blob.shape[axis]
    points = sorted({end for run in runs for end in run if 0 < end < size})
    inner = f"{suffix}/parts" if suffix else "parts"
    parts: tuple[Blob, ...] = (blob,)
    if points:
        parts = net.add_all(Slice(tuple(points), axis), [blob], len(points) + 1, (), inner)
    at = {start: place for place, start in enumerate((0, *points))}
    found = [
        parts[place] for run in runs for place in range(at[run[0]], at.get(run[1], len(parts)))
    ]
    return net.add(Concat(axis), found, (), suffix)


def _tiled(net: Net, blob: Blob, whole: Sequence[int], times: Sequence[int]) -> Blob:
    """A blob, first in the shape ``whole``, repeated along its axes."""
    axes = [axis for axis, count in enumerate(times) if count != 1]
    blob = reshaped(net, blob, whole, "reshape" if axes else "")
    for axis in axes:
        blob = net.add(
            Tile(axis, times[axis]), [blob], (), "" if axis == axes[-1] else f"tile{axis}"
        )
    return blob


def _flatten(bottom: tuple[int, ...], top: tuple[int, ...]) -> Flatten | None:
    """The Flatten that makes one shape of another; the usual one where several do."""
    size = len(bottom) - len(top) + 1
    if size < 2 or not top:
        return None
    for start in (*range(1, len(top)), 0):
        end = start + size
        if (*bottom[:start], prod(bottom[start:end]), *bottom[end:]) == top:
            return Flatten(start, -1 if end == len(bottom) else end - 1)
    return None


def _reshape(bottom: tuple[int, ...], top: tuple[int, ...], asked: Sequence[int] | None) -> Reshape:
    """A Reshape with 0 for the axes in front that stay, so that another batch works as well."""
    kept = 0
    while kept < min(len(bottom), len(top)) and bottom[kept] == top[kept]:
        kept += 1
    literal = [*(0,) * kept, *top[kept:]]
    if asked is not None and len(asked) == len(top) and -1 in asked[kept:]:
        literal[list(asked).index(-1)] = -1
    return Reshape(tuple(literal))


def _blocks(shape: Sequence[int], moved: Sequence[int]) -> tuple[int, int, int, int] | None:
    """The sizes of four groups of axes, of which the second and the third change places.

    ``moved`` is the new order of the axes whose size is not 1; None if it is another change.
    """
    kept = sorted(moved)
    front = next(i for i, (a, b) in enumerate(zip(moved, kept, strict=True)) if a != b)
    back = len(moved)
    while moved[back - 1] == kept[back - 1]:
        back -= 1
    rank = {axis: place for place, axis in enumerate(kept)}
    middle = [rank[axis] for axis in moved[front:back]]
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(middle)) if b != a + 1]
    if len(breaks) != 1:
        return None
    sizes = [shape[axis] for axis in kept]
    cut = front + len(middle) - breaks[0]
    return prod(sizes[:front]), prod(sizes[front:cut]), prod(sizes[cut:back]), prod(sizes[back:])


def _swapped(
    net: Net, blob: Blob, blocks: tuple[int, int, int, int], shape: Sequence[int], suffix: str
) -> Blob:
    """Two groups of axes change places: the smaller is cut apart, and joined at its new place."""
    front, a, b, back = blocks
    inner = f"{suffix}/" if suffix else ""
    x = reshaped(net, blob, (front, a, b, back), f"{inner}groups")
    axis, count = (1, a) if a <= b else (2, b)
    parts = net.add_all(Slice((), axis), [x], count, (), f"{inner}parts")
    turned = (front, b, 1, back) if a <= b else (front, 1, a, back)
    rows = [
        reshaped(net, part, turned, f"{inner}part{number}") for number, part in enumerate(parts)
    ]
    joined = net.add(
        Concat(3 - axis), rows, (), suffix if shape == (front, b, a, back) else f"{inner}join"
    )
    return reshaped(net, joined, shape, suffix)
