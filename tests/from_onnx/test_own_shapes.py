"""Layers as our own export writes them: most come back as themselves."""

import numpy as np
import pytest
from layers.cases import CASES, Case
from lifting import lifted, types
from to_onnx.test_layer_cases import graph, inputs

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.weights import make

#: The layers that a type comes back as, where that is not the type alone.
OTHERWISE = {
    "Reshape": {"Reshape", "Flatten"},
    "Flatten": {"Reshape", "Flatten"},
    "Crop": {"Slice", "Silence"},
    "Split": {"Power"},
    "MVN": {"Reshape", "MVN"},
    "BatchNorm": {"BatchNorm", "Scale", "ReLU"},
    "ArgMax": {"Flatten", "ArgMax", "Reshape", "Concat"},
    "Concat": {"Concat", "Power"},
}
SAME = {"Slice", "Permute", "Tile", "Reduction", "InnerProduct", "Embed", "Normalize"}
SAME |= {"BatchReindex", "Filter"}
TAKEN = [c for c in CASES if c.rule is None and c.type in SAME | OTHERWISE.keys()]


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_layers_come_back(case: Case, opset: int):
    made = convert(graph(case), Conversion(Options(opset), fold=False))
    found = types(lifted(made.model, "ssd", **inputs(case)))
    assert set(found) <= OTHERWISE.get(case.type, {case.type})
    if case.type in SAME and len(case.tops) == 1:
        assert found == [case.type]


STEPS = """
input: "b0" input_shape {{ dim: [{steps}, 2, 3, 2] }}
input: "b1" input_shape {{ dim: [{steps}, 2] }}
input: "b2" input_shape {{ dim: [2, 6] }}
layer {{ name: "l" type: "{type}" bottom: "b0" bottom: "b1" {static} top: "t0"
        recurrent_param {{ num_output: 4 }} }}
"""


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("static", ["", 'bottom: "b2"'])
@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_steps_that_were_unrolled_are_one_layer_again(type: str, static: str, opset: int):
    text = STEPS.format(steps=5, type=type, static=static)
    net = api.load(Source(text.encode()))
    net.stored = make(net, "random")
    made = api.convert(net, opset=opset, fold=False)
    back = lifted(made.model, b1=np.arange(10).reshape(5, 2) % 3 > 0)
    assert types(back) == [type]
    for found, wanted in zip(back.graph.stored["l"], net.stored["l"], strict=True):
        np.testing.assert_array_equal(found, wanted)


def swapped(graph):
    joined = graph.node[-1]
    joined.input[:] = [joined.input[1], joined.input[0], *joined.input[2:]]


def skipping(graph):
    read = {node.input[0] for node in graph.node if node.op_type == "MatMul"}
    gated = [node for node in graph.node if node.op_type == "Mul" and node.output[0] in read]
    gated[2].input[1] = gated[0].input[1]


def exchanged(graph):
    cut = next(node for node in graph.node if len(node.output) == 5)
    cut.output[:] = [cut.output[0], cut.output[2], cut.output[1], *cut.output[3:]]


@pytest.mark.parametrize("edit", [None, swapped, skipping, exchanged])
@pytest.mark.parametrize("type", ["LSTM", "RNN"])
def test_steps_in_another_order_are_no_layer(type: str, edit):
    net = api.load(Source(STEPS.format(steps=5, type=type, static="").encode()))
    net.stored = make(net, "random")
    proto = api.convert(net, fold=False).model
    assert proto.graph.node[-1].op_type == "Concat"
    if edit is not None:
        edit(proto.graph)
    made = normalize(proto)
    fuse(made)
    found = f"Unrolled{type}" in [op.op_type for op in made.ops]
    assert found == (edit is None)
