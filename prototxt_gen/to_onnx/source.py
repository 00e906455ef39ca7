"""The net that a model was made from, kept in the model's metadata.

A model keeps its source once, as entries of the model: optimisers drop the metadata of nodes.
The entries are the net as text, the options of the export, and how to get back each weight
that is not an initializer under its usual name. ``restore`` reads them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from prototxt_gen import _version
from prototxt_gen.formats.prototxt import print_document
from prototxt_gen.graph.graph import Node
from prototxt_gen.graph.write import write
from prototxt_gen.layers.parts.shapes import Shape
from prototxt_gen.passes.deploy import Change
from prototxt_gen.to_onnx.export import Exported, Options

Array = np.ndarray[Any, np.dtype[Any]]
PREFIX = "resnet-proto."
FORMAT = "1"  #: of the entries; a reader ignores any other
#: The most characters of weights in the metadata, and the most bytes of one that is tried.
LARGEST_RAW, _LARGEST_BLOB = 4 << 20, 16 << 20


def keep_source(made: Exported, options: Options, given: Mapping[str, Shape]) -> None:
    """Write the net, and what is needed to export it again, into a model.

    A net with text that is not UTF-8, which a model cannot keep, is left out with a change.
    """
    graph = made.graph
    try:
        text = print_document(write(graph)).decode("utf-8")
    except UnicodeDecodeError:
        what = "its text is not UTF-8, so that the model does not keep it"
        made.changes.append(Change(graph.name or "net", "", what))
        return
    asked: dict[str, Any] = {
        "batch": options.batch,
        "hidden": sorted(graph.hidden),
        "input_shapes": {name: list(shape) for name, shape in sorted(given.items())},
        "opset": options.opset,
        "outputs": list(options.outputs),
    }
    if options.dynamic:
        asked["dynamic"] = {name: list(dims) for name, dims in sorted(options.dynamic.items())}
    if options.efficient_nms:
        asked["efficient_nms"] = True
    entries = {
        "format": FORMAT,
        "version": _version.__version__,
        "dialect": graph.dialect,
        "options": _json(asked),
        "files": _json(graph.files),
        "net": text,
        "weights": _json({str(index): ways for index, ways in _weights(made)}),
    }
    for key, value in entries.items():
        made.skeleton.metadata_props.add(key=PREFIX + key, value=value)


def usual_names(node: Node, shapes: Sequence[Shape]) -> list[str]:
    """The initializers that have the weights of a node, where its ``lower`` changes none."""
    return [f"{node.name}/{weight.name}" for weight in node.layer.weights(tuple(shapes))]


def _weights(made: Exported) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """For each node whose blobs are not simply its initializers how to get them."""
    beside: dict[str, list[str]] = {}
    for name in made.values:
        beside.setdefault(name.rpartition("/")[0], []).append(name)
    left = LARGEST_RAW
    for index, blobs in sorted(made.weights.of.items()):
        node = made.graph.nodes[index]
        usual = usual_names(node, [blob.shape for blob in blobs])
        ways = []
        for blob, name in zip(blobs, usual, strict=True):
            way = _way(blob, [name, *beside.get(node.name, ())], made.values, left)
            left -= len(way.get("raw", ""))
            ways.append(way)
        if any(way != {"name": name} for way, name in zip(ways, usual, strict=True)):
            yield index, ways


def _way(
    blob: Array, names: Sequence[str], values: Mapping[str, Array], left: int
) -> dict[str, Any]:
    """How to get a blob; without a way where it would take more than is left."""
    shape = {"shape": list(blob.shape)}
    for name in names:
        value = values.get(name)
        if value is None or value.size != blob.size or value.dtype != np.float32:
            continue
        if same_bits(value, blob):
            return {"name": name} | (shape if value.shape != blob.shape else {})
        if blob.ndim == 2 and value.shape == blob.shape[::-1] and same_bits(value.T, blob):
            return {"name": name, "transposed": True}
    first = blob.flat[0] if blob.size else np.float32(np.nan)
    if np.isfinite(first) and same_bits(np.full_like(blob, first), blob):
        return {"fill": float(first), **shape}
    if blob.nbytes <= _LARGEST_BLOB:
        data = zlib.compress(np.ascontiguousarray(blob, "<f4").tobytes(), 9)
        raw = base64.b64encode(data).decode("ascii")
        if len(raw) <= left:
            return {"raw": raw, **shape}
    return {}


def same_bits(a: Array, b: Array) -> bool:
    """Whether two arrays have the same numbers in the same order, to the last bit."""
    if a is b:
        return True
    one, other = np.ascontiguousarray(a).reshape(-1), np.ascontiguousarray(b).reshape(-1)
    if one.ctypes.data == other.ctypes.data and one.nbytes == other.nbytes:
        return True
    kind = f"u{one.itemsize}"
    return one.dtype == other.dtype and np.array_equal(one.view(kind), other.view(kind))


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
