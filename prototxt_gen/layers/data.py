"""Layers without bottoms that read files and databases, and one that writes a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.base import MANY, Arity, Problem, Role, layer
from prototxt_gen.layers.base import Layer as Base
from prototxt_gen.layers.parts.shapes import Shape


@layer("Data", param="data_param")
class Data(Base):
    """Images and labels from a database (data_layer.cpp).

    ``channels`` is known where the layer's ``transform_param`` tells: by the mean of each
    channel, or by forced colour or grey (data_transformer.cpp); else 0.
    """

    source: str = ""
    batch_size: int = 0
    crop_size: int = 0
    channels: int = 0

    besides = frozenset({"transform_param"})
    role = Role.SOURCE

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``crop_size`` and the hints for channels come from ``transform_param``."""
        own = super().read(params, layer)
        return replace(own, crop_size=_crop(layer), channels=_channels(layer))

    def write(self) -> Block:
        """The database and the batch size; the rest is not in this message."""
        return Block.of(source=self.source or None, batch_size=self.batch_size or None)

    @classmethod
    def models(cls) -> frozenset[str]:
        """The database and the batch size; ``crop_size`` has moved to ``transform_param``."""
        return frozenset({"source", "batch_size"})

    def arity(self) -> Arity:
        """No bottom; data, and optionally labels."""
        return Arity((0, 0), (1, 2))

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Without a crop, height, width and often channels are known from the database alone."""
        size = self.crop_size or None
        batch = self.batch_size
        return ((batch, self.channels or None, size, size), (batch,))[:tops]


@layer("ImageData", param="image_data_param")
class ImageData(Base):
    """Images and labels from files (image_data_layer.cpp)."""

    source: str = ""
    batch_size: int = 1
    new_height: int = 0
    new_width: int = 0
    is_color: bool = True
    root_folder: str = ""
    crop_size: int = 0

    besides = frozenset({"transform_param"})
    role = Role.SOURCE

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``crop_size`` comes from the layer's ``transform_param``."""
        return replace(super().read(params, layer), crop_size=_crop(layer))

    def write(self) -> Block:
        """The files and the batch size; the crop is not in this message."""
        block = super().write()
        block.remove("crop_size")
        return block

    def arity(self) -> Arity:
        """Images and labels."""
        return Arity((0, 0), (2, 2))

    def problems(self) -> Iterator[Problem]:
        """new_height and new_width are given together (image_data_layer.cpp)."""
        if (self.new_height > 0) != (self.new_width > 0):
            given, missing = ("new_height", "new_width")[:: 1 if self.new_height else -1]
            message = f"has {given} without {missing}; expected both, or neither"
            yield Problem("image-size", message, given)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Without a crop or a new size, height and width are known from the files alone."""
        height = self.crop_size or self.new_height or None
        width = self.crop_size or self.new_width or None
        channels = 3 if self.is_color else 1
        return ((self.batch_size, channels, height, width), (self.batch_size,))[:tops]


@layer("WindowData", param="window_data_param")
class WindowData(Base):
    """Windows of images, and their classes (window_data_layer.cpp)."""

    source: str = ""
    batch_size: int = 0
    crop_size: int = 0

    besides = frozenset({"transform_param"})
    role = Role.SOURCE
    warps = True

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """``crop_size`` comes from the layer's ``transform_param``."""
        return replace(super().read(params, layer), crop_size=_crop(layer))

    def write(self) -> Block:
        """The file and the batch size; the crop has moved out of this message."""
        return Block.of(source=self.source or None, batch_size=self.batch_size or None)

    def arity(self) -> Arity:
        """Windows and labels."""
        return Arity((0, 0), (2, 2))

    def problems(self) -> Iterator[Problem]:
        """There is a crop_size."""
        if self.crop_size == 0:
            message = "transform_param has no crop_size; expected at least 1"
            yield Problem("crop-size", message, "transform_param")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """The channels are known from the files alone."""
        size = self.crop_size
        return ((self.batch_size, None, size, size), (self.batch_size,))[:tops]


@layer("HDF5Data", param="hdf5_data_param")
class HDF5Data(Base):
    """Blobs from HDF5 files, under the names of the tops (hdf5_data_layer.cpp)."""

    source: str = ""
    batch_size: int = 0
    transforms: bool = False  #: whether the layer has a ``transform_param``

    besides = frozenset({"transform_param"})
    role = Role.SOURCE

    @classmethod
    def read(cls, params: Block, layer: Block) -> Self:
        """Whether there is a transform is not in this message."""
        return replace(super().read(params, layer), transforms=layer.has("transform_param"))

    def write(self) -> Block:
        """The files and the batch size."""
        return Block.of(source=self.source or None, batch_size=self.batch_size or None)

    @classmethod
    def models(cls) -> frozenset[str]:
        """The files and the batch size."""
        return frozenset({"source", "batch_size"})

    def arity(self) -> Arity:
        """Any number of tops."""
        return Arity((0, 0), (1, MANY))

    def problems(self) -> Iterator[Problem]:
        """There is no transform."""
        if self.transforms:
            message = "has a transform_param; HDF5Data takes its files as they are"
            yield Problem("hdf5-transform", message, "transform_param")

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """Raises UnsupportedError: the shapes are known from the files alone."""
        raise UnsupportedError("the shapes depend on the HDF5 files")


@layer("HDF5Output", param="hdf5_output_param")
class HDF5Output(Base):
    """Writes data and labels to a file (hdf5_output_layer.cpp)."""

    file_name: str = ""

    role = Role.SINK

    def arity(self) -> Arity:
        """Data and labels, and no top."""
        return Arity((2, 2), (0, 0))


@layer("MemoryData", param="memory_data_param")
class MemoryData(Base):
    """Images and labels that a program provides (memory_data_layer.cpp)."""

    batch_size: int = 0
    channels: int = 0
    height: int = 0
    width: int = 0

    besides = frozenset({"transform_param"})
    role = Role.SOURCE

    def arity(self) -> Arity:
        """Images and labels."""
        return Arity((0, 0), (2, 2))

    def problems(self) -> Iterator[Problem]:
        """All four sizes are given."""
        for name in ("batch_size", "channels", "height", "width"):
            if getattr(self, name) == 0:
                yield Problem("memory-data-size", f"{name} is 0, expected at least 1", name)

    def shapes(self, bottoms: Sequence[Shape], tops: int) -> tuple[Shape, ...]:
        """(N, C, H, W) and (N,)."""
        images = (self.batch_size, self.channels, self.height, self.width)
        return (images, (self.batch_size,))[:tops]


def _crop(layer: Block) -> int:
    return layer.block("transform_param").get("crop_size", int, 0)


def _channels(layer: Block) -> int:
    transform = layer.block("transform_param")
    if transform.get("force_color", bool, False):
        return 3
    if transform.get("force_gray", bool, False):
        return 1
    means = len(transform.all("mean_value"))
    return means if means > 1 else 0
