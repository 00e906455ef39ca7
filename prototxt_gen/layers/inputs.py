"""Layers whose values come from the user or the net itself: no file, no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import BATCH, FIXED, MANY, Arity, Axes, Instead, Problem, Role, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.axes import named
from prototxt_gen.layers.parts.fillers import unknown_filler
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.layers.parts.sizes import any_free

if TYPE_CHECKING:
    from prototxt_gen.layers.base import Array, Builder


@layer("Input", param="input_param")
class Input(Base):
    """An input of the net; one shape for each top, or one for all (input_layer.hpp)."""

    shape: tuple[tuple[int, ...], ...] = ()

    role = Role.INPUT

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The shapes as tuples of dimensions."""
        return cls(tuple(block.get_list("dim", int) for block in params.blocks("shape")))

    def write(self) -> Block:
        """The shapes as BlobShape messages."""
        return Block.of(shape=[Block.of(dim=dims) for dims in self.shape])

    def arity(self) -> Arity:
        """No bottom, and any number of tops."""
        return Arity((0, 0), (1, MANY))

    def problems(self) -> Iterator[Problem]:
        """A dimension is not negative (blob.cpp)."""
        yield from _negative(self.shape)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shapes as given.

        Raises UnsupportedError if none is given (Caffe leaves it to the user), and ShapeError
        if their number is neither one nor that of the tops.
        """
        if len(self.shape) == tops:
            return self.shape
        if len(self.shape) == 1:
            return self.shape * tops
        if self.shape:
            raise ShapeError(
                f"has {len(self.shape)} shapes for {plural(tops, 'top')}; expected one, or one "
                "for each top",
                rule="input-shapes",
                field="shape",
            )
        raise UnsupportedError("the shape of the input is not given")


@layer("DummyData", param="dummy_data_param")
class DummyData(Base):
    """Blobs that fillers make (dummy_data_layer.cpp); one shape for each top, or for all."""

    shape: tuple[tuple[int, ...], ...] = ()
    values: tuple[float | None, ...] = ()  #: of each ``data_filler``; None: drawn at random
    conflict: bool = False  #: whether the shape is given in both the old and the new form
    faults: tuple[str | None, ...] = ()  #: what is wrong with each filler for any shapes

    spellings = frozenset({"num", "channels", "height", "width"})

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """Both forms of the shape: BlobShape, and four lists of numbers."""
        blocks = params.blocks("data_filler")
        fillers = tuple(map(_filler_value, blocks))
        faults = tuple(map(unknown_filler, blocks))
        new = tuple(block.get_list("dim", int) for block in params.blocks("shape"))
        old = [params.get_list(name, int) for name in ("num", "channels", "height", "width")]
        if new or not any(old):
            return cls(new, fillers, bool(new) and any(map(bool, old)), faults)
        longest = max(map(len, old))
        lists = [values * longest if len(values) == 1 else values for values in old]
        if any(len(values) != longest for values in lists):
            return cls((), fillers, True, faults)
        return cls(tuple(zip(*lists, strict=True)), fillers, False, faults)

    def write(self) -> Block:
        """The shapes as BlobShape messages; fillers are kept as they were read."""
        return Block.of(shape=[Block.of(dim=dims) for dims in self.shape])

    @classmethod
    def models(cls) -> frozenset[str]:
        """Every spelling of the shape."""
        return cls.spellings | {"shape"}

    def arity(self) -> Arity:
        """No bottom, and any number of tops."""
        return Arity((0, 0), (1, MANY))

    def problems(self) -> Iterator[Problem]:
        """The shape is given in one form."""
        if self.conflict:
            message = "expected shape alone, or one or equally many num, channels, height and width"
            yield Problem("input-shapes", message, "shape")
        yield from _negative(self.shape)
        for index, fault in enumerate(self.faults):
            if fault:
                message = f"data_filler has {fault}"
                yield Problem("filler-type", message, "data_filler.type", which=index)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shapes as given; raises ShapeError if their number does not fit."""
        for what, found in (("shapes", len(self.shape)), ("data_filler", len(self.values))):
            least = 0 if what == "data_filler" else 1
            if found not in (least, 1, tops):
                raise ShapeError(
                    f"has {found} {what} for {plural(tops, 'top')}; expected one, or one for "
                    "each top",
                    rule="input-shapes",
                    field="data_filler" if what == "data_filler" else "shape",
                )
        shapes = self.shape * tops if len(self.shape) == 1 else self.shape
        values = self.values * tops if len(self.values) == 1 else self.values or (0.0,) * tops
        # Constants are filled at set-up, others at each forward pass.
        if any(v is not None and 0 in shape for v, shape in zip(values, shapes, strict=True)):
            raise ShapeError(
                "a constant filler has nothing to fill; expected dimensions of 1 or more",
                rule="filler-bounds",
                field="shape",
            )
        return shapes

    def sized(self, tops: Sequence[Shape]) -> Self:
        """Filled in the same way."""
        own = self.shape * len(tops) if len(self.shape) == 1 else self.shape
        sizes = tuple(tuple(dim or 0 for dim in shape) for shape in tops)
        return self if own == sizes else replace(self, shape=sizes)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """A top of several axes follows the batch; one of a single axis is a list of factors."""
        labels = (
            named(f"{BATCH if len(top) > 1 else FIXED}:{index}", len(top))
            for index, top in enumerate(tops)
        )
        return Axes((), tuple(labels))

    def at_inference(self) -> Base | Instead:
        """Tops that are drawn at random are for training and become inputs."""
        return Instead.INPUT if None in self.values else Instead.ITSELF

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The values of constant fillers; 0 for others."""
        values = self.values * tops if len(self.values) == 1 else self.values or (0.0,) * tops
        shapes = self.shapes((), tops)
        return tuple(
            np.full(shape, 0.0 if value is None else value, np.float32)
            for value, shape in zip(values, shapes, strict=True)
        )

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """Constants."""
        if None in self.values:
            raise UnsupportedError("a filler that draws at random cannot be used at inference")
        found = self.run((), (), len(b.top_shapes))
        return tuple(
            b.full(float(value.flat[0]), shape)
            if any_free(shape)
            else b.const(value, f"top{index}")
            for index, (value, shape) in enumerate(zip(found, b.top_shapes, strict=True))
        )


@layer("Parameter", param="parameter_param")
class Parameter(Base):
    """A learned blob as a top (parameter_layer.hpp)."""

    shape: tuple[int, ...] = ()

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """The dimensions from the BlobShape."""
        return cls(params.block("shape").get_list("dim", int))

    def write(self) -> Block:
        """The dimensions as a BlobShape."""
        return Block.of(shape=Block.of(dim=self.shape))

    def arity(self) -> Arity:
        """One top."""
        return Arity((0, 0), (1, 1))

    def problems(self) -> Iterator[Problem]:
        """A dimension is not negative (blob.cpp)."""
        yield from _negative((self.shape,))

    def blob_shapes(self, bottoms: Sequence[Shape]) -> tuple[Shape, ...]:
        """The shape of the blob."""
        return (self.shape,)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shape of the blob."""
        return (self.shape,)

    def axes(self, bottoms: Sequence[Shape], tops: Sequence[Shape]) -> Axes:
        """The sizes are fixed: they are stored."""
        return Axes((), (named(FIXED, len(self.shape)),))

    def run(self, bottoms: Sequence[Array], blobs: Sequence[Array], tops: int) -> tuple[Array, ...]:
        """The blob."""
        return (blobs[0],)

    def lower(self, b: Builder, bottoms: Sequence[str], blobs: Sequence[Array]) -> tuple[str, ...]:
        """An initializer."""
        return (b.const(blobs[0], "weight"),)


def _negative(shapes: Sequence[Sequence[int]]) -> Iterator[Problem]:
    for index, dims in enumerate(shapes):
        if any(dim < 0 for dim in dims):
            message = f"shape is {show(dims)}; expected dimensions of 0 or more"
            yield Problem("negative-dim", message, "shape", which=index)


def _filler_value(filler: Block) -> float | None:
    """The value of a constant filler."""
    if filler.get("type", str, "constant") != "constant":
        return None
    return filler.get("value", float, 0.0)
