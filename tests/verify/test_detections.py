"""Detections are compared as what a layer chose from the values of the other side."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.comparison import Comparison, compare_top
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.run import run
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.verify import Verdict, verify, verify_export, verify_graphs

NET = """
input: "data" input_shape { dim: [2, 8, 3, 3] }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 24 kernel_size: 3 pad: 1 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "parts" type: "Slice" bottom: "conv" top: "a" top: "b"
        slice_param { slice_point: 8 } }
layer { name: "loc" type: "Flatten" bottom: "a" top: "loc" }
layer { name: "conf" type: "Flatten" bottom: "b" top: "conf" }
layer { name: "priors" type: "PriorBox" bottom: "conv" bottom: "data" top: "priors"
        prior_box_param { min_size: 1 max_size: 2 } }
layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors"
        top: "found" detection_output_param { num_classes: 8 code_type: CENTER_SIZE
        nms_param { nms_threshold: 0.45 } confidence_threshold: 0.1 } }
"""


def net() -> Graph:
    return api.load(Source(NET.encode()))


def random(batch: int | None = None) -> Conversion:
    options = Options(batch=batch if batch else "dynamic")
    return Conversion(options, weights_init="random")


@pytest.mark.parametrize("seed", range(5))
def test_a_head_is_proved_at_two_sizes_after_folding(seed: int) -> None:
    verdict = verify_export(convert(net(), random()), seed)
    assert verdict.agrees, verdict.text
    assert verdict.sizes == ("batch 2", "batch 3")
    assert "found" in {comparison.blob for comparison in verdict.comparisons}


def changed(name: str, value: float) -> Verdict:
    """The verdict on a model one of whose constants is another."""
    exported = convert(net(), random(2))
    graph = net()
    graph.stored = {
        node.name: list(exported.source[1].get(index))
        for index, node in enumerate(exported.source[0].nodes)
    }
    assert verify(graph, exported.model).agrees
    op = next(node for node in exported.model.graph.node if node.op_type == name)
    constant = next(
        tensor
        for tensor in exported.model.graph.initializer
        if tensor.name in op.input
        and tensor.data_type == onnx.TensorProto.FLOAT
        and np.isfinite(onnx.numpy_helper.to_array(tensor)).all()
    )
    old = onnx.numpy_helper.to_array(constant)
    constant.raw_data = np.full_like(old, value).tobytes()
    return verify(graph, exported.model)


@pytest.mark.parametrize(("name", "value"), [("NonMaxSuppression", 0.2), ("Greater", 0.3)])
def test_a_head_with_another_threshold_is_found_out(name: str, value: float) -> None:
    verdict = changed(name, value)
    assert not verdict.agrees
    assert verdict.text.startswith("differs first at blob 'found'")


def test_a_layer_that_selects_takes_the_values_of_the_other_side() -> None:
    exported = convert(net(), random(2))
    graph, weights = exported.graph, exported.weights
    x = np.random.default_rng(0).normal(size=(2, 8, 3, 3)).astype(np.float32)
    own = run(graph, weights, {"data": x})
    others = {Ref("conf", 0): own[Ref("conf", 0)] + np.float32(1)}
    with_others = run(graph, weights, {"data": x}, others=others)
    assert (with_others[Ref("conf", 0)] == own[Ref("conf", 0)]).all(), "no other layer does"
    assert with_others[Ref("found", 0)].shape != own[Ref("found", 0)].shape


def test_a_folded_net_is_compared_by_what_it_selects_from() -> None:
    exported = convert(net(), random(2))
    graph = exported.source[0]
    graph.stored = {
        node.name: list(exported.source[1].get(index)) for index, node in enumerate(graph.nodes)
    }
    assert len(exported.graph.nodes) < len(graph.nodes)
    assert verify_graphs(graph, exported.graph, exported.weights).agrees


EDGE = """
input: "data" input_shape { dim: [1, 4, 1, 1] } input: "scores" input_shape { dim: [1, 2] }
layer { name: "conv" type: "Convolution" bottom: "data" top: "loc"
        convolution_param { num_output: 4 kernel_size: 1 } }
