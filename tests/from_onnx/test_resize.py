"""Resize, Upsample, and what moves pixels into channels and back."""

import numpy as np
import pytest
from lifting import lifted, model, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import Lift, lift
from prototxt_gen.from_onnx.normalize import normalize
from prototxt_gen.from_onnx.patterns import fuse
from prototxt_gen.from_onnx.target import Target

DECONV, SCALED = ["Deconvolution"], ["Deconvolution", "Scale"]
MATRIX = ["Convolution", "InnerProduct"]


def resize(attributes, x=(2, 3, 4, 5), scales=None, sizes=None, opset=17):
    """Resize from opset 11 on, by scales or to sizes; both are of all axes."""
    dims, free = ",".join(map(str, x)), ",".join("NCDHW"[: len(x)])
    if sizes is not None:
        body, more = f"y = Resize<{attributes}>(x, r, e, s)", {"s": np.array(sizes, np.int64)}
        more["e"] = np.zeros(0, np.float32)
    else:
        body, more = f"y = Resize<{attributes}>(x, r, s)", {"s": np.array(scales, np.float32)}
    return model(
        body, f"float[{dims}] x", f"float[{free}] y", opset, r=np.zeros(0, np.float32), **more
    )


def mode(name, coordinates, more=""):
    return f'mode="{name}", coordinate_transformation_mode="{coordinates}"{more}'


FLOOR = ', nearest_mode="floor"'
UP2 = (1, 1, 2, 2)
CASES = [
    # PyTorch's nearest, and TensorFlow's
    (mode("nearest", "asymmetric", FLOOR), UP2, DECONV),
    (mode("nearest", "asymmetric", FLOOR), (1, 1, 3, 2), DECONV),
    (mode("nearest", "half_pixel"), UP2, DECONV),
    (mode("nearest", "half_pixel"), (1, 1, 3, 4), DECONV),
    (mode("nearest", "half_pixel", ', nearest_mode="round_prefer_ceil"'), UP2, DECONV),
    (mode("nearest", "tf_half_pixel_for_nn", FLOOR), UP2, DECONV),
    (mode("nearest", "asymmetric", ', nearest_mode="ceil"'), UP2, MATRIX),
    (mode("nearest", "asymmetric", ', nearest_mode="round_prefer_ceil"'), UP2, MATRIX),
    (mode("nearest", "align_corners"), UP2, DECONV),
    (mode("nearest", "align_corners"), (1, 1, 3, 4), MATRIX),
    (mode("nearest", "asymmetric", FLOOR), (1, 1, 1, 1), ["Power"]),
    (mode("nearest", "asymmetric", FLOOR), (1, 1, 1.5, 1.5), MATRIX),
    (
        mode("nearest", "asymmetric", FLOOR),
        (1, 1, 0.5, 0.2),
        ["Slice", "Pooling", "Slice", "Silence"],
    ),
    (
        mode("nearest", "half_pixel", FLOOR),
        (1, 1, 0.5, 0.34),
        ["Slice", "Pooling", "Slice", "Silence"],
    ),
    # PyTorch's bilinear, and TensorFlow's
    (mode("linear", "half_pixel"), UP2, SCALED),
    (mode("linear", "pytorch_half_pixel"), UP2, SCALED),
    (mode("linear", "pytorch_half_pixel"), (1, 1, 3, 4), SCALED),
    (mode("linear", "half_pixel"), (1, 1, 8, 1), SCALED),
    (mode("linear", "asymmetric"), UP2, SCALED),
    (mode("linear", "align_corners"), UP2, MATRIX),
    (mode("linear", "half_pixel"), (1, 1, 1.5, 2), MATRIX),
    (mode("linear", "half_pixel"), (1, 1, 0.5, 1), ["Convolution"]),
    (mode("linear", "half_pixel"), (1, 1, 1, 0.6), ["InnerProduct"]),
    (mode("cubic", "half_pixel"), UP2, MATRIX),
    (mode("cubic", "half_pixel", ", exclude_outside=1"), UP2, SCALED),
    (mode("cubic", "pytorch_half_pixel", ", cubic_coeff_a=-0.5"), (1, 1, 1.5, 3), MATRIX),
]


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
@pytest.mark.parametrize(("attributes", "scales", "wanted"), CASES, ids=str)
def test_a_resize_by_scales(attributes, scales, wanted, opset):
    if "tf_half" in attributes and opset > 11:
        pytest.skip("tf_half_pixel_for_nn went with opset 13")
    made = resize(attributes, scales=scales, opset=opset)
    assert types(lifted(made, "bvlc-1.0")) == wanted


