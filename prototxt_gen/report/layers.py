"""The layers of a report: what each takes, makes and costs, and where it is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Field
from prototxt_gen.draw.boxes import kind
from prototxt_gen.draw.picture import size
from prototxt_gen.formats.prototxt import print_document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.write import write
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.report.sketch import Sketch
from prototxt_gen.summary import Row, Summary

_MOST_LINES = 80  #: of a layer's text
_LONGEST = 400  #: characters of one line, and of a value


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer; ``box`` is the one of the picture that shows it, or stands for it."""

    index: int
    name: str
    type: str
    kind: str  #: what its colour stands for
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    shapes: tuple[str, ...]  #: of the tops
    size: str  #: the first top's, without the batch and the channels; "" where unknown
    weights: tuple[str, ...]  #: their shapes
    parameters: int | None
    statistics: int | None
    multiply_adds: int | None
    reason: str | None
    settings: tuple[tuple[str, str, bool], ...]  #: name, value, whether it is the default
    before: tuple[int, ...]  #: the layers that make its bottoms
    after: tuple[int, ...]  #: the layers that read its tops
    line: int | None
    text: tuple[str, ...]
    box: str | None


def text_of(graph: Graph, file: str) -> tuple[Source, list[Field | None]]:
    """The text of a net, and the field of each layer in it.

    A net from a binary file has the text that is printed of it.
    """
    if graph.source is not None:
        return graph.source, [node.field for node in graph.nodes]
    source = Source(print_document(write(graph)), file)
    found = [field for field in read_text(source, Sink(source)).root if field.name == "layer"]
    # A net with ``input`` fields has a node for them that is not a layer.
    missing = len(graph.nodes) - len(found)
    return source, [*[None] * missing, *found]


def layer_views(
    graph: Graph, summary: Summary, source: Source, fields: Sequence[Field | None], drawn: Sketch
) -> tuple[LayerView, ...]:
    """All layers, in the order of the net."""
    makers = {top: index for index, node in enumerate(graph.nodes) for top in node.tops}
    before = [
        tuple(dict.fromkeys(makers[ref] for ref in node.bottoms if ref in makers))
        for node in graph.nodes
    ]
    after: list[list[int]] = [[] for _ in graph.nodes]
    for index, made in enumerate(before):
        for one in made:
            after[one].append(index)
    return tuple(
        _view(
            index, node, row, (before[index], tuple(after[index])), source, field, drawn.of(index)
        )
        for index, (node, row, field) in enumerate(
            zip(graph.nodes, summary.rows, fields, strict=True)
        )
    )


def _view(
    index: int,
    node: Node,
    row: Row,
    around: tuple[tuple[int, ...], tuple[int, ...]],
    source: Source,
    field: Field | None,
    box: str | None,
) -> LayerView:
    line, text = _written(source, field)
    return LayerView(
        index=index,
        name=row.name,
        type=row.type,
        kind=kind(node),
        bottoms=row.bottoms,
        tops=row.tops,
        shapes=tuple("?" if shape is None else show(shape) for shape in row.shapes),
        size=_size(row.shapes),
        weights=tuple(show(shape) for shape in row.weights or ()),
        parameters=row.cost and row.cost.parameters,
        statistics=row.cost and row.cost.statistics,
        multiply_adds=row.cost and row.cost.multiply_adds,
        reason=row.reason,
        settings=tuple(_settings(node)),
        before=around[0],
        after=around[1],
        line=line,
        text=text,
        box=box,
    )


def _size(shapes: Sequence[Shape | None]) -> str:
    if not shapes or shapes[0] is None:
        return ""
    shape = shapes[0]
    return size(shape[1:]) if len(shape) > 2 else "vectors"


def _settings(node: Node) -> Iterator[tuple[str, str, bool]]:
    """The parameters as the layer takes them, defaults and all; those as written if unknown."""
    if not node.layer.known:
        for name, value in _flat(node.source, ""):
            if name not in ("name", "type", "bottom", "top"):
                yield name, value, False
        return
    for field in dataclasses.fields(node.layer):  # type: ignore[arg-type]
        value = getattr(node.layer, field.name)
        usual = field.default is not dataclasses.MISSING and value == field.default
        if not usual or value not in ((), None):
            yield field.name, _shown(value), usual


def _flat(block: Block, start: str) -> Iterator[tuple[str, str]]:
    """The fields of a block with dotted names."""
    for field in block:
        name = f"{start}{field.name}"
        if isinstance(field.value, Block):
            yield from _flat(field.value, f"{name}.")
        else:
            yield name, _shown(field.value)


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return _cut(", ".join(map(_shown, value)) or "none")
    if isinstance(value, bytes):
        return _cut(value.decode("utf-8", "backslashreplace"))
    return _cut(f"{value:g}" if isinstance(value, float) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _written(source: Source, field: Field | None) -> tuple[int | None, tuple[str, ...]]:
    """The line of a layer, and its lines without their common indent."""
    if field is None or field.span is None:
        return None, ()
    start, end = field.span
    line = source.row(start)
    text = source.data[start:end].decode("utf-8", "replace").expandtabs(2)
    lines = text.splitlines()
    indent = min((len(one) - len(one.lstrip()) for one in lines[1:] if one.strip()), default=0)
    shown = [lines[0], *(one[indent:] for one in lines[1:])] if lines else []
    more = [f"… {len(shown) - _MOST_LINES} more lines"] if len(shown) > _MOST_LINES else []
    return line, tuple(map(_cut, [*shown[:_MOST_LINES], *more]))
