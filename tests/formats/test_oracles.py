"""The reader against C++ TextFormat, which is Caffe's own parser, and against Python's."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from formats.generated import mutations, nets
from formats.oracle import Protoc
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.formats.binary.message import message_class, to_message
from prototxt_gen.formats.prototxt import print_document
from prototxt_gen.formats.reader import read_text

HERE = Path(__file__).parent
CORNERS: list[str] = yaml.safe_load((HERE / "corners.yml").read_text("utf-8"))
DIVERGENCES: list[dict[str, Any]] = yaml.safe_load((HERE / "divergences.yml").read_text("utf-8"))
NET = "NetParameter"


@pytest.fixture(scope="module")
def protoc() -> Iterator[Protoc]:
    pytest.importorskip("grpc_tools", reason="grpcio-tools is not installed")
    server = Protoc()
    yield server
    server.close()


def ours(text: bytes) -> bytes | None:
    """The binary form of a net; None where the text is refused.

    A missing required field is let pass, as both oracles do and Caffe does not.
    """
    source = Source(text)
    sink = Sink(source)
    document = read_text(source, sink, NET, "bvlc")
    if any(error.rule != "missing-required" for error in sink.errors):
        return None
    return build(document, NET)


def build(document: Document, message: str) -> bytes:
    built = to_message(document.root, message, document.dialect)
    return built.SerializePartialToString(deterministic=True)


def canonical(binary: bytes | None, message: str = NET, dialect: str = "bvlc") -> bytes | None:
    if binary is None:
        return None
    built = message_class(message, dialect).FromString(binary)
    return built.SerializePartialToString(deterministic=True)


def python(text: bytes) -> bytes | None:
    built = message_class(NET)()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that it passes on to Python
            text_format.Parse(text.decode("utf-8"), built)
    except (text_format.ParseError, UnicodeDecodeError):
        return None
    return built.SerializePartialToString(deterministic=True)


@pytest.mark.parametrize("text", CORNERS)
def test_corners(protoc: Protoc, text: str) -> None:
    data = text.encode()
    assert ours(data) == canonical(protoc.encode(data, NET)) == python(data)


@pytest.mark.parametrize("case", DIVERGENCES, ids=lambda case: case["text"])
def test_divergences(protoc: Protoc, case: dict[str, Any]) -> None:
    data = case["text"].encode("latin-1" if case.get("latin1") else "utf-8")
    answers = {
        "ours": ours(data),
        "cpp": canonical(protoc.encode(data, NET)),
        "python": python(data),
    }
    for who, answer in answers.items():
        assert case[who] == ("takes" if answer is not None else "refuses"), who
    assert answers["ours"] == answers["cpp"] != answers["python"]


def test_the_corpus(protoc: Protoc, corpus: Path) -> None:
    for file in sorted(corpus.rglob("*.prototxt")):
        source = Source(file.read_bytes(), str(file))
        sink = Sink(source)
        document = read_text(source, sink)
        assert document.root.type is not None
        message = document.root.type.name
        dialect = "bvlc" if document.dialect == "union" else document.dialect
        theirs = protoc.encode(source.data, message, dialect)
        if sink.errors:
            assert theirs is None, file
        else:
            assert build(document, message) == canonical(theirs, message, dialect), file


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nets())
def test_generated_nets(protoc: Protoc, document: Document) -> None:
    text = print_document(document)
    assert ours(text) == build(document, NET)
    assert ours(text) == canonical(protoc.encode(text, NET))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_text(protoc: Protoc, data: st.DataObject) -> None:
    text = data.draw(mutations())
    assert ours(text) == canonical(protoc.encode(text, NET))
