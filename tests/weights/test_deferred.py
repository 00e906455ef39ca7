"""Large weights stay in their file: the same files come out, and memory holds one at a time."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from prototxt_gen import api
from prototxt_gen._deferred import Deferred, mapped
from prototxt_gen.cli import run
from prototxt_gen.formats import content
from prototxt_gen.from_onnx.files import load
from prototxt_gen.from_onnx.unread import read_unread

LAYERS = 6
WIDTH = 512
BYTES = 4 * WIDTH * WIDTH  #: of one layer's weights
NET = 'name: "net" input: "x" input_shape { dim: [1, 512, 1, 1] }\n' + "".join(
    f'layer {{ name: "c{i}" type: "Convolution" bottom: "{"x" if i == 0 else f"s{i - 1}"}"'
    f' top: "c{i}" convolution_param {{ num_output: {WIDTH} kernel_size: 1 bias_term: false }} }}\n'
    f'layer {{ name: "b{i}" type: "BatchNorm" bottom: "c{i}" top: "b{i}" }}\n'
    f'layer {{ name: "s{i}" type: "Scale" bottom: "b{i}" top: "s{i}"'
    f" scale_param {{ bias_term: true }} }}\n"
    for i in range(LAYERS)
)


def array(values: Any, calls: list[int]) -> Any:
    def get(start: int, stop: int) -> Any:
        calls.append(1)
        return values.reshape(-1)[start:stop]

    return Deferred(values.shape, values.dtype, get)


def test_what_needs_the_shape_alone_gets_no_values() -> None:
    calls: list[int] = []
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    one = array(values, calls)
    assert (one.shape, one.ndim, one.size, one.nbytes, len(one)) == ((2, 3), 2, 6, 24, 2)
    other = one.reshape(3, -1).astype(np.float32, copy=False)
    doubled = mapped(other, np.float32, lambda found, rows: found * 2)
    assert (other.shape, doubled.shape, doubled.dtype) == ((3, 2), (3, 2), np.float32)
    assert not calls
    assert np.array_equal(doubled, values.reshape(3, 2) * 2)
    assert len(calls) == 1
    with pytest.raises(ValueError, match="reshape"):
        one.reshape(4)


@pytest.mark.parametrize(
    "use",
    [
        lambda a: a + 1,
        lambda a: 2 * a,
        lambda a: a @ a.T,
        lambda a: a[0],
        lambda a: a.sum(axis=0),
        lambda a: a.astype(np.float64),
        lambda a: np.concatenate([a, a]),
        lambda a: np.ascontiguousarray(a.T),
        lambda a: np.maximum(a, 2),
        list,
    ],
)
def test_it_stands_for_an_array(use: Callable[[Any], Any]) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = use(array(values, []))
    assert np.array_equal(found, use(values))
    assert getattr(found, "dtype", None) == getattr(use(values), "dtype", None)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net with weights, converted while memory holds them: as one file, and as two."""
    folder = tmp_path_factory.mktemp("held")
    (folder / "net.prototxt").write_text(NET)
    made = ["weights", "init", str(folder / "net.prototxt"), "--how", "random"]
    assert run([*made, "-o", str(folder / "net.caffemodel")]) == 0
    for name, options in (("one", []), ("plain", ["--no-fold"]), ("two", ["--external-data"])):
        assert run([*_convert(folder), "-o", str(folder / f"{name}.onnx"), *options]) == 0
        assert run(_back(folder, folder / f"{name}.prototxt", f"{name}.onnx")) == 0
    return folder


def _convert(folder: Path) -> list[str]:
    return ["convert", str(folder / "net.prototxt"), str(folder / "net.caffemodel")]


def _back(folder: Path, target: Path, model: str) -> list[str]:
    return ["convert", str(folder / model), "-o", str(target)]


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "READ_WHOLE", 0)


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize(
    ("name", "options", "held"),
    [("one", [], 3), ("plain", ["--no-fold"], 2), ("two", ["--external-data"], 3)],
)
def test_both_ways(name: str, options: list[str], held: int, files: Path, tmp_path: Path) -> None:
    """The files are those of weights in memory, of which it holds a few at once, not six."""
    out, back = tmp_path / f"{name}.onnx", tmp_path / f"{name}.prototxt"
    for made in ([*_convert(files), "-o", str(out), *options], _back(files, back, f"{name}.onnx")):
        tracemalloc.start()
        assert run(made) == 0
        assert tracemalloc.get_traced_memory()[1] < held * BYTES
        tracemalloc.stop()
    suffixes = [".onnx", ".prototxt", ".caffemodel", *([".onnx.data"] if name == "two" else [])]
    for suffix in suffixes:
        assert (tmp_path / f"{name}{suffix}").read_bytes() == (
            files / f"{name}{suffix}"
        ).read_bytes(), suffix


@pytest.mark.usefixtures("unread")
def test_a_net_from_the_structure_has_the_weights_too(files: Path) -> None:
    made = api.from_onnx(files / "one.onnx", restore=False).graph
    kept = {
        tensor.name: onnx.numpy_helper.to_array(tensor)
        for tensor in onnx.load(files / "one.onnx").graph.initializer
    }
    for i in range(LAYERS):
        blobs = next(blobs for name, blobs in made.stored.items() if name.startswith(f"c{i}"))
        assert np.array_equal(blobs[0], kept[f"c{i}/weight"])


@pytest.mark.usefixtures("unread")
def test_the_weights_of_a_model_are_left_in_its_file(files: Path) -> None:
    for name in ("one", "two"):
        proto, found = load(files / f"{name}.onnx")
        assert set(found) >= {f"c{i}/weight" for i in range(LAYERS)}
        assert proto.ByteSize() < BYTES / 4
        wanted = onnx.load(files / f"{name}.onnx").graph.initializer
        for tensor in wanted:
            if tensor.name in found:
                assert np.array_equal(found[tensor.name], onnx.numpy_helper.to_array(tensor))


def _elsewhere(model: onnx.ModelProto, folder: Path) -> None:
    (folder / "inner").mkdir()
    os.rename(folder / "two.onnx.data", folder / "inner" / "two.onnx.data")
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = f"inner/{entry.value}"


def _short(model: onnx.ModelProto, folder: Path) -> None:
    os.truncate(folder / "two.onnx.data", BYTES)


def _twice(model: onnx.ModelProto, folder: Path) -> None:
    model.graph.initializer.append(model.graph.initializer[0])


@pytest.mark.usefixtures("unread")
@pytest.mark.parametrize("change", [_elsewhere, _short, _twice])
def test_what_is_unusual_is_onnx_to_judge(
    change: Callable[[onnx.ModelProto, Path], None], files: Path, tmp_path: Path
) -> None:
    model = onnx.load(files / "two.onnx", load_external_data=False)
    (tmp_path / "two.onnx.data").write_bytes((files / "two.onnx.data").read_bytes())
    change(model, tmp_path)
    (tmp_path / "two.onnx").write_bytes(model.SerializeToString())
    assert read_unread(str(tmp_path / "two.onnx")) is None


@pytest.mark.usefixtures("unread")
def test_a_file_that_is_written_meanwhile(files: Path, tmp_path: Path) -> None:
    weights = tmp_path / "net.caffemodel"
    data = (files / "net.caffemodel").read_bytes()
    weights.write_bytes(data)
    graph = api.read_caffe(files / "net.prototxt", weights)
    weights.write_bytes(data[:-1] + b"\1")
    os.utime(weights, ns=(1, 1))
    with pytest.raises(OSError, match=r"was changed while it was read: .*net\.caffemodel"):
        np.asarray(graph.stored["c0"][0])
