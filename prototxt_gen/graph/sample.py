"""Values for the inputs of a net, where the user gives none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import infer
from prototxt_gen.layers.base import Below, Exactly, Places, Priors, Regions, Sample
from prototxt_gen.layers.parts.shapes import Shape

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Random = Any  #: numpy.random.Generator


def seeded(graph: Graph, shapes: Mapping[str, Shape], seed: int = 0) -> dict[str, Array]:
    """Values for the inputs of a net: normally distributed, or as their readers require."""
    random = np.random.default_rng(seed)
    wanted = _wanted(graph, shapes)
    return {
        name: _drawn(
            wanted.get(Ref(name, 0)), tuple(1 if dim is None else dim for dim in shape), random
        )
        for name, shape in shapes.items()
    }


def _wanted(graph: Graph, given: Mapping[str, Shape]) -> dict[Ref, Sample]:
    """The first requirement that a reading layer has for the values of a blob.

    A layer that only moves values passes on what its tops require.
    """
    known = graph.sources
    shapes = infer(graph, Sink(), {name: s for name, s in given.items() if name in known})
    found: dict[Ref, Sample] = {}
    for node in reversed(graph.nodes):
        bottoms = shapes.of(node.bottoms)
        if bottoms is None:
            continue
        behind = None
        if node.layer.rearranges:
            behind = next((found[top] for top in node.tops if top in found), None)
        for index, ref in enumerate(node.bottoms):
            asked = node.layer.sample(index, bottoms) or behind
            if asked is not None:
                found[ref] = asked
    return found


def _drawn(sample: Sample, size: tuple[int, ...], random: Random) -> Array:
    if isinstance(sample, Below):
        return np.asarray(random.integers(0, max(1, sample.limit), size), np.float32)
    if isinstance(sample, Places) and sample.pixels and size:
        planes = random.random((int(np.prod(size)) // sample.pixels, sample.pixels))
        return np.argsort(planes, axis=1).astype(np.float32).reshape(size)
    if isinstance(sample, Regions) and size and int(np.prod(size)) == 5 * size[0]:
        rows = size[0]
        image = random.integers(0, sample.images, (rows, 1))
        x = np.sort(random.uniform(0, sample.width, (rows, 2)), axis=1)
        y = np.sort(random.uniform(0, sample.height, (rows, 2)), axis=1)
        corners = (x[:, :1], y[:, :1], x[:, 1:], y[:, 1:])
        return np.concatenate([image, *corners], axis=1).astype(np.float32).reshape(size)
    if isinstance(sample, Exactly) and int(np.prod(size)) == len(sample.values):
        return np.array(sample.values, np.float32).reshape(size)
    if isinstance(sample, Priors) and int(np.prod(size)) == 8 * sample.number:
        number = sample.number
        low = random.uniform(0, 0.8, (number, 2))
        high = low + random.uniform(0.05, 0.4, (number, 2))
        variances = np.tile([0.1, 0.1, 0.2, 0.2], number)
        boxes = np.concatenate([low, high], axis=1).reshape(-1)
        return np.concatenate([boxes, variances]).astype(np.float32).reshape(size)
    return np.asarray(random.normal(size=size), np.float32)
