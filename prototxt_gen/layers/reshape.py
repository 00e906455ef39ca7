"""The same values in another shape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Self

from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError
from prototxt_gen.layers.base import Axes, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import regrouped
from prototxt_gen.layers.parts.shapes import Dim, Shape, axis_index, count, show
from prototxt_gen.layers.parts.sizes import always_equal, any_free

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("Reshape", param="reshape_param")
class Reshape(Base):
    """New dimensions in place of ``num_axes`` axes from ``axis`` on (reshape_layer.cpp).

    In ``dims``, 0 copies the bottom's axis at that position, and one -1 is inferred.
    A negative ``axis`` counts from after the last axis; ``num_axes=-1`` means all.
    """

    dims: tuple[int, ...] = ()
    axis: int = 0
    num_axes: int = -1

    spellings = frozenset({"shape"})
    in_place = False
    shares = True
    rearranges = True

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The dimensions from the BlobShape."""
        read = super().read(params, layer)
        return replace(read, dims=params.block("shape").get_list("dim", int))

    def write(self) -> Block:
        """The dimensions as a BlobShape."""
        block = Block.of(shape=Block.of(dim=self.dims))
        block.add("axis", self.axis if self.axis else None)
        block.add("num_axes", self.num_axes if self.num_axes != -1 else None)
        return block

    def problems(self) -> Iterator[Problem]:
        """At most one dimension is inferred, and none is below -1."""
        if self.dims.count(-1) > 1:
            message = f"shape is {', '.join(map(str, self.dims))}; expected -1 at most once"
            yield Problem("reshape-dim", message, "shape")
        if any(dim < -1 for dim in self.dims):
            message = f"shape is {', '.join(map(str, self.dims))}; expected -1 or more"
            yield Problem("reshape-dim", message, "shape")
        if self.num_axes < -1:
            yield Problem(
                "reshape-axes", f"num_axes is {self.num_axes}; expected -1 or more", "num_axes"
            )

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes before, the new ones, and those after."""
        bottom = bottoms[0]
        start, end = self._range(bottom)
        made: list[Dim] = []
        for index, dim in enumerate(self.dims, start):
            if dim == 0 and index >= len(bottom):
                raise ShapeError(
                    f"dim {index - start} of shape is 0, but the bottom {show(bottom)} has no "
                    f"axis {index} to copy",
                    rule="reshape-dim",
                    field="shape",
                )
            made.append(bottom[index] if dim == 0 else dim)
        if -1 in self.dims:
            made[self.dims.index(-1)] = self._left_over(bottom, start, end, made)
        top = (*bottom[:start], *made, *bottom[end:])
        before, after = count(bottom), count(top)
        if before is not None and after is not None and not always_equal(before, after):
            if any_free((*bottom, *top)):
                raise ShapeError(
                    f"its shape is {show(top)}, and its bottom would be {show(bottom)}"
                )
            raise ShapeError(
                f"the top would be {show(top)}, {plural(after, 'element')}; the bottom "
                f"{show(bottom)} has {before}",
                rule="reshape-count",
                field="shape",
            )
        return (top,)

    def _range(self, bottom: Shape) -> tuple[int, int]:
        start = self.axis if self.axis >= 0 else len(bottom) + self.axis + 1
        end = len(bottom) if self.num_axes == -1 else start + self.num_axes
        if not 0 <= start <= len(bottom) or end > len(bottom):
            raise ShapeError(
                f"axis {self.axis} and num_axes {self.num_axes} are outside the bottom "
                f"{show(bottom)}",
                rule="axis-out-of-range",
                field="axis",
            )
        return start, end

    def _left_over(self, bottom: Shape, start: int, end: int, made: Sequence[Dim]) -> Dim:
        total = count(bottom[start:end])
        known = count(dim for dim in made if dim != -1)
        if total is None or known is None:
            return None
        if known == 0 or total % known:
            raise ShapeError(
                f"the bottom {show(bottom)} has {plural(total, 'element')} to reshape, which is "
                f"no multiple of the {known} that shape gives",
                rule="reshape-count",
                field="shape",
            )
        return total // known

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The axes that the reshape keeps."""
        return regrouped(bottoms[0], tops[0])

    def unpinned(self, bottom: Shape, axis: int) -> Self:
        """The same layer with 0, or -1, in place of the literal size that the axis is part of.

        Only where there is no choice: the axis is kept, or joined with those next to it, of
        which the first may have been divided, as 18xH into 2x9*H.
        """
        try:
            start, end = self._range(bottom)
            (top,) = self.shapes([bottom], 1)
        except ShapeError:
            return self
        if None in (*bottom, *top) or not start <= axis < end:
            return self
        old = [dim or 0 for dim in bottom[start:end]]
        new = [dim or 0 for dim in top[start : start + len(self.dims)]]
        own, made = next(b for b in _blocks(old, new) if axis - start in b[0])
        place = _only_place(old, new, own, made, axis - start)
        if place is None or self.dims[place] in (0, -1):
            return self
        same = len(own) == len(made) == 1 and start + place == axis
        if not same and -1 in self.dims:
            return self
        dims = (*self.dims[:place], 0 if same else -1, *self.dims[place + 1 :])
        return replace(self, dims=dims)

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The same values."""
        return (bottoms[0].reshape(self.shapes([bottoms[0].shape], 1)[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Reshape."""
        return (b.reshape_to_top(bottoms[0]),)


