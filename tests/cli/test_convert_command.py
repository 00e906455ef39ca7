"""``convert`` as a script meets it: exit codes, places looked at first, nothing half done."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from prototxt_gen.cli import run
from prototxt_gen.graph.comparison import Comparison, Verdict

NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
"""
PRIVATE = 'layer { name: "u" type: "NoSuchLayer" bottom: "c" top: "u" }\n'
RANDOM = ["--weights-init", "random"]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A net alone in a folder."""
    folder = tmp_path / "nets"
    folder.mkdir()
    path = folder / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_net_that_has_no_mapping_is_answered_with_1(net: Path, out: Path) -> None:
    net.write_text(NET + PRIVATE)
    for source, target in ((net, out / "net.onnx"), (net.parent, out)):
        assert run(["convert", str(source), "-o", str(target), *RANDOM]) == 1
    assert not list(out.glob("*.onnx"))


def test_a_model_that_differs_is_answered_with_1(
    net: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = Comparison("c", "c", (1,), (1,), 1.0, 1.0, 0.0, agrees=False)
    monkeypatch.setattr("prototxt_gen.verify.verify_export", lambda made: Verdict((wrong,)))
    target, report = str(out / "net.onnx"), str(out / "report.json")
    words = ["convert", str(net), "-o", target, "--report", report, "--verify", *RANDOM]
    assert run(words) == 1
    assert "differs from the net; nothing is written" in capsys.readouterr().err
    assert not list(out.iterdir())


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (NET, ["nowhere.caffemodel"], "nowhere.caffemodel: No such file"),
        (NET, [], "no caffemodel is given"),
        (NET[:-3], RANDOM, "not closed"),
        (NET.replace('bottom: "data"', 'bottom: "x"'), RANDOM, "x"),
        (NET, [*RANDOM, "--opset", "3"], "opset 3: expected"),
        (NET, [*RANDOM, "--outputs", "nope"], "no blob 'nope'"),
        (NET, [*RANDOM, "--batch", "99999999999"], "expected 1 to 2147483647, or dynamic"),
        (NET, [*RANDOM, "--batch", "0"], "'0': expected 1 to 2147483647, or dynamic"),
        (NET, [*RANDOM, "--image-input", "data"], "--image-input names the input"),
        (
            NET,
            [*RANDOM, "--preprocess", "auto", "--preprocess-from", "x"],
            "--preprocess and --preprocess-from: expected one of them",
        ),
    ],
)
def test_what_cannot_be_begun_with_is_answered_with_2(
    net: Path, out: Path, text: str, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    net.write_text(text)
    assert run(["convert", str(net), *more, "-o", str(out / "net.onnx")]) == 2
    assert words in capsys.readouterr().err
    assert not list(out.iterdir())


def test_an_opset_that_there_is_not_is_wrong_for_a_folder_too(net: Path, out: Path) -> None:
    assert run(["convert", str(net.parent), "-o", str(out), "--opset", "3"]) == 2
    assert not list(out.iterdir())


def test_every_place_is_looked_at_before_work_begins(
    net: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A net that cannot be read shows that the places come first.
    net.write_text("layer {")
    good, (missing, folder) = str(out / "x.onnx"), (str(out / "missing" / "x"), str(out))
    for target, report in ((good, missing), (good, folder), (missing, good), (folder, good)):
        assert run(["convert", str(net), "-o", target, "--report", report, *RANDOM]) == 2
        wrong = target if report == good else report
        assert capsys.readouterr().err.startswith(f"error: {wrong}: ")
    (out / "x.onnx.data").mkdir()
    assert run(["convert", str(net), "-o", good, "--external-data", *RANDOM]) == 2
    assert f"{good}.data: " in capsys.readouterr().err
    assert list(out.iterdir()) == [out / "x.onnx.data"]


def test_a_folder_is_not_begun_without_a_place_for_the_report(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    words = ["convert", str(net.parent), "-o", str(out), *RANDOM, "--report"]
    assert run([*words, str(tmp_path / "missing" / "r.json")]) == 2
    assert not out.exists()
    # The folder of the models will be there.
    assert run([*words, str(out / "r.json")]) == 0
    assert json.loads((out / "r.json").read_text())["nets"][0]["status"] == "converted"


def test_a_model_and_its_report_appear_together(
    net: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, report = out / "x.onnx", out / "r.json"
    words = ["convert", str(net), "-o", str(target), "--report", str(report), *RANDOM]

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28), str(target))

    with monkeypatch.context() as patch:
        patch.setattr("prototxt_gen.to_onnx.write.write_model", full)
        assert run(words) == 2
    assert not list(out.iterdir())
    if Path("/dev/full").exists():
        assert run([*words[:-4], "--report", "/dev/full", *RANDOM]) == 2
        assert not list(out.iterdir())
    assert run(words) == 0
    assert sorted(out.iterdir()) == [report, target]


def test_a_report_may_go_to_standard_output(
    net: Path, out: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    target = out / "x.onnx"
    assert run(["convert", str(net), "-o", str(target), "--report", "-", *RANDOM]) == 0
    assert json.loads(capsysbinary.readouterr().out)["outputs"] == ["c"]
    assert run(["convert", str(net), "-o", str(target), "--report", os.devnull, *RANDOM]) == 0


def test_a_place_that_may_not_be_written_to_is_refused_first(
    net: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Root may write anywhere, so the system's answer is put in its mouth.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != out)
    net.write_text("layer {")
    assert run(["convert", str(net), "-o", str(out / "x.onnx"), *RANDOM]) == 2
    assert capsys.readouterr().err == f"error: {out / 'x.onnx'}: {os.strerror(13)}\n"
