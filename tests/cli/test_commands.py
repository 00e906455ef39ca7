"""The command line as a user meets it: what it prints, and how it exits."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from prototxt_gen import _version, api, templated
from prototxt_gen.cli import cli, run

NET = """name: "n"
layer {
  name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 4, 8, 8] } }
}
layer { name: "c" type: "Convolution" bottom: "x" top: "y" convolution_param { %s } }
"""
RECORDED = Path(__file__).parents[1] / "golden/layers/conv0/net.prototxt"
GOOD = NET % "num_output: 6 kernel_size: 3"


def call(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run the command in a process of its own: exit code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-m", "prototxt_gen", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_gen_prints_what_the_api_makes() -> None:
    code, out, err = call("gen", "--depth", "50")
    assert (code, out, err) == (0, api.generate(depth=50), "")


def test_gen_writes_a_file_whole(tmp_path: Path) -> None:
    target = tmp_path / "net.prototxt"
    target.write_text("old")
    target.chmod(0o640)
    assert run(["gen", "--depth", "18", "-o", str(target)]) == 0
    assert target.read_text() == api.generate(depth=18)
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["gen"], "--depth, --stages or --spec"),
        (["gen", "--depth", "51"], "nearest are 50 and 101"),
        (["gen", "--depth", "18", "--classes", "0"], "classes: is 0"),
        (["gen", "--depth", "18", "--classes", "4000000000"], "2048000000000 elements"),
        (["gen", "--depth", "x"], "--depth"),
        (["gen", "--stages", "3,x"], "'x' is not a whole number"),
        (["gen", "--depth", "18", "-o", "/nowhere/net.prototxt"], "/nowhere/net.prototxt"),
        (["gen", "--spec", "/nowhere/net.yaml"], "/nowhere/net.yaml"),
        (["gem"], "did you mean 'gen'"),
        (["gen", "--dept", "18"], "--depth"),
        (["validate"], "PATH"),
        (["validate", "/nowhere/net.prototxt"], "/nowhere/net.prototxt: No such file"),
        (["validate", "--dialect", "nvcafe", "-"], "did you mean 'nvcaffe'"),
    ],
)
def test_what_cannot_be_done_exits_with_2_and_says_why(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        "convert {} -o .",
        "convert {} net.caffemodel -o /nowhere/net.onnx",
        "convert {} -o out --report /nowhere/report.json",
        "fold {} net.caffemodel -o /nowhere/net.prototxt",
        "deploy {} -o /nowhere/net.prototxt",
        "diff {} net.prototxt",
        "verify {} net.caffemodel net.onnx",
        "weights init {} -o /nowhere/a.caffemodel",
        "weights import {} net.prototxt -o /nowhere/a.caffemodel",
        "weights copy {} net.prototxt -o /nowhere/a.caffemodel",
    ],
)
def test_an_input_that_is_missing_is_named_before_anything_else(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert run([missing if word == "{}" else word for word in arguments.split()]) == 2
    assert capsys.readouterr() == ("", f"error: {missing}: No such file or directory\n")


def test_an_output_in_no_folder_is_told_apart_from_an_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net, target = tmp_path / "net.prototxt", tmp_path / "nowhere" / "net.out"
    net.write_text(GOOD)
    for name in ("deploy", "convert"):
        assert run([name, str(net), "-o", str(target)]) == 2
        assert capsys.readouterr().err == f"error: {target}: its folder does not exist\n"


def test_an_unwritable_output_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    code, _, err = call("gen", "--depth", "18", "-o", folder)
    assert code == 2 and "folder" in err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("depth: 18\nclases: 10\n", "2:9", "did you mean 'classes'"),
        ("depth: 18\ndepth: 34\n", "2:1", "given twice"),
        ("stages: [3, 4,\n  0]\n", "2:3", "is 0"),
        ("stages: {a: 1}\n", "1:9", "a nested mapping"),
        ("depth: [\n", "2:1", "expected"),
        ("depth: 2001-99-99\n", "1:8", "whole number"),
        ("- 3\n", None, "not a mapping"),
        ("", None, "not a mapping"),
        ("width: 64\n", None, "no depth"),
    ],
)
def test_a_wrong_spec_file_is_refused_at_its_place(
    tmp_path: Path, text: str, place: str | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(text)
    assert run(["gen", "--spec", str(file)]) == 2
    err = capsys.readouterr().err
    assert f"{file}:{place}: " in err if place else f"{file}: " in err
    assert words in err


@pytest.mark.parametrize("text", ["{", "[1]", '{"depth": 18, "depth": 34}', '{"dept": 18}', "\x01"])
def test_a_wrong_json_spec_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "net.json"
    file.write_text(text)
    assert run(["gen", "--spec", str(file)]) == 2


def test_a_spec_file_says_what_options_say(tmp_path: Path) -> None:
    values = {"depth": 18, "classes": 10, "input_shape": [1, 3, 64, 64]}
    (tmp_path / "net.json").write_text(json.dumps(values, indent="\t"))
    (tmp_path / "net.yaml").write_text("depth: 18\nclasses: 5\ninput_shape: [1, 3, 64, 64]\n")
    wanted = api.generate(values)
    for name in ("net.json", "net.yaml"):
        assert call("gen", "--spec", tmp_path / name, "--classes", "10")[1] == wanted


def test_validate_reports_every_error_of_every_file(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.prototxt", tmp_path / "bad.prototxt"
    good.write_text(GOOD)
    bad.write_text(NET % "num_output: 6 kernel: 3 pad: -1")
    code, out, err = call("validate", good, bad)
    assert code == 1
    rules = [line.rpartition("[")[2] for line in out.splitlines()]
    assert rules == ["unknown-field]", "wrong-type]"]
    assert all(line.startswith(f"{bad}:5:") for line in out.splitlines())
    assert err == "2 files: 2 errors\n"


def test_validate_reads_standard_input() -> None:
    assert call("validate", "-", stdin=GOOD.encode()) == (0, "", "1 file: no errors\n")
    code, out, _ = call("validate", "-", stdin=GOOD[:-30].encode())
    assert code == 1
    assert out.startswith("<stdin>:5:")


def test_a_file_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    bad = tmp_path / "bad.prototxt"
    bad.write_text(NET % "")
    code, out, err = call("validate", tmp_path / "none", bad)
    assert code == 2
    assert "[num-output-zero]" in out
    assert "none: No such file" in err


def test_a_net_in_a_caffemodel_is_looked_at(corpus: Path) -> None:
    model = min(corpus.rglob("*.caffemodel"), key=lambda file: file.stat().st_size)
    code, out, err = call("validate", model)
    assert (code, out, err) == (0, "", "1 file: no errors\n")


def test_a_closed_pipe_is_no_bug() -> None:
    done = subprocess.run(
        f"{sys.executable} -m prototxt_gen gen --depth 152 | head -1",
        shell=True,
        capture_output=True,
    )
    assert done.stderr == b""
    assert done.stdout == b'name: "ResNet-152"\n'


def test_a_bug_of_ours_exits_with_3_and_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(templated, "print_net", broken)
    assert run(["gen", "--depth", "50"]) == 3
    err = capsys.readouterr().err
    assert "bug in resnet-proto" in err
    assert "oops" in err
    assert _version.__version__ in err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"resnet-proto {_version.__version__}\n"
    for name in cli.commands or ("gen", "validate", "completion"):
        assert run([name, "--help"]) == 0
        assert "Usage: resnet-proto" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str) -> None:
    assert "_RESNET_PROTO_COMPLETE" in call("completion", shell)[1]


def test_dialects_are_completed() -> None:
    env = {
        **os.environ,
        "_RESNET_PROTO_COMPLETE": "bash_complete",
        "COMP_WORDS": "resnet-proto validate --dialect nv",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        [sys.executable, "-m", "prototxt_gen"], env=env, capture_output=True, text=True
    )
    assert done.stdout.strip() == "plain,nvcaffe"


#: The region proposals of py-faster-rcnn, whose anchors are numbers.
PROPOSALS = b"""
layer { name: "i" type: "Input" top: "s" top: "o" top: "m" input_param {
        shape { dim: [1, 18, 3, 4] } shape { dim: [1, 36, 3, 4] } shape { dim: [1, 3] } } }
