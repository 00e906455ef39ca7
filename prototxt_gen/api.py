"""What the commands do, for Python.

    from prototxt_gen import api

    text = api.generate(depth=50, classes=10)
    for diagnostic in api.validate("net.prototxt"):
        print(diagnostic.rule, diagnostic.message)

Every function raises a :class:`prototxt_gen.errors.PrototxtError` where the input makes no
sense, and OSError where a file cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from onnx import ModelProto

    from prototxt_gen.diagnostics import Diagnostic, Source
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import State
    from prototxt_gen.graph.type_check import UnknownTypes
    from prototxt_gen.layers.base import Array
    from prototxt_gen.passes.deploy import Change
    from prototxt_gen.summary import Summary
    from prototxt_gen.to_onnx.export import Exported

__all__ = [
    "convert",
    "deploy",
    "dump",
    "generate",
    "load",
    "load_layers",
    "read_caffe",
    "read_source",
    "run",
    "summarize",
    "to_onnx",
    "validate",
]

Input = str | os.PathLike[str]


def generate(
    spec: Spec | Mapping[str, object] | str | None = None,
    *,
    templates: Input | None = None,
    **values: object,
) -> str:
    """The prototxt of a residual net.

    ``spec`` is a Spec, a mapping of its keys, or the name of a preset; ``values`` are
    keys of a spec (``generate.spec``), ``depth`` included, and go before those.
    ``templates`` is a folder whose templates go before the shipped ones. Raises SpecError
    and TemplateError.
    """
    from prototxt_gen.errors import SpecError
    from prototxt_gen.generate.blocks import build
    from prototxt_gen.generate.render import render
    from prototxt_gen.generate.spec import Spec

    if isinstance(spec, Spec):
        if values:
            raise SpecError(f"a Spec is complete; found {', '.join(values)} beside it")
        made = spec
    else:
        if isinstance(spec, str):
            from prototxt_gen.generate.zoo import preset

            spec = preset(spec)
        made = Spec.of({**(spec or {}), **values})
    return render(build(made), Path(templates) if templates is not None else None)


def load_layers(path: Input) -> tuple[str, ...]:
    """Register the layer types that a Python file has, and return their names.

    docs/layer.md tells how to write one. Raises PluginError where the file fails or has no
    layer type, or one that exists, and OSError where it cannot be read.
    """
    from prototxt_gen.layers import load_layers

    return load_layers(path)


def validate(
    source: Input | Source,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
) -> list[Diagnostic]:
    """What Caffe would refuse in a prototxt, and what a person should know of it.

    ``unknown_types`` says what a layer type is that no Caffe known here has: an error, a
    warning, or not worth a word; with the dialect ``bvlc`` what BVLC lacks is an error.

    ``source`` is a path, or the Source of a text. The list is in the order of the file and
    empty where all is well; ``diagnostics.render`` makes a line of each. Raises PrototxtError
    for a ``dialect`` that is none of ``formats.dialects.DIALECTS``.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.graph.validation import validate

    _arguments.dialect(dialect)
    return validate(_source(source), dialect, unknown_types).sorted()


def load(source: Input | Source, state: State | None = None, dialect: str | None = None) -> Graph:
    """The graph of a net, in the TEST phase where no state is given.

    Raises ParseError with every error of the text, and where it is no net or an empty one;
    PrototxtError for a dialect that is none.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.reader import read_text
    from prototxt_gen.graph.read import need_layers, read

    _arguments.dialect(dialect)
    found = _source(source)
    sink = Sink(found)
    document = read_text(found, sink, dialect=dialect)
    sink.raise_errors(ParseError)
    type = document.root.type
    if type is None or type.name != "NetParameter":
        what = type.name if type else "unknown"
        raise ParseError(f"{found.path}: this is a {what}, expected a net (NetParameter)")
    need_layers(document.root, sink)
    graph = read(document, sink, state)
    sink.raise_errors(ParseError)
    if not graph.nodes:
        raise ParseError(f"{found.path}: the net has no layer in this phase and stage")
    return graph


def summarize(
    source: Input | Source | Graph,
    *,
    state: State | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    dialect: str | None = None,
) -> Summary:
    """What a net is made of and what it costs, layer by layer.

    ``input_shapes`` take the place of those in the net. What Caffe would refuse is in the
    summary's ``diagnostics``, and the table then goes as far as shapes are known. Raises
    ParseError, and ShapeError where the net has no such input.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.summary import summarize

    graph = source if isinstance(source, Graph) else load(source, state, dialect)
    return summarize(graph, _arguments.shapes(input_shapes))


