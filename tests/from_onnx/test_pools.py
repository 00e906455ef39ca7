"""Pools: the windows of ONNX against those of Caffe, for every target."""

import numpy as np
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import Lift, lift
from prototxt_gen.from_onnx.target import TARGETS, Target

CUT = ["Slice", "Silence"]
RANDOM = np.random.default_rng(7)


def pool(op, x, attributes, opset=17):
    dims, free = ",".join(map(str, x)), ",".join("NCDHW"[: len(x)])
    body = f"y = {op}<{attributes}>(x)" if attributes else f"y = {op}(x)"
    return model(body, f"float[{dims}] x", f"float[{free}] y", opset)


def refusal(made, target="bvlc"):
    with pytest.raises(UnsupportedError) as caught:
        lift(made, Lift(Target(target)))
    return caught.value.diagnostics[-1].message


K2 = "kernel_shape=[2,2], strides=[2,2]"
K3 = "kernel_shape=[3,3], strides=[2,2]"
P3 = f"{K3}, pads=[1,1,1,1]"
CASES = [
    # op, shape, attributes, on the release 1.0, on master
    ("MaxPool", (2, 3, 8, 6), K2, ["Pooling"], ["Pooling"]),
    ("MaxPool", (1, 2, 7, 6), K2, ["Pooling", *CUT], ["Pooling"]),
    ("MaxPool", (1, 2, 112, 112), P3, ["Pooling", "Slice", *CUT], ["Pooling"]),
    ("MaxPool", (1, 2, 7, 7), P3, ["Pooling"], ["Pooling"]),
    ("MaxPool", (1, 2, 7, 8), f"{K2}, ceil_mode=1", ["Pooling"], ["Pooling"]),
    ("MaxPool", (1, 2, 8, 9), f"{P3}, ceil_mode=1", ["Pooling"], ["Pooling"]),
    ("MaxPool", (1, 2, 8, 8), f'{K3}, auto_pad="SAME_UPPER"', ["Pooling"], ["Pooling"]),
    ("MaxPool", (1, 2, 7, 7), f'{K3}, auto_pad="SAME_UPPER"', ["Pooling"], ["Pooling"]),
    (
        "MaxPool",
        (1, 2, 8, 8),
        f'{K3}, auto_pad="SAME_LOWER"',
        ["Pooling", "Slice", *CUT],
        ["Pooling"],
    ),
    (
        "MaxPool",
        (1, 2, 8, 8),
        'kernel_shape=[2,2], auto_pad="SAME_UPPER"',
        ["Pooling", "Slice", *CUT],
        ["Pooling", "Slice", *CUT],
    ),
    ("MaxPool", (1, 2, 8, 8), f'{K3}, auto_pad="VALID"', ["Pooling", "Slice", *CUT], ["Pooling"]),
    (
        "MaxPool",
        (1, 2, 13, 9),
        "kernel_shape=[5,4], strides=[2,1], pads=[0,0,3,2]",
        ["Pooling", "Slice", *CUT],
        ["Pooling", "Slice", *CUT],
    ),
    ("AveragePool", (2, 3, 8, 6), K2, ["Pooling"], ["Pooling"]),
    ("AveragePool", (1, 2, 7, 6), K2, ["Pooling", *CUT], ["Pooling"]),
    ("AveragePool", (1, 2, 7, 7), f"{P3}, count_include_pad=1", ["Pooling"], ["Pooling"]),
    ("AveragePool", (1, 2, 7, 7), P3, ["Pooling", "Scale"], ["Pooling", "Scale"]),
    (
        "AveragePool",
        (1, 2, 8, 8),
        P3,
        ["Pooling", "Slice", "Slice", "Scale", "Silence"],
        ["Pooling", "Scale"],
    ),
    ("AveragePool", (1, 2, 8, 8), f'{K3}, auto_pad="SAME_UPPER"', ["Pooling"], ["Pooling"]),
    ("AveragePool", (1, 2, 7, 8), f"{K2}, ceil_mode=1", ["Pooling"], ["Pooling"]),
    (
        "AveragePool",
        (1, 2, 8, 8),
        "kernel_shape=[3,3], pads=[0,1,2,1], count_include_pad=1",
        None,
        None,
    ),
    ("AveragePool", (1, 2, 8, 8), f"{P3}, ceil_mode=1", None, None),
    # a window that the pads at the start alone are too small for
    (
        "MaxPool",
        (1, 2, 1, 1),
        "kernel_shape=[3,3], pads=[0,0,2,2]",
        ["Pooling", "Slice", *CUT],
        None,
    ),
    ("MaxPool", (1, 2, 4, 4), "kernel_shape=[1,2], dilations=[2,1]", ["Pooling"], None),
    # lines and volumes
    (
        "MaxPool",
        (2, 3, 9),
        "kernel_shape=[3], strides=[2]",
        ["Reshape", "Pooling", "Reshape"],
        None,
    ),
    ("AveragePool", (2, 3, 9), "kernel_shape=[2]", ["Reshape", "Pooling", "Reshape"], None),
    ("MaxPool", (1, 2, 4, 6, 8), "kernel_shape=[2,2,2], strides=[2,2,2]", None, None),
    ("MaxPool", (1, 2, 5, 6, 7), "kernel_shape=[3,2,3], pads=[1,0,1,1,1,1]", None, None),
    (
        "AveragePool",
        (1, 2, 4, 6, 8),
        "kernel_shape=[2,2,2], strides=[2,2,2]",
        ["Convolution"],
        None,
    ),
    (
        "AveragePool",
        (1, 2, 4, 6, 8),
        "kernel_shape=[3,3,3], pads=[1,1,1,1,1,1]",
        ["Convolution", "Scale"],
        None,
    ),
]


