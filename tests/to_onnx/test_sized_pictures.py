"""Pictures of any size that the model resizes: what Caffe's tools and its TEST phase make of them.

``cv2.resize`` is the witness for the resizing, ``pictures.transformed`` for what follows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from to_onnx.pictures import (
    BODY,
    CAMERA,
    MEAN,
    PROB,
    Array,
    binaryproto,
    caffe_net,
    deploy,
    graph,
    pictures,
    train_val,
    transformed,
)

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.cli.verify_inputs import inputs_of
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import ParseError, PrototxtError, UnsupportedError, VerificationError
from prototxt_gen.passes.resizing import resized
from prototxt_gen.to_onnx.preprocess.feeding import feeding
from prototxt_gen.to_onnx.preprocess.kept import read_kept
from prototxt_gen.verify import verify, verify_export
from prototxt_gen.verify_net import verify_net

#: A net that gives what it gets, so that every pixel is seen.
COPY = deploy().partition("layer")[0] + (
    'layer { name: "copy" type: "Power" bottom: "data" top: "copy" power_param { scale: 2 } }'
)
#: Height and width: larger, smaller, both, twice as large, one pixel, the same.
SIZES = [(48, 64), (9, 7), (13, 50), (48, 40), (1, 1), (24, 20), (301, 203)]


def session(made: Any) -> Any:
    return onnxruntime.InferenceSession(made.model.SerializeToString())


def computed(made: Any, x: Array, name: str = "prob") -> Array:
    value: Array = session(made).run([name], {"data": np.ascontiguousarray(x)})[0]
    return value


def said(made: Any) -> str:
    return "\n".join(f"{change.layer}: {change.what}" for change in made.changes)


def between(rgb: Array, size: tuple[int, int]) -> Array:
    """Pictures (N, H, W, C) in another size: between the middles of pixels, one place at a time."""
    x = rgb.astype(np.float64)
    for axis, length in ((1, size[0]), (2, size[1])):
        rows = []
        for place in range(length):
            at = min(max((place + 0.5) * x.shape[axis] / length - 0.5, 0.0), x.shape[axis] - 1.0)
            low = int(at)
            high = min(low + 1, x.shape[axis] - 1)
            one, other = x.take(low, axis), x.take(high, axis)
            rows.append(one + (at - low) * (other - one))
        x = np.stack(rows, axis)
    return x


@pytest.fixture(scope="module")
def copy() -> Any:
    """A model that shows the pixels, for any batch and size."""
    return api.convert(
        graph(COPY), mean=MEAN, resize=(24, 20), batch="dynamic", weights_init="zeros", **CAMERA
    )


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_opencv(copy: Any, size: tuple[int, int]) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    x = pictures(size, batch=3)
    found = computed(copy, x, "copy") / 2 + np.array(MEAN, np.float32)[:, None, None]
    assert found.shape == (3, 3, 17, 17)
    # Of float32 pictures OpenCV makes the same, but for the rounding of coordinates.
    floats = np.stack([cv2.resize(one.astype(np.float32), (20, 24)) for one in x])
    np.testing.assert_allclose(found, transformed(floats, crop=17), atol=0.02)
    np.testing.assert_allclose(found, transformed(between(x, (24, 20)), crop=17), atol=0.02)
    # Of bytes it makes whole numbers, and rounds down on the way: less than one level.
    whole = np.stack([cv2.resize(one, (20, 24), interpolation=cv2.INTER_LINEAR) for one in x])
    apart = found - transformed(whole, crop=17)
    assert np.abs(apart).max() < 1 and np.sqrt((apart**2).mean()) < 0.4
    # It is none of the ways that average: a picture that is far larger tells them apart.
    if size == SIZES[-1]:
        area = np.stack([cv2.resize(one, (20, 24), interpolation=cv2.INTER_AREA) for one in x])
        assert np.abs(found - transformed(area, crop=17)).max() > 50


@pytest.mark.parametrize("opset", [11, 13, 18, 19])
@pytest.mark.parametrize("batch", [None, "dynamic"])
def test_the_net_sees_the_middle_of_the_resized_picture(opset: int, batch: Any) -> None:
    net = caffe_net(1)
    made = api.convert(net, mean=MEAN, scale=0.017, resize=24, opset=opset, batch=batch, **CAMERA)
    x = pictures((40, 31))
    wanted = api.run(net, {"data": transformed(between(x, (24, 24)), MEAN, 0.017, 17)})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-3, atol=1e-6)
    # The picture that is drawn is higher and narrower than it becomes.
    for verdict in (verify_export(made), verify(net, made.model)):
        assert verdict.agrees and "with a picture of 37x16" in verdict.text
    back = api.from_onnx(made.model)
    assert back.stored, back.changes
    assert "any size to 24x24 (linear), then 17x17 from the middle of 24x24" in said(back)
    (resize,) = [node for node in made.model.graph.node if node.op_type == "Resize"]
    assert {a.name for a in resize.attribute} == {"mode", "coordinate_transformation_mode"}


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("type", ["uint8", "float32"])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_every_form_of_the_input(layout: Any, type: Any, order: Any) -> None:
    net = caffe_net()
    asked = {"channel_order": order, "input_type": type, "layout": layout}
    made = api.convert(net, mean=MEAN, resize=[17, 17], **asked)
    x = pictures((29, 12))
    wanted = api.run(net, {"data": transformed(between(x, (17, 17)), MEAN)})["prob"]
    fed = x if order == "rgb" else x[..., ::-1]
    fed = (fed if layout == "nhwc" else fed.transpose(0, 3, 1, 2)).astype(type)
    np.testing.assert_allclose(computed(made, fed), wanted, rtol=1e-3, atol=1e-6)
    assert verify(net, made.model, {"data": np.ascontiguousarray(fed)}).agrees
    assert verify_export(made).agrees
    dims = [
        d.dim_value or d.dim_param for d in made.model.graph.input[0].type.tensor_type.shape.dim
    ]
    sides = ["data_height", "data_width"]
    assert dims == ([2, *sides, 3] if layout == "nhwc" else [2, 3, *sides])
    rgb = " RGB" if order == "rgb" else ""
    shape = "2xHxWx3" if layout == "nhwc" else "2x3xHxW"
    assert f"data: takes {type} {shape}{rgb} with any H and W; in the model: " in said(made)


@pytest.mark.parametrize("by", ["hand", "train_val", "auto"])
def test_a_mean_image_of_the_resized_size_is_cropped_alike(tmp_path: Path, by: str) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 24, 24)).astype(np.float32)
    path = binaryproto(tmp_path / "mean.binaryproto", mean)
    other = tmp_path / "train_val.prototxt"
    other.write_text(train_val('crop_size: 17 mirror: true mean_file: "mean.binaryproto"', 1))
    net, more = caffe_net(1), {}
    if by == "hand":
        more = {"mean": path}
    elif by == "train_val":
        more = {"preprocess_from": other}
    else:
        net, more = graph(other.read_text(), other), {"preprocess": "auto"}
    made = api.convert(net, resize=24, scale=0.02, **more, **CAMERA)
    x = pictures((40, 31))
    blob = transformed(between(x, (24, 24)), mean, 0.02, 17)
    wanted = api.run(caffe_net(1), {"data": blob})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-3, atol=1e-6)
    assert "left to you" not in said(made) and verify_export(made).agrees
    assert by == "hand" or "its transform is in the model; mirror is left out" in said(made)


IMAGES = """layer {{ name: "data" type: "{type}" top: "data" top: "label"
  {params} transform_param {{ mean_value: 100 {transform} }} }}
