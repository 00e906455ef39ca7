"""Response normalisation and other groups of operators around a pool."""

import numpy as np
import pytest
from lifting import lifted, model, types
from test_pools import pool, refusal

from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse

LRN = [("size=5", 1), ("size=3, alpha=0.5, beta=0.6, bias=2.0", 1)]


@pytest.mark.parametrize(("attributes", "count"), LRN)
def test_a_response_normalisation(attributes, count):
    assert types(lifted(pool("LRN", (2, 7, 4, 4), attributes))) == ["LRN"]


def test_an_even_response_normalisation_is_refused():
    assert "expected an odd number" in refusal(pool("LRN", (2, 7, 4, 4), "size=4"))


MEAN = "AveragePool<kernel_shape=[3,1,1], strides=[1,1,1]"
SUM = "AveragePool<kernel_shape=[2,2], strides=[2,2]>"
WITHIN = "AveragePool<kernel_shape=[3,3], pads=[1,1,1,1]"
APART = [
    # what looks like a response normalisation, or like stochastic pooling
    f"a = Mul(x, x) b = {WITHIN}, count_include_pad=1>(a) c = Mul(b, u) d = Add(c, t) "
    "e = Pow(d, u) y = Mul(e, x)",
    f"a = Mul(x, z) b = {WITHIN}, count_include_pad=1>(a) c = Mul(b, u) d = Add(c, u) "
    "e = Pow(d, u) y = Mul(e, x)",
    f"a = Mul(x, x) b = {WITHIN}>(a) c = Mul(b, u) d = Add(c, u) e = Pow(d, u) y = Mul(e, x)",
    f"a = Mul(x, x) b = {WITHIN.replace('1,1,1,1', '2,1,0,1')}, count_include_pad=1>(a) "
    "c = Mul(b, u) d = Add(c, u) e = Pow(d, u) y = Mul(e, x)",
    f"a = Mul(x, x) b = {SUM}(a) c = {SUM}(x) d = Div(b, c) g = Greater(c, o) y = Where(g, d, u)",
    f"a = Mul(x, x) b = {SUM}(a) c = {SUM.replace('>', ', ceil_mode=1>')}"
    "(x) d = Div(b, c) g = Greater(c, o) y = Where(g, d, o)",
    f"a = Mul(x, z) b = {SUM}(a) c = {SUM}(x) d = Div(b, c) g = Greater(c, o) y = Where(g, d, o)",
    f"a = Mul(x, x) b = {SUM}(a) c = {SUM}(x) d = Div(b, c) g = Greater(c, u) y = Where(g, d, o)",
]


@pytest.mark.parametrize("body", APART)
def test_a_group_that_is_none(body):
    given = {"u": np.float32(1), "t": np.float32(2), "o": np.float32(0)}
    used = {name: value for name, value in given.items() if f", {name})" in body}
    inputs = "float[1,2,6,6] x, float[1,2,6,6] z" if "z)" in body else "float[1,2,6,6] x"
    made = normalize(model(body, inputs, "float[N,C,H,W] y", **used))
    fuse(made)
    assert not {op.op_type for op in made.ops} & {"LRN", "ResponseWithin", "StochasticPool"}


RESPONSES = {
    # as PyTorch writes LocalResponseNorm
    "torch": (
        "a = Mul(x, x) b = Reshape(a, five) c = Pad(b, p) "
        f"d = {MEAN}>(c) e = Squeeze(d, one) f = Reshape(e, four) "
        "g = Mul(f, alpha) h = Add(g, two) i = Pow(h, beta) y = Div(x, i)"
    ),
    # as the export writes an LRN that onnxruntime's does not take, and one within a channel
    "across": (
        f"a = Mul(x, x) b = Unsqueeze(a, one) c = {MEAN}, pads=[1,0,0,1,0,0], "
        "count_include_pad=1>(b) d = Squeeze(c, one) "
        "e = Mul(d, alpha) f = Add(e, two) g = Pow(f, minus) y = Mul(x, g)"
    ),
    "within": (
        "a = Mul(x, x) b = AveragePool<kernel_shape=[3,3], pads=[1,1,1,1], "
        "count_include_pad=1>(a) c = Mul(b, alpha) d = Add(c, unit) e = Pow(d, minus) y = Mul(e, x)"
    ),
}


@pytest.mark.parametrize("form", RESPONSES)
def test_a_response_normalisation_by_a_mean(form):
    given = {
        "five": np.array([2, 1, 5, 4, 4]),
        "four": np.array([2, 5, 4, 4]),
        "one": np.array([1]),
        "p": np.array([0, 0, 1, 0, 0, 0, 0, 1, 0, 0]),
        "alpha": np.float32(0.5),
        "two": np.float32(2),
        "unit": np.float32(1),
        "beta": np.float32(0.75),
        "minus": np.float32(-0.75),
    }
    body = RESPONSES[form]
    used = {name: value for name, value in given.items() if f", {name})" in body}
    made = lifted(model(body, "float[2,5,4,4] x", "float[2,5,4,4] y", **used))
    assert types(made) == ["LRN"]
    region = made.graph.nodes[-1].layer.write().get("norm_region", str, "")
    assert region == ("WITHIN_CHANNEL" if form == "within" else "")
