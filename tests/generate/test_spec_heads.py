"""What follows the last block: a classifier, nothing, or scores for each place."""

from __future__ import annotations

import numpy as np
import pytest
from generate.structure import SMALL, net, nodes

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.weights import make


@pytest.mark.parametrize(("block", "end"), [("basic", "ReLU"), ("preact-basic", "ReLU")])
def test_a_trunk_ends_in_its_last_block(block: str, end: str) -> None:
    graph = net(head="none", block=block, classes=1000)
    assert [ref.blob for ref in graph.outputs] == ["res3b"]
    assert graph.nodes[-1].type == end
    assert {node.type for node in graph.nodes}.isdisjoint({"Softmax", "InnerProduct"})
    assert len(nodes(graph, "Pooling")) == 1


@pytest.mark.parametrize("side", [64, 65, 97, 224, 225, 321])
@pytest.mark.parametrize("output_stride", [0, 8, 16])
def test_scores_for_each_place_are_as_large_as_the_input(side: int, output_stride: int) -> None:
    keys = {"stages": [1, 1, 1, 1], "head": "fcn", "classes": 21, "output_stride": output_stride}
    shape = [1, 3, side, 2 * side]
    graph = net(**keys, input_shape=shape, block="basic")
    rows = api.summarize(graph).rows
    assert rows[-1].shapes == ((1, 21, side, 2 * side),)
    text = api.generate({**SMALL, **keys, "input_shape": shape, "block": "basic"})
    assert api.validate(Source(text.encode())) == []


def test_scores_are_enlarged_in_place() -> None:
    """A bilinear enlargement keeps a constant, and does not move what is in the middle."""
    graph = net(head="fcn", classes=2, block="basic", norm="none", input_shape=[1, 3, 65, 65])
    graph.stored = make(graph, "fillers")
    graph.stored["score"] = [graph.stored["score"][0] * 0, np.array([0, 3], np.float32)]
    blobs = api.run(graph, {"data": np.zeros((1, 3, 65, 65), np.float32)})
    score = np.asarray(blobs["score_cut"])
    assert score.shape == (1, 2, 65, 65)
    np.testing.assert_allclose(score[0, 1, 8:-8, 8:-8], 3, rtol=1e-6)
    assert not score[0, 0].any()


def test_dropout_before_the_classifier() -> None:
    graph = net(classifier_dropout=0.4)
    (node,) = nodes(graph, "Dropout")
    place = graph.nodes.index(node)
    assert node.layer.dropout_ratio == 0.4  # type: ignore[attr-defined]
    assert graph.nodes[place - 1].type == "Pooling"
    assert graph.nodes[place + 1].type == "InnerProduct"
