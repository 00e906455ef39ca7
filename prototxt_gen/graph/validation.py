"""Everything that is wrong with a prototxt, in every phase that it is made for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import field

from prototxt_gen._records import Record, record
from prototxt_gen.diagnostics import Diagnostic, Severity, Sink, Source, Span
from prototxt_gen.document import Document
from prototxt_gen.formats.reader import read_text, without_unknown
from prototxt_gen.formats.text.resolve import UnknownFields
from prototxt_gen.formats.upgrade.net import upgrade_solver
from prototxt_gen.graph.check import check
from prototxt_gen.graph.filler_check import check_fillers
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.phase import Phase, State, phases_of, stages_of
from prototxt_gen.graph.read import build, need_layers, upgraded
from prototxt_gen.graph.type_check import UnknownTypes

_Key = tuple[str, Severity, str, Span | None, str | None]


@record
class Checked(Record):
    """A document, and if it is a net: that in the newest form, and what it is in each phase.

    Of each phase these are the layers without a stage, and the shapes that are known of them.
    """

    document: Document
    net: Document | None = None
    phases: dict[Phase, tuple[Graph, Shapes]] = field(default_factory=dict)


def validate(
    source: Source,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
    unknown_fields: UnknownFields = "error",
) -> Sink:
    """What Caffe would refuse in a text: syntax, schema, and for a net its graph and shapes.

    The graph is checked only where text and schema have no error, except for unknown fields:
    they are reported, and the rest is checked as if they were not there. ``unknown_types`` and
    ``unknown_fields`` are how to report layer types and fields that no known Caffe has. Raises
    KeyError where there is no such dialect.
    """
    sink = Sink(source)
    check_text(source, sink, dialect, unknown_types, unknown_fields)
    return sink


def check_text(
    source: Source,
    sink: Sink,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
    unknown_fields: UnknownFields = "error",
) -> Checked:
    """The same, reported to a sink; and what was checked."""
    document = read_text(source, sink, None, dialect, unknown_fields)
    type = document.root.type
    if all(error.rule == "unknown-field" for error in sink.errors) and type is not None:
        if unknown_fields == "ignore" or any(d.rule == "unknown-field" for d in sink.diagnostics):
            without_unknown(document.root)
        if type.name == "NetParameter":
            return _check_phases(document, sink, dialect, unknown_types)
        if type.name == "SolverParameter":
            from prototxt_gen.graph.solver_check import check_solver

            solver = upgrade_solver(document.root, sink)
            check_solver(solver, sink, dialect or document.dialect)
    return Checked(document)


def check_state(
    net: Document,
    sink: Sink,
    state: State,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
) -> tuple[Graph, Shapes]:
    """What Caffe would refuse in a state of an upgraded net, fillers included; its graph."""
    graph = build(net, sink, state)
    shapes = check(graph, sink, dialect=dialect, unknown_types=unknown_types)
    check_fillers(graph, shapes, sink)
    return graph, shapes


def _check_phases(
    document: Document, sink: Sink, dialect: str | None, unknown_types: UnknownTypes
) -> Checked:
    net = upgraded(document, sink)
    checked = Checked(document, net)
    need_layers(net.root, sink)
    found: dict[_Key, Diagnostic] = {}
    for phase in phases_of(net.root):
        for diagnostic in _check_stages(checked, net, phase, dialect, unknown_types):
            found.setdefault(_key(diagnostic), diagnostic)
    for diagnostic in found.values():
        sink.add(diagnostic)
    return checked


def _check_stages(
    checked: Checked,
    net: Document,
    phase: Phase,
    dialect: str | None,
    unknown_types: UnknownTypes,
) -> Iterator[Diagnostic]:
    """What is wrong without a stage, or in one of those that the net's rules name.

    A net whose data layers need a stage has no inputs without one: a bottom is unknown only
    where no stage makes it.
    """
    stages = [frozenset[str](), *(frozenset({name}) for name in stages_of(net.root))]
    sinks = []
    for names in stages:
        sinks.append(Sink(net.source, most=sys.maxsize))
        made = check_state(net, sinks[-1], State(phase, names), dialect, unknown_types)
        checked.phases.setdefault(phase, made)
    everywhere = set.intersection(*(set(map(_key, one.diagnostics)) for one in sinks))
    for one in sinks:
        for diagnostic in one.diagnostics:
            if diagnostic.rule != "unknown-bottom" or _key(diagnostic) in everywhere:
                yield diagnostic


def _key(found: Diagnostic) -> _Key:
    """What makes a finding another one; the help may differ between states of a net."""
    return found.rule, found.severity, found.message, found.span, found.layer
