"""Tools around weights: show, compare, copy, and other forms of files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prototxt_gen._files import whole_file
from prototxt_gen._numpy import np
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Document
from prototxt_gen.errors import GraphError, WeightsError
from prototxt_gen.formats.caffemodel import read_caffemodel, write_caffemodel
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import Init, initial
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.write import write
from prototxt_gen.layers.shapes import show

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Stored = Mapping[str, Sequence["Array"]]

#: What ONNX calls the weights of a type; any other are weight and bias.
_NAMES = {
    "BatchNorm": ("mean", "variance", "factor", "scale", "bias"),
    "PReLU": ("slope",),
    "Scale": ("weight", "bias"),
}


@dataclass(frozen=True, slots=True)
class Statistics:
    """One weight: its layer and place, its shape, and what its numbers are like."""

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
    """What became of a layer in a copy: ``matched``, or why not."""

    layer: str
    source: str | None
    what: str


def shapes_of(graph: Graph) -> Shapes:
    """The shapes of a net; raises GraphError where Caffe would refuse it."""
    sink = Sink(graph.source)
    shapes = check(graph, sink)
    sink.raise_errors(GraphError)
    return shapes


def make(graph: Graph, init: Init, seed: int = 0) -> dict[str, list[Array]]:
    """New weights for a net, as its fillers say, zeros or random ones."""
    return initial(graph, shapes_of(graph), init, seed)


def save(graph: Graph, weights: Stored, path: str | os.PathLike[str]) -> None:
    """Write a net with weights as a caffemodel."""
    document = write(graph)
    write_caffemodel(path, Document(document.root, dialect=graph.dialect), weights)


def statistics(weights: Stored) -> list[Statistics]:
    """What the numbers of each weight are like."""
    found = []
    for layer, blobs in weights.items():
        for index, blob in enumerate(blobs):
            finite = blob[np.isfinite(blob)]
            some = finite if finite.size else np.zeros(1, np.float32)
            found.append(
                Statistics(
                    layer,
                    index,
                    blob.shape,
                    float(some.min()),
                    float(some.max()),
                    float(some.mean(dtype=np.float64)),
                    float(some.std(dtype=np.float64)),
                    int(np.isnan(blob).sum()),
                    int(np.isinf(blob).sum()),
                )
            )
    return found


def copy(
    source: Stored, graph: Graph, names: Mapping[str, str] | None = None
) -> tuple[dict[str, list[Array]], list[Copied]]:
    """The weights of one file for another net, by name and shape.

    ``names`` says what a layer of the net is called in the file: old name to new name.
    What does not match is left out, and said.
    """
    renamed = {(names or {}).get(old, old): old for old in source}
    shapes = shapes_of(graph)
    found: dict[str, list[Array]] = {}
    report = []
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        if not wanted:
            continue
        old = renamed.get(node.name)
        if old is None:
            report.append(Copied(node.name, None, "no layer of this name"))
            continue
        blobs = list(source[old])
        have = [blob.shape for blob in blobs]
        if have == [tuple(shape) for shape in wanted]:
            found[node.name] = blobs
            report.append(Copied(node.name, old, "matched"))
        else:
            shown = ", ".join(map(show, have)) or "nothing"
            report.append(
                Copied(node.name, old, f"has {shown}; expected {', '.join(map(show, wanted))}")
            )
    used = {copied.source for copied in report}
    report += [Copied(old, old, "not in the net") for old in source if old not in used]
    return found, report


def flat(graph: Graph | None, weights: Stored) -> dict[str, Array]:
    """Weights by names as in ONNX, ``conv1/weight``; with a net, by the types of its layers."""
    types = {node.name: node.layer.type for node in graph.nodes} if graph else {}
    found = {}
    for layer, blobs in weights.items():
        own = _NAMES.get(types.get(layer, ""), ("weight", "bias"))
        for index, blob in enumerate(blobs):
            name = own[index] if index < len(own) else str(index)
            found[f"{layer}/{name}"] = np.ascontiguousarray(blob)
    return found


def nested(graph: Graph, arrays: Mapping[str, Array]) -> dict[str, list[Array]]:
    """The reverse of ``flat``; raises WeightsError for what lacks or is of no layer."""
    shapes = shapes_of(graph)
    left = dict(arrays)
    found: dict[str, list[Array]] = {}
    for index, node in enumerate(graph.nodes):
        wanted = shapes.weights.get(index, ())
        own = _NAMES.get(node.layer.type, ("weight", "bias"))
        blobs = []
        for place, shape in enumerate(wanted):
            key = f"{node.name}/{own[place] if place < len(own) else place}"
            if key not in left:
                raise WeightsError(f"{key!r} is missing; it should be {show(shape)}")
            value = left.pop(key)
            if value.shape != tuple(shape):
                raise WeightsError(f"{key!r} is {show(value.shape)}; expected {show(shape)}")
            blobs.append(value)
        if blobs:
            found[node.name] = blobs
    if left:
        raise WeightsError(f"{next(iter(left))!r} belongs to no layer of the net")
    return found


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Array]) -> None:
    """Write arrays as npz or safetensors, by the name of the file, whole or not at all."""
    suffix = Path(path).suffix
    with whole_file(path) as file:
        if suffix == ".npz":
            np.savez(file, **dict(arrays))  # type: ignore[arg-type]
        elif suffix == ".safetensors":
            _write_safetensors(file, arrays)
        else:
            raise WeightsError(f"{path}: expected a name that ends with .npz or .safetensors")


def read_arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read npz or safetensors; raises WeightsError where a file is neither."""
    name = os.fspath(path)
    try:
        if Path(name).suffix == ".safetensors":
            return _read_safetensors(name)
        with np.load(name, allow_pickle=False) as file:
            return {key: np.asarray(file[key], np.float32) for key in file.files}
    except (ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{name}: is no npz or safetensors file: {error}") from error


def difference(a: Stored, b: Stored) -> list[tuple[str, str]]:
    """Where two files differ: layers that one lacks, shapes, and the greatest difference."""
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
            if not np.array_equal(one, other, equal_nan=True):
                greatest = float(np.nanmax(np.abs(one.astype(np.float64) - other)))
                places = int((one != other).sum())
                found.append(
                    (f"{layer}[{index}]", f"{places} of {one.size} differ, by {greatest:.3g}")
                )
    return found


def stored(path: str | os.PathLike[str]) -> dict[str, tuple[Array, ...]]:
    """The weights of a caffemodel by the names of their layers."""
    return read_caffemodel(path).weights()


def _write_safetensors(file: Any, arrays: Mapping[str, Array]) -> None:
    """A header of JSON with its length in front, and the numbers one behind the other."""
    header: dict[str, object] = {}
    offset = 0
    for name, array in arrays.items():
        places = [offset, offset + array.nbytes]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": places}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array, "<f4").reshape(-1).view(np.uint8).data)


def _read_safetensors(path: str) -> dict[str, Array]:
    kinds = {"F32": "<f4", "F64": "<f8", "F16": "<f2"}
    data = np.memmap(path, np.uint8, "r")
    size = int.from_bytes(bytes(data[:8]), "little")
    if size > len(data) - 8:
        raise ValueError("the header is longer than the file")
    header = json.loads(bytes(data[8 : 8 + size]))
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + size + place for place in entry["data_offsets"])
        values = data[start:end].view(kinds[entry["dtype"]])
        found[name] = np.asarray(values, np.float32).reshape(entry["shape"])
    return found
