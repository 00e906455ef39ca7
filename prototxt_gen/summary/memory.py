"""The memory of a net's blobs, as float32: all together, and of those needed at a time."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Role
from prototxt_gen.layers.parts.shapes import count

BYTES = 4  #: of a float32


class Memory(NamedTuple):
    """Bytes of activations: of all blobs, at the peak, and the layer that runs then.

    A blob is needed from the layer that makes it to the last that reads or overwrites it, an
    input from the start, and an output to the end. One that is overwritten in place is one blob.
    ``made`` are the bytes of the blobs that each layer makes. Unknown shapes count as 0.
    """

    total: int = 0
    peak: int = 0
    peak_layer: str = ""
    made: tuple[int, ...] = ()


def memory(graph: Graph, shapes: Shapes) -> Memory:
    """What the blobs of a net take when its layers run in their order."""
    blobs: dict[Ref, int] = {}  # the blob that a version is in
    sizes: list[int] = []
    first: list[int] = []
    last: list[int] = []
    for index, node in enumerate(graph.nodes):
        for ref in node.bottoms:
            if ref in blobs:
                last[blobs[ref]] = index
        for place, ref in enumerate(node.tops):
            size = (count(shapes.blobs.get(ref) or (None,)) or 0) * BYTES
            before = blobs.get(node.bottoms[place]) if node.in_place(place) else None
            if before is None:
                blobs[ref] = len(sizes)
                sizes.append(size)
                first.append(index)
                last.append(index)
            else:
                blobs[ref] = before
    made = [0] * len(graph.nodes)
    for blob, index in enumerate(first):
        made[index] += sizes[blob]
    for ref in graph.outputs:
        last[blobs[ref]] = len(graph.nodes) - 1
    change = [0] * (len(graph.nodes) + 1)
    for blob, size in enumerate(sizes):
        given = graph.nodes[first[blob]].layer.role is Role.INPUT
        change[0 if given else first[blob]] += size
        change[last[blob] + 1] -= size
    needed = list(accumulate(change))[:-1]
    peak = max(needed, default=0)
    layer = graph.nodes[needed.index(peak)].name if needed else ""
    return Memory(sum(sizes), peak, layer, tuple(made))
