"""Preprocessing in the model gives what Caffe makes of the same pictures."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from to_onnx.pictures import (
    BODY,
    CAMERA,
    DATA,
    INPUT,
    LOSS,
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
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, PrototxtError, UnsupportedError, WeightsError
from prototxt_gen.to_onnx.preprocess.feeding import feeding
from prototxt_gen.verify import verify, verify_export

ASKED = {**CAMERA, "input_shapes": {"data": (2, 3, 17, 17)}}


def computed(made: Any, x: Array, name: str = "prob") -> Array:
    session = onnxruntime.InferenceSession(made.model.SerializeToString())
    value: Array = session.run([name], {"data": np.ascontiguousarray(x)})[0]
    return value


def said(made: Any) -> str:
    return "\n".join(f"{change.layer}: {change.what}" for change in made.changes)


def ops(made: Any) -> list[str]:
    """The operators before the first convolution."""
    names = [node.op_type for node in made.model.graph.node]
    return names[: names.index("Conv")]


@pytest.mark.parametrize("pad", [0, 2])
@pytest.mark.parametrize("fold", [True, False])
def test_pictures_of_a_camera_give_what_caffe_gives(pad: int, fold: bool) -> None:
    net = caffe_net(pad)
    made = api.convert(net, mean=MEAN, scale=0.017, fold=fold, outputs=("fc", "prob"), **CAMERA)
    x = pictures(17)
    wanted = api.run(net, {"data": transformed(x, MEAN, 0.017)})
    for name in ("fc", "prob"):
        found = computed(made, x, name)
        assert np.abs(found - wanted[name]).max() <= 1e-5 * np.abs(wanted[name]).max()
    left = ["Gather", "Sub", "Mul"] if not fold else ["Sub"] if pad else []
    assert ops(made) == ["Cast", "Transpose", *left]
    assert verify_export(made).agrees


@pytest.mark.parametrize(
    ("order", "type", "layout"),
    list(product(("bgr", "rgb"), ("uint8", "float32"), ("nchw", "nhwc"))),
)
def test_every_form_of_the_input(order: Any, type: Any, layout: Any) -> None:
    net = caffe_net(1)
    made = api.convert(
        net, mean=110.5, channel_order=order, input_type=type, layout=layout, batch="dynamic"
    )
    x = pictures(17, batch=3)
    wanted = api.run(net, {"data": transformed(x, 110.5)})["prob"]
    fed = x if order == "rgb" else x[..., ::-1]
    fed = (fed if layout == "nhwc" else fed.transpose(0, 3, 1, 2)).astype(type)
    found = computed(made, fed)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    verdict = verify_export(made)
    assert verdict.agrees and len(verdict.sizes) == 2
    value = made.model.graph.input[0].type.tensor_type
    assert value.elem_type == (onnx.TensorProto.UINT8 if type == "uint8" else 1)


def test_a_convolution_does_what_it_can_exactly() -> None:
    padded = api.convert(caffe_net(2), mean=MEAN, scale=0.5, channel_order="rgb")
    assert "order, scale by the weights of 'conv1'" in said(padded)
    assert ops(padded) == ["Sub"]
    plain = api.convert(caffe_net(), mean=MEAN, scale=0.5, channel_order="rgb")
    assert "order, mean, scale by the weights of 'conv1'" in said(plain)
    assert ops(plain) == []


@pytest.mark.parametrize(
    ("change", "left"),
    [
        # Two readers: neither may have other weights.
        ('layer { name: "p" type: "Power" bottom: "data" top: "p" }', ["Gather", "Sub", "Mul"]),
        # Weights of a name are shared.
        ("share", ["Gather", "Sub", "Mul"]),
        # Groups cannot trade channels.
        ("group", ["Gather"]),
        # The only window exceeds the image, and Caffe reads zeros there.
        ("window", ["Sub"]),
        ("deconvolution", ["Gather", "Sub", "Mul"]),
    ],
)
def test_what_is_not_exact_stays_an_operator(change: str, left: list[str]) -> None:
    text = deploy()
    if change == "share":
        text = text.replace('top: "conv1"', 'top: "conv1" param { name: "w" }', 1)
    elif change == "group":
        text = text.replace("stride: 2 pad: 0", "stride: 2 pad: 0 group: 3", 1)
    elif change == "window":
        text = """input: "data" input_shape { dim: [2, 3, 4, 4] }
        layer { name: "conv1" type: "Convolution" bottom: "data" top: "prob"
          convolution_param { num_output: 6 kernel_size: 5 stride: 2 } }"""
    elif change == "deconvolution":
        text = text.replace('"Convolution"', '"Deconvolution"', 1)
    else:
        text += change
    net = graph(text)
    made = api.convert(net, mean=MEAN, scale=0.5, channel_order="rgb", outputs=("prob",))
    if change.startswith("layer"):
        made = api.convert(net, mean=MEAN, scale=0.5, channel_order="rgb")
    names = [node.op_type for node in made.model.graph.node][: len(left) + 1]
    assert names[: len(left)] == left
    assert not {"Sub", "Gather", "Mul"} & set(names[len(left) :])
    assert verify_export(made).agrees


def test_lenet_takes_a_drawn_digit() -> None:
    text = """layer { name: "mnist" type: "Data" top: "data" top: "label"
      transform_param { scale: 0.00390625 } data_param { source: "db" batch_size: 1 } }
    layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
      convolution_param { num_output: 20 kernel_size: 5 weight_filler { type: "xavier" } } }
    layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
      pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
    layer { name: "ip" type: "InnerProduct" bottom: "pool1" top: "ip"
      inner_product_param { num_output: 10 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }"""
    net = api.load(Source(text.encode(), "lenet.prototxt"))
    asked: dict[str, Any] = {"input_shapes": {"data": (1, 1, 28, 28)}, "weights_init": "fillers"}
    made = api.convert(net, preprocess="auto", input_type="uint8", **asked)
    digit = np.zeros((1, 1, 28, 28), np.uint8)
    digit[0, 0, 4:24, 13:16] = 255  # a one
    digit[0, 0, 5:8, 10:13] = 160
    plain = api.convert(net, **asked)
    wanted = computed(plain, digit.astype(np.float32) / 256)
    np.testing.assert_allclose(computed(made, digit), wanted, rtol=1e-5)
    assert ops(made) == ["Cast"]
    assert "'data' became an input; its transform is in the model" in said(made)
    assert "left to you" not in said(made)
    assert "takes uint8 1x1x28x28; in the model: uint8 to float32, then times 0.00390625" in said(
        made
    )
    assert verify_export(made).agrees


def test_a_known_size_and_another_batch_come_back(tmp_path: Path) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 24, 24)).astype(np.float32)
    binaryproto(tmp_path / "mean.binaryproto", mean)
    text = train_val('crop_size: 17 mean_file: "mean.binaryproto"')
    net = graph(text, tmp_path / "net.prototxt")
    for batch in (1, 3, "dynamic"):
        made = api.convert(net, preprocess="auto", batch=batch, **CAMERA)
        assert api.from_onnx(made.model).stored
    for batch in (1, "dynamic"):
        given = {"data": (4, 3, 17, 17)}
        made = api.convert(net, input_shapes=given, batch=batch)
        assert api.from_onnx(made.model).stored


@pytest.mark.parametrize("fold", [True, False])
def test_a_mean_image_is_cropped_as_caffe_crops_it(tmp_path: Path, fold: bool) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 24, 24)).astype(np.float32)
    (tmp_path / "data").mkdir()
    binaryproto(tmp_path / "data/mean.binaryproto", mean)
    transform = 'mirror: true crop_size: 17 mean_file: "data/mean.binaryproto" scale: 0.02'
    net = graph(train_val(transform, 1), tmp_path / "train_val.prototxt")
    made = api.convert(net, preprocess="auto", fold=fold, **CAMERA)
    x = pictures(24)
    wanted = api.run(caffe_net(1), {"data": transformed(x, mean, 0.02, 17)})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-5, atol=1e-7)
    text = said(made)
    assert "17x17 from the middle of 24x24 (from row 3, column 3 on)" in text
    each = ", ".join(f"{m:.6g}" for m in mean[:, 3:20, 3:20].mean(axis=(1, 2), dtype=float))
    assert f"minus a mean image of 3x17x17 (by channel {each})" in text
    assert "mirror is left out: it is for training" in text and "left to you" not in text
    assert verify_export(made).agrees
    assert verify(caffe_net(1), made.model).agrees


def test_a_mean_image_tells_the_size_of_images(tmp_path: Path) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 17, 17)).astype(np.float32)
    np.save(tmp_path / "mean.npy", mean[None])
    net = graph(train_val('mean_file: "elsewhere/mean.npy"'), tmp_path / "net.prototxt")
    made = api.convert(net, preprocess="auto")
    assert [d.dim_value for d in made.model.graph.input[0].type.tensor_type.shape.dim] == [
        *(2, 3, 17, 17)
    ]


def test_what_is_not_known_is_left_to_the_user(tmp_path: Path) -> None:
    transform = "crop_size: 17 mean_value: 104 mean_value: 117 mean_value: 123 force_color: true"
    made = api.convert(graph(train_val(transform)), preprocess="auto")
    assert (
        "its transform is in the model, the rest is left to you: crop_size 17 (from the middle), "
        "force_color"
    ) in said(made)
    image = """layer { name: "data" type: "ImageData" top: "data" top: "label"
      image_data_param { source: "x" batch_size: 2 new_height: 20 new_width: 22 }
      transform_param { crop_size: 17 mean_value: 100 } }\n"""
    text = image + BODY.format(pad=0) + PROB
    made = api.convert(graph(text), preprocess="auto", **CAMERA)
    x = pictures((20, 22))
    wanted = api.run(caffe_net(), {"data": transformed(x, 100, 1, 17)})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-4, atol=1e-7)
    assert "left to you" not in said(made)


def test_windows_are_warped_and_their_mean_is_cropped(tmp_path: Path) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 24, 24)).astype(np.float32)
    path = binaryproto(tmp_path / "m.binaryproto", mean)
    text = f"""layer {{ name: "data" type: "WindowData" top: "data" top: "label"
      window_data_param {{ source: "x" batch_size: 2 }}
      transform_param {{ crop_size: 17 mean_file: "{path}" }} }}\n"""
    net = graph(text + BODY.format(pad=0) + PROB)
    given = {"data": (2, 3, 17, 17)}
    made = api.convert(net, preprocess="auto", input_shapes=given, **CAMERA)
    x = pictures(17)
    wanted = api.run(caffe_net(), {"data": transformed(x, mean[:, 3:20, 3:20])})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-4, atol=1e-7)


def test_the_transform_of_another_net(tmp_path: Path) -> None:
    mean = np.random.default_rng(3).uniform(90, 130, (3, 24, 24)).astype(np.float32)
    binaryproto(tmp_path / "mean.binaryproto", mean)
    other = tmp_path / "train_val.prototxt"
    param = "transform_param"
    phases = {"TRAIN": "scale: 3", "TEST": 'mean_file: "mean.binaryproto"'}
    layers = [
        DATA.format(transform=f"crop_size: 17 {transform}").replace(
            param, f"include {{ phase: {phase} }} {param}"
        )
        for phase, transform in phases.items()
    ]
    other.write_text("".join(layers) + BODY.format(pad=0) + LOSS)
    made = api.convert(caffe_net(), preprocess_from=other, **CAMERA)
    x = pictures(24)
    wanted = api.run(caffe_net(), {"data": transformed(x, mean, 1, 17)})["prob"]
    np.testing.assert_allclose(computed(made, x), wanted, rtol=1e-4, atol=1e-7)
    by_hand = api.convert(caffe_net(), preprocess_from=other, mean=MEAN, **CAMERA)
    assert "minus 104, 117, 123" in said(by_hand)


GREY = deploy(channels=1)
TWO = 'input: "other" input_shape { dim: [2, 3, 4, 4] }\n'


@pytest.mark.parametrize(
    ("text", "asked", "words"),
    [
        (deploy(), {"preprocess": "auto"}, "no data layer whose transform could be taken"),
        (deploy(), {"mean": [1, 2]}, "the mean has 2 numbers; expected 1 or 3"),
        (GREY, {"channel_order": "rgb"}, "has no three channels to be RGB"),
        (deploy(), {"scale": 2, "image_input": "x"}, "no input 'x' to preprocess; it has 'data'"),
        (deploy(), {"mean": np.ones((1, 17, 17))}, "is 1x17x17, of other channels"),
        (
            deploy(),
            {"mean": np.full((3, 24, 20), 7.5)},
            "the mean image is 24x20, the input 17x17, and no crop_size makes one of the other; "
            "--preprocess-from takes that of a train_val.prototxt, and --mean "
            "7.5,7.5,7.5 is the mean of each channel",
        ),
        (
            train_val('crop_size: 17 mean_file: "m" mean_value: 3'),
            {"preprocess": "auto"},
            "has mean_file and mean_value; Caffe takes one of them",
        ),
        (
            train_val('crop_size: 17 mean_file: "none.binaryproto"'),
            {"preprocess": "auto"},
            "the mean_file 'none.binaryproto' of 'data' is not here, nor in .; give it with --mean",
        ),
        (train_val("crop_size: 17 scale: 0"), {"preprocess": "auto"}, "the scale is 0.0"),
        (
            train_val("crop_size: 17"),
            {"preprocess": "auto", "mean": np.ones((3, 16, 24))},
            "the mean image is 16x24, the input 17x17, and crop_size 17 does not make one",
        ),
    ],
)
def test_what_does_not_fit_is_refused(text: str, asked: dict[str, Any], words: str) -> None:
    given = {"data": (2, 3, 17, 17)} if "label" in text else {}
    with pytest.raises(UnsupportedError) as caught:
        api.convert(graph(text), input_shapes=given, **asked)
    assert words in caught.value.message


def test_the_shape_that_no_layer_tells_is_asked_for() -> None:
    # The data layer is there; only the sizes of its images are in no file.
    net = api.load(Source(train_val("scale: 2").encode(), "train_val.prototxt"))
    for asked in ({"preprocess": "auto"}, {"scale": 2}, {}):
        with pytest.raises(GraphError, match="'data' is not known; give it with --input-shape"):
            api.convert(net, weights_init="zeros", **asked)


def test_an_input_must_be_told_apart() -> None:
    text = (
        TWO
        + deploy()
        + (
            'layer { name: "e" type: "Convolution" bottom: "other" top: "e" convolution_param {'
            " num_output: 1 kernel_size: 1 } }"
        )
    )
    with pytest.raises(UnsupportedError, match="'other', 'data' may be; name one"):
        api.convert(graph(text), scale=2)
    made = api.convert(graph(text), scale=2, image_input="other")
    assert "other: takes float32 2x3x4x4; in the model: times 2; scale by the weights" in said(made)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"preprocess": "on"}, "preprocess is 'on'; expected auto"),
        ({"preprocess": "auto", "preprocess_from": "x"}, "exclude each other"),
        ({"scale": 0}, "scale is 0; expected a finite number other than 0"),
        ({"scale": "2"}, "scale is '2'"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"mean": [[1, 2]]}, "the mean is 1x2; expected channels x height x width"),
        ({"mean": [1, None]}, "mean is [1, None]; expected a file, or numbers"),
        ({"mean": [1, float("inf")]}, "not finite"),
        ({"channel_order": "gbr"}, "channel_order is 'gbr'; expected bgr, rgb"),
        ({"input_type": "int8"}, "input_type is 'int8'; expected float32, uint8"),
        ({"layout": "chwn"}, "layout is 'chwn'; expected nchw, nhwc"),
        ({"image_input": "data"}, "nothing says how"),
        ({"scale": 2, "image_input": 1}, "image_input is 1; expected the name of an input"),
        ({"labels": []}, "labels is empty"),
        ({"labels": [1]}, "labels is [1]; expected a list of names"),
    ],
)
def test_wrong_values_have_words(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        api.convert(caffe_net(), **asked)
    assert words in caught.value.message


@pytest.mark.parametrize("content", [b"", b"mean", b"\x93NUMPY\x01\x00", b"\x2d\x00\x00"])
def test_a_file_that_is_no_mean(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"mean\.binaryproto"):
        api.convert(caffe_net(), mean=path)


def test_the_other_order_of_a_mean_image_is_told(tmp_path: Path) -> None:
    # Folded, the initializer has the picture's order, and the way back the net's.
    mean = np.random.default_rng(3).uniform(90, 130, (3, 17, 17)).astype(np.float32)
    made = api.convert(caffe_net(1), mean=mean, **CAMERA)
    found = onnx.numpy_helper.to_array(
        next(t for t in made.model.graph.initializer if t.name == made.baked[0].image)
    )
    assert (found[0] == mean[::-1]).all()
    back = api.from_onnx(made.model)
    assert back.stored, back.changes


WAYS: list[dict[str, Any]] = [
    {"mean": MEAN, "scale": 0.017, **CAMERA},
    {"mean": MEAN, "scale": 0.017, "fold": False, **CAMERA},
    {"mean": MEAN, "scale": 0.017, "batch": "dynamic"},
    {"mean": np.random.default_rng(0).uniform(0, 255, (3, 17, 17)), **CAMERA, "scale": 0.1},
    {"channel_order": "rgb"},
]


@pytest.mark.parametrize("asked", WAYS)
@pytest.mark.parametrize("pad", [0, 1])
def test_the_way_back_gives_the_net(asked: dict[str, Any], pad: int) -> None:
    net = caffe_net(pad)
    made = api.convert(net, **asked)
    back = api.from_onnx(made.model)
    assert back.stored, back.changes
    assert api.dump(back.graph) == api.dump(api.from_onnx(api.to_onnx(net)).graph)
    for name, blobs in net.stored.items():
        for a, b in zip(blobs, back.graph.stored[name], strict=True):
            assert np.array_equal(a, b)
    (note,) = [change.what for change in back.changes if change.layer == "data"]
    assert note.startswith("preprocessing was in the model, not in the net: ")
    from prototxt_gen.verify_net import verify_net

    assert verify_net(made.model, back.graph).agrees
    assert verify(net, made.model).agrees
    bare = api.convert(net, **asked, metadata=False)
    assert verify(net, bare.model).agrees


def test_verification_sees_a_wrong_mean() -> None:
    net = caffe_net()
    made = api.convert(net, mean=MEAN, **CAMERA).model
    for entry in made.metadata_props:
        entry.value = entry.value.replace("104.0", "110.0")
    assert not verify(net, made).agrees


@pytest.mark.parametrize(
    "value",
    ["", "[", "{}", "[1]", "[{}]", '[{"type":"int8"}]', "[[]]"],
)
def test_metadata_of_anyone(value: str) -> None:
    net = caffe_net()
    made = api.convert(net, mean=MEAN, **CAMERA).model
    for entry in made.metadata_props:
        if entry.key == "resnet-proto.preprocessing":
            entry.value = value
    with pytest.raises(PrototxtError):
        back = api.from_onnx(made)
        assert not back.stored
        raise UnsupportedError("lifted")
    with pytest.raises(PrototxtError, match=r"resnet-proto\.preprocessing"):
        verify(net, made)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("blob", 3),
        ("fold", 1),
        ("mean", [1e60]),
        ("mean", [1, 2]),
        ("mean", "abc"),
        ("mean", 5),
        ("scale", None),
        ("scale", True),
        ("image", "nothing"),
        ("size", [4, 4]),
        ("size", [4]),
        ("blob", "label"),
    ],
)
def test_metadata_that_is_not_possible(key: str, value: object) -> None:
    net = caffe_net()
    made = api.convert(net, mean=MEAN).model
    for entry in made.metadata_props:
        if entry.key == "resnet-proto.preprocessing":
            (row,) = json.loads(entry.value)
            entry.value = json.dumps([{**row, "crop": [17, 17], "image_reversed": 1, key: value}])
    assert not api.from_onnx(made).stored


def test_opencv_makes_the_same_of_a_picture(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    from to_onnx.test_opencv import caffemodel

    net = graph(deploy(1).replace("group: 2", ""))
    (tmp_path / "net.prototxt").write_text(deploy(1).replace("group: 2", ""))
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(net))
    theirs = cv2.dnn.readNetFromCaffe(
        str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    )
    x = pictures(17)
    # Of RGB pictures: OpenCV's mean is one of the channels as swapped.
    blob = cv2.dnn.blobFromImages(list(x), 0.017, (17, 17), tuple(MEAN), swapRB=True)
    theirs.setInput(blob, "data")
    wanted = theirs.forward("fc").reshape(2, 10)
    asked = {"mean": MEAN, "scale": 0.017, **CAMERA}
    read = api.read_caffe(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    made = api.convert(read, outputs=("fc",), **asked)
    np.testing.assert_allclose(computed(made, x, "fc"), wanted, rtol=1e-3, atol=1e-4)


def test_a_shape_that_is_not_known_is_asked_for() -> None:
    with pytest.raises(GraphError, match="the shape of the input 'data' is not known; give it"):
        api.convert(graph(train_val("scale: 2")), preprocess="auto", weights_init="zeros")


def test_a_net_for_training_is_verified_on_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    monkeypatch.chdir(tmp_path)
    text = train_val("crop_size: 8 scale: 0.5").split("layer {", 2)
    Path("net.prototxt").write_text("layer {" + text[1] + FREE.split("\n", 2)[2])
    image.fromarray(pictures(8, 3, 1)[0]).save("picture.png")
    shape = ["--input-shape", "data=1,3,8,8"]
    assert run(["weights", "init", "net.prototxt", "-o", "net.caffemodel", *shape]) == 0
    files = ["net.prototxt", "net.caffemodel"]
    asked = ["--preprocess", "auto", "--input-type", "uint8"]
    assert run(["convert", *files, "-o", "net.onnx", *asked, *shape]) == 0
    capsys.readouterr()
    assert run(["verify", *files, "net.onnx", "--input", "picture.png"]) == 0
    assert run(["verify", *files, "net.onnx", "--input", "x=picture.png"]) == 2
    assert "the net has no input 'x'; it has data" in capsys.readouterr().err


def test_other_inputs_are_named_beside_the_picture() -> None:
    text = (
        GREY + 'layer { name: "b" type: "Input" top: "b" input_param { shape { dim: [1, 10] } } }'
    )
    text += 'layer { name: "p" type: "Power" bottom: "b" top: "p" }'
    made = api.convert(graph(text), scale=2, image_input="data", weights_init="zeros")
    (row,) = feeding(made.model, made.baked, "m.onnx")
    assert "# The model has other inputs, to be given too: 'b'\n" in row["pillow"]


FREE = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.mark.parametrize(("width", "size"), [("W", (9, 11)), ("7", (9, 7))])
def test_a_picture_keeps_its_size_where_that_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: str, size: tuple[int, int]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(FREE)
    image.fromarray(np.full((9, 11, 3), 50, np.uint8)).save("picture.png")
    files = ["net.prototxt", "-o", "net.onnx", "--weights-init", "random", "--report", "r.json"]
    assert run(["convert", *files, "--scale", "2", "--dynamic", f"data=1,3,H,{width}"]) == 0
    (row,) = json.loads(Path("r.json").read_text())["preprocessing"]
    for name in ("opencv", "pillow"):
        names: dict[str, Any] = {}
        exec(row[name], names)
        assert names["outputs"][0].shape == (1, 2, size[0] - 2, size[1] - 2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_the_report_tells_how_to_feed_the_model(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    channels: int,
    layout: str,
    order: str,
) -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(deploy(channels=channels))
    arguments = ["--mean", "100", "--input-type", "uint8", "--layout", layout, "--verify"]
    if channels == 3:
        arguments += ["--channel-order", order]
    files = ["net.prototxt", "-o", "net.onnx", "--weights-init", "random", "--report", "r.json"]
    assert run(["convert", *files, *arguments]) == 0
    assert "by OpenCV or Pillow, is in r.json" in capsys.readouterr().err
    (row,) = json.loads(Path("r.json").read_text())["preprocessing"]
    pixels = pictures(17, channels, 1)[0]
    image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save("picture.png")
    net = api.read_caffe("net.prototxt", None)
    net.stored = dict(api.from_onnx("net.onnx").graph.stored)
    wanted = api.run(net, {"data": transformed(np.repeat(pixels[None], 2, axis=0), 100)})["prob"]
    for name in ("opencv", "pillow"):
        names: dict[str, Any] = {}
        exec(row[name], names)
        np.testing.assert_allclose(names["outputs"][0], wanted, rtol=1e-4, atol=1e-7)
    assert run(["verify", "net.onnx", "net.prototxt", "net.onnx"]) == 2
    if channels == 3:
        assert run(["convert", "net.onnx", "-o", "back.prototxt", "--verify"]) == 0
        back = ["back.prototxt", "back.caffemodel"]
        assert run(["verify", *back, "net.onnx", "--input", "picture.png"]) == 0
        assert run(["verify", "net.onnx", *back, "--input", "picture.png"]) == 0


def test_labels_go_into_the_metadata(tmp_path: Path) -> None:
    lines = tmp_path / "labels.txt"
    lines.write_text("\n".join(f"klasse {n} ä" for n in range(10)) + "\n", "utf-8")
    made = api.convert(caffe_net(), labels=lines)
    entries = {entry.key: entry.value for entry in made.model.metadata_props}
    assert json.loads(entries["labels"]) == [f"klasse {n} ä" for n in range(10)]
    assert "label" not in said(made)
    words = tmp_path / "synset_words.txt"
    words.write_text("n01440764 tench, Tinca tinca\nn01443537 goldfish\n")
    made = api.convert(caffe_net(), labels=words)
    entries = {entry.key: entry.value for entry in made.model.metadata_props}
    assert json.loads(entries["labels"]) == ["tench, Tinca tinca", "goldfish"]
    assert "there are 2 labels, but of classes 'prob' has 10" in said(made)


def test_labels_of_a_labelmap(tmp_path: Path) -> None:
    path = tmp_path / "labelmap.prototxt"
    path.write_text(
        '# VOC\nitem { name: "none" label: 0 display_name: "background" }\n'
        'item { name: "cat" label: 3 }\n'
    )
    made = api.convert(caffe_net(), labels=path)
    entries = {entry.key: entry.value for entry in made.model.metadata_props}
    assert json.loads(entries["labels"]) == ["background", "", "", "cat"]
    for text in ("item { label: 1 }\nitem { label: 1 }", "item { label: -1 }", "item { lab: 1 }"):
        path.write_text(text)
        with pytest.raises(PrototxtError):
            api.convert(caffe_net(), labels=path)
    for data in (b"", b"\n\n", b"\xff\xfe\x00"):
        path.write_bytes(data)
        with pytest.raises(PrototxtError, match=r"map of labels|UTF-16"):
            api.convert(caffe_net(), labels=path)


def test_a_folder_has_the_options_for_each_net(tmp_path: Path) -> None:
    folder, out = tmp_path / "nets", tmp_path / "out"
    mean = np.random.default_rng(3).uniform(90, 130, (3, 17, 17)).astype(np.float32)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        binaryproto(folder / name / "mean.binaryproto", mean)
        text = train_val('crop_size: 17 mean_file: "mean.binaryproto"')
        (folder / name / "net.prototxt").write_text(text)
    call = ["convert", str(folder), "-o", str(out), "--weights-init", "random"]
    call += ["--preprocess", "auto", "--input-type", "uint8"]
    assert run(call) == 0
    times = {name: (out / name / "net.onnx").stat().st_mtime_ns for name in ("a", "b")}
    for name in times:
        assert onnx.load(out / name / "net.onnx").graph.input[0].type.tensor_type.elem_type == 2
    binaryproto(folder / "b" / "mean.binaryproto", mean + 1)
    assert run(call) == 0
    again = {name: (out / name / "net.onnx").stat().st_mtime_ns for name in ("a", "b")}
    assert again["a"] == times["a"] and again["b"] != times["b"]


def test_what_is_for_a_caffe_net_alone(tmp_path: Path) -> None:
    model = tmp_path / "net.onnx"
    onnx.save(api.to_onnx(caffe_net()), model)
    back = ["convert", str(model), "-o", str(tmp_path / "x.prototxt")]
    for more in (["--mean", "1"], ["--labels", "x"], ["--preprocess", "auto"]):
        assert run([*back, *more]) == 2


def test_a_data_layer_without_a_transform_takes_the_other_options() -> None:
    made = api.convert(graph(train_val("crop_size: 17 mirror: true")), preprocess="auto", **ASKED)
    words = "'data' became an input; there is no transform to put in; left to you: crop_size 17"
    assert words in said(made)
    assert "mirror is left out" in said(made) and "takes uint8 2x17x17x3 RGB" in said(made)


def test_nothing_asked_for_changes_nothing() -> None:
    plain, named = api.to_onnx(caffe_net()), api.to_onnx(caffe_net(), layout="nchw")
    assert plain.SerializeToString() == named.SerializeToString()
    assert INPUT and PROB
