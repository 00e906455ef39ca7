"""The functions of the commands, for Python; docs/api.md has examples.

Every function raises a ``prototxt_gen.errors.PrototxtError`` for unusable input, and OSError
if a file cannot be read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from prototxt_gen.reading import Input, is_onnx, load, read_caffe, read_source, source_of

if TYPE_CHECKING:
    from onnx import ModelProto

    from prototxt_gen.diagnostics import Diagnostic, Source
    from prototxt_gen.diff.result import Diff
    from prototxt_gen.formats.text.resolve import UnknownFields
    from prototxt_gen.formats.upgraded import Upgraded
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import State
    from prototxt_gen.graph.type_check import UnknownTypes
    from prototxt_gen.layers.base import Array
    from prototxt_gen.passes.deploy import Change
    from prototxt_gen.preprocess import Mean
    from prototxt_gen.restore.net import Restored
    from prototxt_gen.summary import Summary
    from prototxt_gen.to_onnx.export import Exported

__all__ = [
    "convert",
    "deploy",
    "diff",
    "dump",
    "from_onnx",
    "generate",
    "load",
    "load_layers",
    "load_proto",
    "read_caffe",
    "read_source",
    "reformat",
    "run",
    "summarize",
    "to_onnx",
    "upgrade",
    "validate",
]


def generate(
    spec: Spec | Mapping[str, object] | str | None = None,
    *,
    templates: Input | None = None,
    check: bool = True,
    **values: object,
) -> str:
    """The prototxt of a residual net.

    ``spec`` is a Spec, a mapping of its keys, or the name of a preset; ``values`` are
    keys of a spec (``generate.spec``), including ``depth``, and override those. Templates
    in the folder ``templates`` replace the built-in ones, or it is the name of a shipped set;
    with ``check`` their text has to be a prototxt of the net. Raises SpecError and TemplateError.
    """
    from prototxt_gen.errors import SpecError
    from prototxt_gen.generate.blocks import build
    from prototxt_gen.generate.spec import Spec
    from prototxt_gen.templated import print_net

    if isinstance(spec, Spec):
        if values:
            raise SpecError(f"a Spec is complete; found {', '.join(values)} in addition")
        made = spec
    else:
        if isinstance(spec, str):
            from prototxt_gen.generate.zoo import preset

            spec = preset(spec)
        made = Spec.of({**(spec or {}), **values})
    folder = Path(templates) if templates is not None else None
    return print_net(build(made), folder, check=check).text


def load_layers(path: Input) -> tuple[str, ...]:
    """Register the layer types that a Python file defines, and return their names.

    docs/layer.md explains how to write one. Raises PluginError if the file fails, defines no
    layer type, or one that exists already, and OSError if it cannot be read.
    """
    from prototxt_gen.layers import load_layers

    return load_layers(path)


def load_proto(path: Input) -> str:
    """Add the schema of a caffe.proto of your own; return its name, to be given as a ``dialect``.

    What it imports is looked for in its folder. Raises ParseError, with the places of its
    errors, or if it is not a Caffe's, PrototxtError if grpcio-tools is not installed, and
    OSError if it cannot be read.
    """
    from prototxt_gen.formats.own import load_proto

    return load_proto(path)


def validate(
    source: Input | Source,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
    unknown_fields: UnknownFields = "error",
) -> list[Diagnostic]:
    """What Caffe would refuse in a prototxt, and what the user should know about it.

    ``unknown_types`` says how to report a layer type that no known Caffe has: as an error, as
    a warning, or not at all; with the dialect ``bvlc`` any type that BVLC lacks is an error.
    ``unknown_fields`` says the same of fields. ``dialect`` is a name, several with commas, of
    which one has to explain the text, or what ``load_proto`` returned.

    ``source`` is a path, or the Source of a text. The list is in the order of the file, and
    empty if there are no problems; ``diagnostics.render`` formats each as a line. Raises
    PrototxtError for a ``dialect`` that is not in ``formats.dialects.KNOWN``.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.graph.validation import validate

    _arguments.dialect(dialect)
    return validate(source_of(source), dialect, unknown_types, unknown_fields).sorted()


