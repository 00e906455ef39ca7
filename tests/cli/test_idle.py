"""Options that would change nothing beside others, command by command: refused, with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen.cli import run

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 3, 4, 4] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net, its weights, its model, and an input of it; also in a folder of its own."""
    found = tmp_path_factory.mktemp("idle")
    net, weights = found / "n.prototxt", found / "n.caffemodel"
    net.write_text(NET)
    (found / "s.prototxt").write_text("base_lr: 0.1 max_iter: 10\n")
    np.save(found / "x.npy", np.ones((1, 3, 4, 4), np.float32))
    assert run(["weights", "init", str(net), "--how", "random", "-o", str(weights)]) == 0
    assert run(["convert", str(net), str(weights), "-o", str(found / "n.onnx")]) == 0
    return found


TO_ONNX = "convert n.prototxt n.caffemodel -o made.onnx"
VERIFY = "verify n.prototxt n.caffemodel"
RUN = "run n.prototxt n.caffemodel x.npy"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"{TO_ONNX} --seed 3", "--seed goes with --weights-init"),
        (f"{TO_ONNX} --jobs 2", "--jobs is for a folder, and n.prototxt is one net"),
        (f"{TO_ONNX} --least-cosine 1", "--least-cosine goes with --fp16 or --int8"),
        (f"{TO_ONNX} --image-input data", "--image-input names the input to preprocess; nothing"),
        ("convert n.onnx -o made.prototxt --jobs 2", "--jobs is for a folder, and n.onnx is"),
        ("convert n.onnx -o made.prototxt --no-fold", "--no-fold is for a Caffe net"),
        ("convert n.onnx -o made.prototxt --labels x", "--labels is for a Caffe net"),
        (f"{VERIFY} n.onnx --all --json", "--all changes nothing with --json"),
        (f"{VERIFY} n.onnx --input x.npy --seed 3", "--seed goes with random inputs or"),
        (f"{VERIFY} n.onnx --against openvino --provider X", "--provider changes nothing with"),
        (f"{VERIFY} --against opencv --outputs conv", "--outputs is for an ONNX model"),
        (f"{VERIFY} --against caffe --losses drop", "--losses is for an ONNX model"),
        (f"{VERIFY} --against opencv-4 --map a=b", "--map is for a net and the model that it"),
        ("verify n.onnx n.prototxt n.caffemodel --weights-init zeros", "--weights-init is for a"),
        (f"{RUN} --seed 3", "--seed goes with --weights-init"),
        (f"{RUN} --provider CPUExecutionProvider", "--provider is for an ONNX model"),
        (f"{RUN} --mean 1,2,3", "--mean is for images; a .npy goes in as it is"),
        (f"{RUN} --channel-order rgb", "--channel-order is for images"),
        ("summary n.prototxt --columns name --json", "--columns changes nothing with --format"),
        ("draw n.prototxt --compact --blocks", "--blocks changes nothing with --compact"),
        ("diff n.prototxt n.prototxt --all --json", "--all changes nothing with --json"),
        ("diff s.prototxt s.prototxt --phase TEST", "a SolverParameter has no phase or stage"),
        ("doctor n.prototxt --all --json", "--all changes nothing with --format json"),
        ("doctor n.onnx --map a=b", "--map is for a Caffe net, and n.onnx is none"),
        ("report n.prototxt n.prototxt --map a=b", "--map is for a net and its WEIGHTS"),
        ("report n.onnx --map a=b", "--map is for a Caffe net, and n.onnx is none"),
        ("fold n.prototxt n.caffemodel -o made.prototxt --seed 2", "--seed goes with --weights"),
        ("weights export n.caffemodel -o a.npz --phase TEST", "--phase goes with NET"),
        ("weights export n.caffemodel -o a.npz --map a=b", "--map goes with NET"),
        ("validate n.prototxt --weights n.caffemodel --jobs 2", "--jobs changes nothing with"),
        ("gen --list --depth 18", "--depth changes nothing with --list"),
        ("gen --list resnet -o made", "-o changes nothing with --list"),
        ("gen resnet18 --json", "--json goes with --list"),
        ("gen resnet18 --print-spec --templates pycaffe", "--templates changes nothing with"),
    ],
)
def test_an_option_that_changes_nothing_is_refused(
    words: str,
    message: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    assert run(words.split()) == 2
    out, err = capsys.readouterr()
    assert message in err and not out
    assert not list(folder.glob("made*"))


@pytest.mark.parametrize(
    "words",
    [
        f"{TO_ONNX} --weights-init zeros --seed 3",
        f"{VERIFY} n.onnx --input x.npy --weights-init zeros --seed 3",
        f"{VERIFY} --against opencv-4 n.onnx",
        f"{RUN} --weights-init zeros --seed 3",
        "summary n.prototxt --columns name --format csv",
        "gen --list resnet10 --json",
        "weights export n.caffemodel n.prototxt -o a.npz --phase TEST",
    ],
)
def test_what_it_needs_is_enough(
    words: str, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder)
    if "opencv" in words:
        pytest.importorskip("cv2", reason="OpenCV is not installed")
    assert run(words.replace("made.onnx", str(tmp_path / "made.onnx")).split()) == 0
