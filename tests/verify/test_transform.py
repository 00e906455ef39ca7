"""What a data layer did to its images, said where the layer becomes an input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.document import Block
from prototxt_gen.passes.transform import by_chance, left_to_you

NET = """layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "x" batch_size: 4 } %s }
layer { name: "f" type: "InnerProduct" bottom: "data" top: "f"
  inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "f" bottom: "label" top: "loss" }
"""
USUAL = (
    "transform_param { scale: 0.00390625 mirror: true crop_size: 8 "
    "mean_value: 104 mean_value: 117 mean_value: 123 }"
)
WORDS = (
    "its transform is left to you: mean_value 104, 117, 123, scale 0.00390625, "
    "crop_size 8 (from the middle)"
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("transform_param { }", ""),
        ("transform_param { scale: 1 mirror: true crop_size: 0 force_gray: false }", ""),
        ("transform_param { scale: 2 }", "scale 2"),
        ("transform_param { scale: 0.017 }", "scale 0.017"),
        ("transform_param { mean_value: 0 }", ""),
        ("transform_param { mean_value: 0 mean_value: 3 }", "mean_value 0, 3"),
        ('transform_param { mean_file: "a b.binaryproto" }', "mean_file 'a b.binaryproto'"),
        ('transform_param { mean_file: "" }', ""),
        ("transform_param { force_gray: true }", "force_gray"),
        (
            "transform_param { force_color: true crop_size: 3 }",
            "crop_size 3 (from the middle), force_color",
        ),
        (USUAL, WORDS.partition(": ")[2]),
        (
            "transform_param { resize_param { height: 300 width: 400 resize_mode: WARP } }",
            "resize_param { height: 300 width: 400 resize_mode: WARP }",
        ),
        (
            # Other sizes and colours by chance are for training alone.
            "transform_param { crop_h: 5 crop_w: 6 img_rand_resize_lower: 3 }",
            "crop_h 5, crop_w 6",
        ),
        (
            # One size is no chance (NVIDIA's resnet50/train_val_augment.prototxt, in TEST).
            "transform_param { img_rand_resize_lower: 240 img_rand_resize_upper: 240 }",
            "img_rand_resize_lower 240, img_rand_resize_upper 240",
        ),
        ("transform_param { crop_width: 5 crop_height: 6 }", "crop_height 6, crop_width 5"),
        # What no list of ours has may change the numbers, and is said as it is.
        ("transform_param { bgr2rgb: true pad: 4 flow: false }", "bgr2rgb, pad 4"),
    ],
)
def test_what_is_said_of_a_transform(text: str, words: str) -> None:
    node = api.load(Source((NET % text).encode())).nodes[0]
    assert left_to_you(node.source) == (words and f"; its transform is left to you: {words}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("transform_param { mirror: false scale: 2 }", ""),
        ("transform_param { mirror: true }", "; mirror is left out: it is for training"),
        (
            "transform_param { mirror: true scale_factors: 0.5 scale_factors: 2 }",
            "; mirror, scale_factors are left out: they are for training",
        ),
        (
            "transform_param { img_rand_resize_lower: 3 img_rand_resize_upper: 4 "
            "horizontal_stretch_lower: 1 horizontal_stretch_upper: 1.5 }",
            "; img_rand_resize_lower, img_rand_resize_upper, horizontal_stretch_upper are left "
            "out: they are for training",
        ),
        ("transform_param { img_rand_resize_lower: 3 img_rand_resize_upper: 3 }", ""),
    ],
)
def test_what_is_for_training_alone_is_said_to_be_left_out(text: str, words: str) -> None:
    assert by_chance(api.load(Source((NET % text).encode())).nodes[0].source) == words


def said_by_deploy(text: str, **shapes: tuple[int, ...]) -> list[str]:
    graph = api.load(Source(text.encode()))
    _, changes = api.deploy(graph, input_shapes=shapes)
    return [f"{change.layer}: {change.what}" for change in changes]


def test_windows_are_warped_and_not_cropped() -> None:
    text = (
        'layer { name: "data" type: "WindowData" top: "data" top: "label"'
        " window_data_param { batch_size: 4 context_pad: 16 crop_mode: 'square' }"
        " transform_param { crop_size: 8 mirror: true } }"
    ) + NET.partition("\n  data_param")[2].partition("\n")[2]
    assert said_by_deploy(text, data=(4, 3, 8, 8))[0] == (
        "data: 'data' became an input; its transform is left to you: crop_size 8 (windows are "
        "warped to it), context_pad 16, crop_mode 'square'; mirror is left out: it is for training"
    )


def test_what_becomes_of_images_is_not_said_of_labels() -> None:
    text = NET % "transform_param { scale: 2 mirror: true }" + (
        'layer { name: "t" type: "Tile" bottom: "label" top: "t" tile_param { tiles: 2 axis: 0 } }'
    )
    said = said_by_deploy(text, data=(4, 3, 8, 8))
    assert "data: 'label' became an input" in said
    assert sum("scale 2" in line for line in said) == 1


def test_the_transform_of_an_input_layer_is_said_too() -> None:
    # validate warns of it; a person who wrote it meant something.
    text = (
        'layer { name: "in" type: "Input" top: "data" transform_param { scale: 0.1 mirror: true }'
        " input_param { shape { dim: 1 dim: 3 dim: 2 dim: 2 } } }\n"
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    )
    assert said_by_deploy(text) == [
        "in: 'data' is an input, whose transform Caffe does not read; its transform is left to "
        "you: scale 0.1; mirror is left out: it is for training"
    ]


def test_a_layer_that_may_read_data_is_said_to_stay() -> None:
    text = (
        'layer { name: "in" type: "Python" top: "data" python_param { module: "m" layer: "L" } }\n'
        'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    )
    assert said_by_deploy(text) == ["in: stays as it is: what it makes is not known"]


def test_sizes_of_images_are_said() -> None:
    text = (
        'layer { name: "d" type: "ImageData" top: "data" top: "label" image_data_param {'
        ' source: "x" new_height: 256 new_width: 255 is_color: false } }'
    )
    words = "; its transform is left to you: new_height 256, new_width 255, is_color false"
    assert left_to_you(api.load(Source(text.encode())).nodes[0].source) == words


def test_of_a_layer_that_was_never_text_what_it_has_is_said() -> None:
    transform = Block.of(scale=2.0, crop_size=3)
    layer = Block.of(transform_param=transform, image_data_param=Block.of(new_height=4))
    words = "; its transform is left to you: scale 2, crop_size 3 (from the middle), new_height 4"
    assert left_to_you(layer) == words
    assert left_to_you(Block.of(transform_param=Block(), image_data_param=Block())) == ""


def test_old_layers_say_it_too() -> None:
    # UpgradeNetDataTransformation (upgrade_proto.cpp) moves these fields.
    text = (
        'layers { name: "d" type: DATA top: "data" top: "label"'
        ' data_param { source: "x" batch_size: 4 scale: 0.5 mean_file: "m" crop_size: 7 } }'
    )
    words = (
        "; its transform is left to you: mean_file 'm', scale 0.5, crop_size 7 (from the middle)"
    )
    assert left_to_you(api.load(Source(text.encode())).nodes[0].source) == words


def test_fold_says_what_it_does_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(NET % USUAL)
    shape = ["--input-shape", "data=4,3,8,8"]
    assert run(["deploy", str(net), *shape, "-o", str(tmp_path / "d.prototxt")]) == 0
    made = ["weights", "init", str(tmp_path / "d.prototxt"), "-o", str(weights)]
    assert run([*made, "--how", "random"]) == 0
    capsys.readouterr()
    folded = ["fold", str(net), str(weights), "-o", str(tmp_path / "f.prototxt")]
    assert run([*folded, *shape]) == 0
    said = capsys.readouterr().err
    assert WORDS in said and "loss (SoftmaxWithLoss): became its head" in said
    net.write_text(
        (NET % "").replace("Data", "HDF5Data", 1).replace("data_param", "hdf5_data_param")
    )
    assert run(folded) == 2
    words = "the shape of the input 'data' is not known; give it with --input-shape data=N,C,H,W"
    assert words in capsys.readouterr().err


def test_all_inputs_of_unknown_shapes_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "HDF5Data" top: "a" top: "b" hdf5_data_param { source: "x" } }\n'
        'layer { name: "e" type: "Eltwise" bottom: "a" bottom: "b" top: "e" }'
    )
    assert run(["deploy", str(net)]) == 2
    assert capsys.readouterr().err == (
        "error: the shapes of the inputs 'a', 'b' are not known; give them with "
        "--input-shape a=N,C,H,W --input-shape b=N,C,H,W\n"
    )


def test_each_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, report = tmp_path / "net.prototxt", tmp_path / "report.json"
    net.write_text(NET % USUAL)
    shape = ["--input-shape", "data=4,3,8,8"]
    assert run(["deploy", str(net), *shape, "-o", str(tmp_path / "deploy.prototxt")]) == 0
    err = capsys.readouterr().err
    assert err.count(WORDS) == 1
    target = ["-o", str(tmp_path / "net.onnx"), "--report", str(report), "--weights-init", "zeros"]
    assert run(["convert", str(net), *shape, *target]) == 0
    assert capsys.readouterr().err.count(WORDS) == 1
    rows = json.loads(report.read_text())["layers"]
    (row,) = [row for row in rows if row["layer"] == "data" and "became an input" in row["what"]]
    mirror = "; mirror is left out: it is for training"
    assert row["what"] == f"'data' became an input; {WORDS}{mirror}"