@pytest.mark.parametrize("opset", [10, 12, 17, 21])
@pytest.mark.parametrize(("op", "x", "attributes", "release", "master"), CASES, ids=str)
def test_a_pool(op, x, attributes, release, master, opset):
    for target, wanted in (("bvlc-1.0", release), ("bvlc", master)):
        found = types(lifted(pool(op, x, attributes, opset), target))
        assert wanted is None or found == wanted, target


@pytest.mark.parametrize("target", TARGETS)
def test_rounding_down_by_the_means_of_the_target(target):
    made = lifted(pool("MaxPool", (1, 2, 8, 8), P3), target)
    layer = made.graph.nodes[1].layer.write()
    fields = {"bvlc": "round_mode", "caffe_priv": "ceil_mode"}
    assert [name for name in ("round_mode", "ceil_mode") if layer.has(name)] == (
        [fields[target]] if target in fields else []
    )


@pytest.mark.parametrize("seed", range(150))
def test_any_window(seed):
    """Sizes, kernels, strides and pads at random, on targets with and without the field."""
    generator = np.random.default_rng(seed)
    kernel, stride = generator.integers(1, 5, 2), generator.integers(1, 4, 2)
    pads = [int(generator.integers(0, k)) for k in (*kernel, *kernel)]
    size = generator.integers(5, 12, 2)
    op = ["MaxPool", "AveragePool"][seed % 2]
    text = (
        f"kernel_shape={kernel.tolist()}, strides={stride.tolist()}, pads={pads}, "
        f"ceil_mode={seed // 2 % 2}"
    )
    if op == "AveragePool":
        text += f", count_include_pad={seed // 4 % 2}"
    made = pool(op, (1, 2, *size.tolist()), text, 21)
    for target in ("bvlc-1.0", "bvlc"):
        try:
            lifted(made, target)
        except UnsupportedError as error:
            assert op == "MaxPool"
            assert "the pad that it needs" in error.diagnostics[-1].message


GLOBAL = [
    ((2, 3, 4, 5), ["Pooling"]),
    ((2, 3, 7), ["Reshape", "Pooling", "Reshape"]),
    ((2, 3, 4, 5, 6), ["Reshape", "Pooling", "Reshape"]),
]


@pytest.mark.parametrize("op", ["GlobalMaxPool", "GlobalAveragePool"])
@pytest.mark.parametrize(("x", "wanted"), GLOBAL, ids=str)
def test_a_global_pool(op, x, wanted):
    assert types(lifted(pool(op, x, ""), "bvlc-1.0")) == wanted


PADDED = [
    # Keras' ResNet50, and what PyTorch's pad by minus infinity becomes
    ("h = Relu(x) p = Pad(h, q)", "MaxPool", P3.replace("1,1,1,1", "0,0,0,0"), ["ReLU", "Pooling"]),
    ("p = Pad(x, q, v)", "MaxPool", K3, ["Pooling"]),
    ("p = Pad(x, q)", "MaxPool", K3, ["Convolution", "Pooling"]),
    ("p = Pad(x, q)", "AveragePool", K3, ["Pooling"]),
    ("h = Pad(x, q) p = Pad(h, q)", "AveragePool", K3, ["Convolution", "Pooling"]),
    ("p = Pad(x, q, u)", "AveragePool", K3, [*["DummyData", "Concat"] * 2, "Pooling"]),
    # the pad would not be smaller than the kernel
    (
        "h = Relu(x) p = Pad(h, q)",
        "MaxPool",
        "kernel_shape=[1,1], strides=[3,3]",
        ["ReLU", "Convolution", "Pooling"],
    ),
    ("p = Pad(x, q)", "AveragePool", f"{P3}, count_include_pad=1", ["Pooling"]),
    ("p = Pad(x, q)", "AveragePool", P3, ["Pooling", "Scale"]),
]


