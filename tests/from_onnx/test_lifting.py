"""What holds for every model: names, refusals, outputs."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx import patterns
from prototxt_gen.from_onnx.convert import lift
from prototxt_gen.from_onnx.lifting import liftable, rules


def test_blobs_and_layers_have_the_names_of_the_model():
    made = model("h = Relu(x) y = LeakyRelu<alpha=0.25>(h)", "float[2,3] x", "float[2,3] y")
    made.graph.node[0].name = "/block.0/Relu"
    net = lifted(made).graph
    assert [(node.name, node.tops[0].blob) for node in net.nodes] == [
        ("x", "x"),
        ("/block.0/Relu", "h"),
        ("y", "y"),
    ]


def test_every_refusal_is_told_with_its_node():
    made = model("h = Det(x) g = Sign(x) i = Sign(g) y = Add(h, i)", "float[2,2] x", "float[] y")
    with pytest.raises(UnsupportedError) as caught:
        lift(made)
    found = [(one.layer, one.message.split(":")[0]) for one in caught.value.diagnostics]
    assert found[0][1] == "the model cannot become a net for bvlc"
    assert found[1:] == [("h", "Det"), ("g", "Sign")]


def test_an_output_that_is_an_input_has_a_layer():
    assert types(lifted(model("y = Identity(x)", "float[2,3] x", "float[2,3] y"))) == ["Power"]


def test_a_constant_that_is_made_takes_no_name_of_another():
    """A convolution's weight is called like the factors of what writes to the same blob."""
    made = model(
        "h = Conv(x, w) s = Mul(h, f) y = Add(s, g)",
        "float[1,2,4,4] x",
        "float[1,2,2,2] y",
        w=np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3),
        f=np.array([2, 3], np.float32).reshape(2, 1, 1),
        g=np.array([4, 5], np.float32).reshape(2, 1, 1),
    )
    made.graph.initializer[0].name = made.graph.node[0].input[1] = "y/weight"
    assert types(lifted(made)) == ["Convolution", "Scale"]


def test_an_output_that_a_layer_reads_stays_an_output() -> None:
    made = model("h = Sigmoid(x) y = Relu(h)", "float[2,3] x", "float[2,3] h, float[2,3] y")
    net = lifted(made).graph
    assert [node.type for node in net.nodes] == ["Input", "Sigmoid", "ReLU", "Power"]
    assert {ref.blob for ref in net.outputs} == {"h", "y"}


def test_what_no_pattern_matches_is_lifted_or_refused_with_a_reason() -> None:
    """A group that is none leaves its operators, of which each is asked for itself."""
    operators = {schema.name for schema in onnx.defs.get_all_schemas()}
    folder = Path(patterns.__file__).parent
    named = {
        word
        for path in folder.glob("*.py")
        for word in re.findall(r'"([A-Z]\w+)"', path.read_text("utf-8"))
        if word in operators
    }
    assert {"Erf", "Greater", "Compress", "Softplus"} <= named
    assert named <= liftable().keys() | rules().keys()
