"""Which layers of a file with weights are those of a net: by name, else by shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from prototxt_gen._numpy import np
from prototxt_gen.errors import WeightsError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import fit_blob, lacking
from prototxt_gen.layers.parts.shapes import Shape, show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Stored = Mapping[str, Sequence["Array"]]


class Match(NamedTuple):
    """A layer of the net, one of the file, and what the two have to do with each other.

    ``fits`` if the weights of the file are taken; ``suggested`` if they would fit, but the layer
    has another name.
    """

    layer: Optional[str]
    source: Optional[str]
    what: str
    fits: bool = False
    suggested: bool = False


def mapped(graph: Graph, pairs: Mapping[str, str]) -> None:
    """Give layers of the net the weights of layers with another name, net to file.

    A layer of the file that was taken for one of its own name is no more. Raises WeightsError for
    a layer that there is not.
    """
    stored = dict(graph.stored)
    names = {node.name for node in graph.nodes}
    for layer, source in pairs.items():
        if layer in names and source in stored:
            continue
        words = f"the net has no layer {layer!r}"
        if layer in names:
            words = f"the file has no layer {source!r}"
        if source in names and layer in stored:
            words += f"; the net's name comes first: {source}={layer}"
        raise WeightsError(words)
    for source in set(pairs.values()) - set(pairs):
        graph.stored.pop(source, None)
    for layer, source in pairs.items():
        graph.stored[layer] = stored[source]


def matches(graph: Graph, shapes: Shapes, stored: Stored) -> list[Match]:
    """What the layers of a net have in a file, and what the file has besides.

    A layer whose name the file does not have is compared by the shapes of its weights with those
    that no layer of the net has the name of; where several fit, they are taken in their order.
    """
    names = {node.name for node in graph.nodes}
    left = [name for name in stored if name not in names]
    absent = set(lacking(graph, shapes, stored))
    if not any(node.name in stored for node in graph.nodes):
        absent = {index for index, wanted in shapes.weights.items() if wanted}
    found = []
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        if not wanted:
            continue
        if index not in absent:
            found.append(_by_name(node.name, stored.get(node.name, ()), wanted))
            continue
        fit = [name for name in left if _fits(stored[name], wanted)]
        if not fit:
            found.append(Match(node.name, None, f"not in the file; it has {_shown(wanted)}"))
            continue
        left.remove(fit[0])
        others = f"; {len(fit) - 1} more would fit" if len(fit) > 1 else ""
        what = f"not in the file; {fit[0]!r} has its shapes{others}"
        found.append(Match(node.name, fit[0], what, suggested=True))
    return found + [Match(None, name, "not in the net") for name in left]


def _by_name(name: str, blobs: Sequence[Array], wanted: Sequence[Shape]) -> Match:
    if not blobs:
        return Match(name, None, "shared with another layer", fits=True)
    if _fits(blobs, wanted):
        return Match(name, name, "matched", fits=True)
    found = ", ".join(show(blob.shape) for blob in blobs)
    return Match(name, name, f"has {found}; expected {_shown(wanted)}")


def _fits(blobs: Sequence[Array], wanted: Sequence[Shape]) -> bool:
    return len(blobs) == len(wanted) and all(
        fit_blob(blob, shape, permissive=False) is not None
        for blob, shape in zip(blobs, wanted, strict=True)
    )


def _shown(shapes: Sequence[Shape]) -> str:
    return ", ".join(map(show, shapes))
