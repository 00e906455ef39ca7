"""Streams that are closed, or whose reader has gone, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import pytest

from prototxt_gen.cli import run

US = f"{sys.executable} -m prototxt_gen"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "reader"),
    [
        ("gen --list", "head -1"),
        ("gen --depth 152", "head -1"),
        ("gen --help", "true"),
        ("--version", "true"),
        ("completion bash", "true"),
        ("gen --depth 18", "true"),
    ],
)
def test_a_reader_that_has_seen_enough_is_no_failure(words: str, reader: str) -> None:
    for _ in range(3):
        done = shell(f"{US} {words} | {reader} >/dev/null; echo ${{PIPESTATUS[0]}}")
        assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_large_output_may_be_cut_off_anywhere(tmp_path: Path) -> None:
    # Long names, as of a rule a hundred lines are shown: the pipe is to be full several times.
    layer = f'layer {{ name: "%d{"x" * 4000}" type: "NoSuch" bottom: "nowhere" top: "t" }}\n'
    bad = tmp_path / "bad.prototxt"
    bad.write_text("".join(layer % number for number in range(1500)))
    assert shell(f"{US} validate {bad} | wc -c; echo ${{PIPESTATUS[0]}}").stdout.split()[1] == "1"
    for lines in (1, 10, 100):
        done = shell(f"{US} validate {bad} | head -{lines} >/dev/null; echo ${{PIPESTATUS[0]}}")
        assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("words", ["gen --depth 18", "gen --list", "gen --help", "completion bash"])
def test_a_closed_output_is_said_once(words: str) -> None:
    done = shell(f"{US} {words} >&-")
    assert (done.returncode, done.stderr) == (2, "error: standard output: is closed\n")


@pytest.mark.parametrize("words", ["validate -", "summary -", "deploy -"])
def test_a_closed_input_is_said_once(words: str) -> None:
    done = shell(f"{US} {words} <&-")
    assert (done.returncode, done.stderr) == (2, "error: standard input: is closed\n")


def test_what_needs_no_stream_works_without_them(tmp_path: Path) -> None:
    net = tmp_path / "net.prototxt"
    assert shell(f"{US} gen --depth 18 -o {net} <&- >&- 2>&-").returncode == 0
    assert shell(f"{US} validate {net} <&- 2>&-").returncode == 0
    assert net.read_text().startswith('name: "ResNet-18"')


def test_messages_without_a_reader_stop_no_work(tmp_path: Path) -> None:
    assert shell(f"{US} gen --depth 51 2>&-").returncode == 2
    done = shell(f"(sleep 1; {US} gen --depth 51) 2>&1 >/dev/null | true; echo ${{PIPESTATUS[0]}}")
    assert done.stdout == "2\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", ["gen --depth 18", "gen --list", "--help", "fmt - <<< 'a: 1'"])
def test_a_full_disk_behind_the_output_is_said_once(words: str) -> None:
    done = shell(f"{US} {words} >/dev/full")
    said = f"error: standard output: {os.strerror(28)}\n"
    assert (done.returncode, done.stderr) == (2, said)


@contextmanager
def unread() -> Iterator[None]:
    """A standard output whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream, redirect_stdout(stream):
        yield


@pytest.mark.parametrize("words", [["--draw", "made"], ["--save-blobs", "made"], []])
def test_files_are_made_of_all_images_whoever_reads(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np = pytest.importorskip("numpy")
    pytest.importorskip("PIL", reason="Pillow is not installed")
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [1, 2, 4, 4] } } }'
        'layer { name: "prob" type: "Softmax" bottom: "data" top: "prob" }'
    )
    np.save("a.npy", np.ones((3, 2, 4, 4), np.float32))
    assert run(["weights", "init", "net.prototxt", "-o", "net.caffemodel"]) == 0
    with unread():
        assert run(["run", "net.prototxt", "net.caffemodel", "a.npy", *words]) == 0
    assert len(list(Path().glob("made/*"))) == (3 if words else 0)


@pytest.mark.parametrize(
    "words",
    [
        ["weights", "init", "net.prototxt", "-o", "-"],
        ["fold", "net.prototxt", "-o", "made", "--output-weights", "-"],
        ["convert", "net.onnx", "-o", "made", "--weights-out", "-"],
    ],
)
def test_weights_do_not_go_to_standard_output(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text('layer { name: "d" type: "DummyData" top: "d" }')
    Path("net.onnx").touch()
    assert run(words) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"net.prototxt", "net.onnx"}


def test_a_log_of_both_streams_has_the_summary_last(tmp_path: Path) -> None:
    """Whether Python holds standard output back or not."""
    net = tmp_path / "net.prototxt"
    net.write_text('name: 1 layer { name: "l" type: "Silence" }\n')
    for held in ("", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "prototxt_gen", "validate", net],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": held},
        )
        first, *_, last = done.stdout.splitlines()
        assert "wrong-type" in first and last.startswith("1 file: ")
