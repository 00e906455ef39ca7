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
        ((1, 3, 2, 2, 2), (3, 1, 1, 1), ["ReLU", "Power", "ReLU", "Scale", "Eltwise"]),
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
        ("Hardmax(x)", 13, "no layer of Caffe computes it, alone or with others"),
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


H = "h = Add(x, three) c = Clip<min=0.0,max=6.0>(h)"
HSWISH, HSIGMOID = ["Power", "Clip", "Eltwise"], ["Power", "Clip"]
SWISH = ["Swish"]
#: How exporters spell an activation of x, the opset, and what it becomes.
SPELLED = [
    ("s = Sigmoid(x) y = Mul(x, s)", 11, SWISH),
    ("s = Sigmoid(x) y = Mul(s, x)", 13, SWISH),
    ("b = Mul(x, half) s = Sigmoid(b) y = Mul(x, s)", 13, SWISH),
    ("b = Mul(half, x) s = Sigmoid(b) y = Mul(s, x)", 13, SWISH),
    ("s = Sigmoid(x) z = Mul(x, s) y = Add(z, s)", 13, ["Sigmoid", "Eltwise", "Eltwise"]),
    ("p = Softplus(x) t = Tanh(p) y = Mul(x, t)", 11, ["BNLL", "TanH", "Eltwise"]),
    ("p = Softplus(x) t = Tanh(p) y = Mul(t, x)", 11, ["BNLL", "TanH", "Eltwise"]),
    ("e = Exp(x) a = Add(e, one) l = Log(a) t = Tanh(l) y = Mul(x, t)", 9,
     ["BNLL", "TanH", "Eltwise"]),
    ("e = Exp(x) a = Add(one, e) y = Log(a)", 9, ["BNLL"]),
    (f"{H} m = Mul(x, c) y = Div(m, six)", 9, HSWISH),
    (f"{H} m = Mul(c, x) y = Div(m, six)", 9, HSWISH),
    (f"{H} m = Mul(x, c) y = Mul(m, sixth)", 9, HSWISH),
    (f"{H} d = Div(c, six) y = Mul(x, d)", 9, HSWISH),
    (f"{H} d = Mul(sixth, c) y = Mul(d, x)", 9, HSWISH),
    (f"{H} d = Div(x, six) y = Mul(d, c)", 9, HSWISH),
    (f"{H} d = Mul(x, sixth) y = Mul(c, d)", 9, HSWISH),
    (f"{H} y = Div(c, six)", 9, HSIGMOID),
    (f"{H} y = Mul(c, sixth)", 9, HSIGMOID),
    ("h = Add(three, x) c = Clip(h, zero, six) m = Mul(x, c) y = Div(m, six)", 11, HSWISH),
    ("h = Add(x, three) r = Relu(h) c = Min(r, six) d = Mul(c, sixth) y = Mul(d, x)", 13, HSWISH),
    ("h = Add(x, three) r = Max(h, zero) c = Min(r, six) d = Mul(c, sixth) y = Mul(d, x)", 13,
     HSWISH),
    ("g = HardSigmoid<alpha=0.16666667,beta=0.5>(x) y = Mul(x, g)", 13, HSWISH),
    ("g = HardSigmoid(x) y = Mul(x, g)", 13, HSWISH),
    ("m = Max(x, zero) y = Min(m, six)", 8, ["Clip"]),
    ("m = Max(zero, x) y = Min(six, m)", 13, ["Clip"]),
    ("m = Min(x, six) y = Max(m, zero)", 13, ["Clip"]),
    ("m = Relu(x) y = Min(m, six)", 13, ["Clip"]),
    ("m = Relu(x) y = Clip(m, , six)", 13, ["Clip"]),
    ("m = Clip(x, zero) y = Clip(m, , six)", 13, ["Clip"]),
    ("m = Max(x, six) y = Min(m, three)", 13, ["Clip", "Clip"]),
    ("a = Mul(x, half) y = Max(x, a)", 8, ["ReLU"]),
    ("a = Mul(half, x) y = Max(a, x)", 13, ["ReLU"]),
    ("a = Mul(x, three) y = Max(x, a)", 13, ["Power", "Eltwise"]),
    ("p = Relu(x) n = Neg(x) r = Relu(n) s = Mul(r, slope) y = Add(p, s)", 13, ["PReLU"]),
    ("p = Relu(x) n = Neg(x) r = Relu(n) s = Mul(slope, r) y = Add(s, p)", 13, ["PReLU"]),
    ("g = Greater(x, half) y = Cast<to=1>(g)", 9, ["Threshold"]),
    ("g = Less(half, x) y = Cast<to=1>(g)", 13, ["Threshold"]),
    ("t = Transpose<perm=[0,2,3,1]>(x) s = Softmax<axis=3>(t) y = Transpose<perm=[0,3,1,2]>(s)",
     11, ["Softmax"]),
    ("t = Transpose<perm=[0,2,3,1]>(x) s = Softmax(t) y = Transpose<perm=[0,3,1,2]>(s)",
     13, ["Softmax"]),
    ("e = Mul(x, x) f = Mul(e, x) g = Mul(f, c44) h = Add(x, g) i = Mul(h, c79) t = Tanh(i) "
     "o = Add(t, one) m = Mul(x, o) y = Mul(m, half)", 11,
     ["Power", "Eltwise", "Eltwise", "Power", "TanH", "Power", "Eltwise", "Power"]),
    ("e = Pow(x, three) g = Mul(e, c44) h = Add(x, g) i = Mul(h, c79) t = Tanh(i) "
     "o = Add(t, one) m = Mul(x, half) y = Mul(m, o)", 14,
     ["Power", "Eltwise", "Power", "TanH", "Power", "Power", "Eltwise"]),
    ("n = Neg(x) e = Exp(n) d = Add(e, one) y = Div(x, d)", 13,
     ["Exp", "Power", "Power", "Eltwise"]),
]  # fmt: skip


