"""Two documents that were read: which of their states are compared, and how."""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.diagnostics import Sink
from prototxt_gen.diff.compare import compare_blocks, compare_nets
from prototxt_gen.diff.match import match
from prototxt_gen.diff.net import Net, net_of, states_of
from prototxt_gen.diff.result import Diff, What
from prototxt_gen.diff.structure import compare_structure
from prototxt_gen.document import Document
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.upgrade.net import upgrade_solver
from prototxt_gen.graph.phase import Phase, State
from prototxt_gen.graph.read import build

_NET = "NetParameter"


class Read(NamedTuple):
    """A file that was read, an upgraded net or another message, by the name the user gave it.

    ``saved`` is the phase of a net out of a caffemodel, which has no rules any more.
    """

    path: str
    document: Document
    saved: Phase | None = None


def compare(a: Read, b: Read, state: State | None = None, *, structure: bool = False) -> Diff:
    """The differences of two nets, or of two solvers.

    Without a state the whole files are compared, with all layers of all states. Raises
    ParseError for files of two kinds, and for a net without layers in the state.
    """
    kinds = [_kind(file) for file in (a, b)]
    if kinds[0] != kinds[1]:
        raise ParseError(
            f"{a.path} is a {kinds[0]} and {b.path} a {kinds[1]}; expected two of a kind"
        )
    if kinds[0] != _NET:
        if structure:
            raise ParseError(f"{a.path}: a {kinds[0]} has no structure; expected a net")
        if state is not None:
            raise ParseError(f"{a.path}: a {kinds[0]} has no phase or stage; expected a net")
        ours, theirs = (upgrade_solver(file.document.root, Sink()) for file in (a, b))
        what: What = "solver" if kinds[0] == "SolverParameter" else "file"
        return Diff(compare_blocks(ours, theirs, what))
    notes: tuple[str, ...] = ()
    if state is None and (a.saved or b.saved):
        state = State(a.saved or b.saved or "TEST")
        saved = a if a.saved else b
        if not (a.saved and b.saved):
            notes = (f"{saved.path} holds the net of phase {state.phase}, which is compared",)
    nets = _nets(a, b, state)
    if structure:
        placed, differing, _ = compare_structure(*nets)
        return Diff(tuple(one.change for one in placed), differing, notes)
    return Diff(tuple(one.change for one in compare_nets(match(*nets))), notes=notes)


def _nets(a: Read, b: Read, state: State | None) -> tuple[Net, Net]:
    states = (state,) if state else states_of(a.document.root, b.document.root)
    ours, theirs = (_net(file, states, whole=state is None) for file in (a, b))
    return ours, theirs


def _net(file: Read, states: tuple[State, ...], *, whole: bool) -> Net:
    sink = Sink(file.document.source)
    graph = build(file.document, sink, None)
    sink.raise_errors(ParseError)
    net = net_of(graph, file.document.root, states, whole=whole)
    if not net.units:
        raise ParseError(f"{file.path}: the net has no layer in this phase and stage")
    return net


def _kind(file: Read) -> str:
    type = file.document.root.type
    return type.name if type is not None else "message of no known kind"