def reformat(source: Input | Source) -> bytes:
    """A prototxt in the layout of ``fmt``; raises ParseError with all syntax errors."""
    from prototxt_gen.formats.prototxt import reformat

    return reformat(source_of(source))


def upgrade(source: Input | Source, dialect: str | None = None) -> Upgraded:
    """What Caffe makes of an old net, solver or caffemodel when it reads it, to be written.

    ``data`` is what was given where ``changes`` is empty. Raises ParseError and WeightsError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.formats.upgraded import upgrade
    from prototxt_gen.reading import read_any

    _arguments.dialect(dialect)
    return upgrade(*read_any(source), dialect)


def summarize(
    source: Input | Source | Graph,
    *,
    state: State | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    dialect: str | None = None,
) -> Summary:
    """The layers of a net, and what they cost.

    ``source`` is a prototxt, a caffemodel or an ONNX model; ``state`` and ``dialect`` are for
    Caffe's. ``input_shapes`` replace those in the net. What Caffe would refuse is in the summary's
    ``diagnostics``, and the table is then filled as far as shapes are known. Raises
    ParseError, and ShapeError if the net has no such input.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diagnostics import Source
    from prototxt_gen.errors import PrototxtError
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.summary import summarize

    shapes = _arguments.shapes(input_shapes)
    if isinstance(source, Graph):
        return summarize(source, shapes)
    if isinstance(source, Source):
        return summarize(load(source, state, dialect), shapes)
    if os.fspath(source) == "-":
        return summarize(load(read_source(source), state, dialect), shapes)
    if not is_onnx(source):
        return summarize(read_caffe(source, state=state, dialect=dialect), shapes)
    if state is not None or dialect is not None:
        raise PrototxtError(f"{source} is an ONNX model, which has neither state nor dialect")
    return summarize(from_onnx(source, input_shapes=shapes).graph)


def diff(
    a: Input | Source,
    b: Input | Source,
    *,
    state: State | None = None,
    structure: bool = False,
    dialect: str | None = None,
) -> Diff:
    """The differences of two nets, prototxts or caffemodels, by their graphs; or of two solvers.

    Without a ``state`` the layers of all states are compared. With ``structure`` the names of
    layers and blobs do not count. Raises ParseError for a file that cannot be read, for files
    of two kinds, and for a net without layers in the state; WeightsError for a broken
    caffemodel; PrototxtError for an unknown dialect; and OSError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.diff.files import compare
    from prototxt_gen.reading import read_file

    _arguments.flag("structure", structure)
    ours, theirs = (read_file(file, dialect) for file in (a, b))
    return compare(ours, theirs, state, structure=structure)


def deploy(
    graph: Graph,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    *,
    batch: int | None = None,
    losses: Literal["auto", "head", "drop"] = "auto",
) -> tuple[Graph, list[Change]]:
    """The net for inference, without what only training needs, and the changes made.

    Raises GraphError if Caffe would refuse the net, as it was or with the other batch.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.passes.inference import for_inference

    if batch is not None:
        batch = _arguments.whole("batch", batch, 1, _arguments.MOST)
    _arguments.one_of("losses", losses, Literal["auto", "head", "drop"])
    return for_inference(graph, _arguments.shapes(input_shapes), batch, losses)


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
    metadata: bool = True,
    detection: Literal["full", "stop", "trt"] = "full",
    preprocess: Literal["auto"] | None = None,
    preprocess_from: Input | None = None,
    mean: Mean = None,
    scale: float | None = None,
    channel_order: Literal["bgr", "rgb"] | None = None,
    input_type: Literal["float32", "uint8"] | None = None,
    layout: Literal["nchw", "nhwc"] | None = None,
    resize: int | Sequence[int] | None = None,
    image_input: str | None = None,
    labels: Input | Sequence[str] | None = None,
    dynamic: Mapping[str, Sequence[int | str] | str] | None = None,
) -> Exported:
    """The ONNX model of a net, and the changes to its layers; the options are the command's.

    ``batch`` is a number of 1 or more, ``dynamic``, or None for that of the net. ``dynamic`` has
    the inputs with free sizes, as ``{"data": "1,3,H,W"}``. With ``metadata`` the model keeps the
    net, for ``from_onnx``. ``preprocess`` and the options after it put preprocessing into the
    model; a ``mean`` is a file, numbers or an array of (C, H, W), ``labels`` a file or a list,
    ``resize`` a height and a width, or one number for both.
    Raises UnsupportedError with all reasons, GraphError and WeightsError, and PrototxtError for an
    invalid option. The model has passed ONNX's checker.
    """
    from prototxt_gen import _arguments
    from prototxt_gen import preprocess as pictures
    from prototxt_gen.errors import UnsupportedError
    from prototxt_gen.graph.fillers import Init
    from prototxt_gen.passes.deploy import Losses
    from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset
    from prototxt_gen.to_onnx.export import OLDEST_OPSET, Options
    from prototxt_gen.to_onnx.heads import Detection

    options = Options(
        _arguments.whole("opset", opset, OLDEST_OPSET, newest_opset(), UnsupportedError),
        _arguments.batch(batch),
        _arguments.names("outputs", outputs),
        dynamic=_arguments.dynamic(dynamic),
    )
    if options.dynamic and batch is not None:
        raise UnsupportedError("batch goes without dynamic, which has a batch of its own")
    if weights_init is not None:
        _arguments.one_of("weights_init", weights_init, Init)
    asked = Conversion(
        options,
        _arguments.shapes(input_shapes),
        _arguments.one_of("losses", losses, Losses),
        _arguments.flag("fold", fold),
        weights_init,
        _arguments.whole("seed", seed, 0),
        _arguments.flag("metadata", metadata),
        _arguments.one_of("detection", detection, Detection),
        pictures.wanted(
            preprocess,
            preprocess_from,
            mean,
            scale,
            channel_order,
            input_type,
            layout,
            resize,
            image_input,
        ),
        pictures.labels(labels),
    )
    return convert(graph, asked)


