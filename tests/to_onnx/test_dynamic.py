"""Models with free sizes: at each size what the net of that size computes, or a refusal."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from layers.cases import Case
from layers.test_cases import TAKEN
from layers.test_cases import net as net_of
from to_onnx.free_nets import differences, freed, sizes_of

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError, UnsupportedError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.sample import seeded
from prototxt_gen.to_onnx.free import read_ranges
from prototxt_gen.triton.config import Options, describe
from prototxt_gen.verify import verify_export
from prototxt_gen.weights import make

CORPUS = Path(os.environ.get("PROTOTXT_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
PICTURE = 'input: "x" input_shape { dim: [%s] }\n'


def load(text: str) -> Graph:
    return api.load(Source(text.encode()))


def layer(type: str, params: str = "", bottoms: str = "x", name: str = "l", tops: str = "") -> str:
    wires = "".join(f' bottom: "{bottom}"' for bottom in bottoms.split())
    wires += "".join(f' top: "{top}"' for top in (tops or name).split())
    return f'layer {{ name: "{name}" type: "{type}"{wires} {params} }}\n'


def session(model: onnx.ModelProto) -> Any:
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


MAPS = [case for case in TAKEN if case.bottoms and len(case.bottoms[0]) == 4 and case.top_count]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("axes", ["023", "23"])
@pytest.mark.parametrize(
    "case", [case for case in MAPS if not any(None in b for b in case.bottoms)], ids=str
)
def test_every_layer_with_free_sizes_is_computed_or_refused(case: Case, axes: str) -> None:
    """The axes of the first bottom are free, and those of others that are the same."""
    first = case.bottoms[0]
    dynamic = {
        f"b{index}": [
            f"S{axis}"
            if str(axis) in axes and size == first[axis] and (axis == 0 or len(bottom) == 4)
            else size
            for axis, size in enumerate(bottom)
        ]
        for index, bottom in enumerate(case.bottoms)
    }
    free = {
        name: dims for name, dims in dynamic.items() if any(map(str, dims)) and {*dims} & SYMBOLS
    }
    try:
        graph = load(net_of(case))
        graph.stored = make(graph, "random")
        model = api.to_onnx(graph, dynamic=free)
    except PrototxtError:
        return
    ranges, computed = read_ranges(model), session(model)
    for more in (0, 1, 4):
        sizes = {s: one.after(one.own - 1 + more * (1 + int(s[1]))) for s, one in ranges.items()}
        shapes = {
            name: tuple(sizes.get(str(dim), dim) for dim in dims) for name, dims in dynamic.items()
        }
        values = seeded(graph, shapes)
        wanted = api.run(graph, values)
        for output in computed.get_outputs():
            (found,) = computed.run([output.name], values)
            assert found.shape == wanted[output.name].shape, (sizes, output.name)
            np.testing.assert_allclose(
                found, wanted[output.name], rtol=1e-2, atol=1e-3, equal_nan=True
            )


SYMBOLS = {"S0", "S2", "S3"}
#: Kernel, stride, pad of height and of width, rounding, mode.
POOLS = [
    (3, 2, 0, 0, "CEIL"),
    (3, 2, 1, 1, "CEIL"),
    (2, 2, 0, 0, "CEIL"),
    (2, 2, 1, 0, "CEIL"),
    (3, 3, 1, 2, "CEIL"),
    (4, 3, 2, 1, "CEIL"),
    (2, 3, 1, 1, "CEIL"),
    (3, 2, 1, 0, "FLOOR"),
    (5, 4, 2, 2, "CEIL"),
]


@pytest.mark.parametrize("mode", ["MAX", "AVE"])
@pytest.mark.parametrize("window", POOLS)
def test_pools_are_exact_for_every_size(window: tuple[Any, ...], mode: str) -> None:
    kernel, stride, pad, across, rounding = window
    params = (
        f"pooling_param {{ pool: {mode} kernel_size: {kernel} stride: {stride} pad_h: {pad} "
        f"pad_w: {across} round_mode: {rounding} }}"
    )
    graph = load(PICTURE % "1, 2, 9, 8" + layer("Pooling", params))
    model = api.to_onnx(graph, dynamic={"x": "1,2,H,W"})
    ranges, computed = read_ranges(model), session(model)
    assert all(one.step == 1 and one.starts[0] <= kernel for one in ranges.values())
    pool, random = graph.nodes[-1].layer, np.random.default_rng(0)
    for height in range(ranges["H"].starts[0], 14):
        x = random.normal(size=(1, 2, height, 9 + height % 3)).astype(np.float32)
        (found,) = computed.run(None, {"x": x})
        np.testing.assert_allclose(found, pool.run([x], (), 1)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("mode", ["MAX", "AVE", "STOCHASTIC"])
def test_windows_that_read_nothing_are_as_caffe_has_them_at_every_size(
    mode: str, size: int
) -> None:
    """Without pads the last window may begin outside of the map (pooling_layer.cpp)."""
    params = f"pooling_param {{ pool: {mode} kernel_size: {size} stride: 3 }}"
    tops = "l m" if mode == "MAX" else "l"
    graph = load(PICTURE % "1, 2, 9, 9" + layer("Pooling", params, tops=tops))
    model = api.to_onnx(graph, dynamic={"x": "1,2,H,W"})
    computed, random = session(model), np.random.default_rng(0)
    assert {(one.step, one.starts) for one in read_ranges(model).values()} == {(1, (1,))}
    pool = graph.nodes[-1].layer
    for height, width in ((7, 8), (8, 9), (9, 7), (10, 11), (11, 12)):
        x = random.integers(-3, 4, size=(1, 2, height, width)).astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            wanted = pool.run([x], (), len(tops.split()))
        for found, values in zip(computed.run(None, {"x": x}), wanted, strict=True):
            np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6, equal_nan=True)


#: A net that divides by 4 and grows back, met by what came before.
SEGMENTS = PICTURE % "1, 3, 32, 24" + "".join(
    [
        layer(
            "Convolution", "convolution_param { num_output: 4 kernel_size: 3 pad: 20 }", name="a"
        ),
        layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", "a", "b"),
        layer(
            "Convolution", "convolution_param { num_output: 4 kernel_size: 2 stride: 2 }", "b", "c"
        ),
        layer(
            "Deconvolution",
            "convolution_param { num_output: 4 kernel_size: 8 stride: 4 bias_term: false }",
            "c",
            "d",
        ),
        layer("Crop", "crop_param { axis: 2 offset: 9 }", "d x", "e"),
        layer("Interp", "interp_param { zoom_factor: 2 }", "c", "f"),
        layer("Interp", "interp_param { shrink_factor: 3 pad_beg: -1 }", "e", "g"),
        layer("Upsample", "upsample_param { scale: 2 }", "b", "h"),
        layer("Concat", "", "h a", "i"),
    ]
)


def test_sizes_are_computed_in_the_graph_where_they_are_needed() -> None:
    graph = load(SEGMENTS)
    made = api.convert(graph, weights_init="random", dynamic={"x": "N,3,H,W"}, opset=18)
    words = made.changes[-1].what
    assert "H of 2 or more with H divisible by 2" in words and "(by " in words and "'i'" in words
    verdict = verify_export(made)
    assert verdict.agrees
    assert verdict.sizes == ("N 1, H 32, W 24", "N 2, H 18, W 10", "N 1, H 34, W 28")
    kinds = [node.op_type for node in made.skeleton.graph.node]
    assert kinds.count("Shape") == 1
    assert kinds.count("Gather") == 2  # of height and of width, not of the batch
    plain = api.convert(graph, weights_init="random", dynamic={"x": "N,3,32,24"}, opset=18)
    assert "Shape" not in [node.op_type for node in plain.skeleton.graph.node]


def head(name: str, channels: int) -> str:
    """A convolution whose channels become the last axis, and then a row."""
    params = f"convolution_param {{ num_output: {channels} kernel_size: 3 pad: 1 }}"
    return (
        layer("Convolution", params, "p", name)
        + layer("Permute", "permute_param { order: [0, 2, 3, 1] }", name, f"{name}t")
        + layer("Flatten", "", f"{name}t", f"{name}f")
    )


SSD = PICTURE % "1, 3, 40, 40" + "".join(
    [
        layer("Pooling", "pooling_param { pool: AVE kernel_size: 8 stride: 8 }", "x", "p"),
        head("o", 8),
        head("c", 6),
        layer("PriorBox", "prior_box_param { min_size: 8 max_size: 16 clip: true }", "p x", "b"),
        layer("Reshape", "reshape_param { shape { dim: [0, -1, 3] } }", "cf", "cr"),
        layer("Softmax", "softmax_param { axis: 2 }", "cr", "cs"),
        layer("Flatten", "", "cs", "s"),
        layer(
            "DetectionOutput",
            "detection_output_param { num_classes: 3 keep_top_k: 15 confidence_threshold: 0.05 "
            "nms_param { nms_threshold: 0.6 top_k: 20 } }",
            "of s b",
            "d",
        ),
    ]
)


def test_detections_of_any_size_have_their_priors_and_limits() -> None:
    """At 21 by 14 there are 12 priors, less than both limits; at 40 by 40 there are 50."""
    made = api.convert(load(SSD), weights_init="random", dynamic={"x": "N,3,H,W"})
    verdict = verify_export(made)
    assert verdict.agrees, verdict.text
    assert verdict.sizes == ("N 1, H 40, W 40", "N 2, H 21, W 14", "N 1, H 41, W 42")


FULL = PICTURE % "1, 3, 16, 16"
DENSE = layer("InnerProduct", "inner_product_param { num_output: 2 }")
FACTORS = layer("Scale", "scale_param { axis: 2 num_axes: 2 }")
LITERAL = layer("Interp", "interp_param { height: 20 width: 20 }", name="i") + layer(
    "Eltwise", "", "x i"
)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (DENSE, "InnerProduct: its weight has one size, and its bottom would be 1x3xHxW"),
        (FACTORS, "Scale: its weight has one size, and its bottom would be 1x3xHxW"),
        (
            layer("Reshape", "reshape_param { shape { dim: [1, 3, 2, 8, 16] } }"),
            "Reshape: its shape is 1x3x2x8x16, and its bottom would be 1x3xHxW",
        ),
        (LITERAL.replace("20", "16"), "Eltwise: it fits only where H is 16"),
        (
            layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", tops="p m")
            + layer("Upsample", "upsample_param { upsample_h: 16 upsample_w: 16 }", "p m"),
            "Upsample: its mask has places of 16x16 pixels, and the map that was pooled would be",
        ),
        (
            layer("Pooling", "pooling_param { global_pooling: true }", tops="p m")
            + layer("Upsample", "upsample_param { upsample_h: 16 upsample_w: 16 }", "p m"),
            "Upsample: its mask has places of 16x16 pixels, and the map that was pooled would be",
        ),
    ],
)
def test_what_pins_a_size_is_named(layers: str, message: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        api.to_onnx(load(FULL + layers), weights_init="random", dynamic={"x": "1,3,H,W"})
    (found,) = caught.value.diagnostics
    assert found.layer == "l" and found.span is not None
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("dynamic", "message"),
    [
        ({"y": "1,3,H,W"}, "--dynamic y=1,3,H,W: the net has no such input; it has x"),
        ({"x": "1,3,H"}, "--dynamic x=1,3,H: found 3 sizes, expected 4, for"),
        ({"x": "1,3,0,W"}, "expected numbers of 1 or more, and names"),
        ({"x": "1,3,16,16"}, "expected numbers of 1 or more, and names"),
        ({"x": (1, 3, "H", "a b")}, "expected numbers of 1 or more, and names"),
        ({"x": "S,S,H,W"}, "S would be axis 0 of 'x', 1x3x16x16, and axis 1 of 'x', 1x3x16x16"),
    ],
)
def test_what_is_asked_has_to_fit(dynamic: Any, message: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        api.to_onnx(load(FULL + layer("ReLU")), dynamic=dynamic)
    assert message in caught.value.message


def test_sizes_that_have_to_be_equal_want_one_name() -> None:
    second = FULL.replace('"x"', '"y"')
    graph = load(FULL + second + layer("Eltwise", bottoms="x y"))
    with pytest.raises(UnsupportedError, match="only where A is H; give both sizes one name"):
        api.to_onnx(graph, dynamic={"x": "1,3,H,W", "y": "1,3,A,W"})
    model = api.to_onnx(graph, dynamic={"x": "1,3,H,W", "y": "1,3,H,W"})
    assert set(read_ranges(model)) == {"H", "W"}


def test_one_symbol_is_one_size_and_numbers_replace_the_nets() -> None:
    model = api.to_onnx(load(FULL + layer("ReLU")), dynamic={"x": ("N", 5, "S", "S")})
    (value,) = model.graph.input
    dims = [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
    assert dims == ["N", 5, "S", "S"]
    with pytest.raises(UnsupportedError, match="batch goes without dynamic"):
        api.to_onnx(load(FULL + layer("ReLU")), dynamic={"x": "N,3,H,W"}, batch=2)


SMALL = FULL + "".join(
    [
        layer("Convolution", "convolution_param { num_output: 4 kernel_size: 5 }", name="c"),
        layer("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", "c", "p"),
        layer("Softmax", "", "p", "s"),
    ]
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a free height and width, its net, and its report."""
    folder = tmp_path_factory.mktemp("free")
    (folder / "n.prototxt").write_text(SMALL)
    args = [str(folder / "n.prototxt"), "-o", str(folder / "n.onnx"), "--weights-init", "random"]
    more = ["--dynamic", "x=N,3,H,W", "--verify", "--report", str(folder / "r.json")]
    assert run(["convert", *args, *more]) == 0
    return folder


