"""ONNX models in the runtimes that are installed: each in a process of its own, which may die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from prototxt_gen import _runtimes
from prototxt_gen.engines import end_of, saved
from prototxt_gen.errors import VerificationError

Array = np.ndarray[Any, np.dtype[Any]]
Values = Mapping[str, Array]  #: by name

GPU = "CUDAExecutionProvider"  #: of onnxruntime
#: What to install for each runtime.
PACKAGES = {
    "onnxruntime": "'resnet-proto[verify]'",
    "openvino": "'resnet-proto[openvino]'",
    "opencv-4": "'resnet-proto[opencv-4]'",
    "opencv-5": "'resnet-proto[opencv-5]'",
    "opencv-5-classic": "'resnet-proto[opencv-5]'",
    "tract": "tract",
    "onnx-reference": "onnx",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a model: the state it was left in, and its outputs if that is ``done``."""

    state: str  #: loading or running where the process died, else refused, failed or done
    said: str = ""  #: what the runtime said, or how it died
    values: Mapping[str, Array] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether the runtime has computed the model."""
        return self.state == _runtimes.DONE


Job = tuple[str, Mapping[str, Array]]  #: the file of a model, and its inputs by name


def computed_by(runtime: str) -> Callable[[onnx.ModelProto, Mapping[str, Array]], Values]:
    """How a runtime computes a model: a function that raises VerificationError where it cannot."""

    def compute(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Values:
        made = {tensor.name for tensor in model.graph.initializer}
        given = {
            value.name: np.asarray(inputs[value.name], _dtype(value))
            for value in model.graph.input
            if value.name not in made
        }
        with tempfile.TemporaryDirectory(prefix="verify-") as folder:
            version, (found,) = outcomes(runtime, [(saved(model, folder), given)])
        if not found.done:
            words = f"{runtime} {version} cannot run the model: {found.said}"
            raise VerificationError(words)
        return found.values

    return compute


def _dtype(value: onnx.ValueInfoProto) -> np.dtype[Any]:
    return onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)


def need_gpu() -> None:
    """Raise VerificationError where onnxruntime has no GPU, with what to install."""
    try:
        import onnxruntime

        known = onnxruntime.get_available_providers()
    except ImportError:
        known = []
    if GPU not in known:
        raise VerificationError(
            f"onnxruntime has no {GPU} here: pip install 'resnet-proto[gpu]', and a GPU"
        )


def outcomes(
    runtime: str, jobs: Sequence[Job], *, seconds: float | None = None
) -> tuple[str, list[Outcome]]:
    """The version of a runtime, and what becomes of each job.

    One that kills the process, or takes more than ``seconds`` together with those before it,
    is said to, and the next one has a new process. Raises VerificationError where the runtime is
    not installed.
    """
    with tempfile.TemporaryDirectory(prefix="runtime-") as name:
        folder, version = Path(name), ""
        asked = []
        for number, (model, inputs) in enumerate(jobs):
            path = folder / f"in-{number}.npz"
            np.savez(path, *inputs.values())
            asked.append((os.path.abspath(model), list(inputs), str(path)))
        (folder / "jobs.json").write_text(json.dumps(asked), "utf-8")
        found: list[Outcome] = []
        while len(found) < len(jobs):
            version, more = _in_a_process(runtime, folder, len(found), seconds)
            found += more
        return version, found


def _in_a_process(
    runtime: str, folder: Path, start: int, seconds: float | None
) -> tuple[str, list[Outcome]]:
    """The version, and the outcomes from a job on up to the first that ends the process."""
    states = folder / "states.jsonl"
    states.unlink(missing_ok=True)
    # -P: nothing of the working folder is imported.
    command = [sys.executable, "-P", "-m", _runtimes.__name__, runtime, str(folder), str(start)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds
        )
        end = end_of(done)
    except subprocess.TimeoutExpired:
        end = f"was ended after {seconds:g} seconds"
    lines = states.read_text("utf-8").splitlines() if states.exists() else []
    told = [json.loads(line) for line in lines]
    if not told:
        raise VerificationError(f"{runtime} {end} while starting")
    _, state, version = told[0]
    if state == _runtimes.MISSING:
        raise VerificationError(
            f"{runtime} is not installed ({version}): pip install {PACKAGES[runtime]}"
        )
    # One that the process died of is left in the state it was in.
    last = {number: (state, more) for number, state, more in told[1:]}
    return version, [_outcome(folder, number, *last[number], end) for number in sorted(last)]


def _outcome(folder: Path, number: int, state: str, more: Any, end: str) -> Outcome:
    if state == _runtimes.DONE:
        with np.load(folder / f"out-{number}.npz") as values:
            return Outcome(state, "", {k: values[f"arr_{i}"] for i, k in enumerate(more)})
    return Outcome(state, end if more is None else " ".join(str(more).split()))
