"""``resnet-proto diff`` as a user meets it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from prototxt_gen.cli import run

GOLDEN = Path(__file__).parents[1] / "golden"
NET = GOLDEN / "layers/conv0/net.prototxt"
RULES = GOLDEN / "graphs/phase_rules/net.prototxt"


class Terminal(io.StringIO):
    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


def changed(tmp_path: Path, old: str, new: str, net: Path = NET) -> str:
    text = net.read_text("utf-8")
    assert old in text
    path = tmp_path / "changed.prototxt"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return str(path)


def test_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(NET), str(NET)]) == 0
    assert capsys.readouterr() == ("", "no difference\n")


def test_a_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(tmp_path, "num_output: 8", "num_output: 16")
    assert run(["diff", str(NET), other]) == 1
    out, err = capsys.readouterr()
    assert out == "~ layer 'convolution' (Convolution): num_output 8 -> 16\n"
    assert err == "1 layer changed\n"


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = changed(tmp_path, "num_output: 8", "num_output: 16")
    assert run(["diff", str(NET), other, "--structure", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["same"] is False
    assert found["changes"][0]["fields"] == [{"name": "num_output", "before": 8, "after": 16}]
    assert found["structure"]["fitting"] == 1
    assert found["structure"]["first"][0]["name"] == "convolution"


@pytest.mark.parametrize(
    ("options", "code"),
    [([], 1), (["--phase", "TEST"], 0), (["--phase", "TRAIN"], 1), (["--stage", "a"], 0)],
)
def test_one_state(options: list[str], code: int, tmp_path: Path) -> None:
    other = changed(tmp_path, "kernel_size:5", "kernel_size:7", RULES)
    assert run(["diff", str(RULES), other, *options]) == code


def test_a_caffemodel_is_compared_in_its_phase(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(RULES.with_suffix(".caffemodel"))
    assert run(["diff", str(RULES), model]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"{model} holds the net of phase TEST, which is compared",
        "no difference",
    ]


def test_colours_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    other = changed(tmp_path, 'type: "Convolution"', 'type: "Deconvolution"')
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    assert run(["diff", str(NET), other]) == 1
    assert screen.getvalue().startswith("\x1b[33m~ layer 'convolution'")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-", "-"], "both standard input"),
        ([str(NET), "/nowhere/net"], "/nowhere/net: No such file"),
        ([str(NET), str(Path(__file__))], "error"),
        ([str(NET), str(NET), "--dialect", "bvcl"], "bvlc"),
        ([str(NET), str(GOLDEN / "layers/conv0/io.npz")], "io.npz"),
    ],
)
def test_what_cannot_be_compared_exits_with_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diff", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
