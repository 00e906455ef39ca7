"""Everything that is wrong with a prototxt, in every phase that it is made for."""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.diagnostics import Diagnostic, Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade.net import upgrade_solver
from prototxt_gen.graph.check import check
from prototxt_gen.graph.phase import Phase, State, phases_of, stages_of
from prototxt_gen.graph.read import build, upgraded


def validate(source: Source, dialect: str | None = None) -> Sink:
    """What Caffe would refuse in a text: syntax, schema, and for a net its graph and shapes.

    The graph is looked at only where text and schema are without an error. Raises KeyError
    where there is no such dialect.
    """
    sink = Sink(source)
    document = read_text(source, sink, dialect=dialect)
    type = document.root.type
    if not sink.errors and type is not None:
        if type.name == "NetParameter":
            _check_phases(document, sink)
        elif type.name == "SolverParameter":
            upgrade_solver(document.root, sink)
    return sink


def _check_phases(document: Document, sink: Sink) -> None:
    net = upgraded(document, sink)
    found: dict[Diagnostic, None] = {}
    for phase in phases_of(net.root):
        found.update(dict.fromkeys(_check_stages(net, phase)))
    sink.diagnostics.extend(found)


def _check_stages(net: Document, phase: Phase) -> Iterator[Diagnostic]:
    """What is wrong without a stage, or in one of those that the net's rules name.

    A net whose data come with a stage has no inputs without: a bottom is unknown only
    where no stage makes it.
    """
    stages = [frozenset[str](), *(frozenset({name}) for name in stages_of(net.root))]
    sinks = []
    for names in stages:
        sinks.append(Sink(net.source))
        check(build(net, sinks[-1], State(phase, names)), sinks[-1])
    for one in sinks:
        for diagnostic in one.diagnostics:
            if diagnostic.rule != "unknown-bottom" or all(
                diagnostic in other.diagnostics for other in sinks
            ):
                yield diagnostic
