"""Models, values and pictures that are cut off, or far larger than they look."""

from __future__ import annotations

import os
import re
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api, engines
from prototxt_gen.cli import run
from prototxt_gen.cli.verify_inputs import inputs_of
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, VerificationError
from prototxt_gen.verify import verify

NET = (
    'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
    'layer { name: "c" type: "InnerProduct" bottom: "x" top: "c"'
    " inner_product_param { num_output: 40 } }\n"
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str, str]:
    """A net, its weights, and its model with the weights beside it."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    net, weights, model = (str(tmp_path / f"n.{end}") for end in ("prototxt", "caffemodel", "onnx"))
    Path(net).write_text(NET)
    assert run(["weights", "init", net, "--how", "random", "-o", weights]) == 0
    assert run(["convert", net, weights, "-o", model, "--external-data"]) == 0
    return net, weights, model


@pytest.mark.parametrize("size", [0, 100, 5000])
def test_weights_beside_a_model_that_are_cut_off(
    files: tuple[str, str, str], size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.truncate(f"{files[2]}.data", size)
    capsys.readouterr()
    assert run(["verify", *files]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "n.onnx: not a complete ONNX model: " in line


def test_weights_beside_a_model_that_are_not_there(
    files: tuple[str, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    os.unlink(f"{files[2]}.data")
    capsys.readouterr()
    assert run(["verify", *files]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "n.onnx: has weights in " in line and "n.onnx.data, and there is no such file" in line


def test_a_model_that_no_message_holds_goes_through_a_file(
    files: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    graph = api.read_caffe(files[0], files[1])
    made = api.convert(graph).model
    wanted = verify(graph, made)
    given: list[Any] = []
    original = onnxruntime.InferenceSession

    def session(model: Any, *more: Any, **named: Any) -> Any:
        given.append(model)
        assert isinstance(model, bytes) or Path(f"{model}.data").stat().st_size == 40 * 192 * 4
        return original(model, *more, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(engines, "LARGEST_MODEL", 40 * 192 * 4 + 40 * 4)
    before = made.SerializeToString()
    assert verify(graph, made) == wanted
    monkeypatch.setattr(engines, "LARGEST_MODEL", 40 * 192 * 4 + 40 * 4 - 1)
    assert verify(graph, made) == wanted
    assert [type(model) for model in given] == [bytes, str]
    assert not Path(given[1]).parent.exists()
    assert made.SerializeToString() == before


def values(text: str = NET) -> Any:
    return api.load(Source(text.encode()))


def test_an_npy_of_endless_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.ones(10, np.float32))
    path.write_bytes(path.read_bytes().replace(b"(10,), ", b"(99,), "))
    with pytest.raises(VerificationError, match=r"x\.npy: is no npy file of numbers: .*needs 396"):
        inputs_of(values(), (str(path),))
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(VerificationError, match=r"x\.npy: is no npy file of numbers"):
        inputs_of(values(), (str(path),))


def test_an_npz_of_endless_numbers_is_refused(tmp_path: Path) -> None:
    some = np.zeros(40 << 20, np.uint8)
    np.savez_compressed(tmp_path / "x.npz", **{f"x{i}": some for i in range(7)})
    with pytest.raises(VerificationError, match=r"x\.npz: .*unpacks to"):
        inputs_of(values(), (str(tmp_path / "x.npz"),))


class Bomb(RuntimeWarning):
    """What Pillow warns with."""


@pytest.mark.parametrize("kind", ["warning", "error", "damaged", "odd"])
def test_a_picture_that_is_a_bomb_or_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    def opened(path: str) -> Any:
        if kind == "warning":
            text = "Image size (99 pixels) exceeds limit of 9 pixels, could be decompression bomb"
            warnings.warn(text, Bomb, stacklevel=2)
            pytest.fail("the picture was read")
        failures = {"error": Exception("exceeds limit"), "damaged": OSError("truncated")}
        raise failures.get(kind, SyntaxError("broken PNG file"))

    pil = ModuleType("PIL")
    pil.Image = ModuleType("PIL.Image")  # type: ignore[attr-defined]
    pil.Image.open = opened  # type: ignore[attr-defined]
    pil.ImageOps = ModuleType("PIL.ImageOps")  # type: ignore[attr-defined]
    pil.UnidentifiedImageError = type("Unknown", (OSError,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PIL", pil)
    with pytest.raises(
        VerificationError, match=r"p\.png: cannot be read as an image: .*(limit|tr|br)"
    ):
        inputs_of(values(), (str(tmp_path / "p.png"),))


def test_a_picture_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    with pytest.raises(FileNotFoundError):
        inputs_of(values(), (str(tmp_path / "p.png"),))


@pytest.mark.parametrize(
    "type", ["HingeLoss", "MultinomialLogisticLoss", "SoftmaxWithLoss", "InfogainLoss", "Accuracy"]
)
def test_a_label_that_is_no_class(type: str, tmp_path: Path) -> None:
    more = 'bottom: "h"' if type == "InfogainLoss" else ""
    net = values(
        'input: "x" input_shape { dim: [2, 3] } input: "y" input_shape { dim: [2, 1] }\n'
        'input: "h" input_shape { dim: [1, 1, 3, 3] }\n'
        f'layer {{ name: "l" type: "{type}" bottom: "x" bottom: "y" {more} top: "z" }}\n'
    )
    given = {"x": np.full((2, 3), 0.3), "y": np.array([[0], [3]]), "h": np.eye(3)[None, None]}
    words = "layer 'l': a value of a bottom is outside of what it indexes: "
    with pytest.raises(GraphError, match=re.escape(words)):
        api.run(net, given)  # type: ignore[arg-type]
