"""The upgrade of old nets: our own small ones, and those that Caffe's tool has upgraded."""

from pathlib import Path

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade.net import needs_upgrade, upgrade_net, upgrade_solver

OWN = sorted((Path(__file__).parents[1] / "upgrade").glob("*.before.prototxt"))


def read(file: Path) -> Block:
    sink = Sink(Source(file.read_bytes(), str(file)))
    assert sink.source
    document = read_text(sink.source, sink)
    assert not sink.errors, file
    return document.root


def check(before: Path) -> None:
    sink = Sink()
    old = read(before)
    new = upgrade_net(old, sink)
    assert needs_upgrade(old) == (new != old)
    assert not sink.errors
    wanted = read(before.with_name(before.name.replace("before", "after")))
    assert new == wanted, before
    assert not needs_upgrade(new)
    assert old == read(before), "the upgrade changed what it was given"


@pytest.mark.parametrize("before", OWN, ids=lambda file: file.name.partition(".")[0])
def test_own_nets(before: Path) -> None:
    check(before)


def test_what_caffes_own_tool_makes(recorded: Path) -> None:
    files = sorted((recorded / "upgrade").glob("*.before.prototxt"))
    assert files
    for before in files:
        check(before)


def test_a_solvers_type_becomes_a_word() -> None:
    source = Source(b"net: 'x' solver_type: ADAGRAD")
    sink = Sink(source)
    root = read_text(source, sink).root
    assert upgrade_solver(root, sink) == Block.of(net="x", type="AdaGrad")
    assert not sink.errors
