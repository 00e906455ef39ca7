"""``run``: nets whose answers are known by hand, trained nets, and files of strangers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import VerificationError
from prototxt_gen.inference.answers import Boxes, Classes, Numbers, Segments, answers
from prototxt_gen.inference.blobs import safe_name, save_blobs
from prototxt_gen.inference.drawing import corners_in, drawn_boxes, drawn_map, palette
from prototxt_gen.inference.images import open_picture
from prototxt_gen.inference.labels import labels_in
from prototxt_gen.weights import save

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

#: The mean of each channel, then a softmax of them: the class is the brightest channel.
MEANS = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [%d, %d, 4, 4] } } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
        pooling_param { pool: AVE global_pooling: true } }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""
COLOURS = {"blue": (0, 0, 8), "green": (0, 8, 0), "red": (8, 0, 0)}


def net(tmp_path: Path, text: str, weights: dict[str, Any] | None = None) -> list[str]:
    """The prototxt and the caffemodel of a net."""
    (tmp_path / "net.prototxt").write_text(text)
    graph = api.load(Source(text.encode()))
    save(graph, weights or {}, tmp_path / "net.caffemodel")
    return [str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for name, colour in COLOURS.items():
        Image.new("RGB", (10, 6), colour).save(folder / f"{name}.png")
    return folder


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def best(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """The best class of each image by its name."""
    return {
        Path(one["input"]).stem: one["answers"][0]["classes"][0]["class"] for one in told(capsys)
    }


@pytest.mark.parametrize(
    ("order", "classes"),
    [("bgr", {"blue": 0, "green": 1, "red": 2}), ("rgb", {"blue": 2, "green": 1, "red": 0})],
)
@pytest.mark.parametrize("how", ["one by one", "batches", "a batch of 2", "onnx", "alone"])
def test_the_brightest_channel(
    tmp_path: Path, images: Path, capsys: Any, how: str, order: str, classes: dict[str, int]
) -> None:
    files = net(tmp_path, MEANS % (1 if how == "one by one" else 2, 3))
    more = ["--batch", "2"] if how == "batches" else []
    if how == "onnx":
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        files = [*files, str(tmp_path / "net.onnx")]
        assert run(["convert", *files[:2], "-o", files[2]]) == 0
        files = files[2:]
    if how == "alone":
        files = files[1:]
    capsys.readouterr()
    assert run(["run", *files, str(images), "--channel-order", order, *more, "--json"]) == 0
    assert best(capsys) == classes


def test_scores_are_those_of_the_formula(tmp_path: Path, images: Path, capsys: Any) -> None:
    names = tmp_path / "names.txt"
    names.write_text("n01440764 tench, Tinca tinca\r\nn01443537 goldfish\nshark\n\n")
    files = net(tmp_path, MEANS % (1, 3))
    more = ["--mean", "1,0,2", "--scale", "0.5", "--labels", str(names), "--top", "2"]
    assert run(["run", *files, str(images / "blue.png"), *more]) == 0
    first, second = np.exp([3.5, 0]) / np.exp([3.5, 0, -1]).sum()
    name = images / "blue.png"
    assert capsys.readouterr().out == (
        f"{name}: prob: {first:.4f} 0 tench, Tinca tinca\n{name}: prob: {second:.4f} 1 goldfish\n"
    )


def test_a_mean_image_and_one_of_another_size(tmp_path: Path, images: Path, capsys: Any) -> None:
    text = MEANS % (1, 3)
    files = net(tmp_path, text[: text.index('layer { name: "prob"')])
    plane = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    np.save(tmp_path / "same.npy", plane)
    np.save(tmp_path / "other.npy", np.pad(plane, ((0, 0), (0, 2), (0, 0)), mode="mean"))
    # A BlobProto: channels, height, width and data, by hand.
    data = plane.astype("<f4").tobytes()
    blob = bytes([8, 1, 16, 3, 24, 4, 32, 4, 0x2A]) + bytes([0xC0, 1]) + data
    (tmp_path / "mean.binaryproto").write_bytes(blob)
    for file in ("same.npy", "other.npy", "mean.binaryproto"):
        mean = str(tmp_path / file)
        assert run(["run", *files, str(images / "red.png"), "--mean", mean, "--json"]) == 0
        assert told(capsys)[0]["answers"][0]["classes"][0] == {
            "class": 2,
            "label": None,
            "score": 6.0,
        }, file


def test_a_grey_input(tmp_path: Path, capsys: Any) -> None:
    text = MEANS % (1, 1)
    files = net(tmp_path, text[: text.index('layer { name: "prob"')])
    Image.new("L", (9, 9), 77).save(tmp_path / "grey.png")
    assert run(["run", *files, str(tmp_path / "grey.png")]) == 0
    assert capsys.readouterr().out.endswith("grey.png: pool: 1x1x1: 77\n")


def test_npy_files_go_in_as_they_are(tmp_path: Path, images: Path, capsys: Any) -> None:
    files = net(tmp_path, MEANS % (1, 3))
    values = np.zeros((2, 3, 4, 4), np.float32)
    values[0, 1] = values[1, 2] = 9
    np.save(tmp_path / "two.npy", values)
    np.save(tmp_path / "one.npy", values[1])
    paths = [str(tmp_path / "two.npy"), str(tmp_path / "one.npy")]
    mean = ["--mean", "5,5,5", "--json"]
    assert run(["run", *files, *paths, str(next(images.iterdir())), *mean]) == 0
    found = told(capsys)[:3]
    assert [Path(one["input"]).name for one in found] == ["two.npy[0]", "two.npy[1]", "one.npy"]
    assert [one["answers"][0]["classes"][0]["class"] for one in found] == [1, 2, 2]
    assert run(["run", *files, *paths, *mean]) == 2
    assert "--mean is for images; a .npy goes in as it is" in capsys.readouterr().err


def test_a_broken_image_among_good_ones(tmp_path: Path, images: Path, capsys: Any) -> None:
    files = net(tmp_path, MEANS % (1, 3))
    Image.effect_noise((60, 60), 50).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (images / "broken.jpg").write_bytes(b"no image")
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "notes.txt").write_text("not looked at")
    np.save(images / "odd.npy", np.zeros((3, 5, 5)))
    assert run(["run", *files, str(images), "--json"]) == 2
    out, err = capsys.readouterr()
    assert [Path(one["input"]).stem for one in json.loads(out) if "answers" in one] == list(COLOURS)
    assert "broken.jpg: is not an image or a .npy" in err
    assert "cut.png: cannot be read as an image" in err
    assert "odd.npy: is 1x3x5x5; the input 'data' is 1x3x4x4" in err
    assert err.count("error:") == 3 and "notes" not in err


FOUND = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }
layer { name: "o" type: "InnerProduct" bottom: "data" top: "o"
        inner_product_param { num_output: 8 } }
layer { name: "s" type: "InnerProduct" bottom: "data" top: "s"
        inner_product_param { num_output: 4 } }
layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: [1, 2, 8] } } }
layer { name: "found" type: "DetectionOutput" bottom: "o" bottom: "s" bottom: "p" top: "found"
        detection_output_param { num_classes: 2 nms_param { nms_threshold: 0.5 } } }
"""