layer { name: "p" type: "Python" bottom: "s" bottom: "o" bottom: "m" top: "p" python_param {
        module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "'feat_stride': 16" } }
"""


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["--help"], b""),
        (["gen", "--depth", "50"], b""),
        (["fleet", "--help"], b""),
        (["validate", "-"], b""),
        (["validate", "-"], PROPOSALS),
        (["summary", "-"], PROPOSALS),
        (["fmt", "-"], PROPOSALS),
        (["fmt", "-", "--diff"], PROPOSALS),
        (["upgrade", "-"], PROPOSALS),
        (["upgrade", "-"], b"layers { type: RELU }"),
        (["diff", "-", str(RECORDED)], RECORDED.read_bytes()),
    ],
)
def test_light_commands_import_nothing_heavy(arguments: list[str], given: bytes) -> None:
    script = (
        "import sys; from prototxt_gen.cli import run; run(sys.argv[1:]); "
        "print(*sys.modules, sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], input=given, capture_output=True, check=True
    )
    modules = set(done.stderr.decode().split())
    assert "prototxt_gen.cli" in modules
    heavy = {"onnx", "numpy", "onnxruntime", "rich", "fsspec", "distributed"}
    assert not modules & heavy


def test_the_function_that_runs_a_command_keeps_its_name() -> None:
    package = import_module("prototxt_gen.cli")
    for module in package.COMMANDS.values():
        import_module(f"prototxt_gen.cli.{module}")
    assert package.run is run
