"""Whether what a user's templates print is the net.

A user's templates may say of a layer what they like: training, comments, layout. Types, wiring
and shapes are the net's own, and text in which they differ is refused. What else differs is noted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from prototxt_gen.diagnostics import Source
from prototxt_gen.diff.files import Read, compare
from prototxt_gen.diff.result import Change, Diff, FieldChange
from prototxt_gen.errors import GraphError, ParseError, TemplateError
from prototxt_gen.generate.blocks import Net
from prototxt_gen.generate.render import render
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import PHASES, State
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.reading import load, read_file

#: What of a layer is its wiring; everything else may be a template's own.
_WIRING = ("type", "bottom", "order", "include", "exclude", "phase", "number of tops")
_CLUE = "give --no-check to print it all the same"
Shapes = Mapping[str, tuple[Shape, ...]]


def compare_printed(net: Net, text: str, templates: Path) -> tuple[str, ...]:
    """In what the text that templates print differs from the net, line by line.

    Raises TemplateError if it is not a prototxt, or that of another net.
    """
    source = Source(text.encode("utf-8", "surrogateescape"), f"what {templates} prints")
    wanted = Source(render(net).encode("utf-8", "surrogateescape"), "the net of the spec")
    theirs = _read(source, net.graph.dialect)
    found = compare(read_file(wanted, net.graph.dialect), theirs)
    refused = list(_parts(found, wiring=True))
    if refused:
        lines = list(Diff(tuple(refused)).lines(every=True))
        raise _another(templates, lines[0], len(lines))
    for state in _states(net):
        ours, printed = (load(one, state, net.graph.dialect) for one in (wanted, source))
        unlike = _unlike_shapes(ours, printed, found)
        if unlike:
            raise _another(templates, unlike)
    return tuple(Diff(tuple(_parts(found, wiring=False))).lines())


def _another(templates: object, difference: str, count: int = 1) -> TemplateError:
    more = f" (and {count - 1} more)" if count > 1 else ""
    return TemplateError(
        f"{templates} prints another net than the spec's: {difference}{more}; {_CLUE}"
    )


def _read(source: Source, dialect: str) -> Read:
    try:
        return read_file(source, dialect)
    except ParseError as error:
        first = next((one for one in error.diagnostics if one.span), None)
        line = f", line {source.position(first.span.start)[0]}" if first and first.span else ""
        words = error.message
        raise TemplateError(f"{source.path} is no prototxt{line}: {words}; {_CLUE}") from error


def _states(net: Net) -> list[State]:
    return [State()] if net.spec.phase == "deploy" else [State(phase) for phase in PHASES]


def _parts(found: Diff, *, wiring: bool) -> Iterator[Change]:
    """The differences that are of the net's wiring, or those that are not."""
    for change in found.changes:
        if change.kind != "changed":
            if wiring:
                yield change
            continue
        fields = tuple(one for one in change.fields if _is_wiring(one) == wiring)
        if fields:
            yield replace(change, fields=fields)


def _is_wiring(field: FieldChange) -> bool:
    name = field.name.partition("[")[0]
    # A top that is called otherwise is the same one; another number of tops is a tuple.
    return name in _WIRING or (name == "top" and isinstance(field.before, tuple))


def _unlike_shapes(wanted: Graph, found: Graph, changes: Diff) -> str:
    """The first blob or weight that has another shape, in words; empty if there is none."""
    renamed = {
        str(field.before): str(field.after)
        for change in changes.changes
        for field in change.fields
        if field.name in ("name", "layer")
    }
    try:
        theirs = _shapes(found)
    except GraphError as error:
        return f"one that Caffe would refuse, {error.message}"
    for name, shapes in _shapes(wanted).items():
        others = theirs.get(renamed.get(name, name), shapes)
        if shapes != others:
            words = [", ".join(map(show, side)) or "nothing" for side in (others, shapes)]
            return f"{name!r} has {words[0]}; expected {words[1]}"
    return ""


def _shapes(graph: Graph) -> Shapes:
    """The shapes of a layer's tops and weights by its name, and those of inputs by their blobs.

    Without the first axis of a blob, the batch, which is a matter of training.
    """
    shapes = checked(graph)
    found: dict[str, tuple[Shape, ...]] = {}
    for ref in graph.inputs:
        if ref in shapes.blobs:
            found[ref.blob] = (shapes.blobs[ref][1:],)
    for index, node in enumerate(graph.nodes):
        if node.tops and node.tops[0] not in graph.inputs:
            tops = tuple(shape[1:] for shape in shapes.of(node.tops) or ())
            found[node.name] = (*tops, *shapes.weights.get(index, ()))
    return found