def test_boxes_are_those_of_the_priors_and_drawn(tmp_path: Path, capsys: Any) -> None:
    corners = [0.1, 0.2, 0.5, 0.6, 0.6, 0.6, 0.9, 0.9]
    priors = np.array([[corners, [0.1] * 8]], np.float32)
    found = np.array([0.1, 0.9, 0.7, 0.3], np.float32)
    offsets = [np.zeros((8, 48), np.float32), np.zeros(8, np.float32)]
    scores = [np.zeros((4, 48), np.float32), found]
    files = net(tmp_path, FOUND, {"o": offsets, "s": scores, "p": [priors]})
    Image.new("RGB", (200, 100), (255, 255, 255)).save(tmp_path / "x.png")
    labels = tmp_path / "labels.txt"
    labels.write_text("none\na\x1b[31mcat\n")
    asked = ["run", *files, str(tmp_path / "x.png"), "--draw", str(tmp_path / "out")]
    assert run([*asked, "--labels", str(labels)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'x.png'}: found: 0.9000 1 a\\x1b[31mcat 20,20 100,60\n"
    assert err == f"{tmp_path / 'out' / 'x.png'}: drawn\n"
    drawn = np.asarray(Image.open(tmp_path / "out" / "x.png"))
    assert drawn.shape == (100, 200, 3)
    assert drawn[60, 60].tolist() == drawn[40, 20].tolist() == [0, 0xB0, 0x50], "the frame"
    assert drawn[50, 60].tolist() == drawn[80, 130].tolist() == [255, 255, 255], "in it, and below"
    assert run([*asked[:4], "--threshold", "0.95"]) == 0
    assert "no box scores 0.95 or more, 2 less" in capsys.readouterr().out


def test_a_segmentation_is_drawn_in_the_colours_of_voc(tmp_path: Path, capsys: Any) -> None:
    text = """
    layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }
    layer { name: "s" type: "Power" bottom: "data" top: "score" power_param { scale: 2 } }
    """
    files = net(tmp_path, text)
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:2, :, 2] = pixels[2:, :2, 1] = pixels[2:, 2:, 0] = 200  # of blue, green and red
    Image.fromarray(pixels).save(tmp_path / "x.png")
    out = tmp_path / "out"
    assert run(["run", *files, str(tmp_path / "x.png"), "--draw", str(out), "--json"]) == 0
    assert told(capsys)[0]["answers"][0]["parts"] == [
        {"class": 0, "label": None, "part": 0.5},
        {"class": 1, "label": None, "part": 0.25},
        {"class": 2, "label": None, "part": 0.25},
    ]
    image = Image.open(out / "x.score.png")
    assert image.mode == "P" and np.asarray(image).tolist() == [
        *([[0] * 4] * 2),
        *([[1, 1, 2, 2]] * 2),
    ]
    colours = np.asarray(image.convert("RGB"))
    assert colours[3, 0].tolist() == [128, 0, 0] and colours[3, 3].tolist() == [0, 128, 0]


def test_colours_of_voc() -> None:
    found = np.array(palette()).reshape(-1, 3).tolist()
    assert found[:4] == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert found[15] == [192, 128, 128] and found[255] == [224, 224, 192]
    assert len({tuple(colour) for colour in found}) == 256


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "a\nb",
        "C:\\x",
        ".hidden",
        "x" * 5000,
        "ü" * 300,
        "\udcff",
        "~root",
    ],
)
def test_a_blob_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "a" / "blobs"
    save_blobs(folder, {name: np.arange(3), "same": np.zeros(1), "SAME": np.ones(1)})
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {folder} and len(files) == 3
    assert len({path.name.lower() for path in files}) == 3
    assert np.load(folder / f"{safe_name(name)}.npy").tolist() == [0, 1, 2]


