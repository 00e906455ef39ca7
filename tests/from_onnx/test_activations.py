"""Activations, by each Caffe and in each form of ONNX: the layers, and the values."""

import numpy as np
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

SHAPE = "2,3,4,5"
INF = float("inf")
SIX = ["ReLU", "Power", "ReLU", "Power"]  #: clip(x, 0, a), made of ReLUs
GATE = ["Power", *SIX]
#: An operator, its opset, and the layers on bvlc-1.0 and on bvlc.
ALONE = [
    ("Relu(x)", 7, "ReLU", "ReLU"),
    ("LeakyRelu(x)", 7, "ReLU", "ReLU"),
    ("LeakyRelu<alpha=0.3>(x)", 16, "ReLU", "ReLU"),
    ("Elu<alpha=0.7>(x)", 7, "ELU", "ELU"),
    ("Elu(x)", 22, "ELU", "ELU"),
    ("Sigmoid(x)", 7, "Sigmoid", "Sigmoid"),
    ("Tanh(x)", 13, "TanH", "TanH"),
    ("Softplus(x)", 7, "BNLL", "BNLL"),
    ("Abs(x)", 13, "AbsVal", "AbsVal"),
    ("Clip<min=0.0,max=6.0>(x)", 7, SIX, "Clip"),
    ("Clip<min=-1.0,max=1.5>(x)", 9, ["Power", *SIX], "Clip"),
    ("Clip<min=0.0>(x)", 10, "ReLU", "ReLU"),
    ("Clip<min=0.0,max=3.402823e38>(x)", 10, "ReLU", "ReLU"),
    ("Clip<max=0.5>(x)", 10, ["Power", "ReLU", "Power"], "Clip"),
    ("Clip(x)", 7, "Power", "Power"),
    ("Clip(x)", 11, "Power", "Power"),
    ("Clip(x, zero, six)", 11, SIX, "Clip"),
    ("Clip(x, zero, six)", 13, SIX, "Clip"),
    ("Clip(x, zero)", 17, "ReLU", "ReLU"),
    ("Clip(x, , half)", 17, ["Power", "ReLU", "Power"], "Clip"),
    ("Clip(x, half)", 17, ["Power", "ReLU", "Power"], "Clip"),
    ("Clip(x, half, many)", 17,
     ["Power", "ReLU", "Power", "Power", "DummyData", "Eltwise", "Power"], "Clip"),
    ("HardSigmoid(x)", 7, GATE, ["Power", "Clip"]),
    ("HardSigmoid<alpha=0.16666667,beta=0.5>(x)", 17, GATE, ["Power", "Clip"]),
    ("HardSwish(x)", 14, [*GATE, "Eltwise"], ["Power", "Clip", "Eltwise"]),
    ("HardSwish(x)", 22, [*GATE, "Eltwise"], ["Power", "Clip", "Eltwise"]),
    ("Selu(x)", 7, ["ELU", "Power"], ["ELU", "Power"]),
    ("Selu<alpha=1.5,gamma=-2.0>(x)", 17, ["ELU", "Power"], ["ELU", "Power"]),
    ("Celu(x)", 12, "ELU", "ELU"),
    ("Celu<alpha=2.5>(x)", 17, ["Power", "ELU", "Power"], ["Power", "ELU", "Power"]),
    ("ThresholdedRelu<alpha=0.25>(x)", 10, ["Threshold", "Eltwise"], ["Threshold", "Eltwise"]),
    ("Softsign(x)", 7, ["AbsVal", "Power", "Eltwise"], ["AbsVal", "Power", "Eltwise"]),
    ("Mish(x)", 18, ["BNLL", "TanH", "Eltwise"], ["BNLL", "TanH", "Eltwise"]),
    ("Gelu<approximate=\"tanh\">(x)", 20, ["Power", "Eltwise", "TanH", "Power", "Eltwise"],
     ["Power", "Eltwise", "TanH", "Power", "Eltwise"]),
    ("Softmax(x)", 7, ["Flatten", "Softmax", "Reshape"], ["Flatten", "Softmax", "Reshape"]),
    ("Softmax<axis=-1>(x)", 11, "Softmax", "Softmax"),
    ("Softmax<axis=2>(x)", 9, ["Flatten", "Softmax", "Reshape"],
     ["Flatten", "Softmax", "Reshape"]),
    ("Softmax(x)", 13, "Softmax", "Softmax"),
    ("Softmax<axis=1>(x)", 17, "Softmax", "Softmax"),
    ("LogSoftmax<axis=1>(x)", 17, ["Softmax", "Log"], ["Softmax", "Log"]),
    ("LogSoftmax<axis=1>(x)", 11, ["Flatten", "Softmax", "Reshape", "Log"],
     ["Flatten", "Softmax", "Reshape", "Log"]),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "opset", "old", "new"), ALONE)
