"""Shapes, orders, parts and copies."""

import numpy as np
import pytest
from lifting import lifted, model, refusal, types

from prototxt_gen.from_onnx.convert import lift


def ints(**values):
    return {name: np.array(value, np.int64) for name, value in values.items()}


SAME = [
    ("Flatten<axis=1>(x)", "2,3,4,5", "2,60", {}, ["Flatten"]),
    ("Flatten(x)", "2,3,4,5", "2,60", {}, ["Flatten"]),
    ("Flatten<axis=-1>(x)", "2,3,4,5", "24,5", {}, ["Flatten"]),
    ("Flatten<axis=2>(x)", "2,3,4,5", "6,20", {}, ["Reshape"]),
    ("Flatten<axis=0>(x)", "2,3", "1,6", {}, ["Reshape"]),
    ("Reshape(x, s)", "2,3,4,5", "2,60", ints(s=[0, -1]), ["Flatten"]),
    ("Reshape(x, s)", "2,3,4,5", "2,60", ints(s=[2, 60]), ["Flatten"]),
    ("Reshape(x, s)", "2,3,4,5", "2,3,20", ints(s=[0, 0, -1]), ["Flatten"]),
    ("Reshape(x, s)", "2,3,4,5", "2,12,5", ints(s=[0, 12, -1]), ["Flatten"]),
    ("Reshape(x, s)", "2,12", "2,3,4", ints(s=[-1, 3, 4]), ["Reshape"]),
    ("Reshape(x, s)", "2,12", "6,4", ints(s=[-1, 4]), ["Reshape"]),
    ("Reshape(x, s)", "2,12", "24", ints(s=[-1]), ["Flatten"]),
    ("Squeeze(x, s)", "2,3,1,1", "2,3", ints(s=[2, 3]), ["Flatten"]),
    ("Squeeze(x, s)", "2,1,3", "2,3", ints(s=[-2]), ["Flatten"]),
    ("Squeeze(x)", "1,2,1,3", "2,3", {}, ["Flatten"]),
    ("Unsqueeze(x, s)", "2,3", "2,3,1,1", ints(s=[2, 3]), ["Reshape"]),
    ("Unsqueeze(x, s)", "2,3", "1,2,3", ints(s=[0]), ["Reshape"]),
    ("Expand(x, s)", "2,3,1,1", "2,3,4,5", ints(s=[2, 3, 4, 5]), ["Tile", "Tile"]),
    ("Expand(x, s)", "3,1", "2,3,4", ints(s=[2, 1, 4]), ["Reshape", "Tile", "Tile"]),
    ("Tile(x, s)", "2,3", "2,9", ints(s=[1, 3]), ["Tile"]),
    ("Tile(x, s)", "2,3", "4,9", ints(s=[2, 3]), ["Tile", "Tile"]),
    ("Transpose<perm=[0,2,1]>(x)", "2,1,5", "2,5,1", {}, ["Reshape"]),
    ("Transpose<perm=[0,2,3,1]>(x)", "2,7,1,1", "2,1,1,7", {}, ["Reshape"]),
]


def shaped(body, source, top, opset=17, **weights):
    return model(
        f"h = Relu(x) y = {body}", f"float[{source}] x", f"float[{top}] y", opset, **weights
    )


@pytest.mark.parametrize(("body", "source", "top", "weights", "wanted"), SAME)
def test_what_keeps_the_values(body, source, top, weights, wanted):
    made = lifted(shaped(body.replace("(x", "(h"), source, top, **weights))
    assert types(made)[1:] == wanted


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("h = Squeeze<axes=[2,3]>(x) y = Unsqueeze<axes=[1]>(h)", 11),
        (
            "s = Constant<value_ints=[2,3]>() h = Squeeze(x, s) t = Constant<value_ints=[1]>() "
            "y = Unsqueeze(h, t)",
            13,
        ),
        (
            "s = Shape(x) z = Constant<value_ints=[0]>() n = Gather(s, z) "
            "t = Constant<value_ints=[-1]>() u = Constant<value_ints=[1]>() "
            "d = Concat<axis=0>(n, u, t) y = Reshape(x, d)",
            13,
        ),
    ],
)
def test_shapes_as_exporters_compute_them(body, opset):
    made = lifted(model(body, "float[2,6,1,1] x", "float[2,1,6] y", opset))
    assert set(types(made)) <= {"Flatten", "Reshape"}


