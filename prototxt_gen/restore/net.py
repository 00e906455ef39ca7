"""From a model that our own conversion made back to the net that it was made from.

A model keeps its source in its metadata (``to_onnx.source``). The net is the answer only if
exporting it again, with the weights that the model has now, gives the model at hand: then
nothing was changed, or nothing but weights. Else the metadata is ignored whole, the first
difference is told, and the net is made from the model's structure (``from_onnx``). Whatever
the metadata says is checked: it may have been written by anyone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx

from prototxt_gen import _version
from prototxt_gen._arguments import MOST
from prototxt_gen._limits import HINT, at_most
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.errors import ParseError, PrototxtError, ShapeError, UnsupportedError
from prototxt_gen.formats.dialects import DIALECTS, is_own
from prototxt_gen.formats.reader import read_text
from prototxt_gen.from_onnx.convert import Lift, lift
from prototxt_gen.from_onnx.cut import ending_at
from prototxt_gen.from_onnx.files import load
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.from_onnx.unread import Array
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.read import build
from prototxt_gen.graph.validation import validate
from prototxt_gen.graph.weights import bound
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.inference import with_inputs
from prototxt_gen.passes.preprocessing import Preprocessing
from prototxt_gen.restore.blobs import Initializers, stored_weights
from prototxt_gen.restore.metadata import Kept, read_source
from prototxt_gen.to_onnx.convert import need_opset
from prototxt_gen.to_onnx.difference import difference
from prototxt_gen.to_onnx.export import export, for_inputs, pruned
from prototxt_gen.to_onnx.free import read_ranges
from prototxt_gen.to_onnx.preprocess.kept import read_kept
from prototxt_gen.to_onnx.sizes import symbols

_LARGEST_NET = 64 << 20  #: bytes of text
_NET = "the net that the model was made from"


@dataclass
class Restored:
    """A net, whose ``graph.stored`` has its weights, and what was done to get it.

    ``stored`` tells whether it is the one that the model keeps; else it was made from the
    model's structure.
    """

    graph: Graph
    changes: list[Change] = field(default_factory=list)
    stored: bool = False


def restore(
    source: onnx.ModelProto | str | os.PathLike[str],
    target: Target | None = None,
    input_shapes: Mapping[str, tuple[int, ...]] | None = None,
    *,
    outputs: Sequence[str] = (),
    metadata: bool = True,
) -> Restored:
    """The net of a model or its file: the one that it was made from, or one that computes the same.

    It ends at ``outputs`` where any are named. Without a ``target`` the stored net is taken for
    whatever Caffe it is for, and a net from the structure is for BVLC's. Raises UnsupportedError
    and GraphError as ``from_onnx`` does.
    """
    proto, unread = load(source)
    proto = ending_at(proto, outputs)
    given, note = dict(input_shapes or {}), []
    if metadata:
        try:
            graph = _stored_net(proto, unread, target, given)
        except (PrototxtError, MemoryError, RecursionError) as error:
            what = f"{_NET} is in its metadata and not used: {_words(error)}"
            note = [Change(proto.graph.name or "net", "", what)]
        else:
            if graph is not None:
                own = Change(graph.name or "net", "", f"is {_NET}")
                return Restored(graph, [own, *_before(read_kept(proto))], True)
    free = _own_sizes(proto, given)
    for name, shape in free.items():
        words = f"its free sizes are as in {_NET}, {show(shape)}; --input-shape has others"
        note.append(Change(name, "input", words))
    lifted = lift(proto, Lift(target or Target(), {**free, **given}), unread)
    return Restored(lifted.graph, [*note, *lifted.changes])


def _own_sizes(proto: onnx.ModelProto, given: Mapping[str, Shape]) -> dict[str, tuple[int, ...]]:
    """The shapes of inputs with free sizes, by what the model says of the net's own."""
    ranges = read_ranges(proto)
    known = {symbol: one.own for symbol, one in ranges.items() if one.own <= MOST}
    found: dict[str, tuple[int, ...]] = {}
    for name, dims in symbols(proto).items():
        sizes = [known.get(dim) if isinstance(dim, str) else dim for dim in dims]
        if name not in given and any(isinstance(dim, str) for dim in dims) and None not in sizes:
            found[name] = tuple(size for size in sizes if size is not None)
    return found


def _before(done: Sequence[Preprocessing]) -> Iterator[Change]:
    """What the model did to its inputs before the net, which the net does not do."""
    for one in done:
        words = ", then ".join(one.words())
        yield Change(one.blob, "input", f"preprocessing was in the model, not in the net: {words}")


