"""What a page about two nets says: both with their pictures, and what is different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prototxt_gen import _version
from prototxt_gen.diagnostics import Sink
from prototxt_gen.diff.sides import Difference, compare_graphs
from prototxt_gen.draw.boxes import described
from prototxt_gen.draw.picture import MARKS
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State
from prototxt_gen.report.layers import LayerView, layer_views, text_of
from prototxt_gen.report.sketch import Sketch, sketch
from prototxt_gen.summary import Summary, summarize

NAMES = ("a", "b")  #: of the sides


@dataclass(frozen=True, slots=True)
class Total:
    """A number of both nets; ``bytes`` is whether it is one of bytes."""

    name: str
    values: tuple[int, int]
    bytes: bool = False

    @property
    def change(self) -> float | None:
        """How much more the second has, as a part of the first; None where that has none."""
        first, second = self.values
        return (second - first) / first if first else None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the nets; ``marks`` say how its layers differ, ``partners`` are those of the other."""

    name: str
    file: str
    complete: bool  #: whether every size is known
    printed: bool  #: whether the text of the layers was made here, of a file that is none
    sketch: Sketch
    layers: tuple[LayerView, ...]
    marks: tuple[str, ...]
    partners: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A difference: the layers that it is about, and each field with both values in words."""

    mark: str
    what: str  #: net, input or layer
    name: str
    type: str
    first: int | None
    second: int | None
    fields: tuple[tuple[str, str, str], ...]
    about: str  #: what a layer that only one net has does


@dataclass(frozen=True, slots=True)
class Pair:
    """All that a page about two nets shows."""

    sides: tuple[Side, Side]
    totals: tuple[Total, ...]
    rows: tuple[Row, ...]
    same: bool
    lines: tuple[str, ...]  #: the first layers that do not fit, where names do not count
    structure: bool
    phase: str | None  #: None where both are ONNX models
    version: str

    @property
    def counts(self) -> dict[str, int]:
        """How many differences there are of each mark that occurs."""
        found = Counter(row.mark for row in self.rows)
        return {mark: found[mark] for mark in MARKS if found[mark]}

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Asked:
    """How two nets are compared and drawn; ``state`` is the one that they were read in."""

    files: tuple[str, str]
    state: State | None = None
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    structure: bool = False  #: whether names do not count
    blocks: bool | None = None


def pair(a: Graph, b: Graph, asked: Asked) -> Pair:
    """The comparison of two nets.

    ``input_shapes`` are for the inputs of both that have the name. Raises ShapeError where
    neither net has such an input.
    """
    found = compare_graphs(a, b, asked.state or State(), structure=asked.structure)
    graphs = (a, b)
    given = [_given(graph, graphs, asked.input_shapes or {}) for graph in graphs]
    sums = [summarize(graph, shapes) for graph, shapes in zip(graphs, given, strict=True)]
    sides = tuple(
        _side(index, graph, asked, (sums[index], given[index]), found.pairs, found.differences)
        for index, graph in enumerate(graphs)
    )
    return Pair(
        sides=(sides[0], sides[1]),
        totals=tuple(_totals(*sums)),
        rows=tuple(_row(one, a, b) for one in found.differences),
        same=found.diff.same,
        lines=tuple(found.diff.unfit()),
        structure=asked.structure,
        phase=asked.state.phase if asked.state else None,
        version=_version.__version__,
    )


def _given(
    graph: Graph, graphs: Sequence[Graph], asked: Mapping[str, tuple[int, ...]]
) -> dict[str, tuple[int, ...]]:
    """The shapes for a net: those that no net has an input for are left for it to refuse."""
    every = {name for one in graphs for name in one.sources}
    return {k: shape for k, shape in asked.items() if k in graph.sources or k not in every}


def _side(
    index: int,
    graph: Graph,
    asked: Asked,
    sized: tuple[Summary, Mapping[str, tuple[int, ...]]],
    pairs: Sequence[tuple[int, int]],
    differences: Sequence[Difference],
) -> Side:
    summary, given = sized
    marks: dict[int, str] = {}
    for one in differences:
        at = (one.first, one.second)[index]
        if at is not None:
            marks[at] = min(marks.get(at, one.change.mark), one.change.mark, key=[*MARKS].index)
    partners = {one[index]: one[1 - index] for one in pairs}
    source, fields = text_of(graph, asked.files[index])
    shapes = check(graph, Sink(), given)
    drawn = sketch(graph, shapes, asked.blocks, marks, f"{NAMES[index]}-")
    return Side(
        graph.name,
        asked.files[index],
        summary.complete,
        graph.source is not source,
        drawn,
        layer_views(graph, summary, source, fields, drawn),
        tuple(marks.get(at, "") for at in range(len(graph.nodes))),
        tuple(partners.get(at) for at in range(len(graph.nodes))),
    )


def _totals(a: Summary, b: Summary) -> Iterator[Total]:
    yield Total("layers", (len(a.rows), len(b.rows)))
    yield Total("parameters", (a.parameters, b.parameters))
    yield Total("statistics", (a.statistics, b.statistics))
    yield Total("multiply-adds", (a.multiply_adds, b.multiply_adds))
    yield Total("weights", (a.weight_bytes, b.weight_bytes), True)
    yield Total("activations at their peak", (a.memory.peak, b.memory.peak), True)
    yield Total("all activations", (a.activations, b.activations), True)


def _row(one: Difference, a: Graph, b: Graph) -> Row:
    change = one.change
    about = ""
    if one.first is None and one.second is not None:
        about = described(b.nodes[one.second])
    elif one.second is None and one.first is not None:
        about = described(a.nodes[one.first])
    fields = tuple((field.name, *field.words) for field in change.fields)
    name = f"{change.name}, {change.other}" if change.other else change.name
    return Row(change.mark, change.what, name, change.type, one.first, one.second, fields, about)
