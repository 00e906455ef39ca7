"""``convert --fp16`` and ``--int8``, and what ``verify`` and ``run`` say of such models."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from prototxt_gen.cli import precision, run

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 8, 8] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 5 } }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net with weights, and images."""
    found, random = tmp_path_factory.mktemp("precision"), np.random.default_rng(0)
    (found / "net.prototxt").write_text(NET)
    net, model = str(found / "net.prototxt"), str(found / "net.caffemodel")
    assert run(["weights", "init", net, "--how", "random", "-o", model]) == 0
    for name in ("images", "empty", "wrong", "odd"):
        (found / name).mkdir()
    np.save(found / "odd/a.npy", np.full((1, 3, 8, 8), -4, np.float32))
    for index in range(4):
        pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(found / "images" / f"{index}.png")
    (found / "images" / "list.txt").write_text("0.png 1")
    (found / "wrong" / "a.png").write_text("no image")
    return found


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def convert(*words: str, output: str = "net.onnx") -> int:
    return run(["convert", "net.prototxt", "net.caffemodel", "-o", output, *words])


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--int8 empty", 2, "empty: no image and no .npy in this folder"),
        ("--int8 nowhere", 2, "--int8 nowhere: does not exist; expected a folder of images"),
        ("--int8 net.prototxt", 2, "--int8 net.prototxt: is no folder"),
        ("--int8 odd --input-type uint8", 2, "odd/a.npy: the input 'data' takes uint8, whole"),
        ("--int8 wrong", 2, "wrong/a.png: is not an image or .npy file"),
        ("--fp16 --int8 images", 2, "--fp16 and --int8: expected one of them"),
        ("--least-cosine 0.5", 2, "--least-cosine goes with --fp16 or --int8"),
        ("--fp16 --least-cosine 2", 2, "2"),
        ("--int8 images --opset 12", 1, "int8 needs opset 13 or later, found 12"),
        ("--int8 images --least-cosine 1", 1, "expected 1 or more (--least-cosine)"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    words: str, code: int, message: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(*words.split(), "--report", "bad.json", output="bad.onnx") == code
    assert message in capsys.readouterr().err
    assert not list(there.glob("bad*"))


@pytest.mark.parametrize(
    ("missing", "words", "message"),
    [
        ("onnxruntime", "--fp16", "--fp16 needs onnxruntime"),
        ("onnxruntime", "--int8 images", "--int8 needs onnxruntime"),
        ("PIL", "--int8 images", "--int8 needs Pillow to read images"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    missing: str,
    words: str,
    message: str,
    there: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        precision, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    assert convert(*words.split()) == 2
    assert f"{message}: pip install 'resnet-proto[precision]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["--fp16", "--int8 images --mean 104,117,123 --scale 0.02"])
def test_figures_are_said_and_reported(
    words: str, there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(*words.split(), "--report", "report.json") == 0
    err = capsys.readouterr().err
    kind = words.split()[0][2:]
    assert f"{kind}: " in err and "fc: cosine " in err
    assert ("1 entry left out" in err) is (kind == "int8")
    told = json.loads(Path("report.json").read_text())["precision"]
    assert (told["kind"], told["samples"]) == (kind, 8 if kind == "fp16" else 4)
    (fc,) = told["outputs"]
    assert fc["output"] == "fc" and 0.99 < fc["least_cosine"] <= fc["mean_cosine"] <= 1
    sizes = told["bytes_of_weights"]
    assert sizes[kind] < 0.6 * sizes["float32"]


def test_verify_allows_what_float16_rounds(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("--fp16") == 0
    verify = ["verify", "net.prototxt", "net.caffemodel", "net.onnx"]
    assert run(verify) == 0
    assert run([*verify, "--rtol", "0.0001", "--atol", "0"]) == 1
    assert run([*verify, "--rtol", "0", "--atol", "0.5"]) == 0
    assert "differs first at blob 'conv'" in capsys.readouterr().err


def test_verify_takes_an_int8_model_at_its_own_images(
    there: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert("--int8", "images") == 0
    verify = ["verify", "net.prototxt", "net.caffemodel", "net.onnx"]
    assert run([*verify, "--input", "images/0.png"]) == 0
    assert run([*verify, "--input", "images/0.png", "--rtol", "1e-5"]) == 1
    # A range of 255 leaves nothing of numbers about 1, so noise is as strong as the range.
    assert run(verify) == 0
    np.save("small.npy", np.random.default_rng(0).normal(size=(1, 3, 8, 8)).astype(np.float32))
    assert run([*verify, "--input", "small.npy"]) == 1
    # Calibrated with numbers between -1 and 1.
    (there / "narrow").mkdir()
    np.save("narrow/a.npy", np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8))
    assert convert("--int8", "narrow") == 0
    assert run([*verify, "--input", "narrow/a.npy"]) == 0
    assert run(verify) == 0
    capsys.readouterr()
    assert (
        run(["weights", "init", "net.prototxt", "--how", "random", "--seed", "7", "-o", "b"]) == 0
    )
    assert run(["verify", "net.prototxt", "b", "net.onnx"]) == 1
    assert "is in int8, for inputs such as it was calibrated with" in capsys.readouterr().err


def halves(path: str) -> None:
    """relu(data) of float16, by hand."""
    data, top = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT16, [1, 3, 4, 4])
        for name in ("data", "top")
    )
    node = helper.make_node("Relu", ["data"], ["top"], name="relu/Relu")
    graph = helper.make_graph([node], "g", [data], [top])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_inputs_and_outputs_of_float16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    halves("half.onnx")
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }'
        'layer { name: "relu" type: "ReLU" bottom: "data" top: "top" }'
    )
    assert run(["weights", "init", "net.prototxt", "-o", "net.caffemodel"]) == 0
    files = ["net.prototxt", "net.caffemodel", "half.onnx"]
    x = np.full((1, 3, 4, 4), 2049.0, np.float32)  # which float16 rounds to 2048
    np.save("x.npy", x)
    assert run(["verify", *files, "--rtol", "0", "--atol", "0"]) == 0
    assert run(["verify", *files, "--input", "x.npy", "--rtol", "0", "--atol", "0"]) == 0
    capsys.readouterr()
    assert run(["run", "half.onnx", "x.npy", "--save-blobs", "blobs", "--json"]) == 0
    json.loads(capsys.readouterr().out)
    (file,) = Path("blobs").rglob("top*.npy")
    assert np.load(file).dtype == np.float32 and (np.load(file) == 2048).all()


def test_a_folder_is_converted_and_marked_by_its_precision(
    there: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nets = tmp_path / "nets"
    nets.mkdir()
    for name in ("net.prototxt", "net.caffemodel"):
        (nets / name).write_bytes((there / name).read_bytes())
    asked: list[str] = ["convert", str(nets), "-o", str(tmp_path / "out"), "--report", "-"]
    told: list[Any] = []
    for words in ([], ["--fp16"], ["--fp16"]):
        assert run([*asked, *words]) == 0
        told.append(json.loads(capsys.readouterr().out)["nets"][0])
    assert [one["status"] for one in told] == ["converted", "converted", "up to date"]
    assert any("fp16: " in json.dumps(note) for note in told[1]["notes"])
    model = onnx.load(tmp_path / "out" / "net.onnx")
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT16


def test_a_model_is_not_lowered(there: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert() == 0
    assert run(["convert", "net.onnx", "-o", "back.prototxt", "--fp16"]) == 2
    assert "--fp16 is for a Caffe net" in capsys.readouterr().err
