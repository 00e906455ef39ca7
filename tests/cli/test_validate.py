"""What ``validate`` answers to types that it does not know, and to nets without a layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen.cli import run

NET = 'layer { name: "l" type: "%s" top: "y" }\n'


def verdict(tmp_path: Path, text: str, *options: str) -> int:
    file = tmp_path / "net.prototxt"
    file.write_text(text)
    return run(["validate", str(file), *options])


@pytest.mark.parametrize(
    ("type", "options", "code"),
    [
        ("NoSuch", (), 0),
        ("NoSuch", ("--unknown-types", "warning"), 0),
        ("NoSuch", ("--unknown-types", "ignore"), 0),
        ("NoSuch", ("--unknown-types", "error"), 1),
        ("NoSuch", ("--unknown-types", "maybe"), 2),
        ("NoSuch", ("--dialect", "bvlc"), 1),
        ("Inputt", ("--unknown-types", "ignore"), 1),
        ("", (), 1),
    ],
)
def test_unknown_types_are_what_the_user_says(
    type: str, options: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    assert verdict(tmp_path, NET % type, *options) == code


def test_a_word_is_said_of_each_but_what_is_to_be_ignored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option, said in (("warning", "warning: "), ("error", "error: "), ("ignore", "")):
        verdict(tmp_path, NET % "NoSuch", "--unknown-types", option)
        out = capsys.readouterr().out
        assert out.count("[unknown-type]") == (1 if said else 0)
        assert said in out


@pytest.mark.parametrize("text", ["", "# a comment\n", 'name: "n"\n'])
def test_a_net_without_a_layer_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verdict(tmp_path, text) == 1
    assert "[empty-net]" in capsys.readouterr().out
    net, out = str(tmp_path / "net.prototxt"), str(tmp_path / "out")
    for command in (
        ["summary", net],
        ["convert", net, "-o", out],
        ["deploy", net, "-o", out],
        ["weights", "init", net, "-o", out],
    ):
        assert run(command) == 2, command
        assert "the net has no layer" in capsys.readouterr().err
        assert not Path(out).exists()


def test_a_net_without_a_layer_in_a_phase_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(
        'layer { name: "l" type: "DummyData" top: "y" include { phase: TRAIN }'
        " dummy_data_param { shape { dim: 1 } } }\n"
    )
    assert run(["validate", str(file)]) == 0
    assert run(["summary", str(file), "--phase", "TRAIN"]) == 0
    capsys.readouterr()
    assert run(["summary", str(file)]) == 2
    assert "no layer in this phase" in capsys.readouterr().err
