"""A layer with a phase of its own runs in that, whatever the net's is (net.cpp, Net::Init)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph

INPUT = 'input: "x" input_shape { dim: [2, 3, 4, 4] }\n'
NORM = 'layer { name: "n" type: "BatchNorm" bottom: "x" top: "y" %s }\n'
DROP = 'layer { name: "d" type: "Dropout" bottom: "x" top: "y" %s }\n'
X = np.random.default_rng(3).normal(2, 3, (2, 3, 4, 4)).astype(np.float32)
STATISTICS = [np.array([1, 2, 3], np.float32), np.array([4, 9, 16], np.float32)]


def net(layer: str) -> Graph:
    graph = api.load(Source((INPUT + layer).encode()))
    graph.stored = {"n": [*STATISTICS, np.ones(1, np.float32)]} if "BatchNorm" in layer else {}
    return graph


def normalised(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    def spread(values: np.ndarray) -> np.ndarray:
        return values.reshape(1, 3, 1, 1)

    return (X - spread(mean)) / np.sqrt(spread(variance) + 1e-5)


@pytest.mark.parametrize(
    ("text", "by_batch"),
    [
        ("phase: TRAIN", True),
        ("phase: TEST", False),
        ("", False),
        ("phase: TRAIN batch_norm_param { use_global_stats: true }", False),
        ("phase: TEST batch_norm_param { use_global_stats: false }", True),
    ],
)
def test_batch_norm_goes_by_the_batch_in_train(text: str, by_batch: bool) -> None:
    axes = (0, 2, 3)
    expected = normalised(X.mean(axes), X.var(axes)) if by_batch else normalised(*STATISTICS)
    graph = net(NORM % text)
    assert np.allclose(api.run(graph, {"x": X})["y"], expected, atol=1e-4)
    ops = {node.op_type for node in api.to_onnx(graph).graph.node}
    assert ("ReduceMean" in ops) == by_batch


def test_a_live_dropout_is_refused_with_the_reason() -> None:
    graph = net(DROP % "phase: TRAIN")
    for attempt in (lambda: api.run(graph, {"x": X}), lambda: api.to_onnx(graph)):
        with pytest.raises(UnsupportedError, match="its own phase is TRAIN"):
            attempt()


@pytest.mark.parametrize(
    "text", ["", "phase: TEST", "phase: TRAIN dropout_param { dropout_ratio: 0 }"]
)
def test_a_dropout_that_rests_hands_on_what_comes_in(text: str) -> None:
    graph = net(DROP % text)
    assert (api.run(graph, {"x": X})["y"] == X).all()
    api.to_onnx(graph)


def test_a_node_knows_its_phase_and_is_written_with_it() -> None:
    for layer in (NORM, DROP):
        graph = net(layer % "phase: TRAIN")
        assert [node.phase for node in graph.nodes] == [None, "TRAIN"]
        assert net_of(api.dump(graph)).nodes[1].layer == graph.nodes[1].layer
        assert "live" not in api.dump(graph)


def test_the_phase_that_a_caffemodel_was_saved_in_does_not_count(tmp_path: Path) -> None:
    """Net::ToProto writes the phase of the net into every layer."""
    from prototxt_gen.formats.binary.caffemodel import write_caffemodel
    from prototxt_gen.graph.write import write

    file = tmp_path / "net.caffemodel"
    graph = net(NORM % "phase: TRAIN")
    write_caffemodel(file, write(graph), graph.stored)
    read = api.read_caffe(file)
    assert [node.phase for node in read.nodes] == [None, None]
    assert np.allclose(api.run(read, {"x": X})["y"], normalised(*STATISTICS), atol=1e-4)


def net_of(text: str) -> Graph:
    return api.load(Source(text.encode()))