def test_a_reshape_that_changes_nothing_is_no_layer():
    body = "h = Relu(x) y = Reshape(h, s)"
    made = lifted(model(body, "float[2,3] x", "float[2,3] y", **ints(s=[2, 3])))
    assert types(made) == ["ReLU"]


def test_a_reshape_that_is_undone_is_no_layer():
    body = "h = Relu(x) i = Reshape(h, s) y = Reshape(i, t)"
    made = lifted(model(body, "float[2,3] x", "float[2,3] y", **ints(s=[3, 2], t=[2, 3])))
    assert types(made) == ["ReLU"]


def test_a_reshape_keeps_the_batch_free():
    proto = model("y = Reshape(x, s)", "float[2,12] x", "float[2,3,4] y", **ints(s=[2, -1, 4]))
    (node,) = (one for one in lifted(proto).graph.nodes if one.type == "Reshape")
    assert node.layer.dims == (0, -1, 4)


ORDERS = [
    ([0, 2, 3, 1], "2,3,4,5", "2,4,5,3"),
    ([0, 3, 1, 2], "2,4,5,3", "2,3,4,5"),
    ([2, 0, 1], "1,5,7", "7,1,5"),
    ([1, 0], "3,4", "4,3"),
    ([0, 2, 1, 3], "2,3,4,5", "2,4,3,5"),
    ([1, 0, 2], "2,7,3", "7,2,3"),
]


@pytest.mark.parametrize(("order", "source", "top"), ORDERS)
def test_the_order_of_axes(order, source, top):
    proto = model(f"y = Transpose<perm={order}>(x)", f"float[{source}] x", f"float[{top}] y")
    assert "Permute" not in types(lifted(proto))
    assert types(lifted(proto, "ssd")) == ["Permute"]


def test_an_order_that_needs_permute_is_refused():
    proto = model("y = Transpose<perm=[2,1,0]>(x)", "float[2,3,4] x", "float[4,3,2] y")
    assert "order 2, 1, 0; only Permute does, which bvlc does not have; --target ssd" in refusal(
        proto
    )
    large = model("y = Transpose(x)", "float[65,66] x", "float[66,65] y")
    assert "only Permute" in refusal(large)
    assert types(lifted(large, "ssd")) == ["Permute"]


