"""Initial weights: as Caffe's fillers make them (filler.hpp), zeros, or random ones.

Numbers come from a seed and the layer's name, so that a net always gets the same weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any, Literal

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Weight
from prototxt_gen.layers.parts.fillers import filled, filler_faults, kind_of, unknown_filler
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Init = Literal["fillers", "zeros", "random"]
Random = Any  #: numpy.random.Generator


def initial(graph: Graph, shapes: Shapes, init: Init, seed: int = 0) -> dict[str, list[Array]]:
    """Weights for every layer, by its name; raises WeightsError for an unknown filler or shape."""
    found = {}
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        if not wanted:
            continue
        random = np.random.Generator(
            np.random.PCG64([seed, zlib.crc32(node.name.encode("utf-8", "surrogateescape"))])
        )
        sizes = [_known(node, shape) for shape in wanted]
        try:
            found[node.name] = [
                _one(node, weight, size, init, random)
                for weight, size in zip(node.layer.weights(sizes), sizes, strict=True)
            ]
        except MemoryError:
            reason = "its weights need more memory than there is"
            raise WeightsError(f"layer {node.name!r}: {reason}") from None
    return found


def _known(node: Node, shape: Shape) -> tuple[int, ...]:
    """A shape without unknown dimensions; raises WeightsError where it has one."""
    size = tuple(dim for dim in shape if dim is not None)
    if len(size) < len(shape):
        raise WeightsError(
            f"layer {node.name!r}: the shape of its weights is not known; "
            "give the input's shape with --input-shape"
        )
    return size


def _one(node: Node, weight: Weight, size: tuple[int, ...], init: Init, random: Random) -> Array:
    if init == "zeros":
        return np.zeros(size, np.float32)
    if init == "random":
        if weight.random is not None:
            return np.full(size, weight.random, np.float32)
        return _random(size, random)
    # Caffe checks for presence: an empty block is also a filler, constant 0.
    if weight.filler is None or not node.params.has(weight.filler):
        return np.full(size, weight.value, np.float32)
    filler = node.params.block(weight.filler)
    kind = kind_of(filler)
    if unknown_filler(filler) is not None:
        raise WeightsError(f"layer {node.name!r}: there is no filler {kind!r}")
    for fault in (*filler_faults(filler, size), *_boundless(filler)):
        raise WeightsError(f"layer {node.name!r}: {weight.filler} ({kind}): {fault}")
    return np.asarray(filled(filler, size, random), np.float32)


def _boundless(filler: Block) -> Iterator[str]:
    """Numbers that Caffe accepts but that give no usable weights."""
    for name, usual in (("min", 0.0), ("max", 1.0), ("mean", 0.0), ("std", 1.0)):
        if not isfinite(value := filler.get(name, float, usual)):
            yield f"{name} is {value:g}; expected a finite number"


def _random(size: tuple[int, ...], random: Random) -> Array:
    """Matrices scaled by their fan-in, factors near 1, and biases near 0."""
    if len(size) > 1:
        spread = sqrt(2 / max(1, int(np.prod(size[1:]))))
        return np.asarray(random.normal(0, spread, size), np.float32)
    return np.asarray(random.uniform(0.5, 1.0, size), np.float32)