"""
FILES = "image_data_param { source: 'x' batch_size: 2 new_height: 20 new_width: 22 }"
WINDOWS = "window_data_param { source: 'x' batch_size: 2 }"
BASE = "data_param { source: 'x' batch_size: 2 }"
WARP = "resize_param { prob: 1 resize_mode: WARP height: 17 width: 17 interp_mode: LINEAR }"
AREA = WARP.replace("LINEAR", "LINEAR interp_mode: AREA")


@pytest.mark.parametrize(
    ("type", "params", "transform", "size", "dialect", "words"),
    [
        ("ImageData", FILES, "crop_size: 17", (20, 22), "bvlc", "its new_height and new_width are"),
        ("WindowData", WINDOWS, "crop_size: 17", (17, 17), "bvlc", "its windows become"),
        ("Data", BASE, WARP, (17, 17), "mobilenet_ssd", "its resize_param has"),
        ("Data", BASE, AREA, (17, 17), "mobilenet_ssd", ""),
    ],
)
def test_the_size_that_a_data_layer_tells(
    type: str, params: str, transform: str, size: Any, dialect: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "net.prototxt"
    text = IMAGES.format(type=type, params=params, transform=transform)
    path.write_text(text + BODY.format(pad=0) + PROB)
    net = api.load(path, dialect=dialect)
    net.stored = caffe_net().stored
    asked: dict[str, Any] = {"preprocess": "auto", "input_shapes": {"data": (2, 3, 17, 17)}}
    made = api.convert(net, resize=size, **asked, **CAMERA)
    x = pictures((40, 31))
    crop = 17 if "crop_size" in transform else 0
    wanted = api.run(caffe_net(), {"data": transformed(between(x, size), 100, 1, crop)})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-3, atol=1e-6)
    hint = "--resize 20,22 takes images of any size"
    assert (hint in said(api.convert(net, **asked))) == ("new_height" in params)
    assert "--resize" not in said(made)
    # What is no linear WARP is not what Resize does, and is said.
    assert ("left to you: resize_param" in said(made)) == (not words)
    assert ("left to you" in said(made)) == (not words)
    if words:
        with pytest.raises(UnsupportedError) as caught:
            api.convert(net, resize=(size[0] + 1, size[1]), **asked)
        assert f"{words} {size[0]}x{size[1]}; expected the same" in caught.value.message


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"resize": 0}, "resize is 0; expected a whole number, 1 to 8192"),
        ({"resize": -24}, "resize is -24"),
        ({"resize": 8193}, "resize is 8193"),
        ({"resize": 24.0}, "resize is 24.0"),
        ({"resize": True}, "resize is True"),
        ({"resize": "24"}, "resize is '24'"),
        ({"resize": (24, 0)}, "resize is 0"),
        ({"resize": (24, 24, 3)}, "expected one number, or height and width"),
        ({"resize": ()}, "expected one number, or height and width"),
        ({"resize": 16}, "--resize 16x16 is smaller than 17x17, which the net takes"),
        ({"resize": (24, 16)}, "--resize 24x16 is smaller than 17x17, which the net takes"),
        (
            {"resize": 24, "mean": np.ones((3, 17, 17))},
            "--resize 24x24, and its mean image is 17x17; expected the same",
        ),
        (
            {"resize": 24, "mean": np.ones((3, 32, 32))},
            "its mean image is 32x32; expected the same",
        ),
        (
            {"resize": 24, "dynamic": {"data": "2,3,H,W"}},
            "'data' cannot have a free height or width: the model takes pictures of any, and "
            "resizes them to 24x24",
        ),
        ({"resize": 24, "dynamic": {"data": "data_width,3,17,17"}}, "data_width is the name of"),
        ({"resize": 24, "image_input": "x"}, "no input 'x' to preprocess"),
    ],
)
def test_what_cannot_be_is_said(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        api.convert(caffe_net(), **asked)
    assert words in caught.value.message


def test_a_transform_without_a_crop_is_not_cropped(tmp_path: Path) -> None:
    other = tmp_path / "train_val.prototxt"
    other.write_text(train_val("mean_value: 100"))
    with pytest.raises(UnsupportedError, match="its images are 24x24, with no crop_size"):
        api.convert(caffe_net(), preprocess_from=other, resize=24)
    other.write_text(train_val("mean_value: 100 crop_size: 16"))
    with pytest.raises(UnsupportedError, match="its images are 24x24, with crop_size 16"):
        api.convert(caffe_net(), preprocess_from=other, resize=24)


def test_what_other_inputs_say_of_the_picture() -> None:
    text = deploy() + (
        'layer { name: "info" type: "Input" top: "im_info" input_param { shape { dim: [1, 3] } } }'
        'layer { name: "p" type: "Power" bottom: "im_info" top: "p" }'
    )
    made = api.convert(graph(text), resize=(24, 20))
    words = "im_info: what it says of a picture's size is of the resized one, 24x20"
    assert words in said(made)
    assert words not in said(api.convert(graph(text), scale=2, image_input="data"))


def changed(key: str, value: object) -> onnx.ModelProto:
    """A model that says something else of its preprocessing."""
    made = api.convert(caffe_net(), resize=24).model
    for entry in made.metadata_props:
        if entry.key == "resnet-proto.preprocessing":
            (row,) = json.loads(entry.value)
            entry.value = json.dumps([{**row, key: value}])
    return made


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("resize", [24]),
        ("resize", [24, 0]),
        ("resize", [8193, 24]),
        ("resize", 24),
        ("resize", [16, 24]),
        ("resize", [24, 16]),
        ("crop", None),
        ("size", [24, 24]),
    ],
)
def test_metadata_that_is_not_possible(key: str, value: object) -> None:
    with pytest.raises(ParseError, match=r"resnet-proto\.preprocessing: "):
        read_kept(changed(key, value))


@pytest.mark.parametrize(("key", "value"), [("resize", [24, 20]), ("crop", [16, 17])])
def test_metadata_that_is_not_the_models(key: str, value: object) -> None:
    # What is left is the model's structure, which has no net without the sizes of pictures.
    with pytest.raises(PrototxtError, match="not all numbers; give its shape with --input-shape"):
        api.from_onnx(changed(key, value))


@pytest.mark.parametrize("size", SIZES)
def test_our_reference_is_the_function(size: tuple[int, int]) -> None:
    x = pictures(size)
    found = resized(x.transpose(0, 3, 1, 2), (24, 20))
    wanted = between(x, (24, 20)).transpose(0, 3, 1, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=0.02)


@pytest.mark.parametrize("size", [(40, 31), (24, 24)])
@pytest.mark.parametrize("asked", [{}, CAMERA])
def test_a_net_of_the_structure_resizes_pictures_of_one_size(
    size: tuple[int, int], asked: dict[str, Any]
) -> None:
    made = api.convert(caffe_net(1), resize=24, mean=MEAN, **asked).model
    shape = (2, *size, 3) if asked else (2, 3, *size)
    back = api.from_onnx(made, input_shapes={"data": shape}, restore=False)
    assert verify_net(made, back.graph).agrees
    x = pictures(size) if asked else pictures(size).transpose(0, 3, 1, 2)
    blobs = api.run(back.graph, {"data": x.astype(np.float32)})
    wanted = onnxruntime.InferenceSession(made.SerializeToString()).run(
        ["prob"], {"data": np.ascontiguousarray(x, np.uint8 if asked else np.float32)}
    )
    np.testing.assert_allclose(blobs["prob"], wanted[0], rtol=1e-3, atol=1e-6)
    other = api.load(Source(deploy(1, 31).encode(), "net.prototxt"))
    with pytest.raises(VerificationError, match="'data' is 2x3x31x31; the model gives it 2x3x17"):
        verify_net(made, other)


def test_verification_sees_another_way_to_resize() -> None:
    net = caffe_net()
    made = api.convert(net, resize=24, mean=MEAN).model
    (resize,) = [node for node in made.graph.node if node.op_type == "Resize"]
    for attribute in resize.attribute:
        if attribute.s == b"half_pixel":
            attribute.s = b"align_corners"
    assert not verify(net, made).agrees


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A net with weights, and pictures of three sizes."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(deploy().replace("dim: [2", "dim: [1"))
    assert run(["weights", "init", "net.prototxt", "--how", "random", "-o", "net.caffemodel"]) == 0
    Path("photos").mkdir()
    for size in ((40, 31), (20, 50), (17, 17)):
        image.fromarray(pictures(size, batch=1)[0]).save(f"photos/{size[0]}.png")
    return tmp_path


FILE = ["net.prototxt", "net.caffemodel"]
ASKED = "--resize 24,20 --mean 104,117,123 --channel-order rgb --input-type uint8 --layout nhwc"


def test_the_commands_agree_about_a_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    more = [*ASKED.split(), "--verify", "--report", "r.json"]
    assert run(["convert", *FILE, "-o", "net.onnx", *more]) == 0
    assert "data uint8 1xdata_heightxdata_widthx3 -> prob 1x10" in capsys.readouterr().err
    (row,) = json.loads(Path("r.json").read_text())["preprocessing"]
    assert "any size to 24x20 (linear)" in row["does"]
    net = api.read_caffe(*FILE)
    assert run(["run", "net.onnx", "photos", "--top", "10", "--json"]) == 0
    told = {row["input"]: row["answers"][0] for row in json.loads(capsys.readouterr().out)}
    for size in ((40, 31), (20, 50), (17, 17)):
        path = f"photos/{size[0]}.png"
        x = between(pictures(size, batch=1), (24, 20))
        wanted = api.run(net, {"data": transformed(x, MEAN, 1, 17)})["prob"][0]
        scores = {one["class"]: one["score"] for one in told[path]["classes"]}
        np.testing.assert_allclose([scores[i] for i in range(10)], wanted, rtol=1e-3, atol=1e-6)
        for name in ("opencv", "pillow"):
            assert "resize(" not in row[name]
            names: dict[str, Any] = {}
            exec(row[name].replace("picture.png", path), names)
            np.testing.assert_allclose(names["outputs"][0][0], wanted, rtol=1e-3, atol=1e-6)
        assert run(["verify", *FILE, "net.onnx", "--input", path]) == 0
        # It goes in as it is: other ways of resizing would do it before the model.
        assert inputs_of(net, (path,), "net.onnx")["data"].shape == (1, *size, 3)


def test_float16_int8_and_triton(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for precision in (["--fp16"], ["--int8", "photos"]):
        ways = [*ASKED.split(), *precision, "--report", "r.json"]
        batch = [] if precision[0] == "--fp16" else ["--batch", "2"]
        assert run(["convert", *FILE, "-o", "small.onnx", *ways, *batch]) == 0
        told = json.loads(Path("r.json").read_text())["precision"]
        assert "input" in told["in_float32"]
        kinds = {node.op_type for node in onnx.load("small.onnx").graph.node}
        assert "Resize" in kinds
        assert run(["run", "small.onnx", "photos", "--top", "1"]) == 0
    assert run(["convert", *FILE, "-o", "net.onnx", *ASKED.split(), "--batch", "dynamic"]) == 0
    assert run(["triton", "net.onnx", "repo"]) == 0
    config = Path("repo/net/config.pbtxt").read_text()
    assert "dims: [-1, -1, 3]" in config and "max_batch_size: 8" in config
    assert run(["doctor", "net.onnx", "--target", "tensorrt-10"]) == 0


@pytest.mark.parametrize("value", ["0", "-1", "8193", "9" * 5000, "a", "", "24,", "2,3,4", "1.5"])
def test_a_wrong_size(folder: Path, capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert run(["convert", *FILE, "-o", "net.onnx", "--resize", value]) == 2
    assert "expected N, or H,W, each from 1 to 8192" in capsys.readouterr().err
    assert not Path("net.onnx").exists()


def test_other_inputs_beside_the_resized_one() -> None:
    made = api.convert(caffe_net(), resize=24)
    (row,) = feeding(made.model, made.baked, "m.onnx")
    assert "# of any height and width: the model resizes it to 24 x 24\n" in row["pillow"]