ONES = np.ones((2, 3), np.float32)
PARTS = [
    ("Slice(x, s, e)", "2,6", "1,6", ints(s=[1], e=[2]), ["Slice"]),
    ("Slice(x, s, e, a)", "2,6,5", "2,3,5", ints(s=[2], e=[-1], a=[1]), ["Slice"]),
    ("Slice(x, s, e, a)", "2,6,5", "2,6,3", ints(s=[-3], e=[2**62], a=[-1]), ["Slice"]),
    ("Slice(x, s, e, a)", "2,6,5", "2,3,2", ints(s=[0, 3], e=[3, 9], a=[1, 2]), ["Slice", "Slice"]),
    ("Slice(x, s, e, a)", "2,6,5", "2,6,5", ints(s=[0], e=[9], a=[1]), []),
    (
        "Slice(x, s, e, a, t)",
        "2,6",
        "2,6",
        ints(s=[-1], e=[-9], a=[1], t=[-1]),
        ["Slice", "Concat"],
    ),
    ("Slice(x, s, e, a, t)", "2,7", "2,3", ints(s=[1], e=[9], a=[1], t=[2]), ["Slice", "Concat"]),
    ("Slice(x, s, e, a, t)", "2,7", "2,1", ints(s=[1], e=[3], a=[1], t=[2]), ["Slice"]),
    (
        "Slice(x, s, e, a, t)",
        "1,3,8,6",
        "1,3,4,3",
        ints(s=[0, 1], e=[9, 9], a=[2, 3], t=[2, 2]),
        ["Slice", "Slice", "Pooling"],
    ),
    ("Slice(x, s, e, a, t)", "1,3,8,7", "1,3,8,3", ints(s=[0], e=[7], a=[3], t=[3]), ["Pooling"]),
    (
        "Slice(x, s, e, a, t)",
        "1,3,8,6",
        "1,2,4,6",
        ints(s=[1, 0], e=[3, 9], a=[1, 2], t=[1, 2]),
        ["Slice", "Slice", "Pooling"],
    ),
    ("Gather<axis=1>(x, s)", "2,6,5", "2,5", ints(s=2), ["Slice", "Flatten"]),
    ("Gather<axis=1>(x, s)", "2,6,5", "2,5", ints(s=-1), ["Slice", "Flatten"]),
    ("Gather<axis=1>(x, s)", "2,6,5", "2,2,5", ints(s=[2, 3]), ["Slice"]),
    ("Gather<axis=1>(x, s)", "2,6,5", "2,4,5", ints(s=[5, 2, 3, 0]), ["Slice", "Concat"]),
    ("Gather<axis=1>(x, s)", "2,6,5", "2,3,5", ints(s=[0, 0, 0]), ["Slice", "Concat"]),
    (
        "Gather<axis=1>(x, s)",
        "2,6",
        "2,2,2",
        ints(s=[[5, 2], [3, 0]]),
        ["Slice", "Concat", "Reshape"],
    ),
    ("Gather(x, s)", "1,6", "2,6", ints(s=[0, 0]), ["Concat"]),
    (
        "Concat<axis=-1>(x, c)",
        "2,3",
        "2,5",
        {"c": ONES[:, :2]},
        ["DummyData", "Concat"],
    ),
    ("Concat<axis=1>(x, c)", "2,3", "2,3", {"c": ONES[:, :0]}, []),
    ("Concat<axis=1>(x)", "2,3", "2,3", {}, []),
]


@pytest.mark.parametrize(("body", "source", "top", "weights", "wanted"), PARTS)
def test_parts(body, source, top, weights, wanted):
    made = lifted(shaped(body.replace("(x", "(h"), source, top, **weights))
    assert [one for one in types(made)[1:] if one != "Silence"] == wanted


def test_slice_of_an_old_opset():
    body = "y = Slice<axes=[1], starts=[1], ends=[-1]>(x)"
    assert types(lifted(model(body, "float[2,6] x", "float[2,4] y", 9))) == ["Slice", "Silence"]


SPLITS = [
    ("a, b = Split<axis=1>(x)", 11, {}, ()),
    ("a, b = Split<axis=1, split=[3,3]>(x)", 11, {}, ()),
    ("a, b = Split<axis=-1, split=[2,4]>(x)", 11, {}, (2,)),
    ("a, b = Split<axis=1>(x, s)", 13, ints(s=[4, 2]), (4,)),
    ("a, b = Split<axis=1, num_outputs=2>(x)", 18, {}, ()),
]


@pytest.mark.parametrize(("body", "opset", "weights", "points"), SPLITS)
def test_split(body, opset, weights, points):
    proto = model(body, "float[2,6] x", "float[2,n] a, float[2,m] b", opset, **weights)
    (node,) = (one for one in lifted(proto).graph.nodes if one.type == "Slice")
    assert node.layer.slice_point == points
    assert [ref.blob for ref in node.tops] == ["a", "b"]


