"""Other programs that compute a net or a model: onnxruntime, OpenCV, Caffe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from prototxt_gen import _opencv
from prototxt_gen._limits import threads
from prototxt_gen.errors import ParseError, VerificationError
from prototxt_gen.from_onnx.files import read
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.passes.preprocessing import held
from prototxt_gen.to_onnx.write import LARGEST_MODEL

Array = np.ndarray[Any, np.dtype[Any]]


def load(path: str) -> onnx.ModelProto:
    """An ONNX model with its weights; raises VerificationError if it cannot be loaded."""
    try:
        model = read(path)
    except ParseError as error:
        raise VerificationError(error.message) from error
    if not model.graph.node:
        raise VerificationError(f"{path}: not an ONNX model, or a model without nodes")
    return model


def onnx_values(
    model: onnx.ModelProto, names: Sequence[str], inputs: Mapping[str, Array], provider: str
) -> dict[str, Array]:
    """Values of a model, computed without optimizations, which would remove their names."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    session = open_session(with_outputs(whole, names), provider, plain=True)
    return session_values(session, names, inputs)


def with_outputs(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """The model itself, with more outputs."""
    present = {value.name for value in model.graph.output}
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in present
    )
    return model


def open_session(model: onnx.ModelProto, provider: str, *, plain: bool) -> Any:
    """A session of onnxruntime, ``plain`` without optimizations; the model is used up."""
    try:
        import onnxruntime
    except ImportError:
        raise VerificationError(
            "onnxruntime is not installed: pip install 'resnet-proto[verify]'"
        ) from None
    if provider not in onnxruntime.get_available_providers():
        available = ", ".join(onnxruntime.get_available_providers())
        raise VerificationError(f"onnxruntime has no {provider} here; it has {available}")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads()
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        with _given_to_onnxruntime(model) as given:
            return onnxruntime.InferenceSession(given, options, providers=[provider])
    except Exception as error:
        raise VerificationError(f"onnxruntime cannot run the model: {error}") from error


def session_values(
    session: Any, names: Sequence[str], inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """Values of a session by name; raises VerificationError."""
    try:
        given = {
            value.name: held(inputs[value.name], _dtype(value.type), value.name)
            for value in session.get_inputs()
        }
        return dict(zip(names, session.run(list(names), given), strict=True))
    except VerificationError:  # of a value that an input cannot hold
        raise
    except Exception as error:
        raise VerificationError(f"onnxruntime cannot run the model: {error}") from error


def _dtype(type: str) -> np.dtype[Any]:
    """The numbers of a type such as tensor(float)."""
    name = type.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(name, name))


@contextmanager
def _given_to_onnxruntime(model: onnx.ModelProto) -> Iterator[bytes | str]:
    """The bytes of a model, or a file where a message cannot hold it; the model is used up."""
    if _size(model) <= LARGEST_MODEL:
        yield model.SerializeToString()
        return
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        yield saved(model, folder)


def saved(model: onnx.ModelProto, folder: str) -> str:
    """The file of a model in a folder, with its weights beside it where a message is too small."""
    path = os.path.join(folder, "model.onnx")
    beside = _size(model) > LARGEST_MODEL
    onnx.save_model(model, path, save_as_external_data=beside, location="model.onnx.data")
    return path


def _size(model: onnx.ModelProto) -> int:
    """The bytes of a model's initializers, by their shapes: no number is copied to count it."""
    return sum(
        prod(tensor.dims) * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for tensor in model.graph.initializer
    )


def against_opencv(
    net: str, weights: str, graph: Graph, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """The outputs that OpenCV's dnn computes for a net, by name.

    OpenCV knows layers but not blobs: an output is a top of the last layer that writes it.
    It has a process of its own, since some nets kill it.
    """
    places = {blob: _in_opencv(blob, node, index) for blob, node, index in made_outputs(graph)}
    read = {ref.blob for node in graph.nodes for ref in node.bottoms}
    layers = list(dict.fromkeys(layer for layer, _ in places.values()))
    known = {name: value for name, value in inputs.items() if name in read}  # it takes no others
    tops = dict(zip(layers, _in_a_process(net, weights, known, layers), strict=True))
    for blob, (layer, index) in places.items():
        if index >= len(tops[layer]):
            raise VerificationError(f"OpenCV returns the tops of layer {layer!r} without {blob!r}")
    return {blob: np.asarray(tops[layer][index]) for blob, (layer, index) in places.items()}


def _in_a_process(
    net: str, weights: str, inputs: Mapping[str, Array], layers: Sequence[str]
) -> list[list[Array]]:
    """The tops of each layer; raises VerificationError, also where OpenCV dies."""
    asked = {"net": net, "weights": weights, "inputs": list(inputs), "layers": list(layers)}
    with tempfile.TemporaryDirectory(prefix="verify-") as name:
        folder = Path(name)
        (folder / "ask.json").write_text(json.dumps(asked), "utf-8")
        np.savez(folder / "inputs.npz", *inputs.values())
        # -P: nothing of the working folder is imported.
        command = [sys.executable, "-P", "-m", _opencv.__name__, name]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
        at = folder / "state"
        told: tuple[str, Any] = ("starting", None)
        state, more = json.loads(at.read_text("utf-8")) if at.exists() else told
        if state == _opencv.MISSING:
            words = "OpenCV 4 is not installed: pip install 'resnet-proto[opencv-4]'"
            raise VerificationError(words)
        if state == _opencv.REFUSED:
            raise VerificationError(f"OpenCV cannot run the net: {' '.join(more.split())}")
        if state != _opencv.DONE:  # the code may be that of a crash after the work
            raise VerificationError(f"OpenCV {end_of(done)} while {state} the net")
        with np.load(folder / "tops.npz") as values:
            every = iter([values[f"arr_{i}"] for i in range(sum(more))])
            return [[next(every) for _ in range(number)] for number in more]


def end_of(done: subprocess.CompletedProcess[bytes]) -> str:
    """How a process ended that failed."""
    if done.returncode < 0:
        return f"died by signal {-done.returncode}"
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"failed with code {done.returncode} ({last})"


def _in_opencv(blob: str, node: Node, index: int) -> tuple[str, int]:
    """OpenCV's name of the layer that makes a blob, and the index of the top.

    A Convolution becomes a layer for each top, named after it, and a Split has one top
    (caffe_importer.cpp, populateNet).
    """
    if node.type == "Convolution":
        return blob, 0
    return node.name, 0 if node.type == "Split" else index


def made_outputs(graph: Graph) -> list[tuple[str, Node, int]]:
    """The outputs that a layer makes: the blob, its layer, and which top it is.

    An input that no layer reads does not count. Raises VerificationError if there is none.
    """
    wanted, inputs = set(graph.outputs), set(graph.inputs)
    found = [
        (top.blob, node, index)
        for node in graph.nodes
        for index, top in enumerate(node.tops)
        if top in wanted and top not in inputs
    ]
    if not found:
        raise VerificationError(
            "the net has no output that a layer makes, so nothing can be compared"
        )
    return found


def against_caffe(
    net: str, weights: str, graph: Graph, inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """The outputs that pycaffe computes for a net, by name, each with its last value."""
    try:
        import caffe
    except ImportError:
        raise VerificationError("pycaffe is not installed") from None
    outputs = made_outputs(graph)
    loaded = caffe.Net(net, weights, caffe.TEST)
    for name, value in inputs.items():
        loaded.blobs[name].reshape(*value.shape)
        loaded.blobs[name].data[...] = value
    loaded.forward()
    return {blob: np.array(loaded.blobs[blob].data) for blob, _, _ in outputs}
