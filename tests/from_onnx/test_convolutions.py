"""Conv and ConvTranspose: every form of pads, and the Pad in front."""

import numpy as np
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

RANDOM = np.random.default_rng(5)
CUT = ["Slice", "Silence"]


def dims(shape):
    return ",".join(map(str, shape))


def conv(x, weight, attributes="", bias=0, op="Conv", opset=17, before="", given="x", **more):
    """A model with one convolution; ``before`` are nodes in front that make ``given``."""
    weights = {"w": RANDOM.standard_normal(weight).astype(np.float32), **more}
    if bias:
        weights["b"] = RANDOM.standard_normal(bias).astype(np.float32)
    inputs = f"{given}, w, b" if bias else f"{given}, w"
    free = dims("?" * len(x))
    body = f"{before} y = {op}<{attributes}>({inputs})" if attributes else f"y = {op}({inputs})"
    if before and not attributes:
        body = f"{before} {body}"
    return model(
        body, f"float[{dims(x)}] x", f"float[{free}] y".replace("?", "N"), opset, **weights
    )


CONVS = [
    ((2, 3, 9, 8), (4, 3, 3, 3), "pads=[1,1,1,1]", ["Convolution"]),
    ((2, 3, 9, 8), (4, 3, 3, 2), "kernel_shape=[3,2], strides=[2,1]", ["Convolution"]),
    ((1, 4, 9, 8), (6, 2, 3, 3), "group=2, dilations=[2,1], pads=[2,1,2,1]", ["Convolution"]),
    ((1, 4, 9, 8), (4, 1, 3, 3), "group=4, strides=[2,2]", ["Convolution"]),
    ((2, 3, 9), (4, 3, 3), "pads=[1,1]", ["Convolution"]),
    ((1, 2, 5, 6, 7), (3, 2, 3, 3, 3), "pads=[1,1,1,1,1,1], strides=[1,2,2]", ["Convolution"]),
    # asymmetric: TensorFlow's SAME of an even size, and others
    ((1, 2, 8, 8), (3, 2, 3, 3), "pads=[0,0,1,1], strides=[2,2]", ["Convolution", "Slice", *CUT]),
    ((1, 2, 8, 8), (3, 2, 3, 3), "pads=[1,1,0,0], strides=[2,2]", ["Convolution"]),
    ((1, 2, 7, 8), (3, 2, 3, 3), "pads=[2,1,0,1]", ["Convolution", *CUT]),
    ((1, 2, 8, 8), (3, 2, 3, 3), "pads=[0,5,7,0], strides=[2,3]", ["Convolution", "Slice", *CUT]),
    ((1, 2, 9), (3, 2, 4), "pads=[1,2]", ["Convolution", *CUT]),
    ((1, 1, 4, 5, 6), (2, 1, 2, 2, 2), "pads=[0,0,0,1,0,0]", ["Convolution", *CUT]),
    ((1, 2, 8, 8), (3, 2, 3, 3), 'auto_pad="SAME_UPPER"', ["Convolution"]),
    ((1, 2, 8, 9), (3, 2, 3, 3), 'auto_pad="SAME_UPPER", strides=[2,2]', ["Convolution", *CUT]),
    ((1, 2, 8, 9), (3, 2, 3, 3), 'auto_pad="SAME_LOWER", strides=[2,2]', ["Convolution"]),
    ((1, 2, 8, 9), (3, 2, 2, 2), 'auto_pad="SAME_LOWER"', ["Convolution", "Slice", *CUT]),
    ((1, 2, 8, 9), (3, 2, 3, 3), 'auto_pad="VALID", strides=[2,1]', ["Convolution"]),
]


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize(("x", "weight", "attributes", "wanted"), CONVS, ids=str)
def test_a_convolution(x, weight, attributes, wanted, opset):
    made = lifted(conv(x, weight, attributes, bias=weight[0], opset=opset), "bvlc-1.0")
    assert types(made) == wanted


