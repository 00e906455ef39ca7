"""Normalisations, as operators and as exporters spell them."""

import numpy as np
import pytest
from lifting import lifted, model, refusal, types

from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse

RANDOM = np.random.default_rng(5)


def weights(**shapes):
    return {n: RANDOM.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


def statistics(channels=3, *, plain=False):
    found = weights(s=(channels,), b=(channels,), m=(channels,))
    if plain:
        found["s"], found["b"] = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    return found | {"v": RANDOM.random(channels).astype(np.float32) + 0.5}


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 14, 15, 17, 21])
@pytest.mark.parametrize("shape", ["2,3,4,5", "2,3", "2,3,4"])
def test_batch_norm(opset, shape):
    body = "y = BatchNormalization<epsilon=0.001>(x, s, b, m, v)"
    made = lifted(model(body, f"float[{shape}] x", f"float[{shape}] y", opset, **statistics()))
    assert types(made) == ["BatchNorm", "Scale"]
    assert [node.name for node in made.graph.nodes[1:]] == ["y/norm", "y"]
    norm = made.graph.nodes[1].layer
    assert (norm.eps, norm.use_global_stats) == (0.001, True)


def test_batch_norm_without_scale_and_bias():
    body = "y = BatchNormalization(x, s, b, m, v)"
    shape = "float[2,3,4,5]"
    made = lifted(model(body, f"{shape} x", f"{shape} y", **statistics(plain=True)))
    assert types(made) == ["BatchNorm"]
    blobs = made.graph.stored["y"]
    assert blobs[2].tolist() == [1.0]


REFUSED = [
    ("y, p, q = BatchNormalization<training_mode=1>(x, s, b, m, v)", 15, "in training mode"),
    ("y = BatchNormalization<spatial=0>(x, s, b, m, v)", 7, "of each pixel"),
    ("y = MeanVarianceNormalization<axes=[1]>(x)", 13, "MVN of Caffe works over 2, 3"),
    ("y, p = LayerNormalization(x, c) ", 17, "its statistics are read"),
    ("y = BatchNormalization(x, x, b, m, v)", 9, "its scales are computed"),
]


@pytest.mark.parametrize(("body", "opset", "words"), REFUSED)
def test_refusals(body, opset, words):
    shape = "float[1,3,4,5]"
    given = statistics() | weights(c=(5,))
    assert words in refusal(model(body, f"{shape} x", f"{shape} y", opset, **given))


