"""Everything that is wrong with a prototxt, in every phase that it is made for."""

from __future__ import annotations

from prototxt_gen.diagnostics import Diagnostic, Sink, Source
from prototxt_gen.document import Document
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade import upgrade_solver
from prototxt_gen.graph.check import check
from prototxt_gen.graph.phase import State, phases_of
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
        one = Sink(document.source)
        check(build(net, one, State(phase)), one)
        found.update(dict.fromkeys(one.diagnostics))
    sink.diagnostics.extend(found)
