"""Inputs that can be read but once, that are larger than they may be, or shrink meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.errors import WeightsError
from prototxt_gen.formats import content
from prototxt_gen.formats.binary import safetensors
from prototxt_gen.formats.binary.arrays import read_arrays, write_arrays
from prototxt_gen.formats.binary.caffemodel import parse_caffemodel, read_caffemodel
from prototxt_gen.formats.binary.start import is_binary
from prototxt_gen.formats.binary.wire import encoded

NET = (
    'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
    'layer { name: "c" type: "Convolution" bottom: "x" top: "c"'
    " convolution_param { num_output: 4 kernel_size: 3 } }\n"
)
#: More than a look at the first bytes takes, and more than a pipe holds.
LONG_NET = NET + "".join(
    f'layer {{ name: "r{i}" type: "ReLU" bottom: "c" top: "c" }}\n' for i in range(2000)
)
HUGE = 20 << 30


@contextmanager
def piped(file: Path) -> Iterator[str]:
    """A name of a pipe with the content of a file, as ``<(cat file)`` makes it."""
    reading, writing = os.pipe()

    def fill() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
            pipe.write(file.read_bytes())

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
        thread.join()


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / "net.prototxt"
    file.write_text(LONG_NET)
    return file


@pytest.fixture
def model(net: Path) -> Path:
    file = net.with_name("net.caffemodel")
    assert run(["weights", "init", str(net), "--how", "random", "-o", str(file)]) == 0
    return file


def test_a_net_out_of_a_pipe_is_whole(net: Path) -> None:
    wanted = [node.name for node in api.read_caffe(net).nodes]
    with piped(net) as pipe:
        assert [node.name for node in api.read_caffe(pipe).nodes] == wanted
    with piped(net) as pipe:
        assert [node.name for node in api.load(pipe).nodes] == wanted


def test_weights_out_of_a_pipe_are_whole(net: Path, model: Path) -> None:
    wanted = read_caffemodel(model).weights()["c"]
    with piped(model) as pipe:
        alone = api.read_caffe(pipe)
    with piped(net) as first, piped(model) as second:
        both = api.read_caffe(first, second)
    assert len(alone.nodes) == len(both.nodes) == 2002
    for graph in (alone, both):
        assert all(map(np.array_equal, graph.stored["c"], wanted))


def test_hdf5_out_of_a_pipe(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["data/c/0"] = np.arange(5000)
    with piped(tmp_path / "w.h5") as pipe:
        assert np.array_equal(read_caffemodel(pipe).weights()["c"][0], np.arange(5000))


def test_damaged_hdf5_out_of_a_pipe(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="h5py is not installed")
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["data/c/0"] = np.arange(5000)
    data = bytearray(path.read_bytes())
    assert data[48:56] == b"\xff" * 8  # the address of a driver's block: there is none
    data[48] = 0  # now there is one, at more than an offset can be
    path.write_bytes(data)
    for name in (nullcontext(str(path)), piped(path)):
        with name as shown, pytest.raises(WeightsError, match="not in Caffe's form"):
            read_caffemodel(shown)


def test_commands_take_pipes(net: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(net.with_name("net.onnx"))
    with piped(net) as pipe:
        assert run(["convert", pipe, "--weights-init", "random", "-o", target]) == 0
    with piped(net) as first, piped(model) as second:
        assert run(["convert", first, second, "-o", target]) == 0
    with piped(net) as pipe:
        assert run(["validate", pipe]) == 0
    capsys.readouterr()
    with piped(net) as pipe:
        assert run(["summary", pipe]) == 0
    assert "2002 layers" in capsys.readouterr().out


def test_verify_takes_pipes(net: Path, model: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    target = net.with_name("net.onnx")
    assert run(["convert", str(net), str(model), "-o", str(target)]) == 0
    with piped(net) as first, piped(model) as second, piped(target) as third:
        assert run(["verify", first, second, third]) == 0


def test_opencv_reads_files_alone(
    net: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with piped(model) as pipe:
        assert run(["verify", str(net), pipe, "--against", "opencv"]) == 2
    assert f"{pipe} is no file; --against opencv reads it itself" in capsys.readouterr().err


def sparse(path: Path, start: bytes, size: int = HUGE) -> Path:
    """A file that takes no place on the disk, whatever its size."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


