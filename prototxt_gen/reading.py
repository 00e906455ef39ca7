"""Nets from files: the text of a net, or a caffemodel, which contains one."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.diff.files import Read
    from prototxt_gen.document import Document
    from prototxt_gen.formats.binary.caffemodel import Caffemodel
    from prototxt_gen.formats.content import Buffer
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import Phase, State

Input = str | os.PathLike[str]
_IR_VERSION = b"\x08"  #: what every model starts with; no text and no caffemodel does


def load(source: Input | Source, state: State | None = None, dialect: str | None = None) -> Graph:
    """The graph of a net, in the TEST phase if no state is given; of a caffemodel its net.

    Raises ParseError with every error of the text, and if it is not a net or has no layers;
    PrototxtError for an unknown dialect.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.content import digest
    from prototxt_gen.formats.reader import read_text
    from prototxt_gen.graph.read import need_layers, read

    _arguments.dialect(dialect)
    found = _content_of(source)
    if not isinstance(found, Source):
        model, content = found
        graph = _saved_net(model, model.path, state, dialect)
        graph.files["net"] = digest(content)
        return graph
    sink = Sink(found)
    document = read_text(found, sink, dialect=dialect)
    sink.raise_errors(ParseError)
    type = document.root.type
    if type is None or type.name != "NetParameter":
        what = type.name if type else "unknown"
        raise ParseError(f"{found.path}: this is a {what}; expected a net (NetParameter)")
    need_layers(document.root, sink)
    graph = read(document, sink, state)
    graph.files["net"] = digest(found.data)
    sink.raise_errors(ParseError)
    if not graph.nodes:
        other = next((f"; use {options}" for _, options in graph.elsewhere.values()), "")
        raise ParseError(f"{found.path}: the net has no layer in this phase and stage{other}")
    return graph


def read_caffe(
    net: Input,
    weights: Input | None = None,
    *,
    state: State | None = None,
    dialect: str | None = None,
) -> Graph:
    """The graph of a net with the weights of a caffemodel.

    ``net`` is a prototxt, or a caffemodel alone, which contains the net too. Large weights are
    read from the file each time that they are used; OSError then says if it has been changed
    meanwhile. Raises ParseError and WeightsError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.formats.binary.caffemodel import parse_caffemodel
    from prototxt_gen.formats.binary.start import is_binary
    from prototxt_gen.formats.content import digest

    _arguments.dialect(dialect)
    # A pipe, such as -, is read but once, so that its bytes are looked at here.
    name, content = read_any(net if weights is None else weights)
    model: Caffemodel | None = None
    if weights is not None:
        model = parse_caffemodel(name, content)
        graph = load(net, state, dialect)
    else:
        model = parse_caffemodel(name, content) if is_binary(content) else None
        if model is not None:
            graph = _saved_net(model, name, state, dialect)
        else:
            graph = load(_text(content, name), state, dialect)
    if model:
        graph.stored = dict(model.weights())
        graph.files["weights"] = digest(content)
    for index, node in enumerate(graph.nodes):
        shown = node.layer.as_stored(graph.stored.get(node.name, ()))
        if shown is not None:
            graph.nodes[index] = replace(node, layer=shown[0])
            graph.dialect = shown[1]
    return graph


def read_file(file: Input | Source, dialect: str | None = None) -> Read:
    """A net in all its states, upgraded, or another message; of a caffemodel its net.

    Raises ParseError with every error of the text, PrototxtError for an unknown dialect, and
    OSError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.diff.files import Read
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.binary.caffemodel import parse_caffemodel
    from prototxt_gen.formats.binary.start import is_binary
    from prototxt_gen.formats.content import read_content
    from prototxt_gen.formats.reader import read_text
    from prototxt_gen.graph.read import need_layers, upgraded

    _arguments.dialect(dialect)
    if not isinstance(file, Source) and os.fspath(file) == "-":
        file = read_source(file)
    name = file.path if isinstance(file, Source) else os.fspath(file)
    content = file.data if isinstance(file, Source) else read_content(name)
    if is_binary(content):
        sink = Sink()
        document, phase = _saved_document(parse_caffemodel(name, content), name, dialect)
    else:
        source = _text(content, name)
        sink = Sink(source)
        document, phase = read_text(source, sink, dialect=dialect), None
        sink.raise_errors(ParseError)
    type = document.root.type
    if type is not None and type.name == "NetParameter":
        need_layers(document.root, sink)
        document = upgraded(document, sink)
    sink.raise_errors(ParseError)
    return Read(name, document, phase)


