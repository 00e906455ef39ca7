"""The Split layers that Caffe puts into a net, and saves with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.passes.rebuild import append, empty_like


def is_caffes_split(node: Node, makers: Mapping[str, str]) -> bool:
    """Whether a layer is one of those that Caffe adds for blobs with several readers.

    It is known by its name, which tells what it splits, and those of its tops
    (insert_splits.cpp, SplitLayerName). ``makers`` are the layers by the blobs they made.
    """
    if len(node.bottoms) != 1 or not node.tops or not node.layer.parameter_free():
        return False
    blob = node.bottoms[0].blob
    start = f"{blob}_{makers.get(blob, '')}_"
    number = node.name.removeprefix(start).removesuffix("_split")
    return (
        number.isdecimal()
        and node.name == f"{start}{number}_split"
        and all(top.blob == f"{node.name}_{index}" for index, top in enumerate(node.tops))
    )


def without_splits(graph: Graph) -> Graph:
    """The net as it was before Caffe put them in; the same if that would compute other values."""
    made = empty_like(graph)
    renamed: dict[Ref, Ref] = {}
    makers: dict[str, str] = {}
    for node in graph.nodes:
        bottoms = tuple(renamed.get(ref, ref) for ref in node.bottoms)
        if is_caffes_split(node, makers):
            renamed.update(dict.fromkeys(node.tops, bottoms[0]))
            continue
        makers.update(dict.fromkeys((top.blob for top in node.tops), node.name))
        if append(made, replace(node, bottoms=bottoms)).bottoms != bottoms:
            return graph  # a blob that is overwritten before its last reader
    return made
