"""``verify`` against runtimes that compute the model: real ones, and one that fails or dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import _runtimes, api
from prototxt_gen.cli import run
from prototxt_gen.errors import VerificationError
from prototxt_gen.runtimes import computed_by, outcomes
from prototxt_gen.verify import verify

NET = (
    'input: "x" input_shape { dim: [2, 3, 6, 6] }\n'
    'layer { name: "c" type: "Convolution" bottom: "x" top: "c"'
    ' convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }\n'
    'layer { name: "r" type: "ReLU" bottom: "c" top: "c" }\n'
    'layer { name: "softmax" type: "Softmax" bottom: "c" top: "prob" }\n'
)
#: A runtime of the name of OpenVINO, which returns, raises or dies.
FAKE = """import os
class Value:
    def __init__(self, *names): self.names = names
    def get_names(self): return set(self.names)
class Model:
    inputs = [Value("x", "alias")]
    outputs = [Value("prob")]
    def __call__(self, given):
        %s
class Core:
    def read_model(self, path): %s
    def compile_model(self, model, device, hints): return Model()
__version__ = "1.2.3-456-other"
"""
DIES = "os.abort()"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    net, weights = str(tmp_path / "net.prototxt"), str(tmp_path / "net.caffemodel")
    Path(net).write_text(NET)
    assert run(["weights", "init", net, "--how", "fillers", "-o", weights]) == 0
    return net, weights


def fake(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    folder.mkdir()
    (folder / "openvino.py").write_text(text)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), before))))


@pytest.mark.parametrize(
    ("running", "reading", "words"),
    [
        ("pass", DIES, "openvino 1.2.3 cannot run the model: died by signal 6"),
        (DIES, "pass", "openvino 1.2.3 cannot run the model: died by signal 6"),
        ("raise ValueError('no\\n node')", "pass", "openvino 1.2.3 cannot run the model: no node"),
        ("return {Model.outputs[0]: None}", "pass", "it gives no value for prob"),
    ],
)
def test_a_runtime_that_fails_is_told_in_a_line(
    running: str,
    reading: str,
    words: str,
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake(monkeypatch, tmp_path / "modules", FAKE % (running, reading))
    capsys.readouterr()
    assert run(["verify", *files, "--against", "openvino"]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_after_a_death_the_next_model_has_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "assert set(given) == {'x'}; given['x'][0] != 1 or os.abort();"
        " return {Model.outputs[0]: given['x']}"
    )
    fake(monkeypatch, tmp_path / "modules", FAKE % (body, "pass"))
    (tmp_path / "m.onnx").touch()
    jobs = [
        (str(tmp_path / "m.onnx"), {"x": np.array([n]), "other": np.zeros(1)}) for n in range(3)
    ]
    version, found = outcomes("openvino", jobs)
    assert version == "1.2.3"
    assert [one.state for one in found] == ["done", "running", "done"]
    assert [list(one.values.get("prob", ())) for one in found] == [[0], [], [2]]


def test_one_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import time; time.sleep(60)"
    fake(monkeypatch, tmp_path / "modules", FAKE % (body, "pass"))
    (tmp_path / "m.onnx").touch()
    _, (found,) = outcomes("openvino", [(str(tmp_path / "m.onnx"), {})], seconds=3)
    assert (found.done, found.said) == (False, "was ended after 3 seconds")


def test_what_differs_is_said(
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = "import numpy; return {Model.outputs[0]: numpy.zeros((2, 4, 4, 4), 'float32')}"
    fake(monkeypatch, tmp_path / "modules", FAKE % (body, "pass"))
    assert run(["verify", *files, "--against", "openvino"]) == 1
    assert "prob" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "extra"),
    [("openvino", "openvino"), ("opencv-5", "opencv-5"), ("onnxruntime-gpu", "gpu")],
)
def test_what_is_not_installed_is_said_with_its_extra(
    name: str,
    extra: str,
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake(monkeypatch, tmp_path / "modules", "raise ImportError('none')")
    (tmp_path / "modules" / "cv2.py").write_text("raise ImportError('none')")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    capsys.readouterr()
    assert run(["verify", *files, "--against", name]) == 2
    assert f"pip install 'resnet-proto[{extra}]'" in capsys.readouterr().err


def test_outputs_alone_are_compared(files: tuple[str, str]) -> None:
    graph = api.read_caffe(*files)
    model = api.convert(graph).model
    asked = []

    def compute(given: object, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        asked.append((given, list(inputs)))
        return api.run(graph, inputs)

    verdict = verify(graph, model, compute=compute)
    assert verdict.agrees
    assert [one.blob for one in verdict.comparisons] == ["prob"]
    assert asked[0][1] == ["x"]


@pytest.mark.runtimes
@pytest.mark.parametrize("name", ["openvino", "opencv-5", "opencv-4"])
def test_a_real_runtime_agrees(name: str, files: tuple[str, str], tmp_path: Path) -> None:
    graph = api.read_caffe(*files)
    model = str(tmp_path / "m.onnx")
    assert run(["convert", *files, "-o", model]) == 0
    try:
        computed_by(name)(api.to_onnx(graph), {"x": np.zeros((2, 3, 6, 6), np.float32)})
    except VerificationError as error:
        pytest.skip(error.message)
    assert run(["verify", *files, model, "--against", name]) == 0
    assert run(["verify", *files, "--against", name]) == 0


def test_a_runtime_of_every_name_can_be_asked_for() -> None:
    from prototxt_gen.runtimes import PACKAGES

    assert PACKAGES.keys() == _runtimes.RUNTIMES.keys()
