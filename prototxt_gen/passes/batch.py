"""Another batch size, and what follows the batch besides the inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes, infer
from prototxt_gen.layers.base import BATCH, Layer, Role
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.axes import Free, Meanings, batch_axes, labelled
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.rebuild import append, empty_like


def set_batch(
    graph: Graph, batch: int, given: Mapping[str, Shape] | None
) -> tuple[Graph, list[Change]]:
    """The net with another batch size, and the changes to layers that had the size written.

    ``given`` are shapes of inputs. An input of another batch keeps its size.
    """
    shapes = infer(graph, Sink(), given)
    sizes = {ref.blob: shapes.blobs.get(ref, ()) for ref in graph.inputs}
    for name, free in batch_axes(graph, shapes, Meanings(graph, shapes)).items():
        if free.symbol == BATCH:
            shape = sizes[name]
            sizes[name] = (*shape[: free.axis], batch, *shape[free.axis + 1 :])
    return resized(graph, shapes, sizes)


def resized(
    graph: Graph, shapes: Shapes, inputs: Mapping[str, Shape]
) -> tuple[Graph, list[Change]]:
    """The net with inputs of other shapes, whose layers and constants follow the batch.

    ``shapes`` are those of the net as it is. The changes are those of ``unpinned``.
    """
    meanings = Meanings(graph, shapes)
    axes = batch_axes(graph, shapes, meanings)
    sizes = {**inputs, **followers(graph, shapes, inputs, meanings, axes)}
    moved = {
        name: free
        for name, free in axes.items()
        if inputs[name][free.axis] != shapes.blobs[Ref(name, 0)][free.axis]
    }
    graph, changes = unpinned(graph, shapes, moved, meanings)
    made = empty_like(graph)
    for node in graph.nodes:
        tops = [sizes.get(top.blob, ()) for top in node.tops]
        if node.layer.role is Role.INPUT:
            layer = Input(tuple(tuple(dim or 0 for dim in shape) for shape in tops))
            node = replace(node, layer=layer)
        elif not node.bottoms and all(top.blob in sizes for top in node.tops):
            node = replace(node, layer=node.layer.sized(tops))
        append(made, node)
    return made, changes


def followers(
    graph: Graph,
    shapes: Shapes,
    given: Mapping[str, Shape],
    meanings: Meanings,
    symbols: Mapping[str, Free],
) -> dict[str, Shape]:
    """The shapes of constants that have the inputs' batch, and so follow it.

    ``given`` are the shapes of the inputs with another batch, ``symbols`` their free axes.
    """
    sizes = {
        (shapes.blobs[Ref(name, 0)][0], given[name][0])
        for name, free in symbols.items()
        if free.symbol == BATCH and free.axis == 0
    }
    if len(sizes) != 1:
        return {}
    ((old, new),) = sizes
    return {
        ref.blob: (new, *shapes.blobs[ref][1:])
        for node in graph.nodes
        if not node.bottoms and node.layer.role is not Role.INPUT
        for ref, axis, _ in labelled(node, shapes)
        if meanings.of(ref, axis) == {BATCH} and axis == 0 and shapes.blobs[ref][0] == old
    }


def unpinned(
    graph: Graph, shapes: Shapes, symbols: Mapping[str, Free], meanings: Meanings
) -> tuple[Graph, list[Change]]:
    """The net whose layers keep the batch of their bottom instead of a literal size.

    ``symbols`` are the free axes of inputs.
    """
    free = {meanings.root(Ref(name, 0), axis) for name, (axis, _, _) in symbols.items()}
    made, changes = empty_like(graph), []
    for node in graph.nodes:
        layer = node.layer
        bottom = shapes.blobs.get(node.bottoms[0], ()) if node.bottoms else ()
        for axis, size in enumerate(bottom):
            if meanings.root(node.bottoms[0], axis) in free:
                other = layer.unpinned(bottom, axis)
                if other != layer and _leads(other, bottom, axis):
                    layer = other
                    what = f"its literal batch size {size} became that of its bottom"
                    changes.append(Change(node.name, node.type, what))
        append(made, replace(node, layer=layer))
    return made, changes


def _leads(layer: Layer, bottom: Shape, axis: int) -> bool:
    """Whether the top has the batch where the bottom has it, alone or before what is joined.

    Elsewhere images would become parts of one.
    """
    twice = tuple((size or 0) * 2 if at == axis else size for at, size in enumerate(bottom))
    tops = (layer.shapes([shape], 1)[0] for shape in (bottom, twice))
    return [at for at, (a, b) in enumerate(zip(*tops, strict=True)) if a != b] == [axis]
