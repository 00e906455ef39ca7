"""``fmt``: cases, and what must hold of any text: the message, the comments, once and for all."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from formats.generated import SAMPLE, mutations, nets
from formats.oracle import Protoc
from hypothesis import given, settings

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Document
from prototxt_gen.errors import ParseError, SpecError
from prototxt_gen.formats.prototxt import parse, print_document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.generate.zoo import PRESETS

CASES = sorted(Path(__file__).parent.glob("*.prototxt"))
CORNERS = (
    b"a: 1 # \xff\xe9\na: '\xff' # \xc3\xa9\n",
    b"a: 1\r\n\r\n\r\nb { # c \r\n}\r\n",
    b"a:\n1",
    b"# only a comment",
    b"",
    b"\n \n",
    b"a { # b { # c\n}",
    b"a { b { # c\n} }",
    b'a: "{# no comment" b { }',
    b"a: [1 # x\n, 2 # y\n] # z\n# end",
    b"a: [ # x\n 1 ] b: [ { a: [{}] } ]",
    b"a: [{}, {}] [",
    b"a { b: 1 } # c\n# d\n",
    b"a # x\n : # y\n { # z\n }",
    SAMPLE,
)


def messages(block: Block) -> Iterator[object]:
    """Every field of a tree, in its order and with its value."""
    for field in block:
        if isinstance(field.value, Block):
            yield field.name
            yield from messages(field.value)
            yield None
        else:
            yield field.name, type(field.value), field.value


def comments(block: Block) -> Counter[str]:
    """Every comment of a tree."""
    found = Counter(comment for comment in block.comments if comment is not None)
    for field in block:
        found.update(c for c in (*field.comments, field.trailing) if c is not None)
        if isinstance(field.value, Block):
            found += comments(field.value)
    return found


def check(text: bytes) -> bytes | None:
    """The formatted text, held against everything that is promised; None where it is refused."""
    source = Source(text)
    sink = Sink(source)
    tree = parse(source, sink)
    if sink.errors:
        with pytest.raises(ParseError):
            api.reformat(source)
        return None
    made = api.reformat(source)
    again = parse(Source(made), sink)
    assert not sink.errors, made
    assert list(messages(again)) == list(messages(tree))
    assert comments(again) == comments(tree)
    assert api.reformat(Source(made)) == made
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_cases(case: Path) -> None:
    given, _, wanted = case.read_bytes().partition(b"# output\n")
    assert check(given) == wanted
    assert check(wanted) == wanted


@pytest.mark.parametrize("text", CORNERS)
def test_corners(text: bytes) -> None:
    check(text)


@pytest.mark.parametrize("name", [name for name in PRESETS if "preresnet" not in name])
def test_what_gen_prints_stays(name: str) -> None:
    text = api.generate(name).encode()
    assert check(text) == text
    try:
        text = api.generate(name, phase="train_val").encode()
    except SpecError:  # a net that no layer trains
        assert PRESETS[name]["head"] == "embedding"
    else:
        assert check(text) == text


def test_what_solver_prints_stays(tmp_path: Path) -> None:
    file = tmp_path / "solver.prototxt"
    assert run(["solver", "resnet50", "-o", str(file)]) == 0
    assert check(file.read_bytes()) == file.read_bytes()


@settings(max_examples=150)
@given(nets())
def test_what_the_printer_prints_of_any_net_stays(document: Document) -> None:
    text = print_document(document)
    assert check(text) == text


@settings(max_examples=500)
@given(mutations())
def test_any_text(text: bytes) -> None:
    check(text)


def test_the_corpus(corpus: Path) -> None:
    files = sorted(corpus.rglob("*.prototxt"))
    assert files
    for file in files:
        text = file.read_bytes()
        made = check(text)
        assert made is not None, file
        marks = Counter(line.rstrip() for line in re.findall(rb"#[^\n]*", text))
        assert Counter(re.findall(rb"#[^\r\n]*", made)) == marks, file
        assert not re.search(rb"\n(\r?\n){2}", made), file


def test_caffes_own_parser_reads_the_same_of_the_corpus(corpus: Path) -> None:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    protoc, checked = Protoc(), 0
    try:
        for file in sorted(corpus.rglob("*.prototxt")):
            source = Source(file.read_bytes())
            document = read_text(source, Sink(source))
            if document.dialect != "bvlc" or document.root.type is None:
                continue
            message = document.root.type.name
            wanted = protoc.encode(source.data, message)
            assert wanted == protoc.encode(api.reformat(source), message), file
            checked += wanted is not None
    finally:
        protoc.close()
    assert checked > 100


def test_lines_end_as_the_first_one_does() -> None:
    assert check(b'a:1\r\nb { # c\n "x": 1 }') is None
    assert check(b"a:1\r\nb { # c\n x: 'y' }") == b'a: 1\r\nb { # c\r\n  x: "y"\r\n}\r\n'
    assert check(b"a:1\nb:2\r\n") == b"a: 1\nb: 2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One file to be formatted, one that is, and one that is no prototxt."""
    (tmp_path / "a.prototxt").write_text("a:1")
    (tmp_path / "b.prototxt").write_text("a: 1\n")
    (tmp_path / "c.txt").write_text("a:1")
    hidden = tmp_path / ".git" / "d.prototxt"
    hidden.parent.mkdir()
    hidden.write_text("a:1")
    return tmp_path


