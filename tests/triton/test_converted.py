"""``convert --triton``: what ``convert`` and ``triton`` write one after the other, in one step."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

from prototxt_gen.cli import run

NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
        inner_product_param { num_output: 3 } }
"""
FILES = ["net.prototxt", "net.caffemodel"]
SERVED = ["--triton", "repo", "--name", "net"]


@pytest.fixture(autouse=True)
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A net with weights and labels, in the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(NET)
    Path("words.txt").write_text("cat\ndog\ncow\n")
    assert run(["weights", "init", "net.prototxt", "--how", "random", "-o", "net.caffemodel"]) == 0
    return tmp_path


def files(folder: str) -> dict[str, bytes]:
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("more", [[], ["--batch", "dynamic"], ["--external-data"]])
def test_it_is_what_two_commands_write(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    ways = ["--labels", "words.txt", *more]
    assert run(["convert", *FILES, *SERVED, *ways, "--report", "r.json"]) == 0
    said = capsys.readouterr().err
    assert run(["convert", *FILES, "-o", "model.onnx", *ways]) == 0
    assert run(["triton", "model.onnx", "other", "--name", "net"]) == 0
    assert files("repo") == files("other")
    names = {"net/1/model.onnx", "net/config.pbtxt", "net/labels.txt"}
    assert names | ({"net/1/model.onnx.data"} if "data" in str(more) else set()) == set(
        files("repo")
    )
    assert ("max_batch_size is 0, so Triton makes no batches" in said) == ("dynamic" not in more)
    assert "repo/net/config.pbtxt: " in said and "opset 17; data" in said
    assert json.loads(Path("r.json").read_text())["outputs"] == ["fc"]
    onnx.checker.check_model("repo/net/1/model.onnx")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--triton repo", "--triton REPO: give the model's name there too, --name N"),
        ("--triton repo --name .net", "--name '.net': expected letters, digits, _, - and ."),
        ("--name net -o x.onnx", "--name goes with --triton REPO"),
        ("--triton repo --name net -o x.onnx", "-o and --triton: expected one of them"),
        ("", "Missing option '-o' / '--output', or --triton REPO --name N."),
        ("--triton words.txt --name net", "words.txt: Not a directory"),
        ("--triton words.txt/in --name net", "words.txt: Not a directory"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(".")
    assert run(["convert", *FILES, *words.split(), "--report", "r.json"]) == 2
    assert message in capsys.readouterr().err
    assert files(".") == before and not Path("repo").exists()


def test_all_of_it_or_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Path("repo/net/config.pbtxt").mkdir(parents=True)
    before = files(".")
    assert run(["convert", *FILES, *SERVED, "--report", "r.json"]) == 2
    assert "config.pbtxt: Is a directory" in capsys.readouterr().err
    assert files(".") == before and not Path("repo/net/1").exists()


def test_it_overwrites_no_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", *FILES, *SERVED, "--labels", "words.txt"]) == 0
    before = files("repo")
    assert run(["convert", *FILES, *SERVED, "--labels", "repo/net/labels.txt"]) == 2
    assert "labels.txt: would overwrite an input" in capsys.readouterr().err
    assert files("repo") == before


def test_it_is_for_one_caffe_net(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", *FILES, "-o", "net.onnx"]) == 0
    assert run(["convert", "net.onnx", *SERVED]) == 2
    assert "--triton is for a Caffe net, and net.onnx is none" in capsys.readouterr().err
    Path("nets").mkdir()
    Path("nets/net.prototxt").write_text(NET)
    assert run(["convert", "nets", *SERVED]) == 2
    assert "--triton is for one net, and nets is a folder" in capsys.readouterr().err