TRANSPOSED = [
    ((2, 3, 5, 4), (3, 4, 3, 3), 4, "strides=[2,2]", ["Deconvolution"]),
    ((2, 3, 5, 4), (3, 4, 4, 4), 4, "strides=[2,2], pads=[1,1,1,1]", ["Deconvolution"]),
    ((1, 4, 5, 4), (4, 2, 3, 3), 4, "group=2, dilations=[2,1], pads=[1,0,1,0]", ["Deconvolution"]),
    ((1, 4, 5), (4, 2, 3), 2, "strides=[3]", ["Deconvolution"]),
    ((1, 2, 3, 4, 5), (2, 2, 2, 3, 3), 2, "strides=[2,1,1]", ["Deconvolution"]),
    ((1, 2, 5, 4), (2, 3, 3, 3), 3, "pads=[0,1,1,1]", ["Deconvolution", *CUT]),
    # PyTorch's and Keras' way to double the size
    (
        (1, 2, 5, 4),
        (2, 3, 3, 3),
        3,
        "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]",
        ["Deconvolution", "Slice", *CUT],
    ),
    # what follows the last row is the bias alone
    ((1, 2, 5, 4), (2, 3, 2, 2), 3, "strides=[3,3], output_padding=[1,0]", ["Deconvolution"]),
    (
        (1, 2, 5, 4),
        (2, 3, 2, 2),
        3,
        "strides=[3,3], dilations=[2,2], output_padding=[2,2], pads=[1,0,1,0]",
        ["Deconvolution"],
    ),
    ((1, 2, 5, 4), (2, 3, 2, 2), 3, 'auto_pad="SAME_UPPER", strides=[2,2]', ["Deconvolution"]),
    ((1, 2, 5, 4), (2, 3, 1, 1), 3, 'auto_pad="SAME_UPPER", strides=[2,2]', ["Deconvolution"]),
    (
        (1, 2, 5, 4),
        (2, 3, 3, 3),
        3,
        'auto_pad="SAME_UPPER", strides=[2,2]',
        ["Deconvolution", "Slice", *CUT],
    ),
    (
        (1, 2, 5, 4),
        (2, 3, 3, 3),
        3,
        'auto_pad="SAME_LOWER", strides=[2,2]',
        ["Deconvolution", "Slice", *CUT],
    ),
    (
        (1, 2, 5, 4),
        (2, 3, 3, 3),
        3,
        "output_shape=[10,8], strides=[2,2]",
        ["Deconvolution", "Slice", *CUT],
    ),
    ((1, 2, 5, 4), (2, 3, 3, 3), 3, "output_shape=[12,8], strides=[2,2]", ["Deconvolution", *CUT]),
]


@pytest.mark.parametrize("opset", [7, 11, 17])
@pytest.mark.parametrize(("x", "weight", "bias", "attributes", "wanted"), TRANSPOSED, ids=str)
def test_a_transposed_convolution(x, weight, bias, attributes, wanted, opset):
    made = lifted(conv(x, weight, attributes, bias, "ConvTranspose", opset), "bvlc-1.0")
    assert types(made) == wanted


OLD = 'h = Pad<mode="constant", pads=[%s]>(x)'
NEW = "h = Pad(x, p)"