%s
layer { name: "conf" type: "Power" bottom: "scores" top: "conf" power_param { scale: 1.5 } }
layer { name: "priors" type: "PriorBox" bottom: "data" bottom: "data" top: "priors"
        prior_box_param { min_size: 1 } }
layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors"
        top: "found" detection_output_param { num_classes: 2 confidence_threshold: 0.5 } }
"""
FOLDED = 'layer { name: "scale" type: "Scale" bottom: "loc" top: "loc" }'


@pytest.mark.parametrize("folded", ["", FOLDED])
def test_a_score_on_either_side_of_the_threshold_is_no_difference(folded: str) -> None:
    """The two scores differ by a rounding, which the comparison of the scores allows."""
    edge = np.float32(1 / 3)
    while edge * np.float32(1.5) > np.float32(0.5):
        edge = np.nextafter(edge, np.float32(0))
    exported = convert(api.load(Source((EDGE % folded).encode())), random(1))
    (factor,) = (
        tensor
        for tensor in exported.model.graph.initializer
        if tensor.raw_data == np.float32(1.5).tobytes()
    )
    factor.raw_data = np.float32(1.5 * (1 + 1e-6)).tobytes()
    graph = exported.source[0]
    graph.stored = {
        node.name: list(exported.source[1].get(index)) for index, node in enumerate(graph.nodes)
    }
    x = np.ones((1, 4, 1, 1), np.float32)
    given = {"data": x, "scores": np.array([[0, edge]], np.float32)}
    assert api.run(graph, given)["found"][0, 0, 0, 1] == -1, "nothing, as the net has it"
    assert verify(graph, exported.model, given).agrees
    given["scores"][0, 1] = 0.4
    assert api.run(graph, given)["found"][0, 0, 0, 1] == 1
    assert verify(graph, exported.model, given).agrees


ROWS = [
    [0, 1, 0.9, 0.1, 0.1, 0.5, 0.5],
    [0, 1, 0.8, 0.2, 0.2, 0.5, 0.5],
    [0, 1, 0.8, 0.3, 0.3, 0.6, 0.6],
    [0, 2, 0.8, 0.4, 0.4, 0.7, 0.7],
    [1, 2, 0.8, 0.5, 0.5, 0.8, 0.8],
    [1, 2, 0.7, 0.6, 0.6, 0.9, 0.9],
]


def compared(order: list[int], nudge: float = 0.0) -> Comparison:
    """The rows compared with themselves in another order, with the third score nudged."""
    node = net().nodes[-1]
    ours = np.array(ROWS, np.float32)
    theirs = ours[order]
    ours[2, 2] -= np.float32(nudge)
    return compare_top(node, "found", ours[None, None], theirs[None, None])


def test_rows_of_equal_score_may_change_places() -> None:
    assert compared([0, 1, 2, 3, 4, 5]).agrees
    assert compared([0, 2, 1, 3, 4, 5]).agrees
    assert compared([0, 2, 1, 3, 4, 5], 1e-6).agrees


@pytest.mark.parametrize("order", [[1, 0, 2, 3, 4, 5], [0, 1, 3, 2, 4, 5], [0, 1, 2, 4, 3, 5]])
def test_other_rows_may_not(order: list[int]) -> None:
    """Of another score, of another class, of another image."""
    assert not compared(order).agrees


def test_a_score_that_differs_is_no_tie() -> None:
    assert not compared([0, 2, 1, 3, 4, 5], 0.01).agrees


def test_rows_of_scores_that_are_merely_close_may_not() -> None:
    node = net().nodes[-1]
    ours = np.array(ROWS, np.float32)
    ours[2, 2] = 0.7995
    theirs = ours[[0, 2, 1, 3, 4, 5]]
    assert not compare_top(node, "found", ours[None, None], theirs[None, None]).agrees


def test_another_number_of_rows_differs() -> None:
    node = net().nodes[-1]
    ours = np.array(ROWS, np.float32)[None, None]
    assert not compare_top(node, "found", ours, ours[:, :, :5]).agrees
