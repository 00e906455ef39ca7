"""The parts of a net that only training needs: data, losses, accuracy."""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.document import Block, Symbol
from prototxt_gen.generate.maker import Maker
from prototxt_gen.generate.spec import Spec
from prototxt_gen.layers.accuracy import Accuracy
from prototxt_gen.layers.data import Data
from prototxt_gen.layers.loss import SoftmaxWithLoss

_BEST = 5  #: for ImageNet an answer is also correct if it is among the best five


class Dataset(NamedTuple):
    """Databases, batches, and the mean of each channel in the order blue, green, red."""

    train: str
    test: str
    train_batch: int
    test_batch: int
    mean: tuple[float, ...]


IMAGENET = Dataset("ilsvrc12_train_lmdb", "ilsvrc12_val_lmdb", 32, 50, (104.0, 117.0, 123.0))
#: The training images have a border of four pixels, from which a crop is cut at random.
CIFAR = Dataset("cifar_train_lmdb", "cifar_test_lmdb", 128, 100, (113.9, 123.0, 125.3))


def dataset(spec: Spec) -> Dataset:
    """The dataset of a spec: a net with the stem ``cifar`` is for CIFAR."""
    found = CIFAR if spec.stem == "cifar" else IMAGENET
    return found._replace(train_batch=spec.train_batch or found.train_batch)


def add_data(maker: Maker) -> None:
    """Two Data layers, one for each phase, cropped to the size of the spec's input."""
    data = dataset(maker.spec)
    _, channels, height, _ = maker.spec.input_shape
    mean = data.mean if channels == len(data.mean) else ()
    maker.start("data")
    for phase, source, batch in (
        ("TRAIN", data.train, data.train_batch),
        ("TEST", data.test, data.test_batch),
    ):
        block = Block.of(
            include=Block.of(phase=Symbol(phase)),
            transform_param=Block.of(
                mirror=phase == "TRAIN", crop_size=height, mean_value=list(mean)
            ),
            data_param=Block.of(backend=Symbol("LMDB")),
        )
        layer = Data(source, batch, height, len(mean))
        maker.graph.add("data", layer, (), ("data", "label"), block)
    maker.shape = (data.train_batch, channels, height, height)


def add_losses(maker: Maker) -> None:
    """The loss, and in the TEST phase the top-1 and top-5 accuracy."""
    scores = maker.blob
    maker.start("loss")
    maker.graph.add("loss", SoftmaxWithLoss(), (scores, "label"), ("loss",))
    test = Block.of(include=Block.of(phase=Symbol("TEST")))
    maker.graph.add("accuracy_top1", Accuracy(), (scores, "label"), ("accuracy_top1",), test)
    if maker.spec.classes > _BEST:
        layer = Accuracy(top_k=_BEST)
        maker.graph.add("accuracy_top5", layer, (scores, "label"), ("accuracy_top5",), test.copy())
