"""Layer types: one module for each family, imported when one of its types is met."""

from __future__ import annotations

from importlib import import_module

from prototxt_gen.document import Block
from prototxt_gen.layers.base import REGISTRY, Layer, Unknown

#: Where each type's class is. A test compares this table with what the modules register.
MODULES = {
    "Accuracy": "loss",
    "BatchNorm": "normalization",
    "Concat": "combine",
    "Convolution": "convolution",
    "Data": "data",
    "Dropout": "activation",
    "Eltwise": "combine",
    "InnerProduct": "dense",
    "Input": "data",
    "Pooling": "pooling",
    "ReLU": "activation",
    "Scale": "normalization",
    "Softmax": "activation",
    "SoftmaxWithLoss": "loss",
}


def layer_class(name: str) -> type[Layer] | None:
    """The class of a layer type; None for a type without a module."""
    module = MODULES.get(name)
    if module is None:
        return None
    import_module(f"{__name__}.{module}")
    return REGISTRY[name]


def read_layer(block: Block) -> Layer:
    """The resolved parameters of a ``layer`` block; Unknown for a type without a module."""
    name = block.get("type", str, "")
    cls = layer_class(name)
    if cls is None:
        return Unknown(name)
    return cls.read(block.block(cls.param) if cls.param else Block(), block)