NORM = ["MVN", "Power", "Pooling", "Power", "Flatten", "Scale"]
C, G = weights(s=(6,), b=(6,)), {"s": np.ones(6, np.float32), "b": np.zeros(6, np.float32)}
ROW = weights(s=(5,), b=(5,))
CASES = [
    ("InstanceNormalization<epsilon=0.01>(x, s, b)", "2,6,4,5", C, 17, [*NORM, "Scale"]),
    ("InstanceNormalization(x, s, b)", "2,6,4,5", G, 9, NORM),
    ("InstanceNormalization(x, s, b)", "2,6,4", C, 17, ["Reshape", *NORM, "Flatten", "Scale"]),
    ("InstanceNormalization(x, s, b)", "2,6,4,3,2", C, 17,
     ["Reshape", *NORM, "Reshape", "Scale"]),
    ("GroupNormalization<num_groups=2, epsilon=0.01>(x, s, b)", "2,6,4,5", C, 21,
     ["Reshape", *NORM, "Reshape", "Scale"]),
    ("LayerNormalization(x, s, b)", "2,3,5", ROW, 17, ["Reshape", *NORM, "Flatten", "Scale"]),
    ("LayerNormalization<axis=-1, epsilon=0.1>(x, s)", "2,5", ROW, 17,
     ["Reshape", *NORM, "Flatten", "Scale"]),
    ("LayerNormalization<axis=1>(x, s, b)", "2,3,5", weights(s=(3, 5), b=(3, 5)), 17,
     ["Reshape", *NORM, "Reshape", "Scale"]),
    ("LayerNormalization<axis=0>(x, s, b)", "3,5", weights(s=(3, 5), b=(3, 5)), 17,
     ["Reshape", *NORM, "Reshape", "Scale"]),
    ("LpNormalization<axis=1>(x)", "2,6", {}, 17, ["Reduction", "Reshape", "Power", "Flatten",
     "Scale"]),
    ("LpNormalization<axis=1, p=1>(x)", "2,6,4,5", {}, 11,
     ["AbsVal", "Convolution", "Power", "Tile", "Eltwise"]),
    ("LpNormalization<axis=1>(x)", "2,6,4,5", {}, 17,
     ["Power", "Convolution", "Power", "Tile", "Eltwise"]),
    ("MeanVarianceNormalization(x)", "1,6,4,5", {}, 13, ["MVN"]),
    ("MeanVarianceNormalization<axes=[2,3]>(x)", "2,6,4,5", {}, 9, ["MVN"]),
    ("MeanVarianceNormalization<axes=[1,2,3]>(x)", "2,6,4,5", {}, 9, ["MVN"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "shape", "given", "opset", "wanted"), CASES)
def test_norms(body, shape, given, opset, wanted):
    made = lifted(model(f"y = {body}", f"float[{shape}] x", f"float[{shape}] y", opset, **given))
    assert types(made) == wanted


def test_zeros_have_no_direction_and_stay():
    made = model("y = LpNormalization<axis=1>(x)", "float[2,3] x", "float[2,3] y")
    lifted(made, x=[[0, 0, 0], [3, 0, 4]])


@pytest.mark.parametrize("target", ["bvlc-1.0", "nvcaffe", "caffe_priv"])
def test_norms_of_other_targets(target):
    for body, shape, given, opset, _ in CASES:
        text = model(f"y = {body}", f"float[{shape}] x", f"float[{shape}] y", opset, **given)
        lifted(text, target)


E = {"e": np.float32(0.01), "two": np.float32(2), "one": np.float32(1)}
SPELT = [
    # PyTorch's, before opset 17
    "m = ReduceMean<axes=[-1]>(x) d = Sub(x, m) p = Pow(d, two) v = ReduceMean<axes=[-1]>(p) "
    "w = Add(v, e) r = Sqrt(w) n = Div(d, r)",
    # with the difference twice, as TensorFlow and fairseq have it
    "m = ReduceMean<axes=[2]>(x) d = Sub(x, m) c = Sub(x, m) p = Mul(c, c) "
    "v = ReduceMean<axes=[2]>(p) w = Add(v, e) r = Sqrt(w) n = Div(d, r)",
    # by rsqrt
    "m = ReduceMean<axes=[-1]>(x) d = Sub(x, m) p = Pow(d, two) v = ReduceMean<axes=[-1]>(p) "
    "w = Add(v, e) r = Sqrt(w) i = Reciprocal(r) n = Mul(d, i)",
    "m = ReduceMean<axes=[-1]>(x) d = Sub(x, m) p = Pow(d, two) v = ReduceMean<axes=[-1]>(p) "
    "w = Add(v, e) r = Sqrt(w) i = Div(one, r) n = Mul(i, d)",
]


@pytest.mark.parametrize("body", SPELT)
def test_a_layer_norm_in_parts(body):
    shape = "float[2,3,5]"
    made = lifted(model(f"{body} t = Mul(n, s) y = Add(t, b)", f"{shape} x", f"{shape} y", 11,
                        **E, **ROW))  # fmt: skip
    assert types(made) == ["Reshape", *NORM, "Flatten", "Scale"]
    plain = lifted(model(body.replace("n = ", "y = "), f"{shape} x", f"{shape} y", 11, **E))
    assert types(plain) == ["Reshape", *NORM, "Flatten"]


def test_an_rms_norm_in_parts():
    body = (
        "p = Pow(x, two) v = ReduceMean<axes=[-1]>(p) w = Add(v, e) r = Sqrt(w) "
        "i = Reciprocal(r) n = Mul(x, i) y = Mul(s, n)"
    )
    made = lifted(model(body, "float[2,3,5] x", "float[2,3,5] y", 11, **E, **ROW))
    assert types(made) == ["Reshape", *NORM[1:], "Flatten", "Scale"]


def test_an_mvn_in_parts():
    mean = "m = ReduceMean<axes=[2,3]>(x) y = Sub(x, m)"
    made = lifted(model(mean, "float[2,3,4,5] x", "float[2,3,4,5] y", 11))
    assert types(made) == ["MVN"]
    whole = (
        "m = ReduceMean<axes=[1,2,3]>(x) d = Sub(x, m) q = Mul(d, d) "
        "v = ReduceMean<axes=[1,2,3]>(q) r = Sqrt(v) f = Add(r, e) y = Div(d, f)"
    )
    made = lifted(model(whole, "float[2,3,4,5] x", "float[2,3,4,5] y", 11, **E))
    assert types(made) == ["MVN"]
    layer = made.graph.nodes[1].layer
    assert (layer.eps, layer.across_channels) == (0.01, True)


@pytest.mark.parametrize(("axes", "shape"), [("2", "2,3,5"), ("3", "2,3,4,5"), ("1,2", "2,3,5")])
def test_an_eps_outside_of_the_root_over_other_axes(axes, shape):
    body = (
        f"m = ReduceMean<axes=[{axes}]>(x) d = Sub(x, m) q = Mul(d, d) "
        f"v = ReduceMean<axes=[{axes}]>(q) r = Sqrt(v) f = Add(e, r) y = Div(d, f)"
    )
    given = {"e": np.float32(0.5)}
    made = lifted(model(body, f"float[{shape}] x", f"float[{shape}] y", 11, **given))
    assert types(made) == ["Reshape", "MVN", "Flatten" if axes == "2" else "Reshape"]


RMS = (
    "p = Mul(x, x) v = ReduceMean<axes=[-1]>(p) w = Add(v, e) r = Sqrt(w) "
    "i = Reciprocal(r) y = Mul(x, i)"
)
#: Parts of norms with one thing changed, so that they are none.
ALIKE = [
    "m = ReduceMean<axes=[-1]>(h) y = Sub(x, m)",
    "m = ReduceMean<axes=[1]>(x) y = Sub(x, m)",
    RMS.replace("Mul(x, i)", "Mul(h, i)"),
    RMS.replace("Mul(x, x)", "Mul(x, h)"),
    RMS.replace("Add(v, e)", "Add(v, h)"),
    RMS.replace("Reciprocal(r)", "Div(two, r)"),
    "q = ReduceSumSquare<axes=[1]>(h) w = Add(q, e) r = Sqrt(w) d = Div(x, r) y = Mul(d, two)",
    "q = ReduceSum<axes=[1]>(x) w = Add(q, e) r = Sqrt(w) d = Div(x, r) y = Mul(d, two)",
]


@pytest.mark.parametrize("body", ALIKE)
def test_what_is_alike_but_no_norm(body):
    shape = "float[2,3,5]"
    made = normalize(model(f"h = Relu(x) {body}", f"{shape} x", f"{shape} y", 11, **E))
    fuse(made)
    assert {"Centre", "Standardize", "Normalize"}.isdisjoint(op.op_type for op in made.ops)


def test_a_factor_that_makes_more_of_a_norm_is_no_part_of_it():
    given = weights(s=(4, 5)) | E
    body = RMS.replace("y = ", "n = ") + " y = Mul(n, s)"
    made = normalize(model(body, "float[1,5] x", "float[4,5] y", 11, **given))
    fuse(made)
    (norm,) = (op for op in made.ops if op.op_type == "Standardize")
    assert norm.inputs == ["x"]


NORMALIZE = (
    "q = ReduceSumSquare<axes=[{}]>(x) w = Add(q, e) r = Sqrt(w) d = Div(x, r) y = Mul(d, s)"
)
LENGTHS = [
    ("1", "2,3,4,5", (3, 1, 1), (False, False)),
    ("1", "2,3,4,5", (), (False, True)),
    ("1,2,3", "2,3,4,5", (3, 1, 1), (True, False)),
    ("1", "2,3", (3,), (False, False)),
]


@pytest.mark.parametrize(("axes", "shape", "factor", "wanted"), LENGTHS)
def test_lengths(axes, shape, factor, wanted):
    given = weights(s=factor) | E
    made = model(NORMALIZE.format(axes), f"float[{shape}] x", f"float[{shape}] y", 11, **given)
    (node,) = lifted(made, "ssd").graph.nodes[1:]
    assert node.type == "Normalize"
    assert (node.layer.across_spatial, node.layer.channel_shared) == wanted
    assert "Normalize" not in types(lifted(made))
