"""Tools for weights: show, compare, copy and convert."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.document import Document
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats.binary.caffemodel import read_caffemodel, write_caffemodel
from prototxt_gen.formats.binary.message import reads_back
from prototxt_gen.formats.dialects import KNOWN
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.fillers import Init, initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.weights import fit_blob
from prototxt_gen.graph.write import write
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.parts.shapes import Shape, show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

_PIECE = 1 << 20  #: numbers that are float64 at once
Stored = Mapping[str, Sequence["Array"]]


@dataclass(frozen=True, slots=True)
class Statistics:
    """One weight: its layer and index, its shape, and statistics of its values."""

    layer: str
    index: int
    shape: tuple[int, ...]
    least: float
    greatest: float
    mean: float
    deviation: float
    nan: int
    infinite: int


@dataclass(frozen=True, slots=True)
class Copied:
    """The result for a layer in a copy: ``matched``, or the reason why not."""

    layer: str
    source: str | None
    what: str


def make(
    graph: Graph, init: Init, seed: int = 0, input_shapes: Mapping[str, Shape] | None = None
) -> dict[str, list[Array]]:
    """New weights for a net: by its fillers, zeros or random ones.

    ``input_shapes`` replace those in the net. Raises WeightsError if a type or a shape is
    not known, or a filler is invalid.
    """
    shapes = checked(graph, input_shapes)
    _need_shapes(graph, shapes)
    return initial(graph, shapes, init, seed)


def _need_shapes(graph: Graph, shapes: Shapes) -> None:
    """Raise WeightsError for a layer whose weights have no known shape."""
    for index, node in enumerate(graph.nodes):
        why = _unknown(graph, shapes, index)
        if why is not None:
            raise WeightsError(f"layer {node.name!r}: {why}")


def _unknown(graph: Graph, shapes: Shapes, index: int) -> str | None:
    """Why it is not known which weights a layer has; None where it is known."""
    layer = graph.nodes[index].layer
    if not layer.known:
        return f"no weights are known of the type {layer.type!r}; --plugin FILE adds types"
    if index in shapes.weights or layer.parameter_free():
        return None
    first = next(iter(shapes.reasons), None)
    why = "give the input's shape with --input-shape"
    if first is not None:
        why = f"layer {graph.nodes[first].name!r}: {shapes.reasons[first]}"
    return f"the shape of its weights is not known; {why}"


def save(graph: Graph, weights: Stored, path: str | os.PathLike[str]) -> bool:
    """Write a net with weights as a caffemodel; return whether the file can be read alone.

    It cannot if it is read by a schema of the user's own alone; of any other the file tells.
    """
    document = Document(write(graph).root, dialect=graph.dialect)
    write_caffemodel(path, document, weights)
    return document.dialect in KNOWN or reads_back(document)


def statistics(weights: Stored) -> list[Statistics]:
    """The statistics of each weight."""
    found = []
    for layer, blobs in weights.items():
        for index, blob in enumerate(map(np.asarray, blobs)):
            whole = np.isfinite(blob)
            finite = blob if whole.all() else blob[whole]
            some = (finite if finite.size else np.zeros(1, np.float32)).reshape(-1)
            mean = float(some.mean(dtype=np.float64))
            found.append(
                Statistics(
                    layer,
                    index,
                    blob.shape,
                    float(some.min()),
                    float(some.max()),
                    mean,
                    _deviation(some, mean),
                    int(np.isnan(blob).sum()),
                    int(np.isinf(blob).sum()),
                )
            )
    return found


def _deviation(values: Array, mean: float) -> float:
    """The standard deviation, as float64 and bit by bit."""
    squares = 0.0
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE].astype(np.float64)
        squares += float(np.square(piece - mean).sum())
    return float(np.sqrt(squares / values.size))


def copy(
    source: Stored,
    graph: Graph,
    names: Mapping[str, str] | None = None,
    input_shapes: Mapping[str, Shape] | None = None,
) -> tuple[dict[str, list[Array]], list[Copied]]:
    """The weights of one file for another net, by name and shape.

    ``names`` maps names in the file to names in the net, and overrides equal names. Layers
    that do not match are left out and listed in the report, and so are those of which it is
    not known which weights they have. Raises WeightsError if two layers get one name.
    """
    renamed = {**{old: old for old in source}, **_reversed(names or {})}
    shapes = checked(graph, input_shapes)
    found: dict[str, list[Array]] = {}
    report = []
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        old = renamed.get(node.name)
        unknown = _unknown(graph, shapes, index)
        if unknown is not None:
            report.append(Copied(node.name, old if old in source else None, unknown))
            continue
        if not wanted:
            continue
        if old is None or old not in source:
            report.append(Copied(node.name, None, "no layer of this name"))
            continue
        fitted = _fitted(source[old], wanted)
        if fitted is not None:
            found[node.name] = fitted
            report.append(Copied(node.name, old, "matched"))
        else:
            shown = ", ".join(show(blob.shape) for blob in source[old]) or "nothing"
            report.append(
                Copied(node.name, old, f"has {shown}; expected {', '.join(map(show, wanted))}")
            )
    used = {copied.source for copied in report}
    report += [Copied(old, old, "not in the net") for old in source if old not in used]
    return found, report


def _reversed(names: Mapping[str, str]) -> dict[str, str]:
    """New name to old name; raises WeightsError if two layers get one name."""
    found: dict[str, str] = {}
    for old, new in names.items():
        if new in found:
            raise WeightsError(f"{found[new]!r} and {old!r} cannot both become {new!r}")
        found[new] = old
    return found


def _fitted(blobs: Sequence[Array], wanted: Sequence[Shape]) -> list[Array] | None:
    """Blobs in the shapes that a layer needs; None if one does not fit."""
    if len(blobs) != len(wanted):
        return None
    found = [_fit(blob, shape) for blob, shape in zip(blobs, wanted, strict=True)]
    fitted = [blob for blob in found if blob is not None]
    return fitted if len(fitted) == len(found) else None


def _fit(blob: Array, shape: Shape) -> Array | None:
    """A blob in a shape, as in ``graph.weights``; an unknown axis has the size in the blob."""
    if len(shape) == blob.ndim:
        pairs = zip(shape, blob.shape, strict=True)
        shape = tuple(own if dim is None else dim for dim, own in pairs)
    return fit_blob(blob, shape, permissive=False)


def flat(graph: Graph | None, weights: Stored) -> dict[str, Array]:
    """Weights by names as in ONNX, ``conv1/weight``; a net gives the types of the layers."""
    layers = {node.name: node.layer for node in graph.nodes} if graph else {}
    found: dict[str, Array] = {}
    for name, blobs in weights.items():
        keys = _keys(name, layers.get(name, Layer()), [blob.shape for blob in blobs])
        found.update(zip(keys, map(np.ascontiguousarray, blobs), strict=True))
    return found


def entries(
    graph: Graph, input_shapes: Mapping[str, Shape] | None = None
) -> dict[str, tuple[str, Shape]]:
    """Every weight of a net by its name in ``flat``: its layer and shape; or a WeightsError."""
    shapes = checked(graph, input_shapes)
    _need_shapes(graph, shapes)
    return {
        key: (node.name, shape)
        for index, node in enumerate(graph.nodes)
        for wanted in [shapes.weights.get(index, ())]
        for key, shape in zip(_keys(node.name, node.layer, wanted), wanted, strict=True)
    }


def nested(
    graph: Graph, arrays: Mapping[str, Array], input_shapes: Mapping[str, Shape] | None = None
) -> dict[str, list[Array]]:
    """The reverse of ``flat``; raises WeightsError for a missing or superfluous array.

    So it does if it is not known which weights a layer has.
    """
    left = dict(arrays)
    found: dict[str, list[Array]] = {}
    for key, (layer, shape) in entries(graph, input_shapes).items():
        if key not in left:
            raise WeightsError(f"{key!r} is missing; expected {show(shape)}")
        value = left.pop(key)
        fitted = _fit(value, shape)
        if fitted is None:
            raise WeightsError(f"{key!r} is {show(value.shape)}; expected {show(shape)}")
        found.setdefault(layer, []).append(fitted)
    if left:
        raise WeightsError(f"{next(iter(left))!r} belongs to no layer of the net")
    return found


def _keys(name: str, layer: Layer, shapes: Sequence[Shape]) -> list[str]:
    """The names of a layer's weights; a number for a weight that the type does not have."""
    own = [weight.name for weight in layer.weights(shapes)]
    return [f"{name}/{own[i] if i < len(own) else i}" for i in range(len(shapes))]