@pytest.mark.parametrize("opset", [11, 13, 19])
@pytest.mark.parametrize(
    ("attributes", "sizes", "wanted"),
    [
        (mode("nearest", "asymmetric", FLOOR), (2, 3, 8, 10), DECONV),
        (mode("linear", "pytorch_half_pixel"), (2, 3, 12, 10), SCALED),
        (mode("linear", "align_corners"), (2, 3, 7, 9), MATRIX),
        (mode("linear", "half_pixel"), (2, 3, 7, 9), MATRIX),
        (mode("nearest", "half_pixel"), (2, 3, 9, 7), MATRIX),
        (mode("linear", "pytorch_half_pixel"), (2, 3, 1, 1), ["Slice", "Slice", "Silence"]),
    ],
    ids=str,
)
def test_a_resize_to_sizes(attributes, sizes, wanted, opset):
    assert types(lifted(resize(attributes, sizes=sizes, opset=opset))) == wanted


OLD = [
    ('y = Upsample<mode="nearest", scales=[1.0,1.0,2.0,3.0]>(x)', 7, DECONV),
    ('y = Upsample<mode="nearest">(x, s)', 9, DECONV),
    ('y = Upsample<mode="linear">(x, s)', 9, SCALED),
    ('y = Resize<mode="nearest">(x, s)', 10, DECONV),
    ('y = Resize<mode="linear">(x, s)', 10, SCALED),
    ('y = Resize<mode="nearest">(x, t)', 10, MATRIX),
]


@pytest.mark.parametrize(("body", "opset", "wanted"), OLD, ids=str)
def test_an_old_resize(body, opset, wanted):
    given = {"s": np.array([1, 1, 2, 3], np.float32), "t": np.array([1, 1, 0.7, 0.4], np.float32)}
    used = {name: value for name, value in given.items() if f", {name})" in body}
    made = model(body, "float[2,3,6,5] x", "float[N,C,H,W] y", opset, **used)
    assert types(lifted(made)) == wanted


def test_aligned_corners_where_there_is_an_interp():
    made = resize(mode("linear", "align_corners"), scales=(1, 1, 2, 3))
    assert types(lifted(made, "ssd")) == ["Interp"]


@pytest.mark.parametrize(
    ("attributes", "x", "scales", "wanted"),
    [
        (mode("nearest", "asymmetric", FLOOR), (2, 3, 5), (1, 1, 2), DECONV),
        (mode("linear", "half_pixel"), (2, 3, 5), (1, 1, 2), SCALED),
        (
            mode("linear", "align_corners"),
            (2, 3, 5),
            (1, 1, 2),
            ["Reshape", "Convolution", "Reshape"],
        ),
        (mode("nearest", "half_pixel"), (2, 3, 2, 3, 2), (1, 1, 2, 2, 2), DECONV),
    ],
    ids=str,
)
def test_lines_and_volumes(attributes, x, scales, wanted):
    assert types(lifted(resize(attributes, x, scales))) == wanted


def test_axes_of_opset_18():
    made = resize(mode("linear", "half_pixel", ", axes=[2,3]"), scales=(2, 2), opset=18)
    assert types(lifted(made)) == SCALED
    made = resize(mode("linear", "half_pixel", ", axes=[3,2]"), sizes=(10, 12), opset=18)
    assert types(lifted(made)) == SCALED


def test_half_pixels_about_the_middle():
    made = resize(mode("linear", "half_pixel_symmetric"), scales=(1, 1, 1.6, 1.3), opset=19)
    assert types(lifted(made)) == MATRIX


def test_a_kept_aspect_ratio_is_refused():
    kept = ', keep_aspect_ratio_policy="not_larger"'
    with pytest.raises(UnsupportedError) as caught:
        lift(resize(mode("linear", "half_pixel", kept), sizes=(2, 3, 8, 8), opset=18))
    assert "aspect ratio" in caught.value.diagnostics[-1].message


REFUSED = [
    (mode("linear", "tf_crop_and_resize"), (2, 3, 4, 5), (1, 1, 2, 2), "cut it with a Slice"),
    (mode("nearest", "asymmetric"), (2, 3, 4, 5), (1, 2, 2, 2), "spatial axes only"),
    (mode("linear", "half_pixel", ", antialias=1"), (2, 3, 4, 5), (1, 1, 0.5, 0.5), "antialias"),
    (mode("linear", "align_corners"), (1, 1, 2, 3, 4), (1, 1, 2, 2, 2), "whole factors"),
]