@pytest.mark.parametrize("target", ["bvlc-1.0", "bvlc"])
def test_an_activation_is_its_layers(formula, opset, old, new, target):
    numbers = {"zero": 0.0, "six": 6.0, "half": 0.5, "many": 100.0}
    used = {name: np.float32(value) for name, value in numbers.items() if name in formula}
    made = lifted(
        model(f"y = {formula}", f"float[{SHAPE}] x", f"float[{SHAPE}] y", opset, **used),
        target,
        x=4 * np.random.default_rng(1).standard_normal((2, 3, 4, 5)),
    )
    wanted = old if target == "bvlc-1.0" else new
    assert types(made) == ([wanted] if isinstance(wanted, str) else wanted)


@pytest.mark.parametrize("target", ["bvlc-1.0", "bvlc", "ssd", "nvcaffe", "caffe_priv"])
def test_relu6_on_every_target(target):
    proto = model("y = Clip<min=0.0,max=6.0>(x)", "float[2,3] x", "float[2,3] y", 10)
    made = lifted(proto, target, x=[[-1, 0, 1], [5.9, 6, 9]])
    assert types(made) in (["Clip"], SIX)


@pytest.mark.parametrize(
    ("shape", "slope", "wanted"),
    [
        ((2, 3, 4, 5), (3, 1, 1), ["PReLU"]),
        ((2, 3, 4, 5), (1, 3, 1, 1), ["PReLU"]),
        ((2, 3, 4, 5), (1,), ["PReLU"]),
        ((2, 3, 4, 5), (1, 1, 1), ["PReLU"]),
        ((2, 1, 4, 5), (1, 1, 1), ["PReLU"]),
        ((2, 3, 4), (3, 1), ["PReLU"]),
        ((2, 3), (3,), ["PReLU"]),
        ((2, 3, 4, 5), (5,), ["ReLU", "Power", "ReLU", "Scale", "Eltwise"]),
        ((2, 3, 4, 5), (3, 4, 5), ["ReLU", "Power", "ReLU", "Scale", "Eltwise"]),
        ((2, 3, 4, 5), (3, 1, 5), ["ReLU", "Power", "ReLU", "Scale", "Eltwise"]),
        ((3,), (1,), ["ReLU", "Power", "ReLU", "Power", "Eltwise"]),
    ],
)
@pytest.mark.parametrize("opset", [7, 9, 16])
def test_slopes_for_each_channel_are_a_prelu(shape, slope, wanted, opset):
    dims = ",".join(map(str, shape))
    slopes = np.random.default_rng(2).standard_normal(slope).astype(np.float32)
    proto = model("y = PRelu(x, s)", f"float[{dims}] x", f"float[{dims}] y", opset, s=slopes)
    made = lifted(proto)
    assert types(made) == wanted
    if wanted == ["PReLU"]:
        (layer,) = [node.layer for node in made.graph.nodes if node.type == "PReLU"]
        assert layer.channel_shared == (np.prod(slope) == 1 and shape[1] != 1)


@pytest.mark.parametrize(
    ("formula", "opset", "words"),
    [
        ("PRelu(x, m)", 16, "its slopes are computed"),
        ("Erf(x)", 13, "approximate='tanh'"),
        ("Gelu(x)", 20, "approximate='tanh'"),
        ("Celu<alpha=-1.0>(x)", 12, "its alpha is -1; expected more than 0"),
        ("Clip<min=2.0,max=1.0>(x)", 7, "its min is 2 and its max 1; expected min <= max"),
        ("Clip(x, r)", 13, "its min are computed"),
        ("Hardmax(x)", 13, "there is no layer, and no rule, for it"),
        ("Sign(x)", 13, "no layer computes it"),
        ("Round(x)", 13, "no layer computes it"),
    ],
)
def test_what_no_layer_computes_is_refused(formula, opset, words):
    proto = model(
        f"m = Neg(x) y = {formula}",
        "float[2,3] x, float[1] r",
        "float[2,3] y",
        opset,
    )
    with pytest.raises(UnsupportedError) as caught:
        lift(proto)
    assert any(words in found.message for found in caught.value.diagnostics)