COMMANDS: list[Callable[[str], list[str]]] = [
    lambda net: ["validate", net],
    lambda net: ["summary", net],
    lambda net: ["deploy", net],
    lambda net: ["convert", net, "-o", net + ".onnx"],
    lambda net: ["convert", net, net, "-o", net + ".onnx"],
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_net_of_gigabytes_is_refused_unread(
    tmp_path: Path,
    command: Callable[[str], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = sparse(tmp_path / "net.prototxt", LONG_NET.encode())
    monkeypatch.setattr(content, "read_stream", lambda *_: pytest.fail("the file was read"))
    assert not is_binary(LONG_NET.encode())
    assert run(command(str(path))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "net.prototxt: " in line
    assert f"it has {HUGE} bytes; expected at most" in line or "text file" in line


def test_validate_goes_on_behind_a_file_of_gigabytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, bad = sparse(tmp_path / "large", NET.encode()), tmp_path / "bad"
    bad.write_text("layer { nam: 1 }")
    assert run(["validate", str(large), str(bad)]) == 2
    assert "has no field `nam`" in capsys.readouterr().out


def test_a_pipe_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "MOST_PIPED", 5 << 20)
    for read in (read_caffemodel, api.read_caffe):
        with pytest.raises(OSError, match="it has more than 5242880 bytes"):
            read("/dev/zero")


def field(number: int, data: bytes) -> bytes:
    return encoded(number << 3 | 2) + encoded(len(data)) + data


@pytest.mark.parametrize("where", ["net", "layer"])
def test_a_net_of_gigabytes_in_a_caffemodel_is_refused(tmp_path: Path, where: str) -> None:
    layer = field(100, field(1, b"c"))
    size = 1 << 30  # of a name
    start = layer + encoded(1 << 3 | 2) + encoded(size)
    if where == "layer":
        inner = encoded(1 << 3 | 2) + encoded(size)
        start = layer + encoded(100 << 3 | 2) + encoded(size + len(inner)) + inner
    path = sparse(tmp_path / "m", start, len(start) + size)
    with pytest.raises(WeightsError, match=r"m: at byte .*the net has more than 268435456 bytes"):
        read_caffemodel(path)


def test_a_blob_without_its_numbers_is_refused(tmp_path: Path) -> None:
    shape = field(7, field(1, b"".join(map(encoded, (1 << 30, 1 << 30)))))
    path = tmp_path / "m"
    path.write_bytes(field(100, field(1, b"c") + field(7, shape + field(5, b"abcd"))))
    with pytest.raises(WeightsError, match=r"shape \[1073741824, 1073741824\] has 1 number"):
        read_caffemodel(path)


def test_of_a_shape_no_more_is_read_than_a_blob_may_have(tmp_path: Path) -> None:
    shape = field(7, field(1, b"\1" * (1 << 20)))
    path = tmp_path / "m"
    path.write_bytes(field(100, field(1, b"c") + field(7, shape + field(5, b"abcd"))))
    with pytest.raises(WeightsError, match="a blob has 33 axes or more"):
        read_caffemodel(path)


def test_old_nets_are_read_without_their_weights(tmp_path: Path) -> None:
    inside = field(1, b"c") + field(2, b"relu")  # V0LayerParameter: name, type
    blob = field(
        50, field(5, np.arange(4000, dtype="<f4").tobytes()) + b"\x08\1\x10\1\x18\1\x20\xa0\x1f"
    )
    path = tmp_path / "m"
    path.write_bytes(field(2, field(1, inside + blob)))
    found = read_caffemodel(path)
    assert np.array_equal(found.weights()["c"][0].ravel(), np.arange(4000))
    assert found.net == field(2, field(1, inside))


def test_a_large_file_is_read_as_a_small_one(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = tmp_path / "w.safetensors"
    write_arrays(arrays, {"a": np.arange(70_000, dtype=np.float32), "b": np.ones((), np.float32)})
    whole, whole_arrays = read_caffemodel(model), read_arrays(arrays)
    monkeypatch.setattr(content, "READ_WHOLE", 0)
    assert isinstance(content.read_content(model), content.LargeFile)
    found, found_arrays = read_caffemodel(model), read_arrays(arrays)
    assert found.net == whole.net
    assert found.weights().keys() == whole.weights().keys()
    for name, blobs in found.weights().items():
        assert all(map(np.array_equal, blobs, whole.weights()[name]))
        assert not any(blob.flags.writeable for blob in blobs)
    assert found_arrays.keys() == whole_arrays.keys()
    for name, values in found_arrays.items():
        assert np.array_equal(values, whole_arrays[name])
    data, large = model.read_bytes(), content.read_content(model)
    for place in (0, 10, len(data) - 1, slice(5), slice(7, 70_000), slice(9, 3), slice(-4, None)):
        assert large[place] == data[place]
    with pytest.raises(IndexError):
        large[len(data)]


def test_a_file_that_is_cut_while_it_is_read(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = tmp_path / "w.safetensors"
    write_arrays(arrays, {"c/weight": np.ones(10_000, np.float32)})
    monkeypatch.setattr(content, "READ_WHOLE", 0)
    wanted = read_caffemodel(model).weights()["c"]
    opened, read = content.read_content(model), read_caffemodel(model)
    os.truncate(model, 40)
    # What was read stays; what is still to be read is missed, and kills nothing.
    assert all(map(np.array_equal, read.weights()["c"], wanted))
    with pytest.raises(OSError, match=r"now has 40: it was cut off .*net\.caffemodel"):
        parse_caffemodel(str(model), opened)
    original = safetensors.numbers_at

    def cutting(*args: Any) -> Any:
        os.truncate(arrays, arrays.stat().st_size - 4096)
        return original(*args)

    monkeypatch.setattr(safetensors, "numbers_at", cutting)
    with pytest.raises(OSError, match=r"it was cut off while it was read.*w\.safetensors"):
        read_arrays(arrays)


def test_a_large_file_is_closed(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "READ_WHOLE", 0)
    before = len(os.listdir("/dev/fd"))
    for _ in range(10):
        read_caffemodel(model)
    assert len(os.listdir("/dev/fd")) == before