def test_split_into_unequal_parts_by_number():
    body = "a, b, c = Split<axis=1, num_outputs=3>(x)"
    outputs = "float[2,3] a, float[2,3] b, float[2,1] c"
    assert types(lifted(model(body, "float[2,7] x", outputs, 18))) == ["Slice"]


def test_parts_of_a_split_that_nobody_names_are_silenced():
    proto = model("a, q, b = Split<axis=1>(x)", "float[2,6] x", "float[2,2] a, float[2,2] b", 11)
    assert types(lifted(proto)) == ["Slice", "Silence"]
    proto.graph.node[0].output[1] = ""  # which onnxruntime does not survive
    assert [ref.blob for ref in lift(proto).graph.nodes[1].tops] == ["a", "a:1", "b"]


def test_casts_between_whole_numbers_and_floats():
    body = "f = Cast<to=1>(i) y = Relu(f)"
    assert types(
        lifted(model(body, "int64[2,3] i", "float[2,3] y"), i=[[1, -2, 3], [0, 4, -5]])
    ) == ["ReLU"]


REFUSED = [
    ("i = Cast<to=7>(x) y = Cast<to=1>(i)", "makes int64 of float32; expected integers"),
    ("i = ArgMax(x) j = Cast<to=2>(i) y = Cast<to=1>(j)", "too large for uint8"),
    ("i = Cast<to=9>(x) y = Cast<to=1>(i)", "which values are not 0"),
    ("y = NonZero(x)", "depends on the data"),
    ('y = Einsum<equation="ij,ij->i">(x, x)', "formula 'ij,ij->i'"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED)
def test_refusals(body, words):
    assert words in refusal(model(body, "float[3,66] x", "float[n] y"))


def test_more_parts_than_a_net_should_have_are_refused():
    rows = ints(s=list(range(0, 130, 2)))
    proto = model("y = Gather<axis=1>(x, s)", "float[2,130] x", "float[2,65] y", **rows)
    assert "puts together 65 parts of an axis; expected at most 64" in refusal(proto)


BACK = "y = Transpose<perm=[0,3,1,2]>(b)"
UNDONE = [
    BACK,
    "b = Relu(a) " + BACK,
    "h = Relu(a) b = Add(a, h) " + BACK,
    "b = Add(a, c) " + BACK,
]


@pytest.mark.parametrize("target", ["bvlc", "ssd"])
@pytest.mark.parametrize("body", UNDONE)
def test_transpositions_that_are_undone(body, target):
    given = {"c": np.arange(120, dtype=np.float32).reshape(2, 4, 5, 3)}
    before = f"k = LeakyRelu(x) {'b' if body == BACK else 'a'} = Transpose<perm=[0,2,3,1]>(k) "
    shape = "float[2,3,4,5]"
    made = lifted(model(before + body, f"{shape} x", f"{shape} y", 13, **given), target)
    assert {"Permute", "Slice", "Concat", "Reshape"}.isdisjoint(types(made))


def test_a_transposition_with_another_reader_stays():
    body = "a = Transpose<perm=[0,2,3,1]>(x) b = Relu(a) " + BACK + " z = Relu(b)"
    outputs = "float[2,3,4,5] y, float[2,4,5,3] z"
    assert types(lifted(model(body, "float[2,3,4,5] x", outputs), "ssd")).count("Permute") == 2


def test_one_transposition_after_another_is_one():
    body = "a = Transpose<perm=[0,2,3,1]>(x) y = Transpose<perm=[1,2,0,3]>(a)"
    made = lifted(model(body, "float[2,3,4,5] x", "float[4,5,2,3] y"), "ssd")
    assert types(made) == ["Permute"]


def test_transpositions_that_do_not_undo_each_other_stay():
    body = "a = Transpose<perm=[0,2,3,1]>(x) b = Relu(a) y = Transpose<perm=[0,2,3,1]>(b)"
    made = lifted(model(body, "float[2,3,4,5] x", "float[2,5,3,4] y"), "ssd")
    assert types(made) == ["Permute", "ReLU", "Permute"]
