"""BatchNorm and Scale folded into the weights in front of them.

A convolution, deconvolution or inner product gives y = W x + b for each channel. Behind it
BatchNorm makes (y - m) / s of that, s being sqrt(variance + eps), and Scale then k y + c.
Together that is

    y = (k / s) W x + k (b - m) / s + c

which is the same layer with other weights. It holds where nobody else reads what is in
between, where statistics are the stored ones, and where Scale goes along the channels.
Sums are made in double precision.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.layers.deconvolution import Deconvolution, Im2col
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.normalization import BatchNorm
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import append, empty_like

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]


def fold(
    graph: Graph, weights: Weights, kept: Collection[str] = ()
) -> tuple[Graph, Weights, list[Change]]:
    """The net with fewer layers, its weights, and what was folded into what.

    The blobs of ``kept`` stay, even where only the next layer reads them.
    """
    readers = _readers(graph)
    chains: dict[int, list[int]] = {}
    folded: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if index in weights.of and _takes(node):
            chain = _chain(graph, index, readers, kept)
            if chain and all(i in weights.of for i in chain):
                chains[index] = chain
                folded.update(chain)
    made, bound = empty_like(graph), Weights(extra=list(weights.extra))
    changes = []
    for index, node in enumerate(graph.nodes):
        if index in folded:
            continue
        if index in chains:
            layers = [graph.nodes[i] for i in chains[index]]
            bound.of[len(made.nodes)] = _folded(
                node,
                weights.of[index],
                [(n, weights.of[i]) for n, i in zip(layers, chains[index], strict=True)],
            )
            layer = replace(node.layer, bias_term=True)  # type: ignore[type-var]
            tops = [layers[-1].tops[0].blob]
            made.add(
                node.name, layer, [r.blob for r in node.bottoms], tops, node.source, node.field
            )
            changes += [Change(n.name, n.type, f"folded into {node.name!r}") for n in layers]
            continue
        if index in weights.of:
            bound.of[len(made.nodes)] = weights.of[index]
        append(made, node)
    return made, bound, changes


def _readers(graph: Graph) -> dict[Ref, list[int]]:
    readers: dict[Ref, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for ref in node.bottoms:
            readers.setdefault(ref, []).append(index)
    return readers


def _takes(node: Node) -> bool:
    """Whether something may be folded into a node."""
    layer = node.layer
    if any(param.has("name") for param in node.source.blocks("param")) or len(node.tops) != 1:
        return False
    if isinstance(layer, InnerProduct):
        return layer.axis == 1
    if isinstance(layer, Im2col) or not isinstance(layer, Convolution):
        return False
    return layer.axis == 1 and not layer.relu


def _chain(
    graph: Graph, index: int, readers: dict[Ref, list[int]], kept: Collection[str]
) -> list[int]:
    """BatchNorm, Scale, or both, one behind the other."""
    found: list[int] = []
    top = graph.nodes[index].tops[0]
    for kind in (BatchNorm, Scale):
        behind = readers.get(top, [])
        if len(behind) != 1 or not _folds(graph.nodes[behind[0]], kind):
            continue
        if top.blob in kept and graph.nodes[behind[0]].tops[0].blob != top.blob:
            break
        found.append(behind[0])
        top = graph.nodes[behind[0]].tops[0]
    return found


def _folds(node: Node, kind: type[BatchNorm] | type[Scale]) -> bool:
    layer = node.layer
    if type(layer) is not kind or len(node.bottoms) != 1:
        return False
    if any(param.has("name") for param in node.source.blocks("param")):
        return False
    if isinstance(layer, BatchNorm):
        return layer.use_global_stats is not False and not layer.relu
    return isinstance(layer, Scale) and (layer.axis, layer.num_axes) == (1, 1)


def _folded(
    node: Node, own: tuple[Array, ...], chain: list[tuple[Node, tuple[Array, ...]]]
) -> tuple[Array, Array]:
    weight = own[0].astype(np.float64)
    channels = chain[0][1][0].size
    bias = own[1].astype(np.float64).reshape(-1) if len(own) > 1 else np.zeros(channels)
    for behind, blobs in chain:
        factor, shift = _line(behind, blobs)
        weight = weight * _along_outputs(node, factor, weight.shape)
        bias = bias * factor + shift
    return weight.astype(np.float32), bias.astype(np.float32)


def _line(node: Node, blobs: tuple[Array, ...]) -> tuple[Array, Array]:
    """What a node does to each channel: times a factor, plus a shift."""
    layer = node.layer
    if isinstance(layer, BatchNorm):
        mean, variance = (v.astype(np.float64) for v in layer.statistics(blobs))
        factor = 1 / np.sqrt(variance + layer.eps)
        shift = -mean * factor
        if layer.scale_bias:
            factor, shift = factor * blobs[3], shift * blobs[3] + blobs[4]
        return factor, shift
    biased = isinstance(layer, Scale) and layer.bias_term
    shift = blobs[1].astype(np.float64) if biased else np.zeros(blobs[0].size)
    return blobs[0].astype(np.float64).reshape(-1), shift.reshape(-1)


def _along_outputs(node: Node, factor: Array, shape: tuple[int, ...]) -> Array:
    """A factor for each output, in the place where a weight has its outputs."""
    layer = node.layer
    if isinstance(layer, InnerProduct):
        return factor.reshape(1, -1) if layer.transpose else factor.reshape(-1, 1)
    if isinstance(layer, Deconvolution):
        # (channels, outputs / group, ...): each group of channels has outputs of its own.
        groups = factor.reshape(layer.group, -1)
        each = np.repeat(groups, shape[0] // layer.group, axis=0)
        return each.reshape(*shape[:2], *(1,) * (len(shape) - 2))
    return factor.reshape(-1, *(1,) * (len(shape) - 1))
