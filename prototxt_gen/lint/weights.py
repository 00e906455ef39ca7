"""A net against a caffemodel, as Caffe copies the one into the other.

Caffe goes through the layers of the file (net.cpp, CopyTrainedLayersFrom): each gives its blobs
to the first layer of the net with its name, and is ignored where there is none. Types are not
compared, and what no layer of the file gives keeps the values of its fillers.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.upgrade.net import upgrade_net
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, infer
from prototxt_gen.graph.weights import foreign, lacking, note_extra
from prototxt_gen.layers import layer_class
from prototxt_gen.layers.parts.shapes import Shape, same, show

if TYPE_CHECKING:
    from prototxt_gen.formats.binary.caffemodel import Caffemodel, StoredLayer

    Array = np.ndarray[Any, np.dtype[Any]]

_LEGACY_AXES = 4
_FACTOR = "factor"  #: the weight of a BatchNorm that its statistics are divided by


def check_weights(graph: Graph, caffemodel: Caffemodel, sink: Sink) -> None:
    """Report what Caffe refuses in the weights of a net, and what it leaves as it was.

    Layers of which it is not known which weights they have are passed over.
    """
    own = copy(graph)
    own.nodes = list(graph.nodes)
    weights = caffemodel.weights()
    for index, node in enumerate(graph.nodes):
        as_stored = node.layer.as_stored(weights.get(node.name, ()))
        if as_stored is not None:
            own.nodes[index] = replace(node, layer=as_stored[0])
            own.dialect = as_stored[1]
    shapes = infer(own, Sink())
    other = foreign(own, shapes, weights)
    if other is not None:
        sink.warning("weights-foreign", other, help="Caffe would ignore all of them")
        return
    _check_layers(own, shapes, caffemodel, sink)
    _check_lacking(own, shapes, caffemodel, sink)
    known = {node.name for node in own.nodes}
    extra = {name: blobs for name, blobs in weights.items() if name not in known}
    if extra:
        note_extra(extra, sink)


def _check_layers(graph: Graph, shapes: Shapes, caffemodel: Caffemodel, sink: Sink) -> None:
    """What the file has for each layer of the net."""
    first: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        first.setdefault(node.name, index)
    types = _types(caffemodel)
    for stored in caffemodel.layers:
        found = first.get(stored.name)
        if found is None:
            continue
        node = graph.nodes[found]
        if stored.blobs:
            _check_type(node, types.get(stored.name), sink)
            _check_finite(node, stored, sink)
        wanted = _wanted(graph, shapes, found)
        if wanted is None:
            continue
        if not caffemodel.net:  # HDF5, where a weight that is shared is only in its owner
            wanted = wanted[: max(len(stored.blobs), _owned(graph, found, len(wanted)))]
        if _fits(node, stored, wanted, sink):
            _check_factor(graph, node, stored, wanted, sink)


def _wanted(graph: Graph, shapes: Shapes, index: int) -> tuple[Shape, ...] | None:
    """The shapes of a layer's weights; None where they are not known."""
    layer = graph.nodes[index].layer
    free = layer.known and layer.parameter_free()
    return shapes.weights.get(index, () if free else None)


def _owned(graph: Graph, index: int, number: int) -> int:
    """How many of a layer's weights there are up to the last that no earlier layer has."""
    earlier = {name for node in graph.nodes[:index] for name in _names(node)}
    names = [*_names(graph.nodes[index]), *[""] * number][:number]
    return max((at + 1 for at, n in enumerate(names) if not n or n not in earlier), default=0)


def _names(node: Node) -> list[str]:
    """The names under which a layer shares its weights; empty for its own."""
    return [param.get("name", str, "") for param in node.source.blocks("param")]