@pytest.mark.parametrize(("front", "op", "attributes", "wanted"), PADDED, ids=str)
def test_a_pad_in_front_of_a_pool(front, op, attributes, wanted):
    made = model(
        f"{front} y = {op}<{attributes}>(p)",
        "float[1,2,8,8] x",
        "float[N,C,H,W] y",
        q=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        **({"v": np.float32(-np.inf)} if ", v)" in front else {}),
        **({"u": np.float32(0.5)} if ", u)" in front else {}),
    )
    assert types(lifted(made)) == wanted


def test_a_pad_that_a_window_reads_alone():
    made = model(
        "p = Pad(x, q) y = AveragePool<kernel_shape=[1,1], strides=[2,2]>(p)",
        "float[1,2,4,4] x",
        "float[N,C,H,W] y",
        q=np.array([0, 0, 0, 0, 0, 0, 2, 2]),
    )
    assert types(lifted(made, "bvlc-1.0")) == ["Convolution", "Slice", "Slice", "Silence"]


def test_a_large_pad_in_front_of_a_mean():
    made = model(
        "p = Pad(x, q) y = AveragePool<kernel_shape=[2,2]>(p)",
        "float[1,2,4,4] x",
        "float[N,C,H,W] y",
        q=np.array([0, 0, 3, 3, 0, 0, 3, 3]),
    )
    assert types(lifted(made, "bvlc-1.0")) == ["Convolution"]


def test_a_mean_with_dilations():
    made = pool(
        "AveragePool", (1, 2, 9, 9), "kernel_shape=[2,2], dilations=[2,3], pads=[1,0,0,1]", 19
    )
    assert types(lifted(made)) == ["Convolution", "Slice", "Slice", "Scale", "Silence"]


def test_the_mask_of_a_maximum():
    made = model(
        f"y, i = MaxPool<{K2}>(x) z = Mod(i, p)",
        "float[2,3,6,8] x",
        "float[2,3,3,4] y, int64[2,3,3,4] z",
        p=np.array(48),
    )
    assert types(lifted(made)) == ["Pooling"]
    alone = model(
        f"y, i = MaxPool<{K2}>(x)", "float[1,1,7,8] x", "float[1,1,3,4] y, int64[1,1,3,4] i"
    )
    assert types(lifted(alone)) == ["Pooling"]
    assert types(lifted(alone, "bvlc-1.0")) == ["Pooling", "Slice", "Slice", "Silence"]


def test_what_is_refused():
    assert "dilations" in refusal(
        pool("MaxPool", (1, 1, 9, 9), "kernel_shape=[2,2], dilations=[2,2]")
    )
    dilated = 'kernel_shape=[2,2], dilations=[2,2], auto_pad="SAME_UPPER"'
    assert "disagree" in refusal(pool("AveragePool", (1, 1, 9, 9), dilated, 19))
    assert "norm" in refusal(pool("LpPool", (1, 1, 9, 9), "kernel_shape=[2,2]"))
    indices = model(
        f"y, i = MaxPool<{K2}>(x)", "float[1,2,6,8] x", "float[1,2,3,4] y, int64[1,2,3,4] i"
    )
    assert "whole tensor" in refusal(indices)
    columns = f"y, i = MaxPool<{K2}, storage_order=1>(x)"
    assert "by columns" in refusal(
        model(columns, "float[1,1,6,8] x", "float[1,1,3,4] y, int64[1,1,3,4] i")
    )
    other = f"y, i = MaxPool<{K2}>(x) z = Mod(i, p)"
    shapes = "float[2,3,6,8] x", "float[2,3,3,4] y, int64[2,3,3,4] z"
    assert "whole tensor" in refusal(model(other, *shapes, p=np.array(24)))


@pytest.mark.parametrize("target", ["ssd", "bvlc"])
def test_regions(target):
    made = model(
        "y = MaxRoiPool<pooled_shape=[2,3], spatial_scale=0.5>(x, r)",
        "float[1,2,8,8] x, float[2,5] r",
        "float[2,2,2,3] y",
    )
    if target == "bvlc":
        assert "ssd or caffe_priv does" in refusal(made)
    else:
        assert types(lifted(made, target, r=[[0, 0, 0, 9, 9], [0, 2, 4, 8, 15]])) == ["ROIPooling"]
