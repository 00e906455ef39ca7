"""How other programs do on the recorded layers: right, wrong, refused, or no file that loads.

    python benchmarks/others.py prepare WORK      with this package installed
    python benchmarks/others.py caffe-onnx WORK   in an environment with that package
    python benchmarks/others.py opencv WORK       with OpenCV 4, which reads Caffe's files itself
    python benchmarks/others.py resnet-proto WORK

A case is right if each output of Caffe that the program has is within 1e-5 + 1e-4 of the value, and
it has one at least. Inputs and outputs are taken by name, else by their order.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CASES = Path(__file__).parents[1] / "tests/golden/layers"
Blobs = dict[str, Any]


class Refused(Exception):
    """It said that it cannot."""


class Unloadable(Exception):
    """It said that it could, and there is no model, or none that onnxruntime loads."""


def prepare(work: Path) -> None:
    for case in sorted(CASES.iterdir()):
        folder = Path(shutil.copytree(case, work / case.name, dirs_exist_ok=True))
        if not (folder / "net.caffemodel").exists():  # the net alone, for programs that want a file
            words = ["weights", "init", "net.prototxt", "-o", "net.caffemodel"]
            subprocess.run([sys.executable, "-m", "prototxt_gen", *words], cwd=folder, check=True)


def caffe_onnx(folder: Path, inputs: Blobs) -> Blobs:
    tool = str(Path(sys.executable).with_name("caffe2onnx"))
    return by_file([tool, "net.prototxt", "net.caffemodel", "net", "."], folder, inputs)


def resnet_proto(folder: Path, inputs: Blobs) -> Blobs:
    words = ["convert", "net.prototxt", "net.caffemodel", "-o", "net.onnx"]
    return by_file([sys.executable, "-m", "prototxt_gen", *words], folder, inputs)


def by_file(command: list[str], folder: Path, inputs: Blobs) -> Blobs:
    import onnxruntime

    file = folder / "net.onnx"
    file.unlink(missing_ok=True)
    if subprocess.run(command, cwd=folder, capture_output=True, timeout=300).returncode:
        raise Refused
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])
    except Exception as error:
        raise Unloadable from error
    try:
        names = [one.name for one in session.get_inputs()]
        given = {
            name: inputs.get(name, spare).astype(np.float32)
            for name, spare in zip(names, inputs.values(), strict=False)
        }
        outputs = [one.name for one in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, given), strict=True))
    except Exception:  # it loads and does not run, so that no output is right
        return {}


def opencv(folder: Path, inputs: Blobs) -> Blobs:
    import cv2

    try:
        files = (str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
        net = cv2.dnn.readNetFromCaffe(*files)
        for name, value in inputs.items():
            net.setInput(value.astype(np.float32), name)
        names = net.getUnconnectedOutLayersNames()
        return dict(zip(names, net.forward(names), strict=True))
    except cv2.error as error:
        raise Refused from error


def outcome(tool: Callable[[Path, Blobs], Blobs], folder: Path) -> str:
    with np.load(folder / "io.npz") as file:
        found = {name: file[name] for name in file.files}
    inputs = {n.removeprefix("in."): v for n, v in found.items() if n.startswith("in.")}
    wanted = {n.removeprefix("out."): v for n, v in found.items() if n.startswith("out.")}
    try:
        made = tool(folder, inputs)
    except (Refused, Unloadable) as error:
        return type(error).__name__.lower()
    pairs = [(made.get(n), v) for n, v in wanted.items()]
    if len(made) == len(wanted):
        named = zip(wanted.items(), made.values(), strict=True)
        pairs = [(made.get(name, other), value) for (name, value), other in named]
    shown = [(a, b) for a, b in pairs if a is not None]
    close = (
        a.size == b.size and np.allclose(a.reshape(b.shape), b, 1e-4, 1e-5, equal_nan=True)
        for a, b in shown
    )
    return "right" if shown and all(close) else "wrong"


def main(what: str, work: Path) -> None:
    if what == "prepare":
        prepare(work)
        return
    tool = {"caffe-onnx": caffe_onnx, "opencv": opencv, "resnet-proto": resnet_proto}[what]
    counts: Counter[str] = Counter()
    for folder in sorted(work.iterdir()):
        found = outcome(tool, folder)
        counts[found] += 1
        print(f"{found:10} {folder.name}", flush=True)
    print(f"{what}: {counts.total()} cases:", ", ".join(f"{n} {w}" for w, n in counts.items()))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
