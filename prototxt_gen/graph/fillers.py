"""Initial weights: as Caffe's fillers make them (filler.hpp), zeros, or random ones.

Numbers come from a seed and the layer's name, so that a net always gets the same weights.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, prod, sqrt
from typing import TYPE_CHECKING, Any, Literal

from prototxt_gen._limits import HINT, at_most
from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Weight
from prototxt_gen.layers.parts.fillers import drawn, filled, filler_faults, kind_of, unknown_filler
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Init = Literal["fillers", "zeros", "random"]
Random = Any  #: numpy.random.Generator


def initial(graph: Graph, shapes: Shapes, init: Init, seed: int = 0) -> dict[str, list[Array]]:
    """Weights for every layer, by its name.

    Raises WeightsError for an unknown filler or shape, and, before anything is made, for
    weights that this machine's memory does not hold.
    """
    sizes = {
        index: [_known(graph.nodes[index], shape) for shape in wanted]
        for index, wanted in sorted(shapes.weights.items())
        if wanted
    }
    _need_memory(graph, sizes)
    found = {}
    for index, own in sizes.items():
        node = graph.nodes[index]
        random = np.random.Generator(
            np.random.PCG64([seed, zlib.crc32(node.name.encode("utf-8", "surrogateescape"))])
        )
        try:
            found[node.name] = [
                _one(node, weight, size, init, random)
                for weight, size in zip(node.layer.weights(own), own, strict=True)
            ]
        except MemoryError:
            reason = "its weights need more memory than there is"
            raise WeightsError(f"layer {node.name!r}: {reason}") from None
    return found


def _need_memory(graph: Graph, sizes: Mapping[int, Sequence[tuple[int, ...]]]) -> None:
    """Raise WeightsError for more bytes than this machine has; the largest layer is named."""
    bytes_of = {index: sum(4 * prod(size) for size in own) for index, own in sizes.items()}
    total, most = sum(bytes_of.values()), _memory()
    if most is not None and total > at_most(most):
        largest = max(bytes_of, key=bytes_of.__getitem__)
        raise WeightsError(
            f"the net's weights need {plural(total, 'byte', ',')}, {bytes_of[largest]:,} of them "
            f"for layer {graph.nodes[largest].name!r}; this machine has {most:,} bytes of memory "
            f"({HINT})"
        )


def _memory() -> int | None:
    """The bytes of memory of this machine; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


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
        spread = sqrt(2 / max(1, prod(size[1:])))
        return drawn(size, lambda count: random.normal(0, spread, count))
    return drawn(size, lambda count: random.uniform(0.5, 1.0, count))
