"""Models in float16 with free sizes: shown, and made into nets, at the sizes of their own net."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [2, 3, 8, 6] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 } }
"""
ENTRY = "resnet-proto.sizes"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("free")
    net, weights = found / "net.prototxt", found / "net.caffemodel"
    net.write_text(NET)
    assert run(["weights", "init", str(net), "--how", "random", "-o", str(weights)]) == 0
    convert = ["convert", str(net), str(weights), "--fp16", "--dynamic", "data=N,3,H,W", "-o"]
    assert run([*convert, str(found / "half.onnx")]) == 0
    assert run([*convert, str(found / "last.onnx"), "--layout", "nhwc"]) == 0
    return found


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_it_is_shown_at_the_size_of_its_net(there: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(["summary", "half.onnx", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["shapes"] for row in told["layers"]] == [[[2, 3, 8, 6]], [[2, 4, 6, 4]]]
    assert run(["report", "half.onnx", "-o", str(tmp_path / "page.html")]) == 0
    assert "its free sizes are as in the net" in (tmp_path / "page.html").read_text()
    assert run(["draw", "half.onnx", "-o", str(tmp_path / "net.dot")]) == 0
    assert "3×8×6" in (tmp_path / "net.dot").read_text()


@pytest.mark.parametrize(
    ("model", "words", "shape"),
    [
        ("half", [], "2x3x8x6"),
        ("half", ["--no-restore"], "2x3x8x6"),
        ("half", ["--input-shape", "data=1,3,5,9"], "1x3x5x9"),
        ("last", [], "2x8x6x3"),
    ],
)
def test_the_way_back_needs_no_shape(
    model: str, words: list[str], shape: str, there: Path, tmp_path: Path, capsys: Any
) -> None:
    back = str(tmp_path / "back.prototxt")
    assert run(["convert", f"{model}.onnx", "-o", back, "--verify", *words]) == 0
    err = capsys.readouterr().err
    assert f"data {shape} -> conv" in err
    said = f"its free sizes are as in the net that the model was made from, {shape}"
    assert (said in err) is ("--input-shape" not in words)


@pytest.mark.parametrize(
    "entry",
    [
        "{}",
        '{"H": {"from": [1], "own": 8, "step": 1}}',
        "no json",
        json.dumps({symbol: {"from": [1], "own": 10**11, "step": 1} for symbol in "NHW"}),
    ],
)
def test_sizes_that_a_model_does_not_say(
    entry: str, there: Path, tmp_path: Path, capsys: Any
) -> None:
    model = onnx.load("half.onnx")
    (found,) = [one for one in model.metadata_props if one.key == ENTRY]
    found.value = entry
    onnx.save(model, str(tmp_path / "odd.onnx"))
    assert run(["draw", str(tmp_path / "odd.onnx"), "-o", str(tmp_path / "net.dot")]) == 2
    words = "not all numbers; give its shape with --input-shape data="
    assert words in capsys.readouterr().err
    restored = api.from_onnx(tmp_path / "odd.onnx", input_shapes={"data": (1, 3, 4, 4)})
    assert len(restored.graph.nodes) == 2
