"""The nets of a folder, each with the weights that belong to it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.fleet.looks import fit, headers, look, text_of
from prototxt_gen.fleet.match import Found, chosen
from prototxt_gen.formats.reader import guess_message, read_text


@dataclass(frozen=True, slots=True)
class Job:
    """The paths of a net, of its weights if there are any, and of the model to make.

    ``beside`` is the number of caffemodels in the folder of a net if none of them is known
    to belong to it.
    """

    name: str
    net: str
    weights: str | None
    target: str
    beside: int = 0


def find(folder: Path, out: Path) -> Iterator[Job]:
    """The nets of a folder, each with the caffemodel that belongs to it.

    That is the one of the same name, or the only one in the same folder, or the only one there
    whose layers are the net's, of snapshots the latest. A single caffemodel in a folder without
    nets is converted alone.
    """
    nets: list[tuple[Path, str | None, int]] = []
    busy = set()
    for net in _files(folder, "*.prototxt", out):
        if _is_net(net):
            busy.add(net.parent)
            nets.append((net, *_weights(net)))
    models: dict[Path, list[Path]] = {}
    for model in _files(folder, "*.caffemodel", out):
        models.setdefault(model.parent, []).append(model)
    nets += [(own[0], None, 0) for at, own in models.items() if at not in busy and len(own) == 1]
    for net, weights, beside in sorted(nets):
        name = net.relative_to(folder).with_suffix("").as_posix()
        yield Job(name, str(net), weights, str(out / f"{name}.onnx"), beside)


def find_models(folder: Path, out: Path) -> Iterator[Job]:
    """The ONNX models of a folder."""
    for model in _files(folder, "*.onnx", out):
        name = model.relative_to(folder).with_suffix("").as_posix()
        yield Job(name, str(model), None, str(out / f"{name}.prototxt"))


def holds_models_alone(folder: Path, out: Path) -> bool:
    """Whether a folder has ONNX models, and no net and no caffemodel."""
    patterns = ("*.prototxt", "*.caffemodel")
    nets = any(any(_files(folder, pattern, out)) for pattern in patterns)
    return not nets and any(_files(folder, "*.onnx", out))


def _files(folder: Path, pattern: str, out: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders, except those below ``out``, if that is inside."""
    made = Path(os.path.realpath(out))
    but = made if Path(os.path.realpath(folder)) in made.parents else None
    for path in sorted(folder.rglob(pattern)):
        if _is_file(path) and not (but and path.parent.resolve().is_relative_to(but)):
            yield path


def _is_file(path: Path) -> bool:
    """Whether it is a file, or may be one: one that cannot be examined fails later."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _is_net(path: Path) -> bool:
    """Whether a prototxt is a net, valid or not, rather than a solver or label map.

    A file that cannot be read may be one.
    """
    try:
        source = Source(path.read_bytes(), str(path))
    except OSError:
        return True
    root = read_text(source, Sink(source)).root
    return bool(root.fields) and guess_message(root) == "NetParameter"


def _weights(net: Path) -> tuple[str | None, int]:
    """The caffemodel of a net; if it is not known, how many are in the folder."""
    beside = [path for path in net.parent.glob("*.caffemodel") if _is_file(path)]
    same = net.with_suffix(".caffemodel")
    if same in beside:
        return str(same), 0
    if len(beside) > 1:
        beside = _fitting(net, beside) or beside
    return (str(beside[0]), 0) if len(beside) == 1 else (None, len(beside))


def _fitting(net: Path, models: list[Path]) -> list[Path]:
    """The one whose contents are those of the net, of snapshots the latest; else none."""
    path = str(net)
    own = look(path, text_of(path))
    fits = [(str(model), headers(str(model))) for model in models]
    found = [
        Found(name, "", fit(own, held).layers) for name, held in fits if not isinstance(held, str)
    ]
    kept, _ = chosen([one for one in found if one.layers], "latest")
    return [Path(one.path) for one in kept] if len(kept) == 1 else []