def _fits(node: Node, stored: StoredLayer, wanted: tuple[Shape, ...], sink: Sink) -> bool:
    """Whether number and shapes of the blobs are those of the net; reported where not."""
    if len(stored.blobs) != len(wanted):
        has = plural(len(stored.blobs), "weight") if stored.blobs else "no weights"
        message = f"the file has {has} for it; {node.type} has {len(wanted) or 'none'}"
        sink.error("weights-missing", message, span=node.span, layer=node.name)
        return False
    for index, (blob, shape) in enumerate(zip(stored.blobs, wanted, strict=True)):
        if not _equal(blob.shape, shape, index in stored.legacy):
            message = f"weight {index} is {show(blob.shape)} in the file; expected {show(shape)}"
            sink.error("weight-shape", message, span=node.span, layer=node.name)
            return False
    return True


def _equal(found: tuple[int, ...], wanted: Shape, legacy: bool) -> bool:
    """Whether Caffe takes a shape for another (blob.cpp, ShapeEquals)."""
    if legacy:
        missing = _LEGACY_AXES - len(wanted)
        return missing >= 0 and same((*[1] * missing, *wanted), found)
    return same(wanted, found)


def _check_lacking(graph: Graph, shapes: Shapes, caffemodel: Caffemodel, sink: Sink) -> None:
    """Layers with weights that the file has not at all."""
    held = {layer.name: layer.blobs for layer in caffemodel.layers}
    for index in lacking(graph, shapes, held):
        node = graph.nodes[index]
        message = (
            f"the file has no layer of this name; {node.type} has "
            f"{plural(len(shapes.weights[index]), 'weight')}, which Caffe would fill by its fillers"
        )
        sink.warning("weights-missing", message, span=node.span, layer=node.name)


def _check_type(node: Node, found: str | None, sink: Sink) -> None:
    if found is None or found == node.type:
        return
    known = layer_class(found)
    if known is None or known is not layer_class(node.type):
        message = f"it is {node.type} here, but {found} in the file"
        sink.warning("weights-type", message, span=node.span, layer=node.name)


def _types(caffemodel: Caffemodel) -> dict[str, str]:
    """The types of the layers of a file by their names; none where they cannot be told."""
    from prototxt_gen.formats.binary.message import read_binary

    source = Source(caffemodel.net, caffemodel.path)
    try:
        document = read_binary(source, Sink(), drop_unknown=True)
    except ParseError:
        return {}
    net = upgrade_net(document.root, Sink(), inputs=False)
    found = (
        (layer.get("name", str, ""), layer.get("type", str, "")) for layer in net.blocks("layer")
    )
    return {name: type for name, type in found if type}


def _check_finite(node: Node, stored: StoredLayer, sink: Sink) -> None:
    for index, blob in enumerate(stored.blobs):
        if np.isfinite(blob).all():
            continue
        words = " and ".join(_not_finite(blob))
        message = f"weight {index} has {words} among {plural(blob.size, 'number')}"
        sink.warning("weights-not-finite", message, span=node.span, layer=node.name)


def _not_finite(blob: Array) -> Iterator[str]:
    for name, count in (("NaN", np.isnan(blob).sum()), ("infinite", np.isinf(blob).sum())):
        if count:
            yield f"{int(count)} {name}"


def _check_factor(
    graph: Graph, node: Node, stored: StoredLayer, wanted: tuple[Shape, ...], sink: Sink
) -> None:
    """A factor of 0 stands for statistics of 0, unless those of the batch are used."""
    # NVIDIA's Caffe does not use the factor.
    if graph.dialect == "nvcaffe" or node.params.all("use_global_stats") == [False]:
        return
    for weight, blob in zip(node.layer.weights(wanted), stored.blobs, strict=False):
        if weight.statistic and weight.name == _FACTOR and blob.size and not blob.reshape(-1)[0]:
            message = (
                "the factor of its statistics is 0, for which Caffe takes mean and variance as 0 "
                "(batch_norm_layer.cpp)"
            )
            help = "the net was saved before it was trained, or by a tool that writes no factor"
            sink.warning("batch-norm-factor", message, span=node.span, layer=node.name, help=help)