def _words(error: BaseException) -> str:
    if not isinstance(error, PrototxtError):
        return "it needs too much memory"
    first = error.diagnostics[0] if error.diagnostics else None
    words = error.message if first is None else first.message
    where = f"layer {first.layer!r}: " if first is not None and first.layer else ""
    return where + " ".join(words.split())


def _stored_net(
    proto: onnx.ModelProto,
    unread: Mapping[str, Array],
    target: Target | None,
    given: Mapping[str, Shape],
) -> Graph | None:
    """The net that a model keeps, with the model's weights; None if it keeps none.

    Raises PrototxtError where it cannot be the net of the model as it is.
    """
    kept = read_source({entry.key: entry.value for entry in proto.metadata_props})
    if kept is None:
        return None
    need_opset(kept.options.opset)
    done = read_kept(proto)
    options = replace(kept.options, preprocessing=done)
    graph = pruned(_parsed(kept), kept.options.outputs)
    shapes = checked(graph, for_inputs(graph, kept.input_shapes))
    _need_inputs(proto, graph, shapes, done)
    graph.stored = stored_weights(graph, shapes, kept, Initializers(proto, unread))
    # Bound anew, so that layers that share weights do so, whatever the model has for each.
    made = export(graph, bound(graph, shapes), options, kept.input_shapes)
    what = difference(proto, made, unread)
    if what is not None:
        own = _version.__version__
        written = "" if kept.version == own else f" (by version {kept.version:.20}; this is {own})"
        raise UnsupportedError(f"{what}{written}")
    if target is not None:
        _need_target(kept, graph, target)
    return _with_inputs(graph, given) if given else graph


def _parsed(kept: Kept) -> Graph:
    """The net of a text, with every layer: those of other phases had been left out."""
    most = at_most(_LARGEST_NET)
    if len(kept.text) > most:
        raise ParseError(
            f"the text has {plural(len(kept.text), 'byte')}; expected at most {most} ({HINT})"
        )
    source = Source(kept.text, "the net in the metadata")
    sink = Sink(source)
    known = kept.dialect in DIALECTS or is_own(kept.dialect)
    dialect = kept.dialect if known else None
    document = read_text(source, sink, "NetParameter", dialect)
    sink.raise_errors(ParseError)
    graph = build(document, sink, None)
    sink.raise_errors(ParseError)
    graph.hidden |= kept.hidden
    return graph


def _need_inputs(
    proto: onnx.ModelProto, graph: Graph, shapes: Shapes, done: Sequence[Preprocessing]
) -> None:
    """The inputs of both are the same, so that the stored net is as large as the model.

    Anyone may have written the metadata, and an export takes time and memory.
    """
    for ref in graph.inputs:
        value = next((value for value in proto.graph.input if value.name == ref.blob), None)
        if value is None:
            raise UnsupportedError(f"input {ref.blob}: gone")
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        own = shapes.blobs.get(ref) or ()
        taken = [
            one.outer(own, (None, None)) for one in done if one.blob == ref.blob and len(own) == 4
        ]
        own = taken[0] if taken else own
        if len(dims) != len(own) or any(a and a != b for a, b in zip(dims, own, strict=True)):
            raise UnsupportedError(f"input {ref.blob}: it is {show(dims)}, stored {show(own)}")


def _need_target(kept: Kept, graph: Graph, target: Target) -> None:
    """Raise UnsupportedError where the Caffe that was asked for does not have all of the net."""
    for node in graph.nodes:
        if not target.has(node.layer.type):
            raise UnsupportedError(f"{target.name} has no layer type {node.type}")
        for one in node.source:
            if isinstance(one.value, Block) and one.value.type is not None:
                for inner in one.value:
                    if not target.has_field(one.value.type.name, inner.name):
                        raise UnsupportedError(f"{target.name} has no {one.name}.{inner.name}")
    errors = validate(Source(kept.text, "the net in the metadata"), target.name).errors
    if errors:
        raise UnsupportedError(f"{target.name} refuses it: {errors[0].message}")


def _with_inputs(graph: Graph, given: Mapping[str, Shape]) -> Graph:
    """The net with other shapes of its inputs; raises GraphError if they do not fit."""
    names = {ref.blob for ref in graph.inputs}
    for name in given:
        if name not in names:
            raise ShapeError(f"the net has no input {name!r}")
    return with_inputs(graph, checked(graph, given))
