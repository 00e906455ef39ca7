"""What files say of themselves is shown, and commands no terminal."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import output, run, tables
from prototxt_gen.cli.bug import report_bug
from prototxt_gen.diagnostics import Diagnostic, Severity, Source, Span
from prototxt_gen.passes.deploy import Change

EVIL = "a\x1b]0;x\x07b\x7fc\x9b1md\u202ee\u2066f\rg"
SHOWN = r"a\x1b]0;x\x07b\x7fc\x9b1md\u202ee\u2066f\rg"
#: What no name may bring onto a screen: C0, DEL, C1, and what turns the direction of writing.
CONTROLS = {*map(chr, (*range(32), *range(127, 160), *range(0x202A, 0x202F)))} | {
    *map(chr, range(0x2066, 0x206A))
}
QUOTED = EVIL.encode().decode("latin-1").encode("unicode_escape").decode()
NET = (
    'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
    f'layer {{ name: "{QUOTED}" type: "InnerProduct" bottom: "x" top: "{QUOTED}"'
    " inner_product_param { num_output: 4 } }\n"
    f'layer {{ name: "{QUOTED}2" type: "Dropout" bottom: "{QUOTED}" top: "{QUOTED}" }}\n'
)


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / f"net{EVIL}.prototxt"
    file.write_text(NET)
    return file


@pytest.fixture
def model(net: Path) -> Path:
    file = net.with_suffix(".caffemodel")
    assert run(["weights", "init", str(net), "-o", str(file)]) == 0
    return file


def clean(capsys: pytest.CaptureFixture[str]) -> str:
    """All that was printed, if it is harmless."""
    text = "".join(capsys.readouterr())
    assert not CONTROLS & set(text.replace("\n", ""))
    return text


def test_every_command_shows_names_as_they_are_written(
    net: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target, folder = net.with_suffix(".onnx"), net.parent
    clean(capsys)
    for arguments in (
        ["summary", str(net)],
        ["weights", "show", str(model)],
        ["weights", "copy", str(model), str(net), "-o", str(folder / "copy")],
        ["convert", str(net), str(model), "-o", str(target), "--losses", "keep"],
        ["convert", str(folder), "-o", str(folder / "out")],
    ):
        assert run(arguments) == 0
        assert SHOWN in clean(capsys), arguments
    assert run(["deploy", str(net), "-o", str(folder / "deployed")]) == 0
    clean(capsys)


def test_verify_shows_names_as_they_are_written(
    net: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    target = net.with_suffix(".onnx")
    assert run(["convert", str(net), str(model), "-o", str(target)]) == 0
    clean(capsys)
    assert run(["verify", str(net), str(model), str(target), "--all"]) == 0
    assert SHOWN in clean(capsys)


def test_errors_show_names_as_they_are_written(
    net: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = net.with_name("bad" + net.name)
    bad.write_text(NET.replace('bottom: "x"', f'bottom: "{QUOTED}9"'))
    clean(capsys)
    for arguments, code in (
        (["validate", str(bad)], 1),
        (["summary", str(bad)], 2),
        (["summary", str(bad) + "nowhere"], 2),
        (["validate", str(bad) + "nowhere"], 2),
        (["weights", "show", str(net)], 2),
        (["convert", str(bad), str(model), "-o", str(net.with_suffix(".onnx"))], 2),
    ):
        assert run(arguments) == code, arguments
        assert SHOWN in clean(capsys), arguments


def test_a_bug_shows_arguments_as_they_are_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["resnet-proto", EVIL])
    try:
        raise RuntimeError(EVIL)
    except RuntimeError:
        report_bug()
    text = clean(capsys)
    assert f"arguments: {SHOWN}" in text
    assert f"RuntimeError: {SHOWN}" in text
    assert 'File "' in text


class Terminal(io.StringIO):
    """A screen that keeps what it is told."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@contextmanager
def a_screen() -> Iterator[Terminal]:
    """Both streams on a screen, which is harmless in the end and shows the name."""
    terminal = Terminal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "300")
        patch.setattr(sys, "stderr", terminal)
        patch.setattr(sys, "stdout", terminal)
        yield terminal
    text = terminal.getvalue()
    # Colours are ours; all else would be the name's.
    assert not {"\x1b]", "\x1b]0", "\x9b", "\x07", "\x7f", "\u202e", "\u2066"} & {
        text[i : i + n] for i in range(len(text)) for n in (1, 2, 3)
    }
    assert SHOWN in text


def test_a_terminal_shows_an_error() -> None:
    with a_screen():
        output.print_error(EVIL)


@pytest.mark.parametrize("where", ["message", "layer", "help", "path", "line"])
def test_a_terminal_shows_a_report(where: str) -> None:
    words = {name: EVIL if where == name else "plain" for name in ("message", "layer", "help")}
    source = Source(
        (EVIL if where == "line" else "text").encode(), EVIL if where == "path" else "net"
    )
    found = Diagnostic("rule", Severity.ERROR, span=Span(0, 1), **words)
    with a_screen() as screen:
        output.print_report([found], source, screen)


def test_a_terminal_shows_a_table() -> None:
    with a_screen():
        tables.print_table(("layer", ""), [(EVIL, "x")])


def test_a_terminal_shows_changes() -> None:
    with a_screen():
        output.print_changes([Change(EVIL, "ReLU", "left out")])


def test_a_terminal_shows_lines_of_a_file() -> None:
    with a_screen() as screen:
        output.print_data([b"\ta\r\n", EVIL.encode(), b"\xff"])
    assert screen.getvalue().startswith("        a\na")


def test_a_terminal_shows_progress() -> None:
    with a_screen() as screen, output.progress("converting", 1) as step:
        step(f"[bold]{EVIL}: converted")
    assert "[bold]" in screen.getvalue()


def test_a_prototxt_is_data_and_stays(
    net: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["deploy", str(net)]) == 0
    made = api.load(Source(capsysbinary.readouterr().out))
    assert EVIL in {node.name for node in made.nodes}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_mark_stands_below_the_place(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"layer {{ name: '{'x' * 90}' }} {'y ' * 30} group: 4 {'z ' * 50}"
    source = Source(text.encode(), "net")
    start = text.index("group: 4")
    screen = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    for at in (0, start, len(text) - 3):
        found = Diagnostic("rule", Severity.ERROR, "m", span=Span(at, min(at + 8, len(text))))
        output.print_report([found], source, screen)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert len(lines) == 9
    for shown, mark in zip(lines[1::3], lines[2::3], strict=True):
        assert len(shown) < width and len(mark) < width
        assert len(shown) > min(width - 8, 100)
    assert lines[4][lines[5].index("^") : lines[5].rindex("^") + 1] == "group: 4"
    assert lines[1].startswith(" 1 | layer") and lines[2] == "   | ^^^^^^^^"
