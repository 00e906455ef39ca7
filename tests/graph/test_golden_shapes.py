"""The shapes that real Caffe had, of every recorded case and of whole published nets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen.diagnostics import Sink, Source, render
from prototxt_gen.formats.binary.message import message_class
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.phase import State
from prototxt_gen.graph.read import read
from prototxt_gen.layers.parts.shapes import same

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(GOLDEN.glob("*/*/net.prototxt"))
#: Where the data decide how many rows there are.
OPEN = {"DetectionOutput", "Filter", "Python"}
#: Whose weights are stored in the four axes that every weight once had.
LEGACY = {"legacy_blob_shape"}


def analysed(file: Path) -> tuple[Graph, Shapes]:
    stages = frozenset({"deploy"}) if file.parent.name == "phase_stage" else frozenset()
    source = Source(file.read_bytes(), str(file))
    sink = Sink(source)
    graph = read(read_text(source, sink), sink, State("TEST", stages))
    shapes = check(graph, sink)
    assert [render(d, source) for d in sink.diagnostics if d.severity.value != "warning"] == []
    return graph, shapes


def stored_weights(file: Path) -> dict[str, list[tuple[int, ...]]]:
    net: Any = message_class("NetParameter").FromString(file.read_bytes())
    return {layer.name: list(map(dims, layer.blobs)) for layer in [*net.layer, *net.layers]}


def dims(blob: Any) -> tuple[int, ...]:
    if blob.HasField("shape"):
        return tuple(blob.shape.dim)
    legacy = (blob.num, blob.channels, blob.height, blob.width)
    return legacy if blob.HasField("num") else ()


@pytest.mark.parametrize("file", CASES, ids=lambda file: f"{file.parts[-3]}/{file.parts[-2]}")
def test_a_recorded_case(file: Path) -> None:
    graph, shapes = analysed(file)
    last = {top.blob: (top, node.type) for node in graph.nodes for top in node.tops}
    with np.load(file.with_name("io.npz")) as recorded:
        assert recorded.files
        for name in recorded.files:
            ref, type_ = last[name.partition(".")[2]]
            found, wanted = shapes.blobs[ref], recorded[name].shape
            assert same(found, wanted), name
            assert None not in found or type_ in OPEN, name
    model = file.with_name("net.caffemodel")
    if not model.exists():
        assert not any(shapes.weights.values())
        return
    stored = stored_weights(model)
    for index, node in enumerate(graph.nodes):
        found_weights = list(shapes.weights[index])
        wanted_weights = stored.get(node.name, [])
        if file.parent.name in LEGACY:
            wanted_weights = [
                tuple(w)[4 - len(f) :] for f, w in zip(found_weights, wanted_weights, strict=True)
            ]
        assert found_weights == wanted_weights, node.name


def test_published_nets(corpus: Path, recorded: Path) -> None:
    files = {
        "__".join(file.relative_to(corpus).with_suffix("").parts): file
        for file in corpus.rglob("*.prototxt")
    }
    compared = 0
    for recording in sorted((recorded / "nets").glob("*.npz")):
        with np.load(recording) as found:
            if "blob_shapes_json" not in found.files:
                continue
            weights = json.loads(str(found["blob_shapes_json"]))
            inputs = json.loads(str(found["input_shapes_json"]))
        graph, shapes = analysed(files[recording.stem.removesuffix(".real")])
        assert {
            node.name: [node.type, [list(shape) for shape in shapes.weights[index]]]
            for index, node in enumerate(graph.nodes)
            if shapes.weights.get(index)
        } == weights, recording
        assert {ref.blob: list(shapes.blobs[ref]) for ref in graph.inputs} == inputs, recording
        compared += 1
    assert compared > 60
