"""Layers that have another name in the file with the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.matching import mapped, matches
from prototxt_gen.weights import save

NET = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: [1, 2] }} }} }}
layer {{ name: "{0}" type: "InnerProduct" bottom: "x" top: "a"
        inner_product_param {{ num_output: 3 }} }}
layer {{ name: "{1}" type: "InnerProduct" bottom: "a" top: "b"
        inner_product_param {{ num_output: 3 bias_term: false }} }}
layer {{ name: "{2}" type: "InnerProduct" bottom: "b" top: "c"
        inner_product_param {{ num_output: 3 bias_term: false }} }}
"""
RNG = np.random.default_rng(0)
WEIGHTS = [
    [RNG.normal(size=(3, 2)).astype(np.float32), RNG.normal(size=3).astype(np.float32)],
    [RNG.normal(size=(3, 3)).astype(np.float32)],
    [RNG.normal(size=(3, 3)).astype(np.float32)],
]
X = np.array([[1, 2]], np.float32)


def graph(*names: str) -> Any:
    return api.load(Source(NET.format(*names).encode()))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A net, and the weights of one that has other names; x.npy."""
    (tmp_path / "net.prototxt").write_text(NET.format("one", "two", "three"))
    theirs = ["one", "second", "third"]
    save(graph(*theirs), dict(zip(theirs, WEIGHTS, strict=True)), tmp_path / "w.caffemodel")
    np.save(tmp_path / "x.npy", X)
    return [str(tmp_path / name) for name in ("net.prototxt", "w.caffemodel", "x.npy")]


def answer(capsys: pytest.CaptureFixture[str]) -> list[float]:
    (told,) = json.loads(capsys.readouterr().out)
    rows = {row["class"]: row["score"] for row in told["answers"][0]["classes"]}
    return [rows[index] for index in sorted(rows)]


def product(*weights: Any) -> list[float]:
    value = X @ WEIGHTS[0][0].T + WEIGHTS[0][1]
    for weight in weights:
        value = value @ weight.T
    return list(value[0])


MAP = ["--map", "two=second", "--map", "three=third"]


def test_what_fits_is_suggested_in_order(files: list[str], capsys: Any) -> None:
    assert run(["weights", "match", *files[:2]]) == 1
    assert [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["one", "one", "matched"],
        ["two", "second", "not in the file; 'second' has its shapes; 1 more would fit"],
        ["three", "third", "not in the file; 'third' has its shapes"],
    ]
    assert run(["weights", "match", *files[:2], *MAP, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(row["layer"], row["source"], row["fits"]) for row in found] == [
        ("one", "one", True),
        ("two", "second", True),
        ("three", "third", True),
    ]


@pytest.mark.parametrize("crossed", [False, True])
def test_run_with_other_names(files: list[str], capsys: Any, crossed: bool) -> None:
    names = ["--map", "two=third", "--map", "three=second"] if crossed else MAP
    assert run(["run", *files, *names, "--json"]) == 0
    middle = [WEIGHTS[2][0], WEIGHTS[1][0]] if crossed else [WEIGHTS[1][0], WEIGHTS[2][0]]
    assert np.allclose(answer(capsys), product(*middle), atol=1e-5)


def test_one_layer_may_serve_twice(files: list[str], capsys: Any) -> None:
    names = ["--map", "two=second", "--map", "three=second"]
    assert run(["run", *files, *names, "--json"]) == 0
    assert np.allclose(answer(capsys), product(WEIGHTS[1][0], WEIGHTS[1][0]), atol=1e-5)


def test_names_that_are_exchanged(tmp_path: Path) -> None:
    net = graph("one", "two", "three")
    net.stored = dict(zip(("one", "two", "three"), WEIGHTS, strict=True))
    mapped(net, {"two": "three", "three": "two"})
    assert net.stored["two"] is WEIGHTS[2] and net.stored["three"] is WEIGHTS[1]
    found = matches(net, checked(net), net.stored)
    assert all(match.fits for match in found) and len(found) == 3


def test_convert_with_other_names(files: list[str], tmp_path: Path, capsys: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model = str(tmp_path / "net.onnx")
    assert run(["convert", *files[:2], "-o", model]) == 2
    err = capsys.readouterr().err
    assert "three: not in the file; 'third' has its shapes: --map three=third" in err
    assert not Path(model).exists()
    assert run(["convert", *files[:2], "-o", model, *MAP]) == 0
    assert "two: has the weights of 'second', by --map" in capsys.readouterr().err
    value = onnxruntime.InferenceSession(model).run(None, {"x": X})[0]
    assert np.allclose(value, product(WEIGHTS[1][0], WEIGHTS[2][0]), atol=1e-5)
    assert run(["verify", *files[:2], model, *MAP]) == 0
    crossed = ["--map", "two=third", "--map", "three=second"]
    assert run(["verify", *files[:2], model, *crossed]) == 1
    assert run(["verify", *files[:2], *MAP, "--against", "opencv"]) == 2
    assert "--map is for a net and the model that it became" in capsys.readouterr().err


def test_what_is_missing_is_made_and_said(files: list[str], capsys: Any) -> None:
    asked = ["run", *files, "--map", "two=second", "--weights-init", "zeros", "--json"]
    assert run(asked) == 0
    out, err = capsys.readouterr()
    assert {row["score"] for row in json.loads(out)[0]["answers"][0]["classes"]} == {0.0}
    assert "three (InnerProduct): the file has no weights for it; they are made by" in err
    assert "two (InnerProduct)" not in err
    assert run(["run", files[0], files[2], "--weights-init", "random"]) == 0
    assert run(["run", files[0], files[2]]) == 2
    assert "give a caffemodel, or --weights-init" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ("two", "expected NET_LAYER=FILE_LAYER"),
        ("=second", "expected NET_LAYER=FILE_LAYER"),
        ("four=second", "the net has no layer 'four'"),
        ("two=fourth", "the file has no layer 'fourth'"),
        ("second=two", "the net's name comes first: two=second"),
    ],
)
def test_names_that_there_are_not(files: list[str], capsys: Any, item: str, words: str) -> None:
    assert run(["run", *files, "--map", item]) == 2
    assert words in capsys.readouterr().err


def test_shapes_that_do_not_fit_are_no_suggestion(files: list[str], capsys: Any) -> None:
    stored = {"one": [np.zeros((3, 4), np.float32)], "other": [np.zeros((9, 9), np.float32)]}
    net = graph("one", "two", "three")
    found = matches(net, checked(net), stored)
    assert [(m.layer, m.source, m.fits, m.suggested) for m in found] == [
        ("one", "one", False, False),
        ("two", None, False, False),
        ("three", None, False, False),
        (None, "other", False, False),
    ]
    assert found[0].what == "has 3x4; expected 3x2, 3"
    assert (
        run(["weights", "match", files[0], files[1], "--map", "two=second", "--map", "two=x"]) == 2
    )
    assert "'two' is given twice" in capsys.readouterr().err


def test_a_map_is_for_a_caffe_net(tmp_path: Path, files: list[str], capsys: Any) -> None:
    model = str(tmp_path / "net.onnx")
    assert run(["convert", *files[:2], "-o", model, *MAP]) == 0
    capsys.readouterr()
    for asked in (["run", model, files[2]], ["convert", model, "-o", str(tmp_path / "n.prototxt")]):
        assert run([*asked, *MAP]) == 2
        assert "is for a Caffe net" in capsys.readouterr().err
