"""From a net for training to a net for inference.

Data layers become inputs, and their labels are left out. A loss whose labels come from a
data layer becomes its head (Softmax, Sigmoid), or is left out; one whose labels are an
input is computed. So is Accuracy; Silence and layers for training alone are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal

from prototxt_gen._words import plural
from prototxt_gen.document import Block
from prototxt_gen.graph.graph import Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.layers.base import Instead, Role
from prototxt_gen.layers.inputs import Input
from prototxt_gen.passes.rebuild import append, empty_like, input_shapes
from prototxt_gen.passes.transform import by_chance, left_to_you

Losses = Literal["auto", "keep", "head", "drop"]
_MEASURES = (Role.LOSS, Role.MEASURE)


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a layer, in words for the user."""

    layer: str
    type: str
    what: str


def as_lines(changes: Iterable[Change]) -> Iterator[str]:
    """A line for each change, and one for all layers that were folded."""
    folded = 0
    for change in changes:
        if change.what.startswith("folded into"):
            folded += 1
            continue
        layer = f"{change.layer} ({change.type})" if change.type else change.layer
        yield f"{layer}: {change.what}"
    if folded:
        yield f"{plural(folded, 'layer')} folded into the weights before them"


def deploy(graph: Graph, shapes: Shapes, losses: Losses = "auto") -> tuple[Graph, list[Change]]:
    """The net for inference, and the changes; ``shapes`` are those of the net."""
    made = empty_like(graph)
    changes: list[Change] = []
    gone: set[Ref] = set()  # blobs that no layer makes any more
    labels = _labels(graph)
    for node in graph.nodes:
        instead = node.layer.at_inference()
        if instead is Instead.INPUT:
            _inputs(made, node, shapes, labels, gone, changes)
        elif node.layer.role in _MEASURES and instead is not Instead.ITSELF:
            _loss(made, node, graph, losses, gone, changes)
        elif instead is Instead.NOTHING or any(ref in gone for ref in node.bottoms):
            own = instead is Instead.NOTHING
            why = "is for training only" if own else "reads a blob that is for training only"
            changes.append(Change(node.name, node.type, f"left out: it {why}"))
            if node.layer.role is Role.SINK:
                silent = node.layer.labels(len(node.bottoms))
                made.hidden.update(node.bottoms[index].blob for index in silent)
            gone.update(node.tops)
        elif isinstance(instead, Instead):
            append(made, _sized(node, shapes))
            changes += _as_it_is(node, shapes)
        else:
            bottoms, tops = [node.bottoms[0].blob], [node.tops[0].blob]
            made.add(node.name, instead, bottoms, tops, Block(), node.field)
            changes.append(Change(node.name, node.type, f"became {instead.type}"))
    return _without_unread(graph, made, changes), changes


def became(blob: str) -> str:
    """How the change begins by which the top of a data layer is an input."""
    return f"{blob!r} became an input"


def _as_it_is(node: Node, shapes: Shapes) -> Iterator[Change]:
    """What is to be said of a layer without bottoms that stays."""
    if node.bottoms:
        return
    if node.layer.role is Role.INPUT:
        words = _transformed(node)
        if words:
            what = f"{node.tops[0].blob!r} is an input, whose transform Caffe does not read{words}"
            yield Change(node.name, node.type, what)
    elif shapes.of(node.tops) is None:
        yield Change(node.name, node.type, "stays as it is: what it makes is not known")


def _sized(node: Node, shapes: Shapes) -> Node:
    """The node, with the shapes that were given for its tops if it has no bottoms."""
    tops = None if node.bottoms else shapes.of(node.tops)
    return node if tops is None else replace(node, layer=node.layer.sized(tops))


def _without_unread(graph: Graph, made: Graph, changes: list[Change]) -> Graph:
    """The net without the inputs whose readers are all gone."""
    read = {ref.blob for node in graph.nodes for ref in node.bottoms}
    unread = read - {ref.blob for node in made.nodes for ref in node.bottoms}
    rest = empty_like(made)
    for node in made.nodes:
        layer = node.layer
        if layer.role is not Role.INPUT:
            append(rest, node)
            continue
        kept = [top.blob for top in node.tops if top.blob not in unread]
        changes += [
            Change(top.blob, "Input", "left out: nothing reads it any more")
            for top in node.tops
            if top.blob in unread
        ]
        if len(kept) < len(node.tops):
            shapes = dict(zip(node.tops, input_shapes(node), strict=True))
            known = (shapes[top] for top in node.tops if top.blob in kept)
            layer = Input(tuple(shape for shape in known if shape is not None))
        if kept:
            rest.add(node.name, layer, (), kept, node.source, node.field)
    return rest


def _labels(graph: Graph) -> set[Ref]:
    """The tops of data layers that are read as labels only."""
    readers: dict[Ref, list[bool]] = {}
    for node in graph.nodes:
        for index, ref in enumerate(node.bottoms):
            readers.setdefault(ref, []).append(index in node.layer.labels(len(node.bottoms)))
    return {
        top
        for node in graph.nodes
        if node.layer.role is Role.SOURCE
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
    for index, top in enumerate(node.tops):
        if top in labels:
            gone.add(top)
            changes.append(Change(node.name, node.type, f"its label {top.blob!r} left out"))
            continue
        shape = shapes.blobs.get(top)
        known = shape is not None and None not in shape
        layer = Input((tuple(dim or 0 for dim in shape or ()),)) if known else Input()
        made.add(node.name, layer, (), (top.blob,), Block(), node.field)
        # The images are the first top; what follows is labels, which nothing transforms.
        what = became(top.blob) + (_transformed(node) if index == 0 else "")
        changes.append(Change(node.name, node.type, what))


def _transformed(node: Node) -> str:
    """What the layer does to images besides reading them."""
    return left_to_you(node.source, warps=node.layer.warps) + by_chance(node.source)


def _loss(
    made: Graph,
    node: Node,
    graph: Graph,
    losses: Losses,
    gone: set[Ref],
    changes: list[Change],
) -> None:
    if losses in ("keep", "auto") and not any(ref in gone for ref in node.bottoms):
        append(made, node)
        return
    gone.update(node.tops)
    head = node.layer.at_inference()
    scores = node.bottoms[0]
    if isinstance(head, Instead) or losses == "drop" or scores in gone:
        changes.append(Change(node.name, node.type, "left out: it is for training only"))
        return
    same = (other for other in graph.nodes if scores in other.bottoms)
    if any(other.type == head.type for other in same):
        changes.append(Change(node.name, node.type, f"left out: the net already has a {head.type}"))
        return
    nodes = (*graph.nodes, *made.nodes)
    taken = {top.blob for n in nodes for top in n.tops} | {n.name for n in nodes}
    names = _names(node.name, last=node is _last_head(graph))
    name = next(n for n in names if n not in taken)
    made.add(name, head, (scores.blob,), (name,), Block(), node.field)
    changes.append(Change(node.name, node.type, f"became its head: {head.type} {name!r}"))


def _last_head(graph: Graph) -> Node | None:
    """The last loss that has a head: the others are auxiliary."""
    heads = (n for n in reversed(graph.nodes) if n.layer.role is Role.LOSS)
    return next((n for n in heads if not isinstance(n.layer.at_inference(), Instead)), None)


def _names(layer: str, *, last: bool) -> Iterator[str]:
    if last:
        yield "prob"
    yield f"{layer}_prob"
    for number in count(2):
        yield f"{layer}_prob{number}"