def from_onnx(
    model: Input | ModelProto,
    *,
    target: str | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    outputs: Sequence[str] = (),
    restore: bool = True,
) -> Restored:
    """The net of an ONNX model, with its weights, and the changes that were made.

    A model that ``convert`` made and nobody changed gives the net that it was made from, unless
    ``restore`` is False. Any other net is made from the model's structure. ``target`` is the
    Caffe to write for, a key of ``from_onnx.target.TARGETS``; None takes that of the net that the
    model was made from, else BVLC's. ``input_shapes`` are for inputs whose dimensions the model
    leaves free. ``outputs`` are values of the model at which the net ends, instead of its
    outputs. Raises UnsupportedError with all reasons, GraphError for an output that the model
    does not compute, ParseError for a file that is no model, and OSError.
    """
    from prototxt_gen import _arguments
    from prototxt_gen.errors import PrototxtError
    from prototxt_gen.from_onnx import TARGETS
    from prototxt_gen.from_onnx.target import Target
    from prototxt_gen.restore import net

    if target is not None and target not in TARGETS:
        raise PrototxtError(f"target {target!r}: expected one of {', '.join(TARGETS)}")
    wanted = Target(target) if target is not None else None
    return net.restore(
        model,
        wanted,
        _arguments.shapes(input_shapes),
        outputs=_arguments.names("outputs", outputs),
        metadata=_arguments.flag("restore", restore),
    )


def run(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """All blobs of a net by name, computed with numpy from its inputs.

    An input is anything that numpy converts to numbers; its shape overrides that in the net.
    A blob that layers overwrite has its last value. Raises PrototxtError for an input that
    is not numeric, WeightsError if weights are missing or their shapes do not fit, GraphError
    if an input is missing, and UnsupportedError if a layer has no reference.
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
    """The prototxt of a graph; layers that were read and not changed are written as they were."""
    from prototxt_gen.formats.prototxt import print_document
    from prototxt_gen.graph.write import write

    return print_document(write(graph)).decode("utf-8", "surrogateescape")
