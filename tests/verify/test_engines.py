"""Nets against OpenCV, which knows layers, and against Caffe, which knows blobs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from to_onnx.recorded import GOLDEN, Array, assert_close, blobs, cases, graph

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.engines import against_caffe, against_opencv
from prototxt_gen.errors import VerificationError
from prototxt_gen.graph.comparison import fitted

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 4, 3, 3] } } }\n'
OTHER = INPUT.replace('"in"', '"in2"').replace('"x"', '"y"')
SLICE = (
    'layer { name: "%s" type: "Slice" bottom: "x" top: "a" top: "b"'
    " slice_param { axis: 1 slice_point: 1 } }\n"
)
RELU = 'layer { name: "r" type: "ReLU" bottom: "%s" top: "%s" }\n'
#: OpenCV names a Convolution by its top.
CONV = (
    'layer { name: "c1" type: "Convolution" bottom: "x" top: "k"'
    " convolution_param { num_output: 2 kernel_size: 1 } }\n"
)
#: Recorded nets that OpenCV computes as Caffe does. Others it refuses or knows an option less
#: of, and some of those may kill it.
READ = (
    *("graphs/[!p]*", "graphs/phase_stage", "forks/roipool*", "forks/permute", "forks/shuffle_3"),
    *(
        "layers/absval",
        "layers/batchnorm",
        "layers/concat",
        "layers/concat_neg",
        "layers/conv[0-9]",
    ),
    *(
        "layers/conv_shared",
        "layers/conv_two_tops",
        "layers/crop*",
        "layers/deconv0",
        "layers/elt*",
    ),
    *("layers/flatten*", "layers/ip", "layers/ip_axis", "layers/lrn", "layers/pool[0-5]_*"),
    *("layers/pool_mask", "layers/pool_mask_ties*", "layers/power*", "layers/prelu*"),
    *("layers/relu*", "layers/scale", "layers/silence", "layers/slice", "layers/slice_axis*"),
    *(
        "layers/softmax",
        "layers/softmax_*",
        "layers/split",
        "layers/shared_weight_own_bias",
        "layers/tanh",
    ),
)
KNOWN = [case for case in cases() if any(case.match(pattern) for pattern in READ)]


@pytest.fixture
def cv2() -> Any:
    return pytest.importorskip("cv2", reason="opencv-python-headless is not installed")


def written(folder: Path, text: str) -> tuple[str, str]:
    net, model = str(folder / "net.prototxt"), str(folder / "net.caffemodel")
    Path(net).write_text(text)
    assert run(["weights", "init", net, "--how", "random", "-o", model]) == 0
    return net, model


NETS = {
    "in place at the end": INPUT + RELU % ("x", "z") + RELU.replace('"r"', '"q"') % ("z", "z"),
    "over the input": INPUT + RELU % ("x", "x"),
    "a top of another name": INPUT
    + 'layer { name: "softmax" type: "Softmax" bottom: "x" top: "prob" }',
    "a top of the name of another layer": (
        INPUT + RELU % ("x", "s") + 'layer { name: "s" type: "Sigmoid" bottom: "x" top: "r" }'
    ),
    "two tops": INPUT + SLICE % "cut",
    "the second top alone": INPUT + SLICE % "cut" + RELU % ("a", "c"),
    "two tops of a layer with dots": INPUT + SLICE % "layer1.0" + RELU % ("a", "a"),
    "a convolution": INPUT + CONV + RELU % ("x", "c"),
    "in place over a convolution": INPUT + CONV + RELU % ("k", "k"),
    "a split": INPUT + 'layer { name: "s" type: "Split" bottom: "x" top: "a" top: "b" }',
    "an input that nobody reads": INPUT + OTHER + RELU % ("x", "z"),
}


@pytest.mark.parametrize("text", NETS.values(), ids=list(NETS))
def test_outputs_are_found_by_the_layers_that_make_them(
    cv2: Any, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, model = written(tmp_path, text)
    assert run(["verify", net, model, "--against", "opencv", "--all"]) == 0
    out = capsys.readouterr().out.splitlines()[1:]
    loaded = api.load(net)
    made = [ref.blob for ref in loaded.outputs if ref not in loaded.inputs]
    assert [line.split()[0] for line in out] == made


def test_two_inputs_of_one_layer_are_both_given(cv2: Any, tmp_path: Path) -> None:
    both = (
        'input: "x" input: "y" input_shape { dim: [1, 4, 3, 3] } input_shape { dim: [1, 4, 3, 3] }'
        'layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "z" }'
    )
    assert run(["verify", *written(tmp_path, both), "--against", "opencv"]) == 0


def test_a_net_that_differs_is_called_so(cv2: Any, tmp_path: Path) -> None:
    net, model = written(tmp_path, NETS["the second top alone"])
    loaded = api.load(net)
    x = {"x": np.random.default_rng(0).normal(size=(1, 4, 3, 3)).astype(np.float32)}
    found = against_opencv(net, model, loaded, x)
    assert list(found) == ["b", "c"]
    np.testing.assert_allclose(found["b"], x["x"][:, 1:])
    np.testing.assert_allclose(found["c"], np.maximum(x["x"][:, :1], 0))


def test_a_net_without_an_output_cannot_be_compared(
    cv2: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, model = written(tmp_path, INPUT)
    assert run(["verify", net, model, "--against", "opencv"]) == 2
    assert "no output" in capsys.readouterr().err


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: f"{case.parent.name}/{case.name}")
def test_what_opencv_reads_agrees_with_what_caffe_gave(cv2: Any, case: Path) -> None:
    given, wanted = blobs(case)
    weights = case / "net.caffemodel"
    model = str(weights) if weights.exists() else ""
    found = against_opencv(str(case / "net.prototxt"), model, graph(case), given)
    assert set(found) == set(wanted)
    same = {name: fitted(found[name], own.shape) for name, own in wanted.items()}
    assert_close(same, wanted, 1e-4, 1e-3)


def test_what_opencv_refuses_is_said(cv2: Any) -> None:
    case = GOLDEN / "layers" / "argmax"
    with pytest.raises(VerificationError, match="OpenCV cannot run the net"):
        against_opencv(str(case / "net.prototxt"), "", graph(case), blobs(case)[0])


FAKE = """import os, signal
class error(Exception): pass
class Net:
    def setInput(self, *given): pass
    def forwardAndRetrieve(self, layers): %s
