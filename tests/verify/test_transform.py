"""What a data layer did to its images, said where the layer becomes an input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.document import Block
from prototxt_gen.passes.transform import left_to_you

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
    ],
)
def test_what_is_said_of_a_transform(text: str, words: str) -> None:
    node = api.load(Source((NET % text).encode())).nodes[0]
    assert left_to_you(node.source) == (words and f"; its transform is left to you: {words}")


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
    assert row["what"] == f"'data' became an input; {WORDS}"