@layer("Flatten", param="flatten_param")
class Flatten(Base):
    """The axes from ``axis`` through ``end_axis`` as one (flatten_layer.cpp)."""

    axis: int = 1
    end_axis: int = -1

    in_place = False
    shares = True
    rearranges = True

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The axes before, the product of the flattened ones, and the axes after."""
        start = axis_index(self.axis, len(bottoms[0]))
        end = axis_index(self.end_axis, len(bottoms[0]), "end_axis") + 1
        if end < start:
            raise ShapeError(
                f"end_axis {self.end_axis} comes before axis {self.axis}",
                rule="axis-out-of-range",
                field="end_axis",
            )
        return ((*bottoms[0][:start], count(bottoms[0][start:end]), *bottoms[0][end:]),)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The axes that the reshape keeps."""
        return regrouped(bottoms[0], tops[0])

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The same values."""
        return (bottoms[0].reshape(self.shapes([bottoms[0].shape], 1)[0]),)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Flatten where the result has two axes, else Reshape."""
        rank = len(b.bottom_shapes[0])
        if axis_index(self.axis, rank) == 1 and axis_index(self.end_axis, rank) == rank - 1:
            return (b.op("Flatten", bottoms, axis=1),)
        return (b.reshape_to_top(bottoms[0]),)


def _blocks(old: Sequence[int], new: Sequence[int]) -> Iterator[tuple[range, range]]:
    """The shortest runs of axes, one after the other, that have as many elements as each other."""
    i = j = 0
    while i < len(old) or j < len(new):
        first, second = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while (ours := prod(old[first:i])) != (theirs := prod(new[second:j])):
            if ours < theirs and i < len(old):
                i += 1
            elif theirs < ours and j < len(new):
                j += 1
            else:
                break  # one of them is 0
        yield range(first, i), range(second, j)


def _only_place(
    old: Sequence[int], new: Sequence[int], own: range, made: range, axis: int
) -> int | None:
    """Which axis of a run of new ones one of the old ones became part of; None if it is open."""
    if len(made) == 1:
        return made[0]
    large = [at for at in made if new[at] > 1]
    if len(large) == 1 and old[axis] > 1:
        return large[0]
    divided = prod(old[at] for at in own[:-1]) % max(1, prod(new[at] for at in made[:-1])) == 0
    last = axis == own[-1] and old[axis] > 1 and not new[made[-1]] % old[axis]
    return made[-1] if divided and last and len(own) > 1 else None