def read_caffe(
    net: Input,
    weights: Input | None = None,
    *,
    state: State | None = None,
    dialect: str | None = None,
) -> Graph:
    """The graph of a net with the weights of a caffemodel.

    ``net`` is a prototxt, or a caffemodel alone, which holds the net too. Raises ParseError
    and WeightsError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Sink, Source
    from prototxt_gen.errors import ParseError
    from prototxt_gen.formats.binary.caffemodel import (
        is_binary,
        parse_caffemodel,
        read_caffemodel,
    )
    from prototxt_gen.formats.binary.message import read_binary
    from prototxt_gen.formats.content import read_content
    from prototxt_gen.graph.read import need_layers, read

    _arguments.dialect(dialect)
    model = text = None
    if weights is not None:
        model = read_caffemodel(weights)
    else:
        # A pipe is read but once, so that its bytes are looked at here.
        content, name = read_content(net), os.fspath(net)
        if is_binary(content):
            model = parse_caffemodel(name, content)
        else:
            text = _text(content, name)
    if model is not None and weights is None:
        source = Source(model.net, os.fspath(net))
        sink = Sink(source)
        document = read_binary(source, sink, dialect=dialect, drop_unknown=True)
        document.source = None
        # The net that was saved: its rules have been applied, and each layer has the phase
        # that the net was trained in (net.cpp, ToProto).
        for layer in (*document.root.blocks("layer"), *document.root.blocks("layers")):
            layer.remove("include", "exclude", "phase")
        need_layers(document.root, sink)
        graph = read(document, sink, state)
        sink.source = None
        sink.raise_errors(ParseError)
        graph.source = None
    else:
        graph = load(text or net, state, dialect)
    graph.stored = dict(model.weights()) if model else {}
    for index, node in enumerate(graph.nodes):
        shown = node.layer.as_stored(graph.stored.get(node.name, ()))
        if shown is not None:
            graph.nodes[index] = replace(node, layer=shown[0])
            graph.dialect = shown[1]
    return graph


def deploy(
    graph: Graph,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    *,
    batch: int | None = None,
    losses: Literal["auto", "head", "drop"] = "auto",
) -> tuple[Graph, list[Change]]:
    """The net for inference, with nothing that only training needs, and what was changed.

    Raises GraphError where Caffe would refuse the net, before or with the other batch.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.graph.check import checked, need_inputs
    from prototxt_gen.layers.base import Role
    from prototxt_gen.layers.inputs import Input
    from prototxt_gen.passes.deploy import deploy
    from prototxt_gen.passes.rebuild import append, empty_like
    from prototxt_gen.passes.strip import strip
    from prototxt_gen.to_onnx.batch import set_batch

    if batch is not None:
        batch = _arguments.whole("batch", batch, 1, _arguments.MOST)
    _arguments.one_of("losses", losses, Literal["auto", "head", "drop"])
    shapes = checked(graph, _arguments.shapes(input_shapes))
    net, changes = deploy(graph, shapes, losses)
    need_inputs(net, shapes)
    made = empty_like(net)
    for node in net.nodes:
        if node.layer.role is Role.INPUT:
            sizes = (tuple(dim or 0 for dim in shapes.blobs[top]) for top in node.tops)
            node = replace(node, layer=Input(tuple(sizes)))
        append(made, node)
    if batch is not None:
        made = set_batch(made, batch, None)
        checked(made)
    return strip(made), changes


