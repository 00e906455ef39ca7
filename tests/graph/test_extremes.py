"""Shapes and values at the edges: what Caffe cannot count, and what numpy cannot compute."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from to_onnx.recorded import assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, PrototxtError, UnsupportedError, VerificationError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.validation import validate
from prototxt_gen.graph.weights import Weights
from prototxt_gen.layers.activation import ReLU
from prototxt_gen.layers.parts import numeric
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.to_onnx.write import check_form


def shaped(dims: object, rest: str = "") -> Source:
    return Source(f'input: "x" input_shape {{ dim: {dims} }}\n{rest}'.encode())


def layer(type: str, more: str = "") -> str:
    return f'layer {{ name: "l" type: "{type}" bottom: "x" top: "y" {more} }}\n'


@pytest.mark.parametrize(
    ("dims", "rule"),
    [
        ([1] * 33, "too-many-axes"),
        ([0, 2**31], "blob-too-large"),
        ([2, 6, 2**63 - 1, 0], "blob-too-large"),
        ([-1, 3], "negative-dim"),
    ],
)
def test_a_shape_that_caffe_cannot_have(dims: list[int], rule: str) -> None:
    assert [found.rule for found in validate(shaped(dims)).errors] == [rule]


def test_the_most_that_caffe_can_have() -> None:
    assert not validate(shaped([1] * 32)).errors
    assert not validate(shaped([0, 2**31 - 1])).errors


@pytest.mark.parametrize(
    ("net", "inputs", "words"),
    [
        (shaped([0, 6], layer("ArgMax")), {"x": np.zeros((0, 6))}, "layer 'l': .*empty.*0x6"),
        (
            shaped([3], layer("Embed", "embed_param { input_dim: 2 num_output: 1 }")),
            {"x": np.array([0, 1, 2])},
            "layer 'l': .*index 2 is out of bounds",
        ),
        (
            shaped(
                [1, 2, 8, 8],
                'input: "r" input_shape { dim: [1, 5] }\n'
                'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" '
                "roi_pooling_param { pooled_h: 2 pooled_w: 2 } }",
            ),
            {"x": np.zeros((1, 2, 8, 8)), "r": np.array([[0, 0, 0, np.inf, 4]])},
            "layer 'l': a value is invalid",
        ),
    ],
)
def test_values_that_cannot_be_computed(net: Source, inputs: dict[str, object], words: str) -> None:
    graph = api.load(net)
    graph.stored = {"l": [np.ones((2, 1), np.float32), np.ones(1, np.float32)]}
    with pytest.raises(PrototxtError, match=words):
        api.run(graph, inputs)  # type: ignore[arg-type]


def test_what_memory_cannot_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: object) -> None:
        np.empty(2**62, np.uint8)

    monkeypatch.setattr(ReLU, "run", run)
    with pytest.raises(UnsupportedError, match=r"layer 'l': .*memory"):
        api.run(api.load(shaped([1, 3], layer("ReLU"))), {"x": np.zeros((1, 3))})


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_windows_far_outside_are_the_same(axes: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, *range(4, 4 + axes))).astype(np.float32)
    window = [(3, 1, 2)[:axes], (2, 3, 1)[:axes], (4, 2, 0)[:axes], (3, 2, 4)[:axes]]
    asked = (x, *window, (1, 5, 2)[:axes], -1.0)
    wanted = numeric.windows(*asked)
    gathered = numeric._gathered(*asked)
    assert gathered.shape == wanted.shape and np.array_equal(gathered, wanted)


def test_a_stride_of_millions_and_taps_far_away_need_no_memory() -> None:
    given = {"x": np.arange(24, dtype=np.float32).reshape(1, 1, 4, 6)}
    net = shaped([1, 1, 4, 6], layer("Pooling", "pooling_param { kernel_size: 2 stride: 1000000 }"))
    found = api.run(api.load(net), given)["y"]
    assert found.shape == (1, 1, 2, 2) and found[0, 0, 0, 0] == 7
    params = "num_output: 1 kernel_size: 3 pad: 9000000 dilation: 9000000 bias_term: false"
    graph = api.load(
        shaped([1, 1, 4, 6], layer("Convolution", f"convolution_param {{ {params} }}"))
    )
    graph.stored = {"l": [np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)]}
    assert np.array_equal(api.run(graph, given)["y"], 4 * given["x"])  # the middle tap alone


def test_a_weight_of_the_size_of_the_batch_refuses_another_batch() -> None:
    text = layer("InnerProduct", "inner_product_param { num_output: 4 axis: 0 bias_term: false }")
    graph = api.load(shaped([2, 3], text))
    assert api.convert(graph, batch=2, weights_init="zeros").model.graph.output
    with pytest.raises(GraphError, match=r"'l'.*size of the batch.*4x6.*4x9"):
        api.convert(graph, batch=3, weights_init="zeros")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (layer("ReLU").replace('"l"', r'"caf\351"'), "of a layer is not UTF-8"),
        (layer("ReLU").replace('"y"', r'"caf\351"'), "of a top is not UTF-8"),
        (layer("ReLU").replace('"y"', '""'), "a top has the name ''"),
        (
            layer("Convolution", "convolution_param { num_output: 1 kernel_size: 1 }").replace(
                '"l"', r'"caf\351"'
            ),
            "of a layer is not UTF-8",
        ),
    ],
)
def test_names_that_onnx_cannot_have(text: str, words: str) -> None:
    graph = api.load(shaped([1, 3, 4, 4], text))
    with pytest.raises(UnsupportedError, match=words):
        api.convert(graph, weights_init="fillers")
    assert (r'"caf\351"' if "caf" in text else 'top: ""') in api.dump(graph)


def test_a_name_of_a_net_that_is_no_utf8() -> None:
    graph = api.load(
        Source(rb'name: "caf\351" input: "x" input_shape { dim: 3 } ' + layer("ReLU").encode())
    )
    assert api.convert(graph).model.graph.name == "caf\ufffd"


def test_an_empty_blob_is_not_exported() -> None:
    net = shaped([2, 6, 0, 7], layer("Reorg", "reorg_param { stride: 1 }"))
    with pytest.raises(UnsupportedError, match="empty blob, 2x6x0x7"):
        api.convert(api.load(net))


def test_a_batch_of_none_may_be_free() -> None:
    net = shaped([0, 6, 5, 7], layer("ReLU"))
    assert api.convert(api.load(net), batch="dynamic").model.graph.output[0].name == "y"
    assert api.convert(api.load(net), batch=2).model.graph.output[0].name == "y"


def test_the_checker_takes_a_model_of_any_size() -> None:
    weights = {
        "w": np.broadcast_to(np.float32(0), (2**15, 2**15)),
        "shape": np.array([1, 2**15], np.int64),
    }
    x, y = (onnx.helper.make_tensor_value_info(n, 1, [1, 2**15]) for n in "xy")
    nodes = [
        onnx.helper.make_node("Reshape", ["x", "shape"], ["r"]),
        onnx.helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    held = [
        onnx.TensorProto(name=name, dims=value.shape, data_type=kind)
        for (name, value), kind in zip(weights.items(), (1, 7), strict=True)
    ]
    opset = [onnx.helper.make_opsetid("", 17)]
    made = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", [x], [y], held), opset_imports=opset, ir_version=8
    )
    check_form(Exported(made, weights, Graph(), Weights()))
    weights["shape"] = np.array([2, 2**15], np.int64)
    with pytest.raises(VerificationError, match="MatMul"):
        check_form(Exported(made, weights, Graph(), Weights()))


def test_what_is_returned_has_passed_the_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = api.load(shaped([1, 3], layer("ReLU")))
    monkeypatch.setattr(ReLU, "lower", lambda self, b, bottoms, blobs: (b.op("Nope", bottoms),))
    with pytest.raises(VerificationError, match="Nope"):
        api.convert(graph)


@pytest.mark.parametrize("scale", [0, -0.5])
def test_regions_that_are_mirrored(scale: float) -> None:
    net = shaped(
        [2, 2, 8, 8],
        'input: "r" input_shape { dim: [3, 5] }\n'
        'layer { name: "l" type: "ROIPooling" bottom: "x" bottom: "r" top: "y" '
        f"roi_pooling_param {{ pooled_h: 2 pooled_w: 2 spatial_scale: {scale} }} }}",
    )
    random = np.random.default_rng(0)
    given = {
        "x": random.normal(size=(2, 2, 8, 8)).astype(np.float32),
        "r": np.array([[0, 1, 1, 6, 6], [1, -8, -8, -2, -2], [0, 6, 6, 1, 1]], np.float32),
    }
    wanted = api.run(api.load(net), given)
    for opset in (11, 17):
        made = api.convert(api.load(net), opset=opset)
        assert_close(run_onnx(made.model.SerializeToString(), given), {"y": wanted["y"]})
