"""A model into a file, after it has passed the checker and loads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import onnx
from onnx import external_data_helper

from prototxt_gen._files import whole_file
from prototxt_gen.errors import VerificationError

#: protobuf has no message of more bytes than this.
LARGEST_MODEL = 2**31 - 1 - (1 << 20)


def write_model(
    model: onnx.ModelProto, path: str | os.PathLike[str], *, external_data: bool = False
) -> list[str]:
    """Check a model and write it; the names of the files.

    Weights go into ``<path>.data`` beside it where they are asked for there, or are more
    than a file of protobuf may have. Raises VerificationError where the model does not pass
    the checker or onnxruntime, and OSError; nothing is written then.
    """
    target = Path(path)
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    external = external_data or size > LARGEST_MODEL
    if not external:
        data = model.SerializeToString(deterministic=True)
        check(model, data)
        with whole_file(target) as file:
            file.write(data)
        return [str(target)]
    beside = Path(f"{target}.data")
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as folder:
        made, data_file = Path(folder, target.name), Path(folder, beside.name)
        _move_weights(model, data_file)
        made.write_bytes(model.SerializeToString(deterministic=True))
        check_file(made)
        os.replace(data_file, beside)
        os.replace(made, target)
    return [str(target), str(beside)]


def _move_weights(model: onnx.ModelProto, path: Path) -> None:
    """Write the weights of a model one behind the other, and leave their places in it."""
    with path.open("wb") as file:
        for tensor in model.graph.initializer:
            raw = tensor.raw_data
            offset = file.tell()
            file.write(raw)
            external_data_helper.set_external_data(tensor, path.name, offset, len(raw))
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL


def check(model: onnx.ModelProto, data: bytes) -> None:
    """Raise VerificationError where a model does not pass; that is a bug of ours."""
    try:
        onnx.checker.check_model(model, full_check=True)
        _load(data)
    except Exception as error:
        raise VerificationError(f"the model that was made does not load: {error}") from error


def check_file(path: Path) -> None:
    """The same for a model with its weights beside it."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
        _load(str(path))
    except Exception as error:
        raise VerificationError(f"the model that was made does not load: {error}") from error


def _load(model: Any) -> None:
    """Load a model by onnxruntime, where that is installed."""
    try:
        import onnxruntime
    except ImportError:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
