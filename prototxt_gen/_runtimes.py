"""A process in which a runtime computes ONNX models: some models kill it, and then no more.

``python -m prototxt_gen._runtimes RUNTIME FOLDER START`` reads ``jobs.json``, a list of the file
of a model, the names of its inputs, and the npz file of their values, in that order. From job
START on it writes the outputs of each into ``out-N.npz``, and lines into ``states.jsonl``:
``[N, state, what more there is to say]``, at the end the names of the outputs. A first line
without a job has the version.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

STARTING, LOADING, RUNNING = "starting", "loading", "running"
DONE, MISSING, REFUSED, FAILED = "done", "missing", "refused", "failed"

Values = dict[str, Any]
#: Loads the model of a file; what it returns computes outputs from inputs.
Load = Callable[[str], Callable[[Mapping[str, Any]], Values]]


def onnxruntime() -> tuple[str, Load]:
    """The version, and how a model is loaded, with all optimizations as a user has them."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1

    def load(path: str) -> Callable[[Mapping[str, Any]], Values]:
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        return lambda given: dict(zip(names, session.run(names, dict(given)), strict=True))

    return ort.__version__, load


def openvino() -> tuple[str, Load]:
    """OpenVINO on the CPU, in float32, which it may otherwise give up for speed."""
    import openvino as ov

    core = ov.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}

    def load(path: str) -> Callable[[Mapping[str, Any]], Values]:
        model = core.compile_model(core.read_model(path), "CPU", hints)
        # One that is only reshaped has the name of what it becomes too.
        inputs = {name for value in model.inputs for name in value.get_names()}

        def run(given: Mapping[str, Any]) -> Values:
            found = model({name: value for name, value in given.items() if name in inputs})
            return {name: found[one] for one in model.outputs for name in one.get_names()}

        return run

    return str(ov.__version__).partition("-")[0], load


def _opencv(major: int, engine: str | None) -> tuple[str, Load]:
    import cv2

    if int(cv2.__version__.partition(".")[0]) != major:
        raise ImportError(f"OpenCV {cv2.__version__} is installed")
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

    def load(path: str) -> Callable[[Mapping[str, Any]], Values]:
        more = () if engine is None else (getattr(cv2.dnn, engine),)
        net = cv2.dnn.readNetFromONNX(path, *more)
        names = _outputs(path)

        def run(given: Mapping[str, Any]) -> Values:
            for name, value in given.items():
                net.setInput(value, name)
            return dict(zip(names, net.forward(names), strict=True))

        return run

    return cv2.__version__, load


def _outputs(path: str) -> list[str]:
    """The names of a model's outputs, which OpenCV does not tell."""
    import onnx

    return [value.name for value in onnx.load(path, load_external_data=False).graph.output]


def tract() -> tuple[str, Load]:
    """tract, which orders inputs and outputs and gives them no names."""
    from importlib.metadata import version

    import numpy as np
    import onnx
    import tract as t

    def load(path: str) -> Callable[[Mapping[str, Any]], Values]:
        graph = onnx.load(path, load_external_data=False).graph
        made = {value.name for value in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in made]
        model = t.onnx().load(path).into_model().into_runnable()

        def run(given: Mapping[str, Any]) -> Values:
            found = model.run([np.asarray(given[name], order="C") for name in inputs])
            names = [value.name for value in graph.output]
            return {k: value.to_numpy() for k, value in zip(names, found, strict=True)}

        return run

    return version("tract"), load


def reference() -> tuple[str, Load]:
    """The implementation by which ONNX tests others."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    def load(path: str) -> Callable[[Mapping[str, Any]], Values]:
        session = ReferenceEvaluator(onnx.load(path))
        names = list(session.output_names)
        return lambda given: dict(zip(names, session.run(names, dict(given)), strict=True))

    return onnx.__version__, load


RUNTIMES: dict[str, Callable[[], tuple[str, Load]]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "opencv-4": lambda: _opencv(4, None),
    "opencv-5": lambda: _opencv(5, "ENGINE_NEW"),
    "opencv-5-classic": lambda: _opencv(5, "ENGINE_CLASSIC"),
    "tract": tract,
    "onnx-reference": reference,
}


def main(runtime: str, folder: Path, start: int) -> None:
    """Compute the jobs of a folder, from one on."""
    import numpy as np

    with (folder / "states.jsonl").open("a", encoding="utf-8") as states:

        def tell(job: int | None, state: str, more: object = None) -> None:
            states.write(json.dumps([job, state, more]) + "\n")
            states.flush()

        try:
            version, load = RUNTIMES[runtime]()
        except ImportError as error:
            return tell(None, MISSING, str(error))
        tell(None, STARTING, version)
        jobs = json.loads((folder / "jobs.json").read_text("utf-8"))
        for number in range(start, len(jobs)):
            model, names, inputs = jobs[number]
            tell(number, LOADING)
            state = REFUSED
            try:
                with np.load(inputs) as values:
                    given = {name: values[f"arr_{i}"] for i, name in enumerate(names)}
                run = load(model)
                tell(number, RUNNING)
                state = FAILED
                found = {name: np.asarray(value) for name, value in run(given).items()}
                if nothing := [name for name, value in found.items() if value.dtype == object]:
                    raise ValueError(f"it gives no value for {', '.join(nothing)}")
                np.savez(folder / f"out-{number}.npz", *found.values())
            except Exception as error:
                tell(number, state, str(error) or type(error).__name__)
            else:
                tell(number, DONE, list(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
