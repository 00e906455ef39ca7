"""The example that carries a trained LeNet from the files of its training to Triton's folder."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest

EXAMPLE = Path(__file__).parents[1] / "examples" / "lenet.py"
WEIGHTS = "ethereon+caffe-tensorflow/examples/mnist/lenet_iter_10000.caffemodel"
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
CONFIG = """
    name: "lenet" backend: "onnxruntime" max_batch_size: 8
    input { name: "data" data_type: TYPE_UINT8 dims: [1, 28, 28] }
    output { name: "prob" data_type: TYPE_FP32 dims: [10] label_filename: "labels.txt" }
    dynamic_batching { }
"""


class Carried(NamedTuple):
    """What the program was given, made and printed; and the digits that it drew."""

    net: Path
    weights: Path
    folder: Path
    told: str
    digits: Any


@pytest.fixture(scope="module")
def files(corpus: Path) -> tuple[Path, Path]:
    """The net of the training, and what it learned."""
    pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    found = corpus / "BVLC+caffe/examples/mnist/lenet_train_test.prototxt", corpus / WEIGHTS
    for path in found:
        if not path.is_file():
            pytest.skip(f"no trained LeNet: {path} is not there")
    return found


@pytest.fixture(scope="module")
def carried(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Carried:
    folder = tmp_path_factory.mktemp("lenet") / "made"
    done = subprocess.run(
        [sys.executable, EXAMPLE, *files, "-o", folder], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    draw = runpy.run_path(str(EXAMPLE))["draw"]
    digits = np.concatenate([draw(), draw(lean=0.1, right=-2)])
    return Carried(*files, folder, done.stdout + done.stderr, digits)


def served(folder: Path) -> onnxruntime.InferenceSession:
    model = folder / "models" / "lenet" / "1" / "model.onnx"
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def test_the_model_that_is_served_reads_the_digits(carried: Carried) -> None:
    session = served(carried.folder)
    labels = (carried.folder / "models/lenet/labels.txt").read_text().split()
    assert labels == NAMES
    assert carried.digits.dtype == np.uint8 and carried.digits.shape == (20, 1, 28, 28)
    for batch in (1, 3, 20):
        (scores,) = session.run(["prob"], {"data": carried.digits[:batch]})
        assert [labels[i] for i in scores.argmax(1)] == (NAMES * 2)[:batch]


def test_the_folder_is_as_triton_wants_it(carried: Carried) -> None:
    models = carried.folder / "models"
    assert {str(path.relative_to(models)) for path in models.rglob("*") if path.is_file()} == {
        "lenet/config.pbtxt",
        "lenet/labels.txt",
        "lenet/1/model.onnx",
    }
    assert (models / "lenet/config.pbtxt").read_text().split() == CONFIG.split()
    session = served(carried.folder)
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("data", "tensor(uint8)", [1, 28, 28])
    assert (answer.name, answer.type, answer.shape[1:]) == ("prob", "tensor(float)", [10])
    assert isinstance(given.shape[0], str) and given.shape[0] == answer.shape[0]


def test_opencv_computes_the_same_of_scaled_bytes(carried: Carried) -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
    if int(cv2.__version__.split(".")[0]) > 4:
        pytest.skip("OpenCV 5 does not read Caffe's nets")
    theirs = cv2.dnn.readNetFromCaffe(str(carried.folder / "deploy.prototxt"), str(carried.weights))
    session = served(carried.folder)
    for scaled in (True, False):
        x = carried.digits.astype(np.float32)
        theirs.setInput(x / 256 if scaled else x)
        wanted = theirs.forward("prob")
        if scaled:
            (found,) = session.run(["prob"], {"data": carried.digits})
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
        else:
            # What the program says of the net without its scale, by another reader of it.
            wrong = np.flatnonzero(wanted.argmax(1) != np.arange(20) % 10)
            assert wrong.tolist() == [16] and wanted[16].argmax() == 8
            assert wanted.max(1).min() > 0.999


def test_the_program_tells_what_happens(carried: Carried) -> None:
    for words in (
        "'data' became an input; its transform is left to you: scale 0.00390625",
        "takes uint8 batchx1x28x28; in the model: uint8 to float32, then times 0.00390625",
        "8 blobs agree, with batch 100 and with batch 101",
        "data: TYPE_UINT8 [1, 28, 28], at most 8 at once",
        "with the scale: 0 of 20 wrong",
        "without it: 1 of 20 wrong, the least sure answer at 1.000\n"
        "  a six is taken for eight: 1.000",
    ):
        assert words in carried.told


def test_what_is_no_lenet_is_refused_and_nothing_is_made(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, weights = map(str, files)
    other = tmp_path / "other.prototxt"
    other.write_text(files[0].read_text().replace("num_output: 20", "num_output: 32"))
    folder = tmp_path / "made"
    for given, words in (
        ((net, str(tmp_path / "none.caffemodel")), r"none\.caffemodel: No such file"),
        ((net, net), "this is a text file; expected a caffemodel"),
        (
            (str(other), weights),
            r"other\.prototxt:36:1: .* 'conv1': weight 0 is 20x1x5x5 in the file",
        ),
        ((net, weights, "-o", str(other)), r"other\.prototxt: File exists"),
    ):
        monkeypatch.setattr("sys.argv", ["lenet.py", "-o", str(folder), *given])
        with pytest.raises(SystemExit, match=words):
            runpy.run_path(str(EXAMPLE), run_name="__main__")
        assert not folder.exists()
