"""What is equal: a net and itself, a net and the caffemodel of it, a net with other names."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.diff.files import compare
from prototxt_gen.document import Block, Document, Field
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.prototxt import print_document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.phase import State
from prototxt_gen.graph.read import upgraded
from prototxt_gen.reading import read_file

GOLDEN = Path(__file__).parents[1] / "golden"
NETS = sorted(GOLDEN.glob("*/*/net.prototxt"))
#: The state in which a caffemodel of the recordings was saved, where it is not TEST.
STAGES = {"phase_stage": frozenset({"deploy"})}


def upgraded_net(path: Path) -> Document | None:
    """The net of a file; None for a file that is another message, or broken."""
    source = Source(path.read_bytes(), str(path))
    sink = Sink(source)
    document = read_text(source, sink)
    if sink.errors or document.root.type is None or document.root.type.name != "NetParameter":
        return None
    return upgraded(document, sink)


def printed(document: Document) -> Source:
    return Source(print_document(document), "renamed")


def with_other_names(document: Document, seed: int) -> Document:
    """The same net, with other names for all its layers and blobs."""
    numbers = list(range(10_000))
    random.Random(seed).shuffle(numbers)
    names: dict[tuple[str, object], str] = {}

    def other(kind: str, value: object) -> str:
        return names.setdefault((kind, value), f"{kind}{numbers[len(names)]}")

    root = document.root.copy()
    for field in root:
        if field.name == "input":
            field.value = other("b", field.value)
        elif field.name == "layer" and isinstance(field.value, Block):
            for inner in field.value:
                if inner.name in ("bottom", "top"):
                    inner.value = other("b", inner.value)
                elif inner.name == "name":
                    inner.value = other("n", inner.value)
    return Document(root, None, document.dialect)


def numbers_of(block: Block) -> Iterator[Field]:
    """The whole numbers among the parameters of a layer."""
    for field in block:
        if isinstance(field.value, Block) and field.name.endswith("_param"):
            yield from (f for f in field.value if type(f.value) is int)


def test_every_recorded_net_is_itself() -> None:
    assert len(NETS) > 400
    for path in NETS:
        assert api.diff(path, path).same, path
        assert api.diff(path, path, structure=True).same, path


@pytest.mark.parametrize("model", sorted(GOLDEN.glob("graphs/*/net.caffemodel")), ids=str)
def test_a_net_is_that_of_the_caffemodel_that_caffe_saved(model: Path) -> None:
    state = State("TEST", STAGES.get(model.parent.name, frozenset()))
    found = api.diff(model.with_suffix(".prototxt"), model, state=state)
    assert list(found.lines()) == []


def test_every_net_of_the_corpus_is_itself(corpus: Path) -> None:
    read = 0
    for path in sorted(corpus.rglob("*.prototxt")):
        try:
            file = read_file(path)
        except ParseError:
            continue
        read += 1
        assert compare(file, file).same, path
    assert read > 280


def test_names_do_not_count_for_the_structure_and_a_parameter_does(corpus: Path) -> None:
    tried = 0
    for index, path in enumerate(sorted(corpus.rglob("*.prototxt"))[::6] + NETS[::9]):
        document = upgraded_net(path)
        if document is None or not document.root.blocks("layer"):
            continue
        renamed = with_other_names(document, index)
        assert api.diff(path, printed(renamed), structure=True).same, path
        fields = [f for layer in renamed.root.blocks("layer") for f in numbers_of(layer)]
        if fields:
            changed = random.Random(index).choice(fields)
            changed.value = int(changed.value) + 1  # type: ignore[arg-type]
            found = api.diff(path, printed(renamed), structure=True)
            assert not found.same, (path, changed)
            tried += 1
    assert tried > 40


def test_a_net_whose_names_are_all_others_is_told_as_renamed(corpus: Path) -> None:
    """Layer by layer, from the input on: nothing is added, removed or rewired."""
    path = corpus / "KaimingHe+deep-residual-networks/prototxt/ResNet-50-deploy.prototxt"
    document = upgraded_net(path)
    assert document is not None
    found = api.diff(path, printed(with_other_names(document, 0)))
    assert {change.kind for change in found.changes} == {"changed"}
    assert {field.name for change in found.changes for field in change.fields} == {"name", "top"}
    names = [c for c in found.changes if any(field.name == "name" for field in c.fields)]
    assert len(names) == len(document.root.blocks("layer")) + 1