def to_onnx(graph: Graph, **options: Any) -> ModelProto:
    """The ONNX model of a net with its weights; the options are those of ``convert``.

    Raises UnsupportedError with all reasons, GraphError and WeightsError.
    """
    return convert(graph, **options).model


def convert(
    graph: Graph,
    *,
    opset: int = 17,
    batch: int | Literal["dynamic"] | None = None,
    outputs: Sequence[str] = (),
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    losses: Literal["auto", "keep", "head", "drop"] = "auto",
    fold: bool = True,
    weights_init: Literal["fillers", "zeros", "random"] | None = None,
    seed: int = 0,
) -> Exported:
    """The ONNX model of a net, and what became of each layer; the options are the command's.

    ``batch`` is a number from 1 on, ``dynamic``, or None for that of the net. Raises
    UnsupportedError with all reasons, GraphError and WeightsError, and PrototxtError for an
    option that makes no sense. The model has passed ONNX's checker.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.errors import UnsupportedError
    from prototxt_gen.graph.fillers import Init
    from prototxt_gen.passes.deploy import Losses
    from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset
    from prototxt_gen.to_onnx.export import OLDEST_OPSET, Options

    options = Options(
        _arguments.whole("opset", opset, OLDEST_OPSET, newest_opset(), UnsupportedError),
        _arguments.batch(batch),
        _arguments.names("outputs", outputs),
    )
    if weights_init is not None:
        _arguments.one_of("weights_init", weights_init, Init)
    asked = Conversion(
        options,
        _arguments.shapes(input_shapes),
        _arguments.one_of("losses", losses, Losses),
        _arguments.flag("fold", fold),
        weights_init,
        _arguments.whole("seed", seed, 0),
    )
    return convert(graph, asked)


def run(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """What a net makes of its inputs, computed by numpy: each blob by its name.

    An input is anything that numpy makes numbers of; its shape goes before that in the net.
    A blob that layers overwrite has its last value. Raises PrototxtError for an input that
    is no numbers, WeightsError where weights lack or shapes do not fit, GraphError where an
    input lacks, and UnsupportedError where a layer has no reference.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.errors import WeightsError
    from prototxt_gen.graph.check import check
    from prototxt_gen.graph.run import run
    from prototxt_gen.graph.weights import bind

    inputs = _arguments.arrays(inputs)
    sink = Sink(graph.source)
    given = {n: tuple(value.shape) for n, value in inputs.items() if n in graph.sources}
    weights = bind(graph, check(graph, sink, given), graph.stored, sink)
    sink.raise_errors(WeightsError)
    return {ref.blob: value for ref, value in run(graph, weights, inputs).items()}


def dump(graph: Graph) -> str:
    """The prototxt of a graph; the layers that were read and left alone are as they were."""
    from prototxt_gen.formats.prototxt import print_document
    from prototxt_gen.graph.write import write

    return print_document(write(graph)).decode("utf-8", "surrogateescape")


def read_source(path: Input) -> Source:
    """The bytes of a file or a pipe, with its name; ``-`` is standard input.

    Raises OSError, also for what is larger than a prototxt may be.
    """
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.content import read_content, read_stream
    from prototxt_gen.formats.prototxt import LARGEST_FILE

    name = os.fspath(path)
    if name == "-":
        import sys

        return Source(read_stream(sys.stdin.buffer, "<stdin>", LARGEST_FILE), "<stdin>")
    return Source(bytes(read_content(name, LARGEST_FILE)), name)


def _source(source: Input | Source) -> Source:
    from prototxt_gen.diagnostics import Source

    return source if isinstance(source, Source) else read_source(source)


def _text(content: bytes | memoryview, name: str) -> Source:
    """Bytes that were read, as a text."""
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.formats.content import need_size
    from prototxt_gen.formats.prototxt import LARGEST_FILE

    need_size(name, len(content), LARGEST_FILE)
    return Source(bytes(content), name)