def spelled(body, opset):
    numbers = {"zero": 0, "half": 0.5, "one": 1, "three": 3, "six": 6, "sixth": 1 / 6,
               "c44": 0.044715, "c79": 0.7978845608}  # fmt: skip
    used = {name: np.float32(value) for name, value in numbers.items()}
    used["slope"] = np.array([-0.5, 0.25, 2], np.float32).reshape(3, 1, 1)
    return model(body, f"float[{SHAPE}] x", f"float[{SHAPE}] y", opset, **used)


@pytest.mark.parametrize(("body", "opset", "wanted"), SPELLED)
def test_several_operators_are_one_activation(body, opset, wanted):
    x = 3 * np.random.default_rng(6).standard_normal((2, 3, 4, 5))
    assert sorted(types(lifted(spelled(body, opset), x=x))) == sorted(wanted)
    lifted(spelled(body, opset), "bvlc-1.0", x=x) if "Transpose" not in body else None


@pytest.mark.parametrize(
    "body",
    [
        "s = Sigmoid(x) z = Sigmoid(s) y = Mul(x, z)",
        "h = Add(x, half) s = Sigmoid(h) y = Mul(x, s)",
        "s = Sigmoid(x) y = Mul(s, s)",
        "p = Softplus(x) t = Tanh(p) y = Mul(p, t)",
        "h = Add(x, half) c = Clip<min=0.0,max=6.0>(h) m = Mul(x, c) y = Div(m, six)",
        "h = Add(x, three) c = Clip<min=0.0,max=5.0>(h) m = Mul(x, c) y = Div(m, six)",
        f"{H} m = Mul(h, c) y = Div(m, six)",
        f"{H} m = Mul(x, c) y = Div(m, three)",
        f"{H} m = Mul(x, c) z = Add(h, one) w = Mul(m, z) y = Div(six, w)",
        "a = Mul(x, half) b = Add(x, one) y = Max(b, a)",
        "p = Relu(x) n = Neg(x) r = Relu(n) s = Mul(r, slope) y = Add(r, s)",
        "n = Neg(x) p = Relu(n) r = Relu(x) s = Mul(r, slope) y = Add(p, s)",
        "e = Exp(x) a = Add(e, half) y = Log(a)",
    ],
)
def test_what_looks_similar_is_not_that_activation(body):
    lifted(spelled(body, 9), x=np.random.default_rng(7).uniform(0.1, 4, (2, 3, 4, 5)))


@pytest.mark.parametrize(
    "body",
    [
        "d = Div(x, root) e = Erf(d) o = Add(e, one) m = Mul(x, o) y = Mul(m, half)",
        "d = Div(x, root) e = Erf(d) o = Add(one, e) m = Mul(x, half) y = Mul(m, o)",
        "d = Mul(x, inverse) e = Erf(d) o = Add(e, one) m = Mul(half, o) y = Mul(x, m)",
    ],
)
def test_a_gelu_is_called_by_its_name(body):
    proto = model(
        body,
        "float[2,3] x",
        "float[2,3] y",
        13,
        root=np.float32(2**0.5),
        inverse=np.float32(0.5**0.5),
        one=np.float32(1),
        half=np.float32(0.5),
    )
    with pytest.raises(UnsupportedError) as caught:
        lift(proto)
    assert [one.message.split(":")[0] for one in caught.value.diagnostics[1:]] == ["Gelu"]
