"""``validate`` as CI runs it: folders, forms, what counts as a failure; and ``rule``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prototxt_gen.cli import run

GOOD = (
    'input: "x" input_shape { dim: 1 }\nlayer { name: "a" type: "AbsVal" bottom: "x" top: "y" }\n'
)
BAD = GOOD.replace('bottom: "x"', 'bottom: "z"')
OLD = 'input: "x" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n' + (
    'layers { name: "a" type: ABSVAL bottom: "x" top: "y" }\n'
)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("a/good", GOOD), ("a/old", OLD), ("b/bad", BAD)):
        file = tmp_path / f"{name}.prototxt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a"], 0, "2 files: no errors, 1 warning"),
        (["a", "b"], 1, "3 files: 1 error, 1 warning"),
        (["**/*.prototxt"], 1, "3 files: 1 error, 1 warning"),
        ([".", "--jobs", "2"], 1, "3 files: 1 error, 1 warning"),
        (["a", "--fail-on", "warning"], 1, "2 files: no errors, 1 warning"),
        (["a", "--fail-on", "warning", "--ignore", "smells"], 0, "2 files: no errors"),
        (["b", "--select", "smells"], 0, "1 file: no errors"),
        (["b", "--select", "graph,smells", "--ignore", "unknown-bottom"], 0, "1 file: no errors"),
        (["a", "missing.prototxt"], 2, "missing.prototxt: No such file or directory"),
        (["a", "*.pt"], 2, "*.pt: no file fits it"),
        (["a", "--select", "smels"], 2, "there is no rule 'smels'; did you mean 'smells'?"),
        (["a", "--config", "no.toml"], 2, "no.toml: No such file or directory"),
        (["a", "--config", "x", "--no-config"], 2, "--no-config changes nothing with --config"),
    ],
)
def test_what_is_found_and_the_exit_code(
    words: list[str], code: int, said: str, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", *words]) == code
    assert said in capsys.readouterr().err


def test_a_configuration(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (models / ".resnet-proto.toml").write_text('fail-on = "warning"\nexclude = ["b"]\n')
    assert run(["validate", "."]) == 1
    assert "2 files: no errors, 1 warning" in capsys.readouterr().err
    assert run(["validate", ".", "--no-config"]) == 1
    assert "3 files: 1 error" in capsys.readouterr().err
    # A file that is named itself is meant.
    assert run(["validate", "b/bad.prototxt"]) == 1
    (models / ".resnet-proto.toml").write_text("fail_on = 1\n")
    assert run(["validate", "."]) == 2
    assert "unknown key 'fail_on'; did you mean 'fail-on'?" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "sarif", "github", "junit"])
def test_forms(form: str, models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", ".", "--format", form]) == 1
    printed = capsys.readouterr()
    assert "unknown-bottom" in printed.out and "3 files" in printed.err
    assert run(["validate", ".", "--format", form, "-o", "out"]) == 1
    again = capsys.readouterr()
    assert again.out == "" and (models / "out").read_text() == printed.out
    assert run(["validate", "b", "--format", form, "-o", "b/bad.prototxt"]) == 2
    assert (models / "b/bad.prototxt").read_text() == BAD


def test_the_text_in_a_file(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "b", "-o", "out"]) == 1
    assert run(["validate", "b"]) == 1
    assert (models / "out").read_text() == capsys.readouterr().out != ""


def test_files_in_several_processes_are_told_in_order(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(9):
        (models / f"b/{index}.prototxt").write_text(BAD)
    outs = []
    for jobs in ("1", "3"):
        run(["validate", ".", "--jobs", jobs, "--format", "json"])
        outs.append(json.loads(capsys.readouterr().out))
    assert outs[0] == outs[1]
    paths = [one["path"] for one in outs[0]["findings"]]
    assert paths == sorted(paths) and len(paths) == 11


def test_rules_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rule"]) == 0
    assert "unknown-bottom" in capsys.readouterr().out
    assert run(["rule", "old-form"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("old-form (warning, smells)\n") and "resnet-proto upgrade" in told
    assert run(["rule", "old-from"]) == 2
    assert "did you mean 'old-form'?" in capsys.readouterr().err


def test_weights_are_compared(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, model = models / "w.prototxt", str(models / "w.caffemodel")
    text = GOOD.replace('"AbsVal" ', '"PReLU" ').replace("dim: 1 }", "dim: [1, 3, 2, 2] }")
    net.write_text(text)
    assert run(["weights", "init", str(net), "-o", model]) == 0
    assert run(["validate", str(net), "--weights", model]) == 0
    net.write_text(text.replace("dim: [1, 3", "dim: [1, 4"))
    assert run(["validate", str(net), "--weights", model]) == 1
    assert "[weight-shape]" in capsys.readouterr().out
    for words in (["a"], [str(net), str(net)]):
        assert run(["validate", *words, "--weights", model]) == 2
        assert "--weights is for one net" in capsys.readouterr().err
    assert run(["validate", str(net), "--weights", str(net)]) == 2


def test_a_schema_of_ones_own_in_the_configuration(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    folder = models / "deep"
    folder.mkdir()
    proto = (Path(__file__).parents[2] / "proto/caffe.proto").read_text()
    own = proto.replace(
        "message LayerParameter {", "message LayerParameter {\n  optional int32 mine = 9000;"
    )
    (folder / "mine.proto").write_text(own)
    for index in range(3):
        (folder / f"{index}.prototxt").write_text(GOOD.replace('name: "a"', 'name: "a" mine: 1'))
    assert run(["validate", str(folder)]) == 1
    (folder / ".resnet-proto.toml").write_text('proto = "mine.proto"\n')
    assert run(["validate", str(folder)]) == 0
    assert run(["validate", str(folder), "--jobs", "2"]) == 0
    (folder / ".resnet-proto.toml").write_text('proto = "mine.proto"\ndialect = "ssd"\n')
    assert run(["validate", str(folder)]) == 2
    assert "exclude each other" in capsys.readouterr().err
    (folder / ".resnet-proto.toml").write_text('dialect = "ssd,nvcaffe"\n')
    assert run(["validate", str(folder)]) == 1