class dnn:
    def readNetFromCaffe(net, weights): %s
"""
KILL = "os.kill(os.getpid(), signal.%s)"


@pytest.mark.parametrize(
    ("running", "reading", "words"),
    [
        ("pass", KILL % "SIGSEGV", "OpenCV died by signal 11 while reading the net"),
        (KILL % "SIGSEGV", "return Net()", "OpenCV died by signal 11 while running the net"),
        ("os.abort()", "return Net()", "OpenCV died by signal 6 while running the net"),
        ("raise error('no\\nlayer')", "return Net()", "OpenCV cannot run the net: no layer"),
        (
            "raise KeyError('x')",
            "return Net()",
            "OpenCV failed with code 1 (KeyError: 'x') while running the net",
        ),
    ],
)
def test_an_opencv_that_dies_is_told_in_a_line(
    running: str,
    reading: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "cv2.py").write_text(FAKE % (running, reading))
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), before))))
    net, model = written(tmp_path, NETS["two tops"])
    capsys.readouterr()
    assert run(["verify", net, model, "--against", "opencv"]) == 2
    assert capsys.readouterr().err == f"error: {words}\n"


def test_an_opencv_that_dies_after_its_work_has_done_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    dies = "import atexit, numpy; atexit.register(os._exit, 3); "
    tops = "return [[numpy.zeros((1, n, 3, 3)) for n in (1, 3)]]"
    (folder / "cv2.py").write_text(FAKE % (dies + tops, "return Net()"))
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), before))))
    assert run(["verify", *written(tmp_path, NETS["two tops"]), "--against", "opencv"]) == 1
    assert "differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shape", "wanted", "fits"),
    [
        ((2, 10, 1, 1), (2, 10), True),
        ((1, 2, 3), (2, 3, 1), True),
        ((3, 2), (2, 3), False),
        ((6,), (2, 3), False),
    ],
)
def test_only_axes_of_1_may_be_more_or_fewer(
    shape: tuple[int, ...], wanted: tuple[int, ...], fits: bool
) -> None:
    assert (fitted(np.zeros(shape, np.float32), wanted).shape == wanted) is fits


def test_caffe_is_asked_for_blobs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    class Blob:
        def __init__(self, value: Array) -> None:
            self.data = value

        def reshape(self, *shape: int) -> None:
            self.data = np.zeros(shape, np.float32)

    class Blobs(dict[str, Blob]):
        def __getitem__(self, name: str) -> Blob:
            asked.append(name)
            return super().__getitem__(name)

    names = Blobs({name: Blob(np.zeros((1, 4, 3, 3), np.float32)) for name in ("x", "y", "z")})
    caffe: Any = ModuleType("caffe")
    caffe.TEST = 1
    caffe.Net = lambda *_: SimpleNamespace(blobs=names, forward=lambda: None)
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    loaded = api.load(written(tmp_path, NETS["an input that nobody reads"])[0])
    x = {name: np.ones((1, 4, 3, 3), np.float32) for name in ("x", "y")}
    assert list(against_caffe("net", "weights", loaded, x)) == ["z"]
    assert "r" not in asked
