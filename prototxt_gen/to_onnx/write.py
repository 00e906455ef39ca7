"""Write a model to a file once it has passed the checker and loads."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from prototxt_gen._files import need_place, whole_file
from prototxt_gen.errors import VerificationError
from prototxt_gen.to_onnx.export import Exported

#: The most bytes that a protobuf message may have.
LARGEST_MODEL = 2**31 - 1 - (1 << 20)
_SMALL = 1024  #: an initializer of so many elements may be a shape, which the checker reads


def write_model(
    made: Exported, path: str | os.PathLike[str], *, external_data: bool = False
) -> list[str]:
    """Check a model and write it; return the names of the files.

    Weights go into ``<path>.data`` next to it if that is requested, or if they exceed
    what a protobuf file may have. Raises VerificationError where the model does not pass
    the checker or onnxruntime, and OSError; nothing is written then. A link is followed,
    and the weights are next to the link, where a reader of ``path`` looks.
    """
    target = Path(path)
    need_place(target)
    size = sum(array.nbytes for array in made.values.values())
    if not external_data and size <= LARGEST_MODEL:
        data = made.model.SerializeToString(deterministic=True)
        check(made.model, data)
        with whole_file(target) as file:
            file.write(data)
        return [str(target)]
    beside = Path(f"{target}.data")
    need_place(beside)
    with _half(target) as folder:
        model, data_file = Path(folder, target.name), Path(folder, beside.name)
        data = _with_places(made, data_file).SerializeToString(deterministic=True)
        model.write_bytes(data)
        check_file(model)
        with whole_file(target) as file:
            file.write(data)
            file.flush()
            # A link is replaced: onnx refuses weights behind a link.
            os.replace(data_file, beside)
    return [str(target), str(beside)]


@contextmanager
def _half(target: Path) -> Iterator[str]:
    """A folder for unfinished files; an OSError names the target instead."""
    try:
        with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as folder:
            yield folder
    except OSError as error:
        number, reason = error.errno or errno.EIO, error.strerror or str(error)
        raise OSError(number, reason, str(target)) from None


def _with_places(made: Exported, path: Path) -> onnx.ModelProto:
    """Write the values one after the other; return the model that gives the place of each."""
    model = onnx.ModelProto()
    model.CopyFrom(made.skeleton)
    with path.open("wb") as file:
        for tensor in model.graph.initializer:
            values = np.ascontiguousarray(made.values[tensor.name])
            offset = file.tell()
            values.tofile(file)
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (
                ("location", path.name),
                ("offset", str(offset)),
                ("length", str(values.nbytes)),
            ):
                tensor.external_data.add(key=key, value=value)
    return model


def check_form(made: Exported) -> None:
    """Raise VerificationError where a model does not pass the checker, whatever its size.

    Large weights are looked at by type and shape alone: they stand in as inputs.
    """
    model = onnx.ModelProto()
    model.CopyFrom(made.skeleton)
    del model.graph.initializer[:]
    for tensor in made.skeleton.graph.initializer:
        values = made.values[tensor.name]
        if values.size > _SMALL:
            info = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            model.graph.input.append(info)
        else:
            tensor = model.graph.initializer.add(name=tensor.name, data_type=tensor.data_type)
            tensor.dims.extend(values.shape)
            tensor.raw_data = np.ascontiguousarray(values).tobytes()
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise VerificationError(f"the model that was made is none: {error}") from error


def check(model: onnx.ModelProto, data: bytes) -> None:
    """Raise VerificationError where a model does not pass; that is a bug of ours."""
    try:
        onnx.checker.check_model(model, full_check=True)
        _load(data)
    except Exception as error:
        raise VerificationError(f"the model that was made does not load: {error}") from error


def check_file(path: Path) -> None:
    """The same for a model with external weights."""
    try:
        onnx.checker.check_model(str(path), full_check=True)
        _load(str(path))
    except Exception as error:
        raise VerificationError(f"the model that was made does not load: {error}") from error


def _load(model: Any) -> None:
    """Load a model with onnxruntime, where it is installed."""
    try:
        import onnxruntime
    except ImportError:
        return
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
