"""The files of a picture, and the command that writes them."""

from __future__ import annotations

import io
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.draw import forms

NETS = {
    "unit": 'input: "x" input_shape { dim: [1, 8, 14, 14] }\n'
    'layer { name: "u_a" type: "Convolution" bottom: "x" top: "a"'
    " convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }\n"
    'layer { name: "u_b" type: "ReLU" bottom: "a" top: "a" }\n'
    'layer { name: "u" type: "Eltwise" bottom: "x" bottom: "a" top: "y" }\n',
    "line": 'input: "x" input_shape { dim: [1, 4] }\n'
    'layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"'
    " inner_product_param { num_output: 2 } }\n"
    'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n',
    "own": 'layer { name: "data" type: "Data" top: "data" top: "label" }\n'
    'layer { name: "mine <é>" type: "Mine" bottom: "data" top: "y" }\n'
    'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" }\n',
}
needs_engine = pytest.mark.skipif(
    shutil.which("graphviz-pure") is None, reason="graphviz-pure is not installed"
)


@pytest.mark.parametrize("command", [["draw", "--format", "mermaid"], ["summary"], ["report"]])
def test_a_net_comes_through_a_pipe(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(NETS["line"].encode())))
    assert run([*command, "-"]) == 0
    assert "InnerProduct" in capsys.readouterr().out


@pytest.fixture(params=sorted(NETS))
def net(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"{request.param}.prototxt"
    path.write_text(NETS[request.param])
    return path


def texts(svg: bytes) -> list[str]:
    """The texts of an SVG, in its order."""
    root = ElementTree.fromstring(svg)
    return ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]


@needs_engine
def test_the_svg_of_a_net(net: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.svg"
    assert run(["draw", str(net), "-o", str(out)]) == 0
    found = texts(out.read_bytes())
    for name in re.findall(r'name: "([^"]+)"', net.read_text()):
        joined = name in ("u_b", "prob")  # in the box of the layer before
        assert (name in found) != joined, (name, found)
    if net.stem == "unit":
        assert {"Convolution 3×3, 8, pad 1", "ReLU", "Eltwise, sum", "8×14×14"} <= {
            t.strip() for t in found
        }
        assert found.count("u") == 2  # the frame, and the layer that ends it
    other = tmp_path / "b.svg"
    assert run(["draw", str(net), "-o", str(other)]) == 0
    assert other.read_bytes() == out.read_bytes()


@needs_engine
@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.png", b"\x89PNG\r\n"),
        ("x.pdf", b"%PDF-"),
        ("x.html", b"<!doctype html>"),
        ("x.svg", b"<?xml"),
        ("x.dot", b'digraph "'),
        ("x.mmd", b"flowchart TB"),
    ],
)
def test_forms_by_the_name(name: str, start: bytes, net: Path, tmp_path: Path) -> None:
    assert run(["draw", str(net), "-o", str(tmp_path / name)]) == 0
    assert (tmp_path / name).read_bytes().startswith(start)


def test_mermaid_of_a_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "unit.prototxt"
    path.write_text(NETS["unit"])
    assert run(["draw", str(path), "--format", "mermaid", "--direction", "LR"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[:8] == [
        "flowchart LR",
        'n0("input<br/>Input 8×14×14"):::input',
        'subgraph cluster1["u"]',
        'n1("u_a<br/>Convolution 3×3, 8, pad 1<br/>ReLU"):::convolution',
        'n2("u<br/>Eltwise, sum"):::combine',
        "end",
        'n0 -->|"8×14×14"| n1',
        'n0 -->|"8×14×14"| n2',
    ]
    assert lines[8] == 'n1 -->|"8×14×14"| n2'


def test_a_net_from_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(NETS["unit"].encode())))
    assert run(["draw", "-", "--format", "mermaid", "--compact"]) == 0
    assert "Convolution 3×3, 8<br/>Eltwise, sum" in capsys.readouterr().out


def test_a_name_that_says_no_form(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["draw", str(net), "-o", str(net.with_suffix(".gif"))]) == 2
    assert "expected a name that ends with .svg, .png" in capsys.readouterr().err
    assert run(["draw", str(net), "-o", str(net)]) == 2


def test_without_an_engine(
    net: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(forms, "_ENGINE", "no-such-engine")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert run(["draw", str(net), "-o", str(net.with_suffix(".svg"))]) == 2
    assert "pip install 'resnet-proto[draw]'" in capsys.readouterr().err
    assert not net.with_suffix(".svg").exists()
    assert run(["draw", str(net), "--format", "dot"]) == 0


def test_an_engine_that_fails(
    net: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(forms, "_engine", lambda: "/bin/false")
    assert run(["draw", str(net), "-o", str(net.with_suffix(".svg"))]) == 2
    assert "false cannot draw the net" in capsys.readouterr().err


def test_a_model_and_a_caffemodel_are_drawn(tmp_path: Path) -> None:
    graph = api.load(Source(NETS["unit"].encode()))
    model = api.to_onnx(graph, weights_init="zeros", metadata=False)
    onnx.save(model, tmp_path / "m.onnx")
    assert run(["draw", str(tmp_path / "m.onnx"), "-o", str(tmp_path / "m.dot")]) == 0
    dot = (tmp_path / "m.dot").read_text()
    assert "Convolution 3×3, 8" in dot and "Eltwise, sum" in dot
    assert run(["draw", str(tmp_path / "m.onnx"), "--phase", "train", "--format", "dot"]) == 2
    (tmp_path / "n.prototxt").write_text(NETS["unit"])
    words = ["weights", "init", str(tmp_path / "n.prototxt"), "-o", str(tmp_path / "n.caffemodel")]
    assert run(words) == 0
    assert run(["draw", str(tmp_path / "n.caffemodel"), "-o", str(tmp_path / "c.dot")]) == 0
    assert "Convolution 3×3, 8" in (tmp_path / "c.dot").read_text()


def test_a_phase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.prototxt").write_text(api.generate("resnet20", phase="train_val"))
    drawn = {}
    for phase in ("train", "test"):
        words = ["draw", str(tmp_path / "t.prototxt"), "--phase", phase, "--format", "dot"]
        assert run(words) == 0
        drawn[phase] = capsys.readouterr().out
    assert "Accuracy" in drawn["test"] and "Accuracy" not in drawn["train"]
