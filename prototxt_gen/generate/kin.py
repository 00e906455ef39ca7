"""The named nets of inverted and of dense blocks, each as the keys of a spec."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.depths import sixths

Keys = dict[str, Any]

#: MobileNetV2 (arXiv 1801.04381, table 2).
_MOBILENET: Keys = {
    "stages": [1, 2, 3, 4, 3, 3, 1],
    "block": "inverted",
    "strides": [1, 2, 2, 2, 1, 2, 1],
    "widths": [16, 24, 32, 64, 96, 160, 320],
    "expansions": [0, 6, 6, 6, 6, 6, 6],
    "stem": "half",
    "stem_width": 32,
    "last_width": 1280,
    "name": "MobileNetV2",
}


def mobile() -> Iterator[tuple[str, Keys]]:
    """With ReLU, as published for Caffe, and with torchvision's ReLU6 and dropout."""
    yield "mobilenet-v2", _MOBILENET
    yield "mobilenet-v2-tv", _MOBILENET | {"relu6": True, "classifier_dropout": 0.2}


#: DenseNet-BC (arXiv 1608.06993, tables 1 and 2): stages, and the channels that a block adds.
_DENSE = {
    121: ([6, 12, 24, 16], 32),
    161: ([6, 12, 36, 24], 48),
    169: ([6, 12, 32, 32], 32),
    201: ([6, 12, 48, 32], 32),
}


def densely_connected() -> Iterator[tuple[str, Keys]]:
    """Those of torchvision for ImageNet, and one for CIFAR."""
    for depth, (stages, growth) in _DENSE.items():
        keys = {"stages": stages, "block": "dense", "width": growth, "pool": "floor"}
        yield f"densenet{depth}", keys
    yield "densenet-bc-100-12", dense_cifar(100, 12)


def dense_cifar(depth: int, growth: int) -> Keys:
    """DenseNet-BC for CIFAR: 6n + 4 layers, in three stages.

    Raises SpecError with the nearest depths for any other.
    """
    blocks = sixths("DenseNet-BC", depth)
    if growth < 1:
        raise SpecError("is 0 in a DenseNet-BC; expected at least 1", path="width")
    return {
        "stages": [blocks] * 3,
        "block": "dense",
        "stem": "cifar",
        "width": growth,
        "name": f"DenseNet-BC-{depth}-{growth}",
    }
