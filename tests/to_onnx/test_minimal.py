"""Nothing in a model that an optimiser would still take out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import onnx
import onnxruntime
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source

SMALL = {"width": 4, "classes": 5, "input_shape": (1, 3, 64, 64)}


def _conv(name: str, bottom: str, number: int, rest: str) -> str:
    """A convolution with BatchNorm, Scale and ReLU behind it."""
    return f"""
layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}"
  convolution_param {{ num_output: {number} bias_term: false {rest} }} }}
layer {{ name: "{name}/bn" type: "BatchNorm" bottom: "{name}" top: "{name}" }}
layer {{ name: "{name}/scale" type: "Scale" bottom: "{name}" top: "{name}"
  scale_param {{ bias_term: true }} }}
layer {{ name: "{name}/relu" type: "ReLU" bottom: "{name}" top: "{name}" }}"""


def _pool(name: str, bottom: str, rest: str) -> str:
    return (
        f'layer {{ name: "{name}" type: "Pooling" bottom: "{bottom}" top: "{name}"'
        f" pooling_param {{ {rest} }} }}\n"
    )


BEGIN = 'input: "data" input_shape { dim: [1, 3, 32, 32] }\n'
END = """
layer { name: "drop" type: "Dropout" bottom: "last" top: "last" }
layer { name: "fc" type: "InnerProduct" bottom: "last" top: "fc"
  inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""
NETS = {
    "ResNet": api.generate(stages=[1, 1, 1, 1], block="bottleneck", **SMALL),
    "ResNeXt": api.generate(stages=[1, 1], block="bottleneck", cardinality=2, **SMALL),
    "before activation": api.generate(stages=[1, 1], block="preact-bottleneck", **SMALL),
    "SE-ResNet": api.generate(stages=[1, 1], block="bottleneck", se=4, **SMALL),
    "MobileNet": BEGIN
    + _conv("a", "data", 8, "kernel_size: 3 pad: 1 stride: 2")
    + _conv("b", "a", 8, "kernel_size: 3 pad: 1 group: 8")
    + _conv("c", "b", 16, "kernel_size: 1")
    + _pool("last", "c", "pool: AVE global_pooling: true")
    + END,
    "GoogLeNet": BEGIN
    + _conv("a", "data", 8, "kernel_size: 3 pad: 1")
    + 'layer { name: "n" type: "LRN" bottom: "a" top: "n" lrn_param { alpha: 1e-4 } }\n'
    + _pool("p", "n", "pool: MAX kernel_size: 3 stride: 2")
    + _conv("one", "p", 4, "kernel_size: 1")
    + _conv("three", "p", 4, "kernel_size: 3 pad: 1")
    + _pool("same", "p", "pool: MAX kernel_size: 3 stride: 1 pad: 1")
    + 'layer { name: "all" type: "Concat" bottom: "one" bottom: "three" bottom: "same" top: "all" }'
    + _pool("last", "all", "pool: AVE kernel_size: 16 stride: 1")
    + END,
}


@pytest.mark.parametrize("batch", [None, "dynamic"])
@pytest.mark.parametrize("name", NETS)
def test_an_optimiser_finds_nothing(name: str, batch: str | None, tmp_path: Path) -> None:
    graph = api.load(Source(NETS[name].encode()))
    model = api.convert(graph, weights_init="random", batch=batch).model
    file = tmp_path / "optimised.onnx"
    options = onnxruntime.SessionOptions()
    # The levels above put operators of onnxruntime's own in the place of several.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert _kinds(model) == _kinds(onnx.load(file))
    # A BatchNorm before the activation has no weights before it to go into.
    kept = {"BatchNormalization"} if name == "before activation" else set()
    assert {"Identity", "Dropout", "BatchNormalization"} & set(_kinds(model)) == kept


def _kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)
