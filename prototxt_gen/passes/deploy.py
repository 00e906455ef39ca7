"""From a net for training to one for inference.

Data layers become inputs, and their labels go. A loss whose label comes from a data layer
becomes its head (Softmax, Sigmoid), or goes; one whose label the user gives is computed.
Accuracy likewise; Silence and what exists for training alone goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from prototxt_gen.document import Block
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.activation import Sigmoid, Softmax
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.distance_loss import SigmoidCrossEntropyLoss
from prototxt_gen.layers.inputs import DummyData, Input
from prototxt_gen.layers.loss import SoftmaxWithLoss
from prototxt_gen.passes.rebuild import append, empty_like
from prototxt_gen.passes.transform import left_to_you

Losses = Literal["auto", "keep", "head", "drop"]

#: Layers that give what only a file or a database has.
SOURCES = frozenset(
    [
        "Data",
        "ImageData",
        "WindowData",
        "HDF5Data",
        "MemoryData",
        "AnnotatedData",
        "VideoData",
        "BoxData",
    ]
)
#: Layers that are of no use at inference; the losses among them have no head either.
TRAINING = frozenset(
    [
        "Silence",
        "HDF5Output",
        "DetectionEvaluate",
        "EvalDetection",
        "BoxAnnotatorOHEM",
        "MultiBoxLoss",
        "SmoothL1Loss",
        "SmoothL1LossOHEM",
        "SoftmaxWithLossOHEM",
        "L1Loss",
        "RegionLoss",
        "DetectNetTransformation",
    ]
)


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a layer, in words for a person."""

    layer: str
    type: str
    what: str


def deploy(graph: Graph, shapes: Shapes, losses: Losses = "auto") -> tuple[Graph, list[Change]]:
    """The net for inference, and what was changed; ``shapes`` are those of the net."""
    made = empty_like(graph)
    made.input_form = "layers" if graph.input_form == "layers" else graph.input_form
    changes: list[Change] = []
    gone: set[Ref] = set()  # what no layer makes any more
    labels = _labels(graph)
    for node in graph.nodes:
        if node.type in SOURCES or (
            isinstance(node.layer, DummyData) and None in node.layer.values
        ):
            _inputs(made, node, shapes, labels, gone, changes)
        elif node.layer.loss or node.type == "Accuracy":
            _loss(made, node, graph, losses, gone, changes)
        elif node.type in TRAINING or any(ref in gone for ref in node.bottoms):
            why = "is for training" if node.type in TRAINING else "reads what is for training"
            changes.append(Change(node.name, node.type, f"left out: it {why}"))
            if node.type == "Silence":
                made.hidden.update(ref.blob for ref in node.bottoms)
            gone.update(node.tops)
        else:
            append(made, node)
    return _without_unread(graph, made, changes), changes


def _without_unread(graph: Graph, made: Graph, changes: list[Change]) -> Graph:
    """The net without the inputs that only layers read which are gone."""
    read = {ref.blob for node in graph.nodes for ref in node.bottoms}
    unread = read - {ref.blob for node in made.nodes for ref in node.bottoms}
    rest = empty_like(made)
    for node in made.nodes:
        layer = node.layer
        if not isinstance(layer, Input):
            append(rest, node)
            continue
        kept = [top.blob for top in node.tops if top.blob not in unread]
        changes += [
            Change(top.blob, "Input", "left out: nothing reads it any more")
            for top in node.tops
            if top.blob in unread
        ]
        if len(layer.shape) == len(node.tops):
            shapes = zip(node.tops, layer.shape, strict=True)
            layer = Input(tuple(shape for top, shape in shapes if top.blob in kept))
        if kept:
            rest.add(node.name, layer, (), kept, node.source, node.field)
    return rest


def _labels(graph: Graph) -> set[Ref]:
    """The tops of data layers that nothing but losses and Accuracy reads, as their labels."""
    readers: dict[Ref, list[bool]] = {}
    for node in graph.nodes:
        for index, ref in enumerate(node.bottoms):
            measures = node.layer.loss or node.type in ("Accuracy", "Silence")
            label = measures and (index > 0 or node.type == "Silence")
            readers.setdefault(ref, []).append(label)
    return {
        top
        for node in graph.nodes
        if node.type in SOURCES
        for index, top in enumerate(node.tops)
        if all(readers.get(top, [index > 0]))
    }


def _inputs(
    made: Graph,
    node: Node,
    shapes: Shapes,
    labels: set[Ref],
    gone: set[Ref],
    changes: list[Change],
) -> None:
    for top in node.tops:
        if top in labels:
            gone.add(top)
            changes.append(Change(node.name, node.type, f"its label {top.blob!r} left out"))
            continue
        shape = shapes.blobs.get(top)
        known = shape is not None and None not in shape
        layer = Input((tuple(dim or 0 for dim in shape or ()),)) if known else Input()
        made.add(node.name, layer, (), (top.blob,), Block(), node.field)
        what = f"{top.blob!r} became an input{left_to_you(node.source)}"
        changes.append(Change(node.name, node.type, what))


def _loss(
    made: Graph,
    node: Node,
    graph: Graph,
    losses: Losses,
    gone: set[Ref],
    changes: list[Change],
) -> None:
    from_data = any(ref in gone for ref in node.bottoms[1:])
    if losses in ("keep", "auto") and not from_data and node.bottoms[0] not in gone:
        append(made, node)
        return
    gone.update(node.tops)
    head = _head(node.layer)
    scores = node.bottoms[0]
    if head is None or losses == "drop" or scores in gone:
        changes.append(Change(node.name, node.type, "left out: it is for training"))
        return
    same = (other for other in graph.nodes if scores in other.bottoms)
    if any(other.type == head.type for other in same):
        changes.append(Change(node.name, node.type, f"left out: there is a {head.type} already"))
        return
    nodes = (*graph.nodes, *made.nodes)
    taken = {top.blob for n in nodes for top in n.tops} | {n.name for n in nodes}
    name = next(n for n in _names(node.name) if n not in taken)
    made.add(name, head, (scores.blob,), (name,), Block(), node.field)
    changes.append(Change(node.name, node.type, f"became its head: {head.type} {name!r}"))


def _names(layer: str) -> Iterator[str]:
    yield "prob"
    yield f"{layer}_prob"
    for number in count(2):
        yield f"{layer}_prob{number}"


def _head(layer: Layer) -> Layer | None:
    if isinstance(layer, SoftmaxWithLoss):
        return Softmax(layer.axis)
    return Sigmoid() if isinstance(layer, SigmoidCrossEntropyLoss) else None
