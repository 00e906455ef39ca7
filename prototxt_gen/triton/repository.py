"""The files of a model in a repository, written together or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import onnx

from prototxt_gen._files import together, whole_file
from prototxt_gen.errors import ParseError, UnsupportedError
from prototxt_gen.from_onnx.files import read
from prototxt_gen.targets.parts import missing, unknown_ops
from prototxt_gen.triton.config import LABELS

MODEL = "model.onnx"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")


def is_name(name: str) -> bool:
    """Whether a model can have a name, which is that of its folder."""
    return _NAME.fullmatch(name) is not None


def load(path: str) -> tuple[onnx.ModelProto, list[str]]:
    """A model, and the files with weights that it reads.

    Raises ParseError for half of one, and for one that no server could load.
    """
    found = read(path)
    faults = chain((f"{node.op_type}: {why}" for node, why in missing(found)), unknown_ops(found))
    fault = next(faults, None)
    if fault is not None:
        raise ParseError(f"{path}: is not valid ONNX: {fault}")
    # With its weights a model does not tell any more where they were.
    bare = onnx.load(path, format="protobuf", load_external_data=False)
    return found, _beside(bare)


def _beside(model: onnx.ModelProto) -> list[str]:
    """The files with weights that a model reads; raises UnsupportedError for an odd name."""
    found: dict[str, None] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            found[entries.get("location", "")] = None
    for name in found:
        if not name or name != os.path.basename(name) or name in (".", "..", MODEL):
            raise UnsupportedError(f"weights in {name!r}; expected a file in the model's folder")
    return list(found)


def paths(repository: Path, name: str, version: int, more: Sequence[str]) -> list[Path]:
    """The files of a model: the model, its weights, its labels and its description."""
    folder = repository / name
    inner = folder / str(version)
    return [inner / MODEL, *(inner / file for file in more), folder / LABELS, _config(folder)]


def need_repository(repository: Path) -> None:
    """Raise OSError where nothing can be written into a repository, which may be yet to be made."""
    there = repository.absolute()
    while not os.path.lexists(there) and there.parent != there:
        there = there.parent
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def write(
    source: Path,
    more: Sequence[str],
    repository: Path,
    name: str,
    version: int,
    config: str,
    labels: Sequence[str],
) -> list[Path]:
    """Copy a model into a repository and describe it; return the files; raises OSError.

    What was there stays until all is written, and a folder that was made goes if it fails.
    """
    folder = repository / name
    inner = folder / str(version)
    made = _make(inner)
    texts: Mapping[Path, str] = {
        **({folder / LABELS: _lines(labels)} if labels else {}),
        _config(folder): config,
    }
    copies = {inner / file: source.parent / file for file in more}
    copies[inner / MODEL] = source
    try:
        with together():
            for target, origin in copies.items():
                with whole_file(target) as file, origin.open("rb") as stream:
                    shutil.copyfileobj(stream, file, 1 << 20)
            for target, text in texts.items():
                with whole_file(target) as file:
                    file.write(text.encode("utf-8", "surrogateescape"))
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise
    return [*copies, *texts]


def _config(folder: Path) -> Path:
    return folder / "config.pbtxt"


def _lines(labels: Sequence[str]) -> str:
    """A label on each line, where none has a line break."""
    return "".join(" ".join(label.split()) + "\n" for label in labels)


def _make(folder: Path) -> list[Path]:
    """Make a folder and those around it; return those that were made, the innermost first."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        if folder.parent == folder:
            break
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
    return missing
