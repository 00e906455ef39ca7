"""Write a model to a file once it has passed the checker and loads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx

from prototxt_gen._files import joined, named, need_place, usual_mode, whole_file
from prototxt_gen._halves import half_of, remove_half, taken_back
from prototxt_gen._limits import threads
from prototxt_gen.errors import VerificationError
from prototxt_gen.to_onnx import beside
from prototxt_gen.to_onnx.efficient_nms import before_plugins
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.to_onnx.pieces import write_pieces

#: The most bytes that a protobuf message may have.
LARGEST_MODEL = 2**31 - 1 - (1 << 20)
_REST = 1 << 20  #: of which are left for what is no weight
_SMALL = 1024  #: an initializer of so many elements may be a shape, which the checker reads


def write_model(
    made: Exported, path: str | os.PathLike[str], *, external_data: bool = False
) -> list[str]:
    """Check a model and write it; return the names of the files.

    Weights go into ``<path>.data`` next to it if that is requested, or if they exceed
    what a protobuf file may have. Where the model that is there reads other weights of that
    name, they go into ``<path>.<hash>.data``, so that old and new are never read together,
    and the old ones are removed at the end. Raises VerificationError where the model does
    not pass the checker or onnxruntime, and OSError; all is then as it was. A link is
    followed, and the weights are beside the link, where a reader of ``path`` looks.
    """
    target = Path(path)
    need_place(target)
    size = sum(array.nbytes for array in made.values.values())
    size += max(0, made.skeleton.ByteSize() - _REST)
    if external_data or size > LARGEST_MODEL:
        need_place(Path(f"{target}.data"))
        return _write_pair(made, target)
    return _write_one(made, target)


def _write_one(made: Exported, target: Path) -> list[str]:
    """Write a model with its weights in it."""
    real = Path(os.path.realpath(target))
    if real.exists() and not real.is_file():  # a device or a pipe: nothing comes back from it
        data = made.model.SerializeToString(deterministic=True)
        check(made.model, data)
        with whole_file(target) as file:
            file.write(data)
        return [str(target)]
    with joined() as moves:
        moves.hold(real, target)
        left = list(beside.left_over(target, beside.read_beside(real), ""))
        with whole_file(target) as file:
            places = write_pieces(made, file)
            file.flush()
            half = Path(file.name)
            # It is loaded with its weights where they are in the file: nothing is copied.
            view = half_of(target)
            with taken_back(lambda: remove_half(view)):
                view.write_bytes(beside.with_places(made, places, half.name).SerializeToString())
                check_file(view, view)
                remove_half(view)
        moves.then(lambda: _remove(left))
    return [str(target)]


def _write_pair(made: Exported, target: Path) -> list[str]:
    """Write a model and its weights beside it."""
    real, folder = Path(os.path.realpath(target)), half_of(target)
    with taken_back(lambda: remove_half(folder)), joined() as moves, named(target):
        moves.hold(real, target)
        folder.mkdir(0o700)
        places = beside.write_values(made, folder / "data")
        taken = beside.read_beside(real)
        if not beside.is_whole(target.parent, taken):
            # It cannot be read as it is, and shall not be when there are new weights.
            real.unlink()
            taken = {}
        name = beside.free_name(target, folder / "data", taken)
        data_file, model = folder / name, folder / target.name
        os.rename(folder / "data", data_file)
        with model.open("wb") as file:
            made_model = beside.with_places(made, places, name)
            file.write(made_model.SerializeToString(deterministic=True))
            file.flush()
            os.fsync(file.fileno())
        check_file(model, folder / "before")
        # The weights first; a link of that name is replaced: onnx refuses weights behind one.
        for half, final in ((data_file, target.parent / name), (model, real)):
            os.chmod(half, usual_mode(final))
            os.rename(half, moves.add(final))
        remove_half(folder)
        left = list(beside.left_over(target, taken, name))
        moves.then(lambda: _remove(left))
    return [str(target), str(target.parent / name)]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


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
            model.graph.initializer.append(tensor)
            made.fill(model.graph.initializer[-1])
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise VerificationError(f"the model that was made is none: {error}") from error


def check(model: onnx.ModelProto, data: bytes) -> None:
    """Raise VerificationError where a model does not pass; that is a bug of ours."""
    try:
        onnx.checker.check_model(model, full_check=True)
        before = before_plugins(model)
        _load(data if before is model else before.SerializeToString())
    except Exception as error:
        raise VerificationError(f"the model that was made does not load: {error}") from error


def check_file(path: Path, other: Path) -> None:
    """The same for a model with external weights.

    What can be loaded of a model with plug-ins is written to ``other``, in the same folder.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
        model = onnx.load(path, load_external_data=False)
        before = before_plugins(model)
        if before is model:
            _load(str(path))
        else:
            other.write_bytes(before.SerializeToString())
            _load(str(other))
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
    options.intra_op_num_threads = threads()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