def test_a_folder_is_formatted_in_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.prototxt").chmod(0o640)
    before = os.stat(folder / "b.prototxt")
    assert run(["fmt", str(folder), str(folder / "a.prototxt")]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{folder / 'a.prototxt'}: reformatted",
        "1 file reformatted, 1 file left as it was",
    ]
    assert (folder / "a.prototxt").read_text() == "a: 1\n"
    assert (folder / "a.prototxt").stat().st_mode & 0o777 == 0o640
    assert os.stat(folder / "b.prototxt").st_ino == before.st_ino
    assert (folder / "c.txt").read_text() == "a:1"
    assert (folder / ".git/d.prototxt").read_text() == "a:1"
    assert run(["fmt", "--check", str(folder)]) == 0


def test_check_and_diff_write_nothing(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = folder / "a.prototxt"
    assert run(["fmt", "--check", str(folder)]) == 1
    assert capfd.readouterr() == (
        f"{file}: would be reformatted\n",
        "1 file would be reformatted, 1 file left as it was\n",
    )
    assert run(["fmt", "--diff", str(folder)]) == 1
    assert capfd.readouterr().out == (
        f"--- {file}\n+++ {file}\n@@ -1 +1 @@\n-a:1\n\\ No newline at end of file\n+a: 1\n"
    )
    assert file.read_text() == "a:1"


def test_a_file_with_errors_is_left_alone_and_the_others_are_formatted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holed = folder / "0.prototxt"
    holed.write_text("layer {\n  num_output: {{ classes }}\n}\n")
    assert run(["fmt", str(folder)]) == 2
    err = capsys.readouterr().err
    assert f"{holed}:2:" in err
    assert err.endswith("1 file reformatted, 1 file left as it was, 1 file refused\n")
    assert "{{" in holed.read_text()
    assert (folder / "a.prototxt").read_text() == "a: 1\n"
    assert run(["fmt", "--check", str(holed)]) == 2
    assert run(["fmt", str(folder / "none")]) == 2
    assert "none: No such file" in capsys.readouterr().err


def test_nothing_to_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fmt", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}: no file *.prototxt in it\n")


def test_a_caffemodel_is_refused(corpus: Path, tmp_path: Path) -> None:
    model = min(corpus.rglob("*.caffemodel"), key=lambda file: file.stat().st_size)
    copy = shutil.copy(model, tmp_path / "net.prototxt")
    assert run(["fmt", str(tmp_path)]) == 2
    assert copy.read_bytes() == model.read_bytes()
