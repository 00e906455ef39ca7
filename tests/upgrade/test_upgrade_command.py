"""``upgrade`` of texts: as Caffe's own tool makes them; and how the command behaves."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.reader import read_text

OWN = sorted(Path(__file__).parent.glob("*.before.prototxt"))
V1 = b"""# a net
name: "n"

# the first
layers { # behind the brace
  # the name
  name: "r" # r
  type: RELU
  bottom: "x" top: "y"
  # rates
  blobs_lr: 1
  # the end
} # behind

# end
"""
BATCH_NORM = b'layer { name: "b" type: "BatchNorm" param { } param { } param { lr_mult: 0 } }\n'


def read(data: bytes) -> Block:
    source = Source(data)
    sink = Sink(source)
    document = read_text(source, sink)
    sink.raise_errors(ParseError)
    return document.root


def after(file: Path) -> Path:
    return file.with_name(file.name.replace("before", "after"))


def recordings(folder: Path) -> list[Path]:
    files = sorted((folder / "upgrade").glob("*.before.prototxt"))
    assert len(files) >= 14
    return files


@pytest.mark.parametrize("before", OWN, ids=lambda file: file.name.partition(".")[0])
def test_own_nets(before: Path) -> None:
    check_text(before)


def test_texts_are_as_caffes_own_tool_makes_them(recorded: Path) -> None:
    for before in recordings(recorded):
        check_text(before)


def check_text(before: Path) -> None:
    made = api.upgrade(before)
    assert bool(made.changes) == (read(before.read_bytes()) != read(after(before).read_bytes()))
    assert read(made.data) == read(after(before).read_bytes()), before
    again = api.upgrade(Source(made.data))
    assert (again.changes, again.data) == ([], made.data), before


def test_the_corpus_needs_it_but_once(corpus: Path) -> None:
    changed, refused = 0, []
    for file in sorted(corpus.rglob("*.prototxt")):
        try:
            made = api.upgrade(file)
        except ParseError as error:
            refused.append(str(error).rpartition(": ")[2])
            continue
        again = api.upgrade(Source(made.data))
        assert (again.changes, again.data) == ([], made.data), file
        if not made.changes:
            assert made.data == file.read_bytes()
            continue
        changed += 1
        marks = (
            Counter(re.findall(rb"#[^\r\n]*", data)) for data in (file.read_bytes(), made.data)
        )
        old, new = (Counter(mark.rstrip() for mark in each.elements()) for each in marks)
        assert old == new, file
        assert api.reformat(Source(made.data)) == made.data, file
    assert changed > 50
    assert Counter(refused) == {
        "this is a LabelMap; expected a net or a solver": 5,
        "SolverParameter has no field `stepearly`": 1,
    }


def test_comments_stay_where_they_were() -> None:
    made = api.upgrade(Source(V1))
    assert made.changes == ["1 V1 layer upgraded to layer"]
    assert made.data == (
        b'# a net\nname: "n"\n\n# the first\nlayer { # behind the brace\n  # the name\n'
        b'  name: "r" # r\n  type: "ReLU"\n  bottom: "x"\n  top: "y"\n  param {\n    # rates\n'
        b"    lr_mult: 1\n  }\n  # the end\n} # behind\n\n# end\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('layers { layer { name: "a" type: "relu" } }', "1 V0 layer upgraded to V1"),
        ("layers { type: DATA data_param { scale: 2 } }", "1 data layer moved to transform_param"),
        ("layers { type: RELU } layers { type: BNLL }", "2 V1 layers upgraded to layer"),
        ('input: "x" input_dim: [1, 2, 3, 4] layer { }', "1 input upgraded to an Input layer"),
        ('input: "x" layer { }', "1 input without a shape left out"),
        (BATCH_NORM.decode(), "lr_mult and decay_mult of 1 BatchNorm layer set to 0"),
        ("base_lr: 1 solver_type: ADAM", "solver_type ADAM upgraded to type"),
        ("base_lr: 1 net_param { input: 'x' }", "net_param: 1 input without a shape left out"),
    ],
)
def test_what_was_upgraded_is_said(text: str, wanted: str) -> None:
    assert any(wanted in line for line in api.upgrade(Source(text.encode())).changes)


@pytest.mark.parametrize(
    "text",
    [
        'layer { type: "ReLU" } layers { type: RELU }',
        "layers { type: RELU } layers { layer { } }",
        "solver_type: ADAM type: 'Adam'",
        "item { name: 'a' label: 1 }",
        "layers {",
        "layers { nonsense: 1 }",
    ],
)
def test_what_cannot_be_upgraded_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ParseError):
        api.upgrade(Source(text.encode()))
    file = tmp_path / "net.prototxt"
    file.write_text(text)
    assert run(["upgrade", str(file), "--in-place"]) == 2
    assert file.read_text() == text


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "old.prototxt"
    file.write_bytes(V1)
    return file


def test_where_it_writes(old: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = api.upgrade(old).data
    said = f"{old}: 1 V1 layer upgraded to layer\n"
    assert run(["upgrade", str(old)]) == 0
    assert capfd.readouterr() == (made.decode(), said)
    for arguments in (["a"], ["-o", "b"]):
        target = old.with_name(arguments.pop())
        assert run(["upgrade", str(old), *arguments, str(target)]) == 0
        assert capfd.readouterr() == ("", said)
        assert target.read_bytes() == made
    assert old.read_bytes() == V1
    assert run(["upgrade", str(old), "--check"]) == 1
    assert capfd.readouterr() == (f"{old}: would be upgraded: 1 V1 layer upgraded to layer\n", "")
    assert old.read_bytes() == V1
    assert run(["upgrade", str(old), "--in-place"]) == 0
    assert capfd.readouterr() == ("", said)
    assert old.read_bytes() == made
    assert run(["upgrade", str(old), "--check"]) == 0
    assert capfd.readouterr() == ("", "")


def test_a_file_that_needs_nothing_is_written_as_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text('layer{type :"ReLU"}# no line end')
    state = os.stat(file)
    assert run(["upgrade", str(file)]) == 0
    assert capfd.readouterr() == (file.read_text(), f"{file}: nothing to upgrade\n")
    assert run(["upgrade", str(file), "--in-place"]) == 0
    assert (os.stat(file).st_ino, os.stat(file).st_mtime_ns) == (state.st_ino, state.st_mtime_ns)


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "-o", "b"],
        ["a", "--in-place"],
        ["-o", "a", "--in-place"],
        ["a", "--check"],
        ["--in-place", "--check"],
    ],
)
def test_options_that_do_not_go_together(old: Path, arguments: list[str]) -> None:
    assert run(["upgrade", str(old), *arguments]) == 2
    assert old.read_bytes() == V1
    assert list(old.parent.iterdir()) == [old]


def test_the_input_is_replaced_only_on_demand(old: Path) -> None:
    assert run(["upgrade", str(old), str(old)]) == 2
    assert old.read_bytes() == V1
    assert run(["upgrade", "-", "--in-place"]) == 2
