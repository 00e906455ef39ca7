"""``convert`` and ``verify`` of an ONNX model, as a script meets them."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnx.parser
import pytest

from prototxt_gen.cli import run

MODEL = """<ir_version: 8, opset_import: ["" : 17]>
net (float[1,3,4,4] x) => (float[1,3,4,4] y) { h = LeakyRelu<alpha=0.25>(x)  y = Relu(h) }"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(onnx.parser.parse_model(MODEL), path)
    return path


def test_a_model_becomes_a_net_that_is_proven_by_verify(model: Path, tmp_path: Path) -> None:
    net, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    assert run(["convert", str(model), "-o", str(net), "--verify"]) == 0
    assert run(["validate", str(net), "--dialect", "bvlc"]) == 0
    assert run(["verify", str(model), str(net), str(weights)]) == 0
    net.write_text(net.read_text().replace("0.25", "-0.5"))
    assert run(["verify", str(model), str(net), str(weights)]) == 1


def test_the_two_files_appear_together_or_not_at_all(model: Path, tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    words = ["convert", str(model), "-o", str(net)]
    assert run([*words, "--weights-out", str(tmp_path / "no" / "w")]) == 2
    assert run([*words, "--report", str(tmp_path / "no" / "r")]) == 2
    assert not net.exists()
    (tmp_path / "taken").mkdir()
    assert run([*words, "--weights-out", str(tmp_path / "taken")]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.onnx", "taken"]
    assert run([*words, "--weights-out", str(tmp_path / "w.bin")]) == 0
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.is_file()) == [
        ".bin",
        ".onnx",
        ".prototxt",
    ]


def test_weights_that_nobody_named_are_not_overwritten(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "net.caffemodel"
    other.write_bytes(b"what the model was made from")
    words = ["convert", str(model), "-o", str(tmp_path / "net.prototxt")]
    assert run(words) == 2
    assert f"{other} would be overwritten" in capsys.readouterr().err
    assert other.read_bytes() == b"what the model was made from"
    assert run([*words, "--weights-out", str(other)]) == 0
    assert run(words) == 0, "a second call replaces what the first one wrote"


def test_what_no_layer_can_do_is_answered_with_1_and_all_reasons(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = MODEL.replace("h = LeakyRelu<alpha=0.25>(x)", "g = Sign(x)  i = Round(x)  h = Add(g, i)")
    onnx.save(onnx.parser.parse_model(text), model)
    assert run(["convert", str(model), "-o", str(tmp_path / "net.prototxt")]) == 1
    said = capsys.readouterr().err
    assert "1 Sign, 1 Round" in said
    assert "'g': Sign" in said
    assert "'i': Round" in said
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--opset", "13"], "--opset is for a Caffe net"),
        (["--batch", "dynamic"], "--batch is for a Caffe net"),
        (["--input-shape", "z=1,2"], "has no input 'z'; it has 'x'"),
        (["-o", "-"], "a net has two files"),
        (["-o", "b.onnx"], "is an ONNX model; give -o FILE.prototxt"),
    ],
)
def test_what_is_for_the_other_direction_is_refused(
    model: Path, tmp_path: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(model), "-o", str(tmp_path / "net.prototxt"), *more]) == 2
    assert words in capsys.readouterr().err


def test_no_option_for_models_is_taken_for_a_net(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "net.prototxt"
    net.write_text('input: "x" input_shape { dim: 1 }')
    assert run(["convert", str(net), "-o", str(tmp_path / "n.onnx"), "--target", "ssd"]) == 2
    assert "--target is for an ONNX model" in capsys.readouterr().err
    assert run(["convert", str(net), "-o", str(tmp_path / "n.caffemodel")]) == 2
    assert "give -o FILE.onnx" in capsys.readouterr().err


@pytest.mark.parametrize("size", [1, 20, 60])
def test_a_model_that_is_cut_off_is_no_model(
    model: Path, tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write_bytes(model.read_bytes()[:size])
    assert run(["convert", str(model), "-o", str(tmp_path / "net.prototxt")]) == 2
    assert "net.onnx: not a" in capsys.readouterr().err


def test_the_report_names_the_layers(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(model), "-o", str(tmp_path / "n.prototxt"), "--report", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["inputs"], report["outputs"]) == (["x"], ["y"])
    assert [layer["type"] for layer in report["layers"]] == ["Input", "ReLU", "ReLU"]


def test_a_folder_of_models_becomes_a_folder_of_nets(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "models", tmp_path / "out"
    (folder / "b").mkdir(parents=True)
    model.rename(folder / "b" / "net.onnx")
    text = MODEL.replace("h = LeakyRelu<alpha=0.25>(x)", "h = Sign(x)")
    onnx.save(onnx.parser.parse_model(text), folder / "sign.onnx")
    words = ["convert", str(folder), "-o", str(out), "--verify"]
    assert run(words) == 1
    said = capsys.readouterr()
    assert "1 converted, 1 failed" in said.err
    assert "'h': Sign" in said.out
    made = sorted(path.relative_to(out).as_posix() for path in out.rglob("*net.*"))
    assert made == ["b/net.caffemodel", "b/net.prototxt"]
    assert run(words) == 1
    assert "1 up to date, 1 failed" in capsys.readouterr().err
    (out / "b" / "net.caffemodel").write_bytes(b"")
    onnx.save(onnx.parser.parse_model(MODEL), folder / "sign.onnx")
    assert run(words) == 0
    assert "2 converted" in capsys.readouterr().err
    assert run([*words, "--weights-out", "w"]) == 2
    assert f"--weights-out is for one net, and {folder} is a folder" in capsys.readouterr().err


def test_what_a_folder_was_converted_to_does_not_decide_its_direction(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["convert", str(model.parent), "-o", str(model.parent / "caffe")]
    assert run(words) == 0
    assert run(words) == 0
    assert "1 up to date" in capsys.readouterr().err


def test_of_nets_and_models_in_a_folder_the_nets_are_meant(model: Path, tmp_path: Path) -> None:
    net = model.with_suffix(".prototxt")
    net.write_text(
        'input: "x" input_shape { dim: 1 } layer { name: "r" type: "ReLU" bottom: "x" top: "y" }'
    )
    for to, made in (([], "net.onnx"), (["--to", "caffe"], "net.prototxt")):
        out = tmp_path / f"out{len(to)}"
        assert run(["convert", str(tmp_path), "-o", str(out), *to]) == 0
        assert (out / made).exists()
    assert run(["convert", str(net), "-o", str(tmp_path / "n.prototxt"), "--to", "caffe"]) == 2


@pytest.mark.parametrize(
    ("more", "back", "kept"),
    [([], [], True), (["--no-metadata"], [], False), ([], ["--no-restore"], False)],
)
def test_a_model_keeps_its_net_unless_it_is_not_wanted(
    tmp_path: Path, more: list[str], back: list[str], kept: bool
) -> None:
    text = """# mine
input: "x"
input_shape { dim: [1, 2] }
layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
layer { name: "s" type: "Sigmoid" bottom: "x" top: "y" }
"""
    net, model, again = (tmp_path / name for name in ("net.prototxt", "net.onnx", "b.prototxt"))
    net.write_text(text)
    assert run(["convert", str(net), "-o", str(model), *more]) == 0
    assert run(["convert", str(model), "-o", str(again), *back]) == 0
    assert ("# mine" in again.read_text()) is kept