def _saved_net(model: Caffemodel, name: str, state: State | None, dialect: str | None) -> Graph:
    """The net that a caffemodel contains."""
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.errors import ParseError
    from prototxt_gen.graph.read import need_layers, read

    document, _ = _saved_document(model, name, dialect)
    sink = Sink()
    need_layers(document.root, sink)
    graph = read(document, sink, state)
    sink.raise_errors(ParseError)
    return graph


def _saved_document(model: Caffemodel, name: str, dialect: str | None) -> tuple[Document, Phase]:
    """The net that a caffemodel contains, and the phase that it was saved in.

    Its rules have been applied, and each layer has the phase that the net was trained in
    (net.cpp, ToProto).
    """
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.binary.message import read_binary

    source = Source(model.net, name)
    sink = Sink(source)
    document = read_binary(source, sink, dialect=dialect, drop_unknown=True)
    document.source = sink.source = None
    sink.raise_errors(ParseError)
    phase: Phase = "TEST"
    for layer in (*document.root.blocks("layer"), *document.root.blocks("layers")):
        if layer.has("phase") and layer.get("phase", str, "") == "TRAIN":
            phase = "TRAIN"
        layer.remove("include", "exclude", "phase")
    return document, phase


def saved_net(source: Input, dialect: str | None = None) -> Source | None:
    """The text of the net that a caffemodel holds, as it holds it; None for another file.

    Raises ParseError and WeightsError for one that is broken or holds none, and OSError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.prototxt import print_document

    _arguments.dialect(dialect)
    found = _content_of(source)
    if isinstance(found, Source):
        return None
    document, _ = _saved_document(found[0], found[0].path, dialect)
    return Source(print_document(document), found[0].path)


def _content_of(source: Input | Source) -> Source | tuple[Caffemodel, Buffer]:
    """A text, or the net of a caffemodel with the bytes of the file."""
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.binary.caffemodel import parse_net
    from prototxt_gen.formats.binary.start import is_net
    from prototxt_gen.formats.content import read_content

    if isinstance(source, Source):
        return source
    name = os.fspath(source)
    if name != "-" and os.path.isfile(name):
        content = read_content(name)
    else:  # of a pipe no more is read than a text may have
        piped = read_source(source)
        name, content = piped.path, piped.data
    if is_net(content):
        return parse_net(name, content), content
    return _text(content, name)


def is_onnx(path: Input) -> bool:
    """Whether a file is an ONNX model, by its name or its first byte; a pipe is not looked at."""
    if os.fspath(path).lower().endswith(".onnx"):
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return file.read(1) == _IR_VERSION
    except OSError:
        return False


def is_text(path: Input) -> bool:
    """Whether a file is the text of a net rather than a caffemodel; of pipes only ``-`` is."""
    from prototxt_gen.formats.binary.start import LOOK_AT, is_binary

    if os.fspath(path) == "-":
        return True
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            return not is_binary(file.read(LOOK_AT))
    except OSError:
        return False


def read_source(path: Input) -> Source:
    """The bytes of a file or a pipe, with its name; ``-`` is standard input.

    Raises OSError, also for what is larger than a prototxt may be.
    """
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.content import read_content, read_stream
    from prototxt_gen.formats.prototxt import largest_file

    name, most = os.fspath(path), largest_file()
    if name == "-":
        import sys

        return Source(read_stream(sys.stdin.buffer, "<stdin>", most), "<stdin>")
    return Source(read_content(name, most)[:], name)


def read_any(source: Input | Source) -> tuple[str, Buffer]:
    """The name and the bytes of a text or a caffemodel; ``-`` is standard input."""
    from prototxt_gen._limits import at_most
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.content import MOST_PIPED, read_content, read_stream

    if isinstance(source, Source):
        return source.path, source.data
    name = os.fspath(source)
    if name == "-":
        import sys

        return "<stdin>", read_stream(sys.stdin.buffer, "<stdin>", at_most(MOST_PIPED))
    return name, read_content(name)


def source_of(source: Input | Source) -> Source:
    """The Source itself, or that of a file."""
    from prototxt_gen.diagnostics import Source

    return source if isinstance(source, Source) else read_source(source)


def _text(content: Buffer, name: str) -> Source:
    """Bytes that were read, as a text."""
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.content import need_size
    from prototxt_gen.formats.prototxt import largest_file

    need_size(name, len(content), largest_file())
    return Source(content[:], name)
