"""What makes a model out of date: everything that it was made from."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.fleet import batch as fleet
from prototxt_gen.fleet.hashes import Hashes
from prototxt_gen.fleet.jobs import find
from prototxt_gen.graph.phase import State
from prototxt_gen.weights import make, save

NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    (made / "n.prototxt").write_text(NET)
    graph = api.load(made / "n.prototxt")
    save(graph, make(graph, "random"), made / "n.caffemodel")
    return made


def marks(folder: Path, way: fleet.ToOnnx | None = None) -> str:
    (job,) = find(folder, folder / "out")
    return fleet.mark_of(job, way or fleet.ToOnnx())


def later(path: Path, seconds: int = 5) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + seconds * 10**9))


def test_other_weights_of_the_same_size_are_converted_again(folder: Path, tmp_path: Path) -> None:
    out, model = tmp_path / "out", folder / "n.caffemodel"
    assert [found.status for found in fleet.convert_all(folder, out, fleet.ToOnnx())] == [
        "converted"
    ]
    first = (out / "n.onnx").read_bytes()
    size = model.stat().st_size
    graph = api.load(folder / "n.prototxt")
    save(graph, {"c": [np.ones((2, 3, 3, 3), np.float32), np.ones(2, np.float32)]}, model)
    assert model.stat().st_size == size
    later(model)
    assert [found.status for found in fleet.convert_all(folder, out, fleet.ToOnnx())] == [
        "converted"
    ]
    assert (out / "n.onnx").read_bytes() != first
    assert [found.status for found in fleet.convert_all(folder, out, fleet.ToOnnx())] == [
        "up to date"
    ]


def test_a_mark_sees_each_file(folder: Path) -> None:
    before = marks(folder)
    assert marks(folder) == before
    later(folder / "n.prototxt")
    assert marks(folder) == before, "the text of a net is read, its time is not"
    later(folder / "n.caffemodel")
    assert marks(folder) == before, "nor is that of weights"
    seen = {before}
    state = (folder / "n.caffemodel").stat()
    with (folder / "n.caffemodel").open("ab") as file:
        file.write(b"\0")
    os.utime(folder / "n.caffemodel", ns=(state.st_atime_ns, state.st_mtime_ns))
    seen.add(marks(folder))
    (folder / "n.prototxt").write_text(NET + "# more")
    seen.add(marks(folder))
    (folder / "n.caffemodel").rename(folder / "other.caffemodel")
    seen.add(marks(folder))
    (folder / "third.caffemodel").write_bytes(b"")
    seen.add(marks(folder))
    assert len(seen) == 5


def test_a_mark_sees_each_part_of_the_way(folder: Path) -> None:
    way = fleet.ToOnnx()
    ways = [
        way,
        replace(way, options={"opset": 13}),
        replace(way, state=State("TRAIN")),
        replace(way, state=State(stages=frozenset({"a"}))),
        replace(way, state=State(level=1)),
        replace(way, dialect="bvlc"),
        replace(way, verify=True),
        replace(way, external_data=True),
    ]
    assert len({marks(folder, each) for each in ways}) == len(ways)
    ab, ba = (State(stages=frozenset(names)) for names in ("ab", "ba"))
    assert marks(folder, replace(way, state=ab)) == marks(folder, replace(way, state=ba))


def test_a_mark_sees_what_is_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = marks(folder)
    monkeypatch.setattr(fleet.manifest, "installed", lambda: {"onnx": "another"})
    assert marks(folder) != before


def test_a_caffemodel_alone_is_seen_too(folder: Path) -> None:
    (folder / "n.prototxt").unlink()
    before = marks(folder)
    flip(folder / "n.caffemodel")
    assert marks(folder) != before


def flip(path: Path) -> None:
    """Change a byte, and nothing that can be seen of the file but the time of that."""
    state = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def statuses(folder: Path, out: Path, **way: Any) -> list[str]:
    return [found.status for found in fleet.convert_all(folder, out, fleet.ToOnnx(**way))]


def test_other_weights_of_the_same_size_and_time_are_seen(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert statuses(folder, out) == ["converted"]
    flip(folder / "n.caffemodel")
    assert statuses(folder, out) == ["converted"]
    assert statuses(folder, out) == ["up to date"]
    shutil.copy2(folder / "n.caffemodel", folder / "again")
    os.replace(folder / "again", folder / "n.caffemodel")
    later(folder / "n.caffemodel")
    assert statuses(folder, out) == ["up to date"], "the same weights, written again"


@pytest.mark.parametrize("name", ["n.onnx", "n.onnx.data"])
def test_a_model_that_was_changed_is_made_again(folder: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    assert statuses(folder, out, external_data=True) == ["converted"]
    model = (out / "n.onnx").read_bytes()
    flip(out / name)
    assert statuses(folder, out, external_data=True) == ["converted"]
    assert statuses(folder, out, external_data=True) == ["up to date"]
    data = [path for path in out.iterdir() if path.name.endswith(".data")]
    assert len(data) == 1
    if name == "n.onnx":
        assert (out / name).read_bytes() == model


def test_what_is_unchanged_is_not_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert statuses(folder, out) == ["converted"]
    with monkeypatch.context() as patch:
        patch.setattr(Hashes, "_read", lambda self, path: pytest.fail(f"{path} was read"))
        assert statuses(folder, out) == ["up to date"]
    later(folder / "n.caffemodel")
    assert statuses(folder, out) == ["up to date"]
    monkeypatch.setattr(Hashes, "_read", lambda self, path: pytest.fail(f"{path} was read"))
    assert statuses(folder, out) == ["up to date"]