@pytest.mark.parametrize(("attributes", "x", "scales", "reason"), REFUSED, ids=str)
def test_what_is_refused(attributes, x, scales, reason):
    with pytest.raises(UnsupportedError) as caught:
        lift(resize(attributes, x, scales, opset=18), Lift(Target("bvlc")))
    assert reason in caught.value.diagnostics[-1].message


@pytest.mark.parametrize(
    ("body", "x", "y", "release", "ssd"),
    [
        ('DepthToSpace<blocksize=2, mode="DCR">', "2,8,3,4", "2,2,6,8", DECONV, ["Reorg"]),
        ('DepthToSpace<blocksize=2, mode="CRD">', "2,8,3,4", "2,2,6,8", DECONV, DECONV),
        ("DepthToSpace<blocksize=3>", "1,9,2,2", "1,1,6,6", DECONV, ["Reorg"]),
        ("SpaceToDepth<blocksize=2>", "2,3,4,6", "2,12,2,3", ["Convolution"], ["Convolution"]),
    ],
    ids=str,
)
def test_depth_and_space(body, x, y, release, ssd):
    made = model(f"y = {body}(x)", f"float[{x}] x", f"float[{y}] y")
    assert types(lifted(made, "bvlc-1.0")) == release
    assert types(lifted(made, "ssd")) == ssd


CHAINS = [
    # a shuffle of channels, as ShuffleNet's exporters write it
    (
        [2, 6, 4, 5],
        [2, 3, 2, 4, 5],
        [0, 2, 1, 3, 4],
        [2, 6, 4, 5],
        ["Convolution"],
        ["ShuffleChannel"],
    ),
    ([2, 6, 4, 5], [2, 2, 3, 20], [0, 2, 1, 3], [2, 6, 4, 5], ["Convolution"], ["ShuffleChannel"]),
    # YOLOv2's reorg
    (
        [1, 4, 6, 8],
        [1, 1, 6, 2, 8, 2],
        [0, 3, 5, 1, 2, 4],
        [1, 16, 3, 4],
        ["Reshape", "Convolution", "Reshape"],
        ["Reorg"],
    ),
    # PyTorch's PixelShuffle and PixelUnshuffle
    ([2, 8, 3, 4], [2, 2, 2, 2, 3, 4], [0, 1, 4, 2, 5, 3], [2, 2, 6, 8], DECONV, DECONV),
    (
        [2, 2, 6, 8],
        [2, 2, 3, 2, 4, 2],
        [0, 1, 3, 5, 2, 4],
        [2, 8, 3, 4],
        ["Convolution"],
        ["Convolution"],
    ),
]


@pytest.mark.parametrize(("x", "inner", "order", "y", "release", "ssd"), CHAINS, ids=str)
def test_a_chain_of_reshapes(x, inner, order, y, release, ssd):
    made = model(
        f"a = Reshape(x, i) b = Transpose<perm={order}>(a) y = Reshape(b, o)",
        f"float{x} x",
        f"float{y} y",
        i=np.array(inner),
        o=np.array(y),
    )
    assert types(lifted(made, "bvlc-1.0")) == release
    assert types(lifted(made, "ssd")) == ssd


def test_rows_for_columns_are_no_block():
    made = model(
        "a = Reshape(x, i) b = Transpose<perm=[0,1,3,2]>(a) y = Reshape(b, i)",
        "float[1,2,4,4] x",
        "float[1,2,4,4] y",
        i=np.array([1, 2, 4, 4]),
    )
    found = normalize(made)
    fuse(found)
    assert "Rearrange" not in {op.op_type for op in found.ops}


def test_groups_where_channels_lie_together():
    crd = model(
        'y = DepthToSpace<blocksize=2, mode="CRD">(x)', "float[1,8,2,2] x", "float[1,2,4,4] y"
    )
    dcr = model("y = DepthToSpace<blocksize=2>(x)", "float[1,8,2,2] x", "float[1,2,4,4] y")
    groups = [
        lifted(made).graph.nodes[-1].layer.write().get("group", int, 1) for made in (crd, dcr)
    ]
    assert groups == [2, 1]
    x, inner, order, y, *_ = CHAINS[-1]
    made = model(
        f"a = Reshape(x, i) b = Transpose<perm={order}>(a) y = Reshape(b, o)",
        f"float{x} x",
        f"float{y} y",
        i=np.array(inner),
        o=np.array(y),
    )
    assert lifted(made).graph.nodes[-1].layer.write().get("group", int, 1) == 2