@pytest.mark.parametrize(
    ("pads", "attributes", "wanted"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], "strides=[2,2]", ["Convolution"]),
        ([0, 0, 0, 0, 0, 0, 1, 1], "strides=[2,2]", ["Convolution", "Slice", *CUT]),
        ([0, 0, 1, 1, 0, 0, 1, 1], "pads=[0,1,0,1]", ["Convolution"]),
        ([0, 0, 1, 1, 0, 0, 1, 1], 'auto_pad="VALID"', ["Convolution"]),
        ([0, 0, 1, 1, 0, 0, 1, 1], 'auto_pad="SAME_UPPER"', ["Convolution", "Convolution"]),
        (
            [0, 0, -1, 1, 0, 0, 1, 1],
            "strides=[1,1]",
            ["Slice", "Convolution", "Slice", "Convolution", "Silence"],
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("opset", [9, 13])
def test_a_pad_in_front_of_a_convolution(pads, attributes, wanted, opset):
    shapes = (1, 2, 8, 8), (3, 2, 3, 3)
    if opset < 11:
        made = conv(*shapes, attributes, opset=opset, before=OLD % dims(pads), given="h")
    else:
        made = conv(*shapes, attributes, opset=opset, before=NEW, given="h", p=np.array(pads))
    assert types(lifted(made, "bvlc-1.0")) == wanted


def test_a_pad_that_is_read_twice_stays():
    made = model(
        "h = Pad(x, p) a = Conv(h, w) y = Relu(a) z = Relu(h)",
        "float[1,2,4,4] x",
        "float[N,C,H,W] y, float[N,C,K,L] z",
        p=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        w=np.ones((1, 2, 3, 3), np.float32),
    )
    made = lifted(made)
    assert types(made) == ["Convolution", "Convolution", "ReLU", "ReLU"]
    assert [node.layer.write().all("pad") for node in made.graph.nodes[1:3]] == [[1], [0]]


@pytest.mark.parametrize(
    ("pad", "wanted"),
    [
        ("Pad(x, p, v)", ["DummyData", "Concat", "Convolution"]),
        ('Pad<mode="edge">(x, p)', ["Slice", "Concat", "Convolution", "Silence"]),
    ],
)
def test_a_pad_of_something_else_stays(pad, wanted):
    made = model(
        f"h = {pad} y = Conv(h, w)",
        "float[1,2,4,4] x",
        "float[N,C,H,W] y",
        p=np.array([0, 0, 0, 1, 0, 0, 0, 1]),
        w=np.ones((1, 2, 3, 3), np.float32),
        **({"v": np.float32(0.5)} if "v" in pad else {}),
    )
    assert sorted(types(lifted(made))) == sorted(wanted)


def test_the_fewest_windows_in_front():
    made = lifted(conv((1, 2, 8, 8), (3, 2, 3, 3), "pads=[0,0,1,1], strides=[2,2]"))
    assert made.graph.nodes[1].layer.write().all("pad") == [2]


def test_a_transposed_convolution_without_output_is_refused():
    made = conv((1, 2, 4, 4), (2, 3, 2, 2), "pads=[3,1,2,3]", op="ConvTranspose")
    with pytest.raises(UnsupportedError) as caught:
        lift(made)
    assert "its output 'y' is empty" in caught.value.diagnostics[-1].message


def test_computed_weights_are_refused():
    made = model("y = Conv(x, w)", "float[1,2,4,4] x, float[3,2,1,1] w", "float[1,3,4,4] y")
    with pytest.raises(UnsupportedError, match="1 Conv") as caught:
        lift(made)
    assert "its weights are computed from the inputs" in caught.value.diagnostics[-1].message


SHAPE = (2, 3, 4, 5)
PADS = [
    ([0, 0, 1, 2, 0, 0, 1, 2], "", ["Convolution"]),
    ([0, 0, 1, 0, 0, 0, 2, 2], "", ["Convolution", "Slice", *CUT]),
    ([0, 0, 0, 0, 0, 0, 0, 0], "", ["Power"]),
    ([0, 0, -1, 0, 0, 0, -1, -2], "", ["Slice", *CUT]),
    ([0, 1, 0, 0, 0, 2, 0, 0], "", ["DummyData", "DummyData", "Concat"]),
    ([1, 0, 0, 0, 0, 0, 0, 0], "", ["DummyData", "Concat"]),
    ([0, 0, 1, 1, 0, 0, 1, 1], "reflect", ["Slice", "Concat", "Slice", "Concat", "Silence"]),
    ([0, 0, 2, 3, 0, 0, 3, 2], "reflect", ["Slice", "Concat", "Slice", "Concat", "Silence"]),
    ([0, 0, 2, 1, 0, 0, 1, 1], "edge", ["Slice", "Concat", "Slice", "Concat", "Silence"]),
    ([0, 0, 0, 0, 0, 0, 0, 2], "wrap", ["Slice", "Concat", "Silence"]),
]


@pytest.mark.parametrize("opset", [7, 11, 13, 18, 21])
@pytest.mark.parametrize(("pads", "mode", "wanted"), PADS, ids=str)
def test_a_pad(pads, mode, wanted, opset):
    if mode == "wrap" and opset < 19:
        pytest.skip("wrap is new in opset 19")
    mode = mode or "constant"
    x, y = f"float[{dims(SHAPE)}] x", "float[N,C,H,W] y"
    if opset < 11:
        made = model(f'y = Pad<mode="{mode}", pads=[{dims(pads)}]>(x)', x, y, opset)
    else:
        made = model(f'y = Pad<mode="{mode}">(x, p)', x, y, opset, p=np.array(pads))
    assert types(lifted(made, "bvlc-1.0")) == wanted


def test_a_pad_with_another_value_and_axes():
    pads, axes = np.array([1, 2]), np.array([-1])
    made = model(
        "y = Pad(x, p, v, a)", "float[2,3] x", "float[2,6] y", 18, p=pads, v=np.float32(1.5), a=axes
    )
    assert types(lifted(made)) == ["DummyData", "DummyData", "Concat"]


def test_a_wide_border_is_refused():
    made = model(
        'y = Pad<mode="edge">(x, p)', "float[2,3] x", "float[N,C] y", p=np.array([0, 9, 0, 9])
    )
    with pytest.raises(UnsupportedError) as caught:
        lift(made)
    assert "a border of 18 rows in the mode edge" in caught.value.diagnostics[-1].message
