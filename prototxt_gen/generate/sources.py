"""The data layers of a training net: one for each phase, or the user's own."""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.document import Block, Symbol
from prototxt_gen.generate.further import TOPS, further, further_layers
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.spec import Spec
from prototxt_gen.layers import read_layer
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.data import Data, HDF5Data, ImageData
from prototxt_gen.layers.training import AnnotatedData


class Dataset(NamedTuple):
    """What the nets of the papers read, without its ending; sizes; batches.

    The mean is that of each channel in the order blue, green, red.
    """

    train: str
    test: str
    train_batch: int
    test_batch: int
    mean: tuple[float, ...]
    train_images: int
    test_images: int


IMAGENET = Dataset(
    "ilsvrc12_train", "ilsvrc12_val", 32, 50, (104.0, 117.0, 123.0), 1_281_167, 50_000
)
#: The training images have a border of four pixels, from which a crop is cut at random.
CIFAR = Dataset("cifar_train", "cifar_test", 128, 100, (113.9, 123.0, 125.3), 50_000, 10_000)
_ENDINGS = {"LMDB": "_lmdb", "LEVELDB": "_leveldb", "HDF5": "_h5.txt", "ImageData": ".txt"}


def dataset(spec: Spec) -> Dataset:
    """The dataset of a spec: a net with the stem ``cifar`` is for CIFAR."""
    found, own = CIFAR if spec.stem == "cifar" else IMAGENET, spec.training
    ending = _ENDINGS[own.backend]
    return found._replace(
        train=own.source or found.train + ending,
        test=own.test_source or found.test + ending,
        train_batch=own.train_batch or found.train_batch,
        test_batch=own.test_batch or found.test_batch,
    )


def add_data(maker: Maker) -> None:
    """The data layers, cropped to the size of the spec's input unless it says otherwise."""
    spec, data = maker.spec, dataset(maker.spec)
    maker.start("data")
    if spec.training.layers:
        _add_own(maker)
    else:
        for phase, source, batch in (
            ("TRAIN", data.train, data.train_batch),
            ("TEST", data.test, data.test_batch),
        ):
            layer, block = _source(spec, phase, source, batch, data.mean)
            maker.graph.add("data", layer, (), TOPS, block)
    maker.shape = (data.train_batch, *spec.input_shape[1:])


def _add_own(maker: Maker) -> None:
    for block in further_layers(maker.spec):
        name, (bottoms, tops) = block.get("name", str, ""), _wiring(block)
        maker.graph.add(name, read_layer(block), bottoms, tops, block)


def _wiring(block: Block) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return block.get_list("bottom", str), block.get_list("top", str)


def _source(
    spec: Spec, phase: str, source: str, batch: int, mean: tuple[float, ...]
) -> tuple[Layer, Block]:
    """The layer of a phase, and the fields besides."""
    own = spec.training
    block = Block.of(include=Block.of(phase=Symbol(phase)))
    train = phase == "TRAIN"
    params = Block.of(shuffle=True if train and own.shuffle else None)
    if own.backend == "HDF5":
        block.add("hdf5_data_param", params if params.fields else None)
        return HDF5Data(source, batch), block
    channels = spec.input_shape[1]
    means = mean if len(mean) == channels else ()
    if own.mean is not None:
        means = () if isinstance(own.mean, str) else own.mean
    crop = _crop(spec, phase)
    transform = Block.of(
        mirror=train and own.mirror,
        crop_size=crop or None,
        mean_value=[float(value) for value in means],
        mean_file=own.mean if isinstance(own.mean, str) else None,
        scale=float(own.scale) if own.scale != 1 else None,
    )
    transform.fields.extend(further(spec, "train_transform" if train else "test_transform").fields)
    block.add("transform_param", transform)
    if own.backend == "ImageData":
        size = own.resize
        block.add("image_data_param", params if params.fields else None)
        layer = ImageData(source, batch, size, size, channels != 1, own.root_folder, crop)
        return layer, block
    params.fields[:0] = Block.of(backend=Symbol(own.backend)).fields
    params.add("cache", True if train and own.cache else None)
    block.add("data_param", params)
    if own.label_map:
        # A layer that reads images of a label where they have no boxes
        # (annotated_data_layer.cpp).
        params.fields[:0] = Block.of(source=source, batch_size=batch).fields
        block.add("annotated_data_param", Block.of(label_map_file=own.label_map))
        return AnnotatedData(), block
    return Data(source, batch, crop, len(means) if len(means) > 1 else 0), block


def _crop(spec: Spec, phase: str) -> int:
    own = spec.training
    crop = spec.input_shape[2] if own.crop is None else own.crop
    return crop if phase == "TRAIN" or own.test_crop is None else own.test_crop
