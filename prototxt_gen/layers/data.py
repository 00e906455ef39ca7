"""Layers without bottoms: where a net's data come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from prototxt_gen.document import Block
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Problem, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.shapes import Shape, show


@layer("Input", param="input_param")
class Input(Base):
    """What the user gives; one shape for each top, or one for all (input_layer.hpp)."""

    shape: tuple[tuple[int, ...], ...] = ()

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
        for dims in self.shape:
            if any(dim < 0 for dim in dims):
                message = f"shape is {show(dims)}; expected dimensions of 0 or more"
                yield Problem("negative-dim", message, "shape")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The shapes as given.

        Raises UnsupportedError where there is none, which Caffe leaves to the user, and
        ShapeError where there are neither one nor as many as tops.
        """
        if len(self.shape) == tops:
            return self.shape
        if len(self.shape) == 1:
            return self.shape * tops
        if self.shape:
            raise ShapeError(
                f"has {len(self.shape)} shapes for {tops} tops; expected one, or one for each top",
                rule="input-shapes",
                field="shape",
            )
        raise UnsupportedError("the shape of an input is not given")


@layer("Data", param="data_param")
class Data(Base):
    """Images and labels out of a database (data_layer.cpp)."""

    source: str = ""
    batch_size: int = 0
    crop_size: int = 0

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``crop_size`` stands in the layer's ``transform_param``."""
        crop_size = layer.block("transform_param").get("crop_size", int, 0)
        return replace(super().read(params, layer), crop_size=crop_size)

    def write(self) -> Block:
        """The database and the batch; the crop is not part of this message."""
        return Block.of(source=self.source or None, batch_size=self.batch_size or None)

    def arity(self) -> Arity:
        """No bottom; data, and labels if asked for."""
        return Arity((0, 0), (1, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Channels, and without a crop height and width, are known to the database alone."""
        size = self.crop_size or None
        batch = self.batch_size
        return ((batch, None, size, size), (batch,))[:tops]
