"""Weights that no file has: as Caffe's fillers make them (filler.hpp), zeros, or random ones.

Numbers come from a seed and the layer's name, so that the same net gets the same weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from math import ceil, isfinite, sqrt
from typing import TYPE_CHECKING, Any, Literal

from prototxt_gen._numpy import np
from prototxt_gen.document import Block
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Init = Literal["fillers", "zeros", "random"]
Random = Any  #: numpy.random.Generator

#: Where a type has the filler of each weight, and the constant where none is given.
_FILLERS: dict[str, tuple[tuple[str, float], ...]] = {
    "Scale": (("filler", 1.0), ("bias_filler", 0.0)),
    "Bias": (("filler", 0.0),),
    "PReLU": (("filler", 0.25),),
    "Normalize": (("scale_filler", 1.0),),
    "BN": (("slope_filler", 1.0), ("bias_filler", 0.0), ("", 0.0), ("", 1.0)),
}
_USUAL = (("weight_filler", 0.0), ("bias_filler", 0.0))


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
                _one(node, position, size, init, random) for position, size in enumerate(sizes)
            ]
        except MemoryError:
            reason = "its weights need more memory than there is"
            raise WeightsError(f"layer {node.name!r}: {reason}") from None
    return found


def _known(node: Node, shape: Shape) -> tuple[int, ...]:
    """A shape without unknown axes; raises WeightsError where it has one."""
    size = tuple(dim for dim in shape if dim is not None)
    if len(size) < len(shape):
        raise WeightsError(
            f"layer {node.name!r}: the shape of its weights is not known; "
            "give the input's shape with --input-shape"
        )
    return size


def _one(node: Node, position: int, size: tuple[int, ...], init: Init, random: Random) -> Array:
    if init == "zeros":
        return np.zeros(size, np.float32)
    if node.layer.type == "BatchNorm":
        # Caffe begins with zeros; the random ones leave values as they are, more or less.
        fresh = init == "random" and position in (1, 2, 3)
        return np.full(size, 1.0 if fresh else 0.0, np.float32)
    if init == "random":
        return _random(size, random)
    place = _filler(node, position, size)
    # Caffe asks for presence: an empty block is a filler too, constant 0.
    if not place[0] or not node.params.has(place[0]):
        return np.full(size, place[1], np.float32)
    filler = node.params.block(place[0])
    kind = filler.get("type", str, "constant")
    if kind not in _KINDS:
        raise WeightsError(f"layer {node.name!r}: there is no filler {kind!r}")
    try:
        return np.asarray(_KINDS[kind](filler, size, random), np.float32)
    except WeightsError as error:
        raise WeightsError(f"layer {node.name!r}: {error.message}") from None


def _filler(node: Node, position: int, size: tuple[int, ...]) -> tuple[str, float]:
    """The field with the filler of a weight, and the constant where there is none."""
    own = _FILLERS.get(node.layer.type)
    if own is not None:
        if node.layer.type == "Scale" and len(node.bottoms) == 2:
            position += 1
        return own[position] if position < len(own) else ("", 0.0)
    return _USUAL[0] if position == 0 or len(size) > 1 else _USUAL[1]


def _random(size: tuple[int, ...], random: Random) -> Array:
    """Matrices by their fan-in, factors near 1, and biases near 0."""
    if len(size) > 1:
        spread = sqrt(2 / max(1, int(np.prod(size[1:]))))
        return np.asarray(random.normal(0, spread, size), np.float32)
    return np.asarray(random.uniform(0.5, 1.0, size), np.float32)


def _constant(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    return np.full(size, filler.get("value", float, 0.0))


def _uniform(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    low, high = filler.get("min", float, 0.0), filler.get("max", float, 1.0)
    if not (low <= high and isfinite(high - low)):
        raise WeightsError(f"the filler uniform has no numbers from {low:g} to {high:g}")
    return np.asarray(random.uniform(low, high, size))


def _gaussian(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    mean, std = filler.get("mean", float, 0.0), filler.get("std", float, 1.0)
    if not (std >= 0 and isfinite(std) and isfinite(mean)):
        raise WeightsError(f"the filler gaussian has the mean {mean:g} and the std {std:g}")
    values = random.normal(mean, std, size)
    sparse = filler.get("sparse", int, -1)
    if sparse >= 0:
        # So many inputs of each output are not 0, on average.
        values = values * (random.random(size) < sparse / max(1, size[0]))
    return np.asarray(values)


def _unit_ball(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    if len(size) < 2:
        raise WeightsError("the filler positive_unitball needs a weight of two axes or more")
    values = random.random((size[0], int(np.prod(size[1:]))))
    return np.asarray((values / values.sum(axis=1, keepdims=True)).reshape(size))


def _fan(filler: Block, size: tuple[int, ...]) -> float:
    total = int(np.prod(size))
    if not size or not total:
        raise WeightsError("the fillers xavier and msra need a weight with axes and numbers")
    fan_in = total / size[0]
    fan_out = total / size[1] if len(size) > 1 else total
    norm = filler.get("variance_norm", str, "FAN_IN")
    return {"FAN_IN": fan_in, "FAN_OUT": fan_out, "AVERAGE": (fan_in + fan_out) / 2}[norm]


def _xavier(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    bound = sqrt(3 / _fan(filler, size))
    return np.asarray(random.uniform(-bound, bound, size))


def _msra(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    return np.asarray(random.normal(0, sqrt(2 / _fan(filler, size)), size))


def _bilinear(filler: Block, size: tuple[int, ...], random: Random) -> Array:
    if len(size) != 4 or size[2] != size[3]:
        raise WeightsError("the filler bilinear needs a weight of four axes, square at the end")
    factor = ceil(size[3] / 2)
    center = (2 * factor - 1 - factor % 2) / (2 * factor)
    line = 1 - np.abs(np.arange(size[3]) / factor - center)
    return np.broadcast_to(np.outer(line, line), size)


_KINDS: dict[str, Callable[[Block, tuple[int, ...], Random], Array]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _unit_ball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
