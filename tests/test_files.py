"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import click
import pytest

from prototxt_gen import api
from prototxt_gen._files import whole_file
from prototxt_gen.cli import run
from prototxt_gen.cli.options import need_own_files
from prototxt_gen.weights import make, save

NET = """input: "data" input_shape { dim: [1, 3, 8, 8] }
layer { name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
"""


def test_an_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    with pytest.raises(ValueError, match="oops"), whole_file(target) as file:
        file.write(b"new")
        raise ValueError("oops")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_is_followed_and_a_device_written(tmp_path: Path) -> None:
    target, link = tmp_path / "x", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    with whole_file(os.devnull) as file:
        file.write(b"gone")
    assert Path(os.devnull).is_char_device()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_an_error_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "resnet18", "-o", "/dev/full"]) == 2
    err = capsys.readouterr().err
    assert os.strerror(errno.ENOSPC) in err
    assert "Traceback" not in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_half_file(tmp_path: Path, number: signal.Signals) -> None:
    net = tmp_path / "net.prototxt"
    assert run(["gen", "resnet152", "-o", str(net)]) == 0
    target = tmp_path / "net.caffemodel"
    target.write_bytes(b"old")
    process = subprocess.Popen(
        [sys.executable, "-m", "prototxt_gen", "weights", "init", str(net), "-o", str(target)],
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        if len(list(tmp_path.iterdir())) > 2:  # the temporary file is there
            process.send_signal(number)
            break
        time.sleep(0.001)
    _, err = process.communicate()
    if process.returncode == 0:
        pytest.skip("it was done before it could be interrupted")
    assert process.returncode == 128 + number
    assert err.decode() == f"ended by {number.name}\n"
    assert target.read_bytes() == b"old"
    assert sorted(tmp_path.iterdir()) == [target, net]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    """A net, its weights beside it."""
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    graph = api.load(path)
    save(graph, make(graph, "fillers"), path.with_suffix(".caffemodel"))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_outputs_are_files_of_their_own(tmp_path: Path) -> None:
    there, link = tmp_path / "x", tmp_path / "link"
    there.write_text("")
    link.symlink_to(there)
    need_own_files([str(there), None, "-"], [str(tmp_path / "y"), None, "-", "-"])
    need_own_files([], [os.devnull, os.devnull])
    with pytest.raises(click.UsageError, match="link: would overwrite an input"):
        need_own_files([str(there)], [str(link)])
    with pytest.raises(click.UsageError, match="would overwrite another output"):
        need_own_files([], [str(tmp_path / "new"), str(tmp_path / "." / "new")])


@pytest.mark.parametrize(
    "words",
    [
        "convert N W -o N",
        "convert N W -o W",
        "convert N W -o x --report N",
        "convert N W -o x --report x",
        "convert N W -o x --report x.data",
        "fold N W -o N --output-weights x",
        "fold N W -o net.txt",
        "fold N W -o x --output-weights x",
        "deploy N -o N",
    ],
)
def test_no_command_overwrites_what_it_reads(
    net: Path,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(net.parent)
    before = contents(net.parent)
    names = {"N": str(net), "W": str(net.with_suffix(".caffemodel"))}
    assert run([names.get(word, word) for word in words.split()]) == 2
    assert ": would overwrite a" in capsys.readouterr().err
    assert contents(net.parent) == before


def test_fold_writes_both_files_or_none(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = net.parent
    (folder / "folder").mkdir()
    before = contents(folder)
    model = str(net.with_suffix(".caffemodel"))
    missing = str(folder / "missing" / "x")
    for output, weights in ((str(folder / "folder"), "w"), (missing, "w"), ("p", missing)):
        at = [path if os.path.isabs(path) else str(folder / path) for path in (output, weights)]
        assert run(["fold", str(net), model, "-o", at[0], "--output-weights", at[1]]) == 2
        wrong = weights if weights == missing else output
        assert f"{wrong}: " in capsys.readouterr().err
    assert run(["fold", str(net), model, "-o", "-"]) == 2
    assert "--output-weights" in capsys.readouterr().err
    assert contents(folder) == before


def test_external_data_is_written_with_the_model_or_not(
    net: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = net.parent
    command = ["convert", str(net), str(net.with_suffix(".caffemodel")), "--external-data", "-o"]
    target = folder / "x.onnx"
    target.write_bytes(b"old")
    (folder / "x.onnx.data").mkdir()
    assert run([*command, str(target)]) == 2
    assert f"{target}.data: " in capsys.readouterr().err
    assert target.read_bytes() == b"old"
    for wrong in (folder, folder / "missing" / "x.onnx"):
        assert run([*command, str(wrong)]) == 2
        assert f"error: {wrong}: " in capsys.readouterr().err
    assert not list(folder.glob(".*"))


def test_a_link_to_a_model_is_followed(net: Path) -> None:
    import onnx

    store, link = net.parent / "store", net.parent / "x.onnx"
    store.mkdir()
    (store / "real.onnx").write_bytes(b"old")
    link.symlink_to(store / "real.onnx")
    model = str(net.with_suffix(".caffemodel"))
    assert run(["convert", str(net), model, "--external-data", "-o", str(link)]) == 0
    assert link.is_symlink()
    assert (store / "real.onnx").read_bytes() != b"old"
    onnx.load(link)


class Full:
    """A stream for which the disk is full after a few bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *args: object) -> None:
        self._stream.close()


@pytest.mark.parametrize("words", ["gen resnet18 -o x", "convert N W -o x", "fold N W -o x"])
def test_a_full_disk_names_the_output(
    net: Path, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(net.parent)
    before = contents(net.parent)

    def full(path: object, mode: str = "r", **more: Any) -> object:
        stream = open(path, mode, **more)  # type: ignore[call-overload] # noqa: SIM115
        return Full(stream) if "x" in mode else stream

    monkeypatch.setattr("prototxt_gen._files.open", full, raising=False)
    names = {"N": str(net), "W": str(net.with_suffix(".caffemodel"))}
    assert run([names.get(word, word) for word in words.split()]) == 2
    target = "x.caffemodel" if words.startswith("fold") else "x"
    assert capsys.readouterr().err == f"error: {target}: {os.strerror(errno.ENOSPC)}\n"
    assert contents(net.parent) == before


def test_a_limit_of_the_system_names_the_model(net: Path) -> None:
    """A real one, of a file's size, while the weights beside a model are written."""
    resource = pytest.importorskip("resource")
    words = ["convert", str(net), str(net.with_suffix(".caffemodel")), "--external-data"]
    before = contents(net.parent)
    done = subprocess.run(
        [sys.executable, "-m", "prototxt_gen", *words, "-o", str(net.parent / "x.onnx")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == f"error: {net.parent / 'x.onnx'}: {os.strerror(errno.EFBIG)}\n"
    assert contents(net.parent) == before
