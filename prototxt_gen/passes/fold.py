"""Layers that only multiply and add, folded into the weights of the layer before them.

A convolution, deconvolution or inner product gives y = W x + b for each channel. An affine
layer after it, such as BatchNorm with stored statistics or Scale, makes f y + s of that.
Together that is

    y = (f W) x + f b + s

which is the same layer with other weights. It holds where no other layer reads the blobs
between. Factors and shifts are computed in double precision.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.base import Affine
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import append, empty_like


def fold(
    graph: Graph, weights: Weights, kept: Collection[str] = ()
) -> tuple[Graph, Weights, list[Change]]:
    """The net with fewer layers, its weights, and which layer was folded into which.

    The blobs in ``kept`` stay, even where only the next layer reads them.
    """
    readers = _readers(graph)
    made, bound = empty_like(graph), Weights(extra=list(weights.extra))
    changes = []
    folded: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if index in folded:
            continue
        blobs = weights.deferred(index)
        chain = _chain(graph, index, weights, readers, kept) if _takes(node, blobs) else {}
        absorbed = chain and node.layer.absorb(blobs, reduce(Affine.then, chain.values()))
        if absorbed:
            layer, blobs = absorbed
            behind = [graph.nodes[i] for i in chain]
            bottoms, tops = [r.blob for r in node.bottoms], [behind[-1].tops[0].blob]
            folded.update(chain)
            changes += [Change(n.name, n.type, f"folded into {node.name!r}") for n in behind]
            made.add(node.name, layer, bottoms, tops, node.source, node.field)
        else:
            append(made, node)
        if blobs:
            bound.of[len(made.nodes) - 1] = blobs
    return made, bound, changes


def _readers(graph: Graph) -> dict[Ref, list[int]]:
    readers: dict[Ref, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for ref in node.bottoms:
            readers.setdefault(ref, []).append(index)
    return readers


def _takes(node: Node, blobs: Collection[object]) -> bool:
    """Whether a node has a single top and weights that it does not share."""
    return bool(blobs) and len(node.tops) == 1 and not shares(node)


def shares(node: Node) -> bool:
    """Whether another layer may also have the weights of a node."""
    return any(param.has("name") for param in node.source.blocks("param"))


def _chain(
    graph: Graph,
    index: int,
    weights: Weights,
    readers: dict[Ref, list[int]],
    kept: Collection[str],
) -> dict[int, Affine]:
    """The affine nodes that follow a node, one after the other."""
    found: dict[int, Affine] = {}
    top = graph.nodes[index].tops[0]
    while len(behind := readers.get(top, [])) == 1:
        node, blobs = graph.nodes[behind[0]], weights.deferred(behind[0])
        if len(node.bottoms) != 1 or not _takes(node, blobs):
            break
        affine = node.layer.affine(blobs)
        if affine is None or (top.blob in kept and node.tops[0].blob != top.blob):
            break
        found[behind[0]] = affine
        top = node.tops[0]
    return found
