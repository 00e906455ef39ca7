"""Sums, means, maxima, and where the maximum is."""

import numpy as np
import pytest
from lifting import lifted, model, refusal, types

from prototxt_gen.from_onnx.convert import lift
from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse

POOL, RED = ["Pooling"], ["Reduction"]
CASES = [
    ("ReduceMean<axes=[2,3]>(x)", "2,3,4,5", "2,3,1,1", POOL),
    ("ReduceMean<axes=[-1,-2]>(x)", "2,3,4,5", "2,3,1,1", POOL),
    ("ReduceMean<axes=[2,3], keepdims=0>(x)", "2,3,4,5", "2,3", [*POOL, "Flatten"]),
    ("ReduceMax<axes=[2,3]>(x)", "2,3,4,5", "2,3,1,1", POOL),
    ("ReduceMax<axes=[3]>(x)", "2,3,4,5", "2,3,4,1", ["Reshape", "Pooling", "Reshape"]),
    ("ReduceMin<axes=[2,3]>(x)", "2,3,4,5", "2,3,1,1", ["Power", "Pooling", "Power"]),
    ("ReduceMean<axes=[1]>(x)", "2,3,4,5", "2,1,4,5", ["Convolution"]),
    ("ReduceL1<axes=[1]>(x)", "2,3,4,5", "2,1,4,5", ["AbsVal", "Convolution"]),
    ("ReduceSumSquare<axes=[1], keepdims=0>(x)", "2,3,4,5", "2,4,5",
     ["Power", "Convolution", "Flatten"]),
    ("ReduceMax<axes=[1]>(x)", "2,3,4,5", "2,1,4,5", ["Reshape", "Pooling", "Reshape"]),
    ("ReduceMean<axes=[1,2,3], keepdims=0>(x)", "2,3,4,5", "2", RED),
    ("ReduceMean<keepdims=0>(x)", "2,3,4", "", RED),
    ("ReduceMean(x)", "2,3,4", "1,1,1", [*RED, "Reshape"]),
    ("ReduceMean<axes=[-1]>(x)", "2,3,4", "2,3,1", [*RED, "Reshape"]),
    ("ReduceL1<axes=[1], keepdims=0>(x)", "2,3", "2", RED),
    ("ReduceSumSquare<axes=[2,3], keepdims=0>(x)", "2,3,4,5", "2,3", RED),
    ("ReduceL2<axes=[1]>(x)", "2,7", "2,1", [*RED, "Reshape", "Power"]),
    ("ReduceMean<axes=[1,2]>(x)", "2,1,1", "2,1,1", []),
    ("ReduceMean<axes=[1]>(x)", "2,3,4", "2,1,4", ["Reshape", "Pooling", "Flatten"]),
    ("ReduceMean<axes=[0]>(x)", "3,4", "1,4", ["Reshape", "Pooling", "Flatten"]),
    ("ReduceMax<axes=[0,2], keepdims=0>(x)", "3,4,5", "4",
     ["Reshape", "Pooling", "Reshape", "Pooling", "Flatten"]),
    ("ReduceMean<axes=[0,2,3]>(x)", "2,3,4,5", "1,3,1,1",
     ["Reshape", "Pooling", "Reshape", "Pooling"]),
    ("ReduceMean<axes=[2,3]>(x)", "2,3,1,1", "2,3,1,1", []),
    ("ReduceL1<axes=[2], keepdims=0>(x)", "2,3,1", "2,3", ["AbsVal", "Flatten"]),
    ("ReduceMean<axes=[1,2]>(x)", "2,4,5,3", "2,1,1,3", ["Reshape", "Pooling"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "source", "top", "wanted"), CASES)
def test_reductions(body, source, top, wanted):
    text = f"h = LeakyRelu(x) y = {body.replace('(x', '(h')}"
    made = lifted(model(text, f"float[{source}] x", f"float[{top}] y", 11))
    assert types(made)[1:] == wanted


AXES = {"s": np.array([1])}
NEWER = [
    ("ReduceSum<keepdims=0>(x, s)", 13, AXES, "3,5", ["Reshape", "Pooling", "Power", "Flatten"]),
    ("ReduceSum(x, s)", 17, AXES, "3,1,5", ["Reshape", "Pooling", "Power", "Flatten"]),
    ("ReduceMean(x, s)", 18, {"s": np.array([-1])}, "3,4,1", ["Reduction", "Reshape"]),
    ("ReduceSum<noop_with_empty_axes=1>(x)", 17, {}, "3,4,5", ["Power"]),
    ("ReduceMax(x)", 21, {}, "1,1,1", ["Reshape", "Pooling", "Flatten"]),
]


@pytest.mark.parametrize(("body", "opset", "given", "top", "wanted"), NEWER)
def test_reductions_of_newer_opsets(body, opset, given, top, wanted):
    made = lifted(model(f"y = {body}", "float[3,4,5] x", f"float[{top}] y", opset, **given))
    assert types(made) == wanted


PLACES = [
    ("ArgMax<axis=1>(x)", "2,1,5", ["ArgMax"]),
    ("ArgMax<axis=-2, keepdims=0>(x)", "2,5", ["ArgMax", "Flatten"]),
    ("ArgMax<axis=1, select_last_index=1>(x)", "2,1,5", ["ArgMax"]),
    ("ArgMin<axis=1>(x)", "2,1,5", ["Power", "ArgMax"]),
]


@pytest.mark.parametrize(("body", "top", "wanted"), PLACES)
def test_places(body, top, wanted):
    plain = lifted(model(f"y = {body}", "float[2,4,5] x", f"int64[{top}] y", 13))
    assert types(plain) == wanted
    cast = model(f"i = {body} y = Cast<to=1>(i)", "float[2,4,5] x", f"float[{top}] y", 13)
    assert types(lifted(cast)) == wanted


def test_the_last_of_equal_values_is_taken_or_noted():
    last = model("y = ArgMax<axis=1, select_last_index=1>(x)", "float[1,4] x", "int64[1,1] y", 13)
    lifted(last, x=[[1, 3, 3, 0]])
    assert lift(last).changes == []
    first = model("y = ArgMax<axis=1>(x)", "float[1,4] x", "int64[1,1] y", 13)
    (change,) = lift(first).changes
    assert change.what == "of equal values Caffe takes the last; the model takes the first"


TOPS = [
    ("y, i = TopK<axis=1>(x, k)", "float[2,3] y", ["ArgMax"], 0),
    ("v, i = TopK(x, k) y = Cast<to=1>(i)", "float[2,3] y", ["ArgMax"], 1),
    ("y, z = TopK(x, k)", "float[2,3] y, int64[2,3] z", ["ArgMax", "ArgMax"], 1),
]


@pytest.mark.parametrize(("body", "outputs", "wanted", "notes"), TOPS)
def test_the_greatest_values(body, outputs, wanted, notes):
    made = lifted(model(body, "float[2,9] x", outputs, 13, k=np.array([3])))
    assert types(made) == wanted
    assert len(made.changes) == notes


def test_a_sum_times_a_number_is_one_layer():
    body = "h = ReduceSum<keepdims=0>(x, s) y = Mul(h, f)"
    given = {"s": np.array([1, 2]), "f": np.float32(0.25)}
    made = lifted(model(body, "float[2,3,4] x", "float[2] y", 13, **given))
    assert types(made) == ["Reduction"]
    assert made.graph.nodes[-1].layer.coeff == 0.25


def test_a_sum_over_no_axes_times_a_number_keeps_the_number():
    body = "h = ReduceSum<keepdims=0, noop_with_empty_axes=1>(x{}) y = Mul(h, f)"
    for axes in ("", ", s"):
        given = {"s": np.zeros(0, np.int64), "f": np.float32(2)}
        proto = model(body.format(axes), "float[2,3] x", "float[2,3] y", 13, **given)
        assert types(lifted(proto)) == ["Power"]


def test_the_logarithm_of_a_sum():
    made = model("y = ReduceLogSum<axes=[1], keepdims=0>(x)", "float[2,3] x", "float[2] y", 13)
    assert types(lifted(made, x=[[1, 2, 3], [0.1, 0.2, 4]])) == ["Reduction", "Log"]


def test_a_mean_of_integers_is_refused():
    proto = model("y = ReduceMean(x)", "int64[2,3] x", "int64[1,1] y", 13)
    assert "the mean of integers" in refusal(proto)


REFUSED = [
    ("k = Constant<value_ints=[1]>() y, i = TopK<largest=0>(x, k)", "for the least values"),
    ("s = Constant<value_int=1>() y = CumSum(x, s)", "no layer of Caffe adds up"),
    ("y = ReduceProd(x)", "no layer of Caffe multiplies along"),
    ("y = ReduceLogSumExp(x)", "without overflow"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_refusals(body, words):
    assert words in refusal(model(body, "float[3,4] x", "float[3,4] y", 13))


ROWS = ["y = Compress<axis=0>(x, n)", "p = NonZero(n) q = Reshape(p, m) y = Gather(x, q)"]


@pytest.mark.parametrize("rows", ROWS)
def test_rows_that_are_not_zero(rows):
    body = f"f = Reshape(s, m) e = Equal(f, z) n = Not(e) {rows}"
    given = {"m": np.array([-1]), "z": np.float32(0)}
    inputs = "float[6,4] x, float[2,3] s"
    made = lifted(model(body, inputs, "float[k,4] y", 13, **given), s=[[0, 1, -0.5], [0, 0, 2]])
    assert types(made) == ["Flatten", "Filter"]


LAST = "r = Slice(x, a, e, w, a) v, i = TopK<axis=1>(r, k) l = Sub({}, i) y = Cast<to=1>(l)"


@pytest.mark.parametrize(("less", "found"), [("eight", True), ("seven", False)])
def test_places_from_the_end(less, found):
    given = {"a": np.array([-1]), "e": np.array([-99]), "w": np.array([1]), "k": np.array([2])}
    given |= {"eight": np.array(8), "seven": np.array(7)}
    proto = model(LAST.format(less), "float[2,9] x", "float[2,2] y", 13, **given)
    made = normalize(proto)
    fuse(made)
    assert ([op.op_type for op in made.ops] == ["LastPlaces"]) == found
    if found:
        assert types(lifted(proto, x=np.arange(18).reshape(2, 9) // 4)) == ["ArgMax"]