def difference(a: Stored, b: Stored) -> list[tuple[str, str]]:
    """Where two files differ: layers that only one has, shapes, and the greatest difference."""
    found = []
    for layer in {**a, **b}:
        if layer not in a or layer not in b:
            found.append((layer, "only in the first" if layer in a else "only in the second"))
            continue
        shapes = [[blob.shape for blob in side[layer]] for side in (a, b)]
        if shapes[0] != shapes[1]:
            words = [", ".join(map(show, side)) for side in shapes]
            found.append((layer, f"{words[0]} in the first, {words[1]} in the second"))
            continue
        for index, (one, other) in enumerate(zip(a[layer], b[layer], strict=True)):
            unlike = _unlike(one, other)
            if unlike:
                found.append((f"{layer}[{index}]", unlike))
    return found


def _unlike(one: Array, other: Array) -> str:
    """How many values of two weights differ, and by how much; NaN equals NaN."""
    differ = nan = 0
    greatest = 0.0
    one, other = one.reshape(-1), other.reshape(-1)
    for start in range(0, one.size, _PIECE):
        a, b = one[start : start + _PIECE], other[start : start + _PIECE]
        missing = np.isnan(a) != np.isnan(b)
        places = (a != b) & ~(np.isnan(a) & np.isnan(b))
        numbers = places & ~missing
        differ, nan = differ + int(places.sum()), nan + int(missing.sum())
        if numbers.any():
            greatest = max(
                greatest, float(np.abs(a[numbers].astype(np.float64) - b[numbers]).max())
            )
    if not differ:
        return ""
    words = f"{differ} of {one.size} differ"
    if differ > nan:
        words += f", by {greatest:.3g}"
    return f"{words}, {nan} of them NaN in one file" if nan else words


def stored(path: str | os.PathLike[str]) -> dict[str, tuple[Array, ...]]:
    """The weights of a caffemodel by the names of their layers."""
    return read_caffemodel(path).weights()