def test_the_sizes_are_in_the_report_and_in_the_model(small: Path) -> None:
    report = json.loads((small / "r.json").read_text())
    assert report["sizes"]["H"] == {"from": [6], "step": 1, "text": "H of 6 or more"}
    (said,) = [one["what"] for one in report["layers"] if one["layer"] == "x"]
    assert said == ("takes any N of 1 or more; H of 6 or more (by 'p'); W of 6 or more (by 'p')")
    ranges = read_ranges(onnx.load(str(small / "n.onnx")))
    assert (ranges["H"].starts, ranges["H"].own, ranges["N"].starts) == ((6,), 16, (1,))


def test_the_net_comes_back_and_agrees_at_several_sizes(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [str(small / "n.onnx"), "-o", str(small / "b.prototxt")]
    assert run(["convert", *args]) == 0
    assert "is the net that the model was made from" in capsys.readouterr().err
    args = [str(small / name) for name in ("b.prototxt", "b.caffemodel", "n.onnx")]
    assert run(["verify", *args]) == 0
    words = "with N 1, H 16, W 16 and with N 2, H 9, W 6 and with N 1, H 17, W 18"
    assert words in capsys.readouterr().err


def test_pictures_of_any_size_go_through_their_preprocessing() -> None:
    asked: dict[str, Any] = {"weights_init": "random", "dynamic": {"x": "N,3,H,W"}}
    picture = {"input_type": "uint8", "layout": "nhwc", "channel_order": "rgb"}
    made = api.convert(load(SMALL), mean=(104, 117, 123), **picture, **asked)
    verdict = verify_export(made)
    assert verdict.agrees
    assert verdict.sizes[1] == "N 2, H 9, W 6"
    (value,) = made.skeleton.graph.input
    assert [dim.dim_param for dim in value.type.tensor_type.shape.dim] == ["N", "H", "W", ""]
    with pytest.raises(UnsupportedError, match="its preprocessing has a mean image of one size"):
        api.convert(load(SMALL), mean=np.ones((3, 16, 16), np.float32), **asked)


def test_run_makes_a_small_picture_as_large_as_it_has_to_be(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (20, 9)).save(tmp_path / "a.png")
    image.new("RGB", (4, 12)).save(tmp_path / "b.png")
    np.save(tmp_path / "c.npy", np.zeros((1, 3, 5, 9), np.float32))
    paths = [str(tmp_path / name) for name in ("a.png", "b.png", "c.npy")]
    assert run(["run", str(small / "n.onnx"), *paths, "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert [one["answers"][0]["shape"] for one in told[:2]] == [[4, 2, 8], [4, 4, 1]]
    assert told[2]["error"].endswith("is 1x3x5x9; the next size it takes is 1x3x6x9")


def test_triton_serves_free_sizes(small: Path) -> None:
    made = describe(onnx.load(str(small / "n.onnx")), "n", Options())
    assert made.max_batch == 8
    assert [value.dims for value in (*made.inputs, *made.outputs)] == [(3, -1, -1), (4, -1, -1)]


#: A net of each kind; docs/dynamic.py has all.
NETS = [
    "DuinoDu+mtcnn/model/det1.prototxt",
    "DuinoDu+mtcnn/model/det2.prototxt",
    "BVLC+caffe/examples/mnist/lenet.prototxt",
    "BVLC+caffe/examples/siamese/mnist_siamese.prototxt",
    "forresti+SqueezeNet/SqueezeNet_v1.1/deploy.prototxt",
    "Linzaer+Ultra-Light-Fast-Generic-Face-Detector-1MB/caffe/model/RFB-320/RFB-320.prototxt",
    "NVIDIA+caffe/examples/faceboxes/SSD.prototxt",
    "intel+caffe/models/intel_optimized_models/benchmark/mobilenet_v2/deploy.prototxt",
    "soeaver+caffe-model/cls/resnet/deploy_resnet18-1x16d.prototxt",
    "soeaver+caffe-model/cls/resnet/deploy_resnet50.prototxt",
    "soeaver+caffe-model/det/rfcn/models/pascal_voc/air101/rpn_rcnn_deploys/"
    "rpn_deploy_rfcn_voc_air101-merge.prototxt",
]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if i < 2 else pytest.mark.nets) for i, n in enumerate(NETS)]
)
def test_a_published_net_is_at_three_sizes_what_it_is_with_that_size(name: str) -> None:
    if not (CORPUS / name).exists():
        pytest.skip(f"there is no {name} in {CORPUS}")
    graph = api.load(CORPUS / name)
    found = freed(graph)
    assert len(list(sizes_of(found))) == 3
    for sizes, apart in differences(graph, found):
        assert apart <= 1e-4, sizes