def test_names_of_blobs_are_told_apart() -> None:
    names = ["a/b", "a%2Fb", "a_b", ".a", "%2Ea", "x" * 400, "x" * 401, ""]
    assert len({safe_name(name) for name in names}) == len(names)
    assert safe_name("res2a_branch2a-1.x") == "res2a_branch2a-1.x"


def test_every_blob_of_a_hostile_net_is_saved(tmp_path: Path, images: Path, capsys: Any) -> None:
    text = (MEANS % (1, 3)).replace('"pool"', '"../../pool"')
    files = net(tmp_path, text)
    before = set(tmp_path.rglob("*"))
    out = tmp_path / "blobs"
    assert run(["run", *files, str(images / "red.png"), "--save-blobs", str(out)]) == 0
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert {path.name for path in made} == {"data.npy", "%2E.%2F..%2Fpool.npy", "prob.npy"}
    assert {path.parent for path in made} == {out / "red"}
    assert np.load(out / "red" / "data.npy").max() == 8


def test_pictures_of_one_name_have_two(tmp_path: Path, images: Path, capsys: Any) -> None:
    text = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1,3,4,4] } } }\n'
    files = net(tmp_path, text + 'layer { name: "s" type: "ReLU" bottom: "x" top: "y" }')
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (3, 3)).save(other / "Red.jpg")
    paths = [str(images / "red.png"), str(other / "Red.jpg")]
    assert run(["run", *files, *paths, "--draw", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"red.y.png", "Red-2.y.png"}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "but no INPUT"),
        (["{images}", "--draw", "{images}"], "holds inputs"),
        (["{images}/red.png", "--batch", "3"], None),
        (["{images}", "--mean", "1,2"], "the mean has 2 channels"),
        (["{images}", "--mean", "/nowhere/mean.npy"], "/nowhere/mean.npy: No such file"),
        (["{images}", "--mean", "{net}"], "is no mean (a binaryproto or .npy)"),
        (["{images}", "--mean", "{empty}/nan.npy"], "not finite"),
        (["{images}", "--scale", "0"], "expected a finite number"),
        (["{images}", "--scale", "nan"], "expected a finite number"),
        (["/nowhere/x.png"], "/nowhere/x.png: No such file"),
        (["{empty}"], "no image and no .npy in this folder"),
        (["{images}", "--input", "x=y.npy"], "there is no input 'x'"),
        (["{images}", "--labels", "{images}/red.png"], "is no text"),
        (["{net}"], "is not an image or a .npy"),
        (["{images}", "--input-shape", "data=1,3,0,4"], ""),
    ],
)
def test_what_cannot_be_run(
    tmp_path: Path, images: Path, capsys: Any, more: list[str], words: str | None
) -> None:
    (tmp_path / "empty").mkdir()
    if more and more[-1].endswith("nan.npy"):
        np.save(tmp_path / "empty" / "nan.npy", np.full(3, np.inf))
    files = net(tmp_path, MEANS % (1, 3))
    places = {"images": images, "net": files[0], "empty": tmp_path / "empty"}
    code = run(["run", *files, *(item.format(**places) for item in more)])
    assert code == (0 if words is None else 2)
    if words:
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--phase", "TRAIN"),
        ("--stage", "deploy"),
        ("--level", "1"),
        ("--dialect", "bvlc"),
        ("--proto", str(Path(__file__).parents[2] / "proto" / "caffe.proto")),
        ("--input-shape", "data=1,3,4,4"),
        ("--map", "a=b"),
        ("--weights-init", "zeros"),
        ("--seed", "1"),
    ],
)
def test_what_is_of_caffe_nets_is_refused_of_a_model(
    tmp_path: Path, images: Path, capsys: Any, option: str, value: str
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(b"")
    assert run(["run", str(model), str(images), option, value]) == 2
    assert f"{option} is for a Caffe net" in capsys.readouterr().err


def test_a_fixed_batch_of_a_model_is_filled(tmp_path: Path, images: Path, capsys: Any) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    files = net(tmp_path, MEANS % (2, 3))
    model = str(tmp_path / "net.onnx")
    assert run(["convert", *files, "-o", model]) == 0
    assert run(["run", model, str(images), "--batch", "3"]) == 2
    assert "--batch 3: the batch of the input is 2" in capsys.readouterr().err
    assert run(["run", model, str(images), "--json"]) == 0
    assert best(capsys) == {"blue": 0, "green": 1, "red": 2}


def test_a_model_that_takes_images_of_any_size(tmp_path: Path, images: Path, capsys: Any) -> None:
    """And of bytes, the channels last: images keep their sizes, and are no batch then."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from onnx import TensorProto, helper, save_model

    ins = [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", "h", "w", 3])]
    outs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, "h", "w"])]
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["y"], perm=[0, 3, 1, 2]),
    ]
    graph = helper.make_graph(nodes, "g", ins, outs)
    opset = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=8)
    helper.set_model_props(made, {"labels": '["b", "g", "r"]'})
    save_model(made, tmp_path / "m.onnx")
    Image.new("RGB", (4, 9), (0, 255, 0)).save(images / "last.png")
    assert run(["run", str(tmp_path / "m.onnx"), str(images), "--batch", "8", "--json"]) == 0
    found = told(capsys)
    assert [one["answers"][0]["shape"] for one in found] == [
        [3, 6, 10],
        [3, 6, 10],
        [3, 9, 4],
        [3, 6, 10],
    ]
    assert [one["answers"][0]["parts"][0]["label"] for one in found] == ["b", "g", "g", "r"]


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("order", ["bgr", "rgb"])
def test_a_model_that_prepares_its_images(
    tmp_path: Path, images: Path, capsys: Any, order: str, layout: str
) -> None:
    """It says in which order it takes the channels; the answer is that of the net."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    files = net(tmp_path, MEANS % (1, 3))
    how = ["--mean", "1,0,2", "--scale", "0.5"]
    assert run(["run", *files, str(images), *how, "--json"]) == 0
    wanted = [one["answers"] for one in told(capsys)]
    model = str(tmp_path / "m.onnx")
    form = ["--input-type", "uint8", "--channel-order", order, "--layout", layout]
    assert run(["convert", *files, "-o", model, *how, *form]) == 0
    capsys.readouterr()
    assert run(["run", model, str(images), "--json"]) == 0
    found = [one["answers"] for one in told(capsys)]
    for ours, theirs in zip(wanted, found, strict=True):
        for a, b in zip(ours[0]["classes"], theirs[0]["classes"], strict=True):
            assert a["class"] == b["class"] and abs(a["score"] - b["score"]) < 1e-5
    assert run(["run", model, str(images), "--scale", "2"]) == 0
    assert "prepares its images itself" in capsys.readouterr().err


def test_labels_of_a_model() -> None:
    assert labels_in({"labels": '["a", "b"]'}) == ["a", "b"]
    assert labels_in({"labels": '{"0": "a", "2": "c"}'}) == ["a", "", "c"]
    for odd in ("", "{", "[1]", '{"x": "a"}', '{"999999999": "a"}', "[" * 9999, "3", '{"0": 1}'):
        assert labels_in({"labels": odd}) == [], odd


def test_kinds_of_answers() -> None:
    prob = np.array([[0.25, 0.75], [1, 0]], np.float32)
    moves = np.array([[3.0, -1, 2, 4]] * 2)
    found = answers({"prob": prob, "moves": moves, "all": np.zeros((5, 5))}, 1, 2)
    assert [type(answer) for answer in found] == [Classes, Numbers, Numbers]
    assert isinstance(found[0], Classes) and found[0].scores == ((0, 1.0), (1, 0.0))
    (alone,) = answers({"moves": moves}, 0, 2, top=1)
    assert isinstance(alone, Classes) and alone.scores == ((3, 4.0),)
    labels = np.array([[[[1, 1], [0, 255]]]], np.int64)
    heat = labels + 0.5
    for value, kind in ((labels, Segments), (heat, Numbers), (heat * np.nan, Numbers)):
        (one,) = answers({"x": value}, 0, 1)
        assert type(one) is kind
    (nothing,) = answers({"nan": np.full((1, 3), np.nan)}, 0, 1)
    assert isinstance(nothing, Classes) and len(nothing.scores) == 3


def test_rows_of_other_images_and_of_nothing_are_no_boxes() -> None:
    rows = np.array([[0, 1, 0.6, 0, 0, 1, 1], [1, 2, 0.9, 0, 0, 1, 1], [0, -1, -1, -1, -1, -1, -1]])
    rows = np.concatenate([rows, [[0, 3, 0.2, 0, 0, 1, 1], [0, 1, 0.9, np.nan, 0, 1, 1]]])
    (found,) = answers({"d": rows[None, None].astype(np.float32)}, 0, 2)
    assert isinstance(found, Boxes) and [box.number for box in found.boxes] == [1]
    assert found.below == 1
    odd = np.full((1, 1, 2, 7), 0.5, np.float32)
    assert isinstance(answers({"d": odd}, 0, 1)[0], Numbers)


def test_boxes_that_leave_the_picture_are_drawn() -> None:
    rows = [(1e6, -3.0, -2.0, 7.0), (0.0, 0.0, 1.0, 1.0), (0.99, 0.99, 0.999, 1.0), (1, 1, 0, 0)]
    boxes = answers(
        {"d": np.array([[[[0, i, 0.9, *row] for i, row in enumerate(rows)]]], np.float32)}, 0, 1
    )[0]
    assert isinstance(boxes, Boxes)
    for size in ((1, 1), (7, 300), (300, 200)):
        image = drawn_boxes(Image.new("RGB", size), boxes.boxes, ["long " * 30, "日本", "é"])
        assert image.size == size
        for box in boxes.boxes:
            left, top, right, bottom = corners_in(box, size)
            assert 0 <= left <= right < size[0] and 0 <= top <= bottom < size[1]
    assert drawn_map(np.array([[300]]), (2, 2)).size == (2, 2)


def test_what_pillow_gives_to_another_program_is_refused(tmp_path: Path) -> None:
    head = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(x) print\n%%EOF\n"
    (tmp_path / "x.png").write_text(head)
    with pytest.raises(VerificationError, match="of the form EPS"):
        open_picture(str(tmp_path / "x.png"), 3)


def test_without_pillow(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    files = net(tmp_path, MEANS % (1, 3))
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert run(["run", *files, str(images / "red.png")]) == 2
    assert "pip install 'resnet-proto[image]'" in capsys.readouterr().err


ULTRA = "Linzaer+Ultra-Light-Fast-Generic-Face-Detector-1MB/caffe/model/RFB-320/RFB-320"
PRIORS = (("331", (10, 16, 24), 8), ("377", (32, 48), 16), ("417", (64, 96), 32))
HEAD = """
layer { name: "priors" type: "Concat" bottom: "p331" bottom: "p377" bottom: "p417" bottom: "p447"
        top: "priors" concat_param { axis: 2 } }
layer { name: "fb" type: "Flatten" bottom: "boxes" top: "fb" }
layer { name: "fs" type: "Flatten" bottom: "scores" top: "fs" }
layer { name: "found" type: "DetectionOutput" bottom: "fb" bottom: "fs" bottom: "priors"
        top: "found" detection_output_param { num_classes: 2 code_type: CENTER_SIZE
        nms_param { nms_threshold: 0.3 top_k: 400 } keep_top_k: 50 confidence_threshold: 0.3 } }
"""


def test_a_trained_detector_finds_the_faces(corpus: Path, tmp_path: Path, capsys: Any) -> None:
    """Its priors are those of its repository: centres of cells, and sizes in pixels."""
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    from faces import draw

    picture, faces = draw()
    Image.fromarray(picture).save(tmp_path / "people.png")
    text = (corpus / f"{ULTRA}.prototxt").read_text()
    for blob, sizes, step in (*PRIORS, ("447", (128, 192, 256), 64)):
        fields = " ".join(f"min_size: {size}" for size in sizes)
        text += (
            f'layer {{ name: "p{blob}" type: "PriorBox" bottom: "{blob}" bottom: "input" '
            f'top: "p{blob}" prior_box_param {{ {fields} step: {step} clip: true '
            "variance: [0.1, 0.1, 0.2, 0.2] } }\n"
        )
    (tmp_path / "net.prototxt").write_text(text + HEAD)
    files = [str(tmp_path / "net.prototxt"), str(corpus / f"{ULTRA}.caffemodel")]
    how = ["--mean", "127,127,127", "--scale", "0.0078125", "--channel-order", "rgb", "--json"]
    asked = [str(tmp_path / "people.png"), *how, "--draw", str(tmp_path / "out")]
    assert run(["run", *files, *asked]) == 0
    boxes = told(capsys)[0]["answers"][0]["boxes"]
    assert len(boxes) == len(faces) == 4 and all(box["score"] > 0.99 for box in boxes)
    for face in faces:
        x, y = face.landmarks.mean(0)
        inside = [b for b in boxes if b["pixels"][0] < x < b["pixels"][2]]
        assert len(inside) == 1 and inside[0]["pixels"][1] < y < inside[0]["pixels"][3]
    assert (tmp_path / "out" / "people.png").exists()


def test_lenet_reads_digits(corpus: Path, tmp_path: Path, capsys: Any) -> None:
    """A caffemodel alone, whose data layer scaled its images by 1/256."""
    from PIL import ImageDraw

    for digit in range(3):
        image = Image.new("RGB", (280, 280))
        pen = ImageDraw.Draw(image)
        if digit == 0:
            pen.ellipse((70, 50, 200, 230), outline="white", width=30)
        else:
            pen.line((140, 40, 140, 230), fill="white", width=30)
        if digit == 2:  # a seven
            pen.rectangle((0, 0, 280, 280), fill="black")
            pen.line([(70, 60), (200, 60), (120, 230)], fill="white", width=30)
        image.save(tmp_path / f"{digit}.png")
    model = corpus / "ethereon+caffe-tensorflow/examples/mnist/lenet_iter_10000.caffemodel"
    paths = [str(tmp_path / f"{digit}.png") for digit in range(3)]
    how = ["--input-shape", "data=1,1,28,28", "--scale", "0.00390625", "--json"]
    assert run(["run", str(model), *paths, *how]) == 0
    out, err = capsys.readouterr()
    scores = [one["answers"][0]["classes"][0] for one in json.loads(out)]
    assert [score["class"] for score in scores] == [0, 1, 7]
    assert all(score["score"] > 0.9 for score in scores)
    assert "its transform is left to you: scale 0.00390625" in err


def test_mtcnns_o_net_takes_a_drawn_face_for_one(corpus: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed")
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    from faces import draw

    picture, faces = draw()
    left, top, right, bottom = faces[0].box.round().astype(int)
    crop = Image.fromarray(picture).crop((left, top, right, bottom))
    crop.transpose(Image.Transpose.TRANSPOSE).save(tmp_path / "face.png")  # as in MATLAB
    Image.new("RGB", (48, 48), (90, 120, 90)).save(tmp_path / "green.png")
    files = [
        str(corpus / f"DuinoDu+mtcnn/model/det3.{kind}") for kind in ("prototxt", "caffemodel")
    ]
    how = ["--mean", "127.5,127.5,127.5", "--scale", "0.0078125", "--channel-order", "rgb"]
    paths = [str(tmp_path / "face.png"), str(tmp_path / "green.png")]
    assert run(["run", *files, *paths, *how, "--json"]) == 0
    found = told(capsys)
    scores = [
        {c["class"]: c["score"] for a in one["answers"] for c in a.get("classes", ())}
        for one in found
    ]
    assert scores[0][1] > 0.9 and scores[1][1] < 0.1
    kinds = {answer["blob"]: answer["kind"] for answer in found[0]["answers"]}
    assert kinds == {"conv6-2": "numbers", "conv6-3": "numbers", "prob1": "classes"}
