"""A user's own caffe.proto as a dialect: what it reads and refuses, and its own errors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")

from formats.own_protos import ACME, NET, write_own

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source, render
from prototxt_gen.errors import ParseError, PrototxtError
from prototxt_gen.formats.binary.message import message_class, read_binary, serialize
from prototxt_gen.formats.protoc import compile_proto
from prototxt_gen.formats.reader import read_text


@pytest.fixture(scope="module")
def proto(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_own(tmp_path_factory.mktemp("fork"))


@pytest.fixture(scope="module")
def own(proto: Path) -> str:
    return api.load_proto(proto)


def findings(text: str, dialect: str | None) -> list[str]:
    source = Source(text.encode(), "net.prototxt")
    return [render(found, source) for found in api.validate(source, dialect)]


def test_a_text_of_the_fork_is_accepted_by_its_own_schema_alone(own: str) -> None:
    assert own == "caffe.proto"
    assert findings(NET, own) == []
    (one,) = findings(NET, None)
    assert one.startswith("net.prototxt:4:9: error: LayerParameter has no field `gate_param`")
    assert "--proto FILE reads by the caffe.proto of your own Caffe" in one


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("gain: -4", "gian: -4", "4:33: error: GateParameter has no field `gian`; did you mean"),
        ("mode: OPEN", "mode: AJAR", "4:28: error: `mode`: "),
        ("sizes: [1, 2]", "sizes: [1, -2]", "4:53: error: `sizes`: "),
        ("gain: -4", "gain: 3000000000", "4:39: error: `gain`: "),
        ("gain: -4", "gain: 1 gain: 2", "4:41: error: `gain` may be given only once"),
        ('key: "a"', "key: 1", "4:69: error: `key`: "),
        (
            "kernel_size: 2",
            "kernel_size: 2 norm_param {}",
            "6:50: error: PoolingParameter has no field",
        ),
    ],
)
def test_what_the_own_schema_refuses_has_its_place(
    own: str, old: str, new: str, wanted: str
) -> None:
    (one, *_) = findings(NET.replace(old, new), own)
    assert one.startswith(f"net.prototxt:{wanted}"), one
    assert "--proto" not in one


def test_a_field_of_another_fork_is_named_as_such(own: str) -> None:
    text = NET.replace("gate_param {", "norm_param { eps: 1 } gate_param {")
    (one,) = findings(text, own)
    assert "LayerParameter has no field `norm_param`; known to ssd, " in one
    assert "see --dialect" in one


def test_a_binary_of_the_fork_is_written_and_read(own: str) -> None:
    sink = Sink(Source(NET.encode()))
    assert sink.source
    document = read_text(sink.source, sink, "NetParameter", own)
    data = serialize(document, "NetParameter")
    source = Source(data)
    read = read_binary(source, Sink(source), dialect=own)
    assert read.root == document.root
    # 31, not 1, is the number of `pool`: what BVLC reads has none, or is refused.
    with pytest.raises(ParseError):
        read_binary(source, Sink(source), dialect="bvlc")
    bvlc = message_class("NetParameter").FromString(data)  # type: ignore[attr-defined]
    assert not bvlc.layer[1].pooling_param.HasField("pool")
    pool = read.root.blocks("layer")[1].block("pooling_param")
    assert pool.get("pool", str, "") == "AVE"
    gate = read.root.blocks("layer")[0].block("gate_param")
    assert gate.get("gain", int, 0) == -4
    assert read.root.blocks("layer")[1].block("gate_param").get("gain", int, 0) == -3
    assert gate.blocks("marks")[0].get("value", int, 0) == 7


def test_weights_and_the_net_in_a_caffemodel(proto: Path, tmp_path: Path) -> None:
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(NET)
    given = ["--proto", str(proto)]
    assert run(["weights", "init", str(net), "-o", str(model), *given]) == 0
    graph = api.read_caffe(model, dialect=api.load_proto(proto))
    wanted = api.load(net, dialect=api.load_proto(proto))
    assert [node.layer for node in graph.nodes] == [node.layer for node in wanted.nodes]
    assert [blob.shape for blob in graph.stored["c"]] == [(4, 3, 3, 3), (4,)]
    folder, out = tmp_path / "nets", tmp_path / "models"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / f"{name}/n.prototxt").write_text(NET)
        (folder / f"{name}/n.caffemodel").write_bytes(model.read_bytes())
    # In processes of their own, which have to know the schema too.
    assert run(["convert", str(folder), "-o", str(out), "--jobs", "2", *given]) == 0
    back = tmp_path / "back.prototxt"
    assert run(["convert", str(out / "a/n.onnx"), "-o", str(back), *given]) == 0
    assert "gate_param" in back.read_text()


def test_two_files_of_a_name_are_two_dialects(own: str, tmp_path: Path) -> None:
    other = write_own(tmp_path)
    assert api.load_proto(other) == own
    other.write_text(other.read_text().replace("gate_param", "door_param"))
    name = api.load_proto(other)
    assert name == "caffe.proto (2)"
    assert findings(NET.replace("gate_param", "door_param"), name) == []
    assert findings(NET, own) == []


def test_a_schema_without_a_package_and_with_other_options(tmp_path: Path) -> None:
    file = write_own(tmp_path, "no,package.proto")
    file.write_text(file.read_text().replace("package caffe;", ""))
    name = api.load_proto(file)
    assert name == "no_package.proto"
    assert findings(NET, name) == []


FORK = 'syntax = "proto2";\npackage caffe;\n%s'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (FORK % "message A {\n\toptional int32 x = ;\n}\n", ":4:21: error: Expected field number."),
        (FORK % "message A {\n  optional Nope x = 1;\n}\n", ':4:12: error: "Nope" is not defined.'),
        (FORK % 'import "nope.proto";\n', ':3:1: error: Import "nope.proto" was not found'),
        (FORK % 'import "../up.proto";\n', ':3:1: error: Import "../up.proto" was not found'),
        (FORK % "message A { optional int32 x = 1; optional int32 y = 1; }", ":3:54: error: Field"),
        (FORK % "message A {", ":3:12: error: Reached end of input"),
        ("\0", ":1:1: error: "),
    ],
)
def test_an_error_of_the_proto_has_its_place(text: str, wanted: str, tmp_path: Path) -> None:
    file = tmp_path / "f.proto"
    file.write_text(text)
    with pytest.raises(ParseError) as caught:
        api.load_proto(file)
    lines = [render(found, caught.value.source) for found in caught.value.diagnostics]
    assert lines[0].startswith(f"{file}{wanted}"), lines


def test_an_error_of_an_import_is_at_its_place_in_the_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_own(tmp_path)
    part = tmp_path / "parts/acme.proto"
    part.write_text(ACME.replace("= SHUT]", "= AJAR]"))
    assert run(["validate", "--proto", str(file), os.devnull]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f'{part}:5:37: error: Enum type "acme.nets.GateParameter.Mode" has no')
    assert f"{file}:" in said  # where it is imported


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("message A {}", "has no message NetParameter; expected the caffe.proto of a Caffe"),
        ("message NetParameter { optional int32 layer = 5; }", "NetParameter.layer has the number"),
        (
            "message NetParameter { repeated group Layer = 9 { optional int32 x = 1; } }",
            "NetParameter.layer is a group, which is not supported",
        ),
    ],
)
def test_what_is_no_caffe_is_refused_in_words(text: str, wanted: str, tmp_path: Path) -> None:
    file = tmp_path / "f.proto"
    file.write_text(FORK % text)
    with pytest.raises(ParseError) as caught:
        api.load_proto(file)
    assert caught.value.message.startswith(f"{file}: ")
    assert wanted in caught.value.message


def test_an_edition_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "f.proto"
    file.write_text('edition = "2023";\npackage caffe;\nmessage NetParameter {}\n')
    with pytest.raises(ParseError, match="edition"):
        api.load_proto(file)


def test_proto3_is_read(tmp_path: Path) -> None:
    file = tmp_path / "three.proto"
    file.write_text(
        'syntax = "proto3";\npackage caffe;\n'
        "message Layer { string name = 1; optional int32 n = 2; }\n"
        "message NetParameter { repeated Layer layer = 100; repeated int32 input_dim = 4; }\n"
    )
    name = api.load_proto(file)
    sink = Sink(Source(b'layer { name: "a" n: 0 } input_dim: [1, 2]'))
    assert sink.source
    document = read_text(sink.source, sink, "NetParameter", name)
    assert not sink.diagnostics
    assert serialize(document, "NetParameter").endswith(
        b"\x22\x02\x01\x02\xa2\x06\x05\x0a\x01a\x10\x00"
    )


@pytest.mark.parametrize("given", ["nosuch.proto", "."])
def test_a_file_that_cannot_be_read(
    given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "--proto", str(tmp_path / given), os.devnull]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / given}: ")


def test_both_a_dialect_and_a_proto_are_a_usage_error(
    proto: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", "--dialect", "ssd", "--proto", str(proto), os.devnull]) == 2
    assert "--dialect and --proto exclude each other" in capsys.readouterr().err


def test_without_grpcio_tools_it_says_what_to_install(
    proto: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prototxt_gen.formats.protoc.find_spec", lambda name: None)
    with pytest.raises(PrototxtError, match=r"pip install 'resnet-proto\[proto\]'"):
        api.load_proto(proto)


def test_nothing_of_the_working_folder_is_imported(tmp_path: Path) -> None:
    file = write_own(tmp_path, "-I@x.proto")
    for name in ("grpc_tools", "re", "signal", "importlib", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported')")
    (tmp_path / "net.prototxt").write_text(NET)
    # -P is for this process alone; it says nothing to the one that it starts.
    command = ["validate", f"--proto=./{file.name}", "net.prototxt"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "prototxt_gen", *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(api.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "1 file: no errors\n")


def test_a_folder_whose_name_means_something_to_protoc(tmp_path: Path) -> None:
    folder = tmp_path / "a:b=c"
    folder.mkdir()
    file = write_own(folder)
    assert findings(NET, api.load_proto(file)) == []
    file.write_text(FORK % "nonsense")
    with pytest.raises(ParseError) as caught:
        api.load_proto(file)
    assert render(caught.value.diagnostics[0], caught.value.source).startswith(f"{file}:3:1: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_compiler_that_waits_is_ended(tmp_path: Path) -> None:
    (tmp_path / "f.proto").write_text(FORK % 'import "pipe.proto";')
    os.mkfifo(tmp_path / "pipe.proto")
    with pytest.raises(ParseError, match="protoc was not done after 1 seconds"):
        compile_proto(tmp_path / "f.proto", seconds=1)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_a_signal_leaves_neither_protoc_nor_a_folder(tmp_path: Path) -> None:
    (tmp_path / "f.proto").write_text(FORK % 'import "pipe.proto";')
    os.mkfifo(tmp_path / "pipe.proto")
    folder = tmp_path / "tmp"
    folder.mkdir()
    command = ["validate", "--proto", str(tmp_path / "f.proto"), os.devnull]
    process = subprocess.Popen(
        [sys.executable, "-m", "prototxt_gen", *command],
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.PIPE,
    )
    # Who opens this end of the pipe waits for protoc to open its own.
    with process, open(tmp_path / "pipe.proto", "wb", buffering=0) as pipe:
        assert len(list(folder.iterdir())) == 1
        process.terminate()
        assert process.communicate()[1] == b"ended by SIGTERM\n"
        with pytest.raises(BrokenPipeError):  # nobody reads it any more
            for _ in range(200):
                time.sleep(0.05)
                pipe.write(b" ")
    assert process.returncode == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []


def test_without_a_proto_nothing_of_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text(NET.replace("gate_param", "norm_param"))
    script = (
        "import sys; from prototxt_gen.cli import run; run(['validate', sys.argv[1]]);"
        "names = ['subprocess', 'grpc_tools', 'numpy', 'onnx', 'prototxt_gen.formats.own'];"
        "print([name for name in names if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "n.prototxt")], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
