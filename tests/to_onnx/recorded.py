"""Recorded cases, as graphs with weights, inputs and what Caffe made of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from prototxt_gen import api
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State

GOLDEN = Path(__file__).parents[1] / "golden"
Array = np.ndarray[Any, np.dtype[Any]]
Blobs = dict[str, Array]


def cases() -> list[Path]:
    """Every case."""
    return sorted(file.parent for file in GOLDEN.glob("*/*/net.prototxt"))


def state(case: Path) -> State:
    """``phase_stage`` was recorded with a stage."""
    return State("TEST", frozenset({"deploy"} if case.name == "phase_stage" else ()))


def graph(case: Path) -> Graph:
    """The net of a case with its weights."""
    weights = case / "net.caffemodel"
    return api.read_caffe(
        case / "net.prototxt", weights if weights.exists() else None, state=state(case)
    )


def blobs(case: Path) -> tuple[Blobs, Blobs]:
    """Inputs and outputs by the names of their blobs."""
    with np.load(case / "io.npz") as found:
        split = [{}, {}]  # type: list[Blobs]
        for name in found.files:
            kind, _, blob = name.partition(".")
            split[kind == "out"][blob] = found[name]
    return split[0], split[1]


def run_onnx(model: bytes | str, inputs: Mapping[str, Array]) -> Blobs:
    """What onnxruntime makes of the inputs that a model has, or the file of one."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    given = {i.name: inputs[i.name].astype(np.float32) for i in session.get_inputs()}
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


def assert_close(
    found: Mapping[str, Array], wanted: Mapping[str, Array], atol: float = 1e-5, rtol: float = 1e-4
) -> None:
    """Equal names, shapes and values."""
    assert set(wanted) <= set(found), (set(wanted), set(found))
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of infinity less infinity
            np.testing.assert_allclose(found[name], value, rtol, atol, err_msg=name)
