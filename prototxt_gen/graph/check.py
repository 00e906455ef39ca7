"""What Caffe refuses when it builds a net (net.cpp, Net::Init), each with a rule name.

Each check takes time linear in the size of the net. Shapes are inferred in ``graph.infer``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from prototxt_gen._nearest import did_you_mean, nearest
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink, Span
from prototxt_gen.errors import GraphError
from prototxt_gen.graph.graph import NEVER, Graph, Node, Ref
from prototxt_gen.graph.infer import Shapes, check_buffers, field_span, infer, param_span
from prototxt_gen.graph.param_check import check_params
from prototxt_gen.graph.type_check import UnknownTypes, check_axes, check_types
from prototxt_gen.layers.base import MANY, Role
from prototxt_gen.layers.parts.shapes import Shape

#: Of how many unknown bottoms we look for the name that was meant: each takes linear time.
_HINTS = 20


def check(
    graph: Graph,
    sink: Sink,
    given: Mapping[str, Shape] | None = None,
    *,
    dialect: str | None = None,
    unknown_types: UnknownTypes = "warning",
) -> Shapes:
    """Report everything that Caffe would refuse; return the shapes that are known.

    ``given`` are shapes of inputs, as in ``graph.infer.infer``; ``dialect`` is the requested
    one, and ``unknown_types`` how ``graph.type_check`` reports unknown types.
    """
    check_rules(graph, sink)
    check_types(graph, sink, dialect, unknown_types)
    check_wiring(graph, sink)
    check_counts(graph, sink)
    check_layers(graph, sink)
    shapes = infer(graph, sink, given)
    check_axes(graph, shapes, sink, dialect)
    check_buffers(graph, shapes, sink, dialect)
    check_params(graph, shapes, sink)
    return shapes


def checked(graph: Graph, given: Mapping[str, Shape] | None = None) -> Shapes:
    """The shapes of a net; raises GraphError with all problems if Caffe would refuse it."""
    sink = Sink(graph.source)
    shapes = check(graph, sink, given)
    sink.raise_errors(GraphError)
    return shapes


def need_inputs(graph: Graph, shapes: Shapes) -> None:
    """Raise GraphError if the shapes of inputs are unknown."""
    open_ = [
        ref.blob
        for ref in graph.inputs
        if (shape := shapes.blobs.get(ref)) is None or None in shape
    ]
    if open_:
        names = ", ".join(map(repr, open_))
        are = (
            f"the shapes of the inputs {names} are not known; give them"
            if len(open_) > 1
            else f"the shape of the input {names} is not known; give it"
        )
        raise GraphError(f"{are} with {' '.join(f'--input-shape {one}=N,C,H,W' for one in open_)}")


def check_rules(graph: Graph, sink: Sink) -> None:
    """A layer has either include or exclude rules, not both (FilterNet)."""
    for node in graph.nodes:
        if node.source.has("include") and node.source.has("exclude"):
            sink.error(
                "include-and-exclude",
                "has both include and exclude; expected one of them",
                span=field_span(node, "exclude"),
                layer=node.name,
            )


def check_wiring(graph: Graph, sink: Sink) -> None:
    """Every bottom is the top of an earlier layer, and every blob has one source.

    A layer may write over its own bottom, of the same index, if no other layer reads the
    old value: for two readers Caffe splits the blob, so that the layer is a second source
    (AppendTop, insert_splits.cpp).
    """
    readers = _readers(graph)
    first_source: dict[str, str] = {}
    for node in graph.nodes:
        for top in node.tops:
            first_source.setdefault(top.blob, node.name)
    written: set[str] = set()
    hints = _HINTS
    for node in graph.nodes:
        for index, ref in enumerate(node.bottoms):
            if ref.version == NEVER:
                help = _where(graph, ref, first_source)
                if help is None and hints:
                    hints -= 1
                    near = nearest(ref.blob, written)
                    help = did_you_mean(near) if near else None
                _unknown_bottom(node, index, ref, help, sink)
        for index, top in enumerate(node.tops):
            if top.blob not in written:
                written.add(top.blob)
            elif not node.in_place(index):
                _duplicate_top(node, index, first_source[top.blob], sink)
            elif len(readers[node.bottoms[index]]) > 1:
                _shared_in_place(node, index, readers[node.bottoms[index]], sink)


def check_counts(graph: Graph, sink: Sink) -> None:
    """Each layer has as many bottoms, tops and per-blob fields as its type takes."""
    for node in graph.nodes:
        arity = node.layer.arity()
        _check_count(node, "bottom", len(node.bottoms), arity.bottoms, sink)
        _check_count(node, "top", len(node.tops), arity.tops, sink)
        if arity.equal and len(node.bottoms) != len(node.tops):
            sink.error(
                "top-count",
                f"has {plural(len(node.bottoms), 'bottom')} and "
                f"{plural(len(node.tops), 'top')}; "
                f"expected equally many of both for {node.type}",
                span=_first_alone(node),
                layer=node.name,
            )
        if (
            node.layer.role is Role.LOSS
            and not node.source.has("loss_weight")
            and len(node.tops) > 1
        ):
            _loss_without_weights(node, sink)
        _check_each(node, "loss_weight", "top", len(node.tops), sink)
        _check_each(node, "propagate_down", "bottom", len(node.bottoms), sink)


def check_layers(graph: Graph, sink: Sink) -> None:
    """What the set-up of each layer refuses, and names shared by several layers."""
    seen: dict[str, Node] = {}
    for node in graph.nodes:
        own = () if node.layer.in_place else filter(node.in_place, range(len(node.tops)))
        for index in own:
            sink.error(
                "in-place-refused",
                f"works in place on {node.tops[index].blob!r}, which {node.type} does not support",
                span=field_span(node, "top", index),
                layer=node.name,
                help="give the top a name of its own",
            )
        for problem in node.layer.problems():
            report = sink.warning if problem.warning else sink.error
            report(
                problem.rule,
                problem.message,
                span=param_span(node, problem.field, problem.which),
                layer=node.name,
                help=problem.help,
            )
        if node.name and seen.setdefault(node.name, node) is not node:
            sink.warning(
                "duplicate-name",
                f"another layer is also called {node.name!r}; weights are found by name, so "
                "Caffe would give both layers the same",
                span=field_span(node, "name"),
                layer=node.name,
            )


def _readers(graph: Graph) -> dict[Ref, list[str | None]]:
    """The layers that read each blob, by name.

    The loss, None here, reads a top with a loss_weight (insert_splits.cpp).
    """
    readers: defaultdict[Ref, list[str | None]] = defaultdict(list)
    for node in graph.nodes:
        for ref in node.bottoms:
            readers[ref].append(node.name)
        for top, weight in zip(node.tops, node.source.get_list("loss_weight", float), strict=False):
            if weight:
                readers[top].append(None)
    return readers


def _where(graph: Graph, ref: Ref, sources: Mapping[str, str]) -> str | None:
    """Which layer makes a blob, although none does where it is read."""
    if ref.blob in sources:
        return f"layer {sources[ref.blob]!r} makes it, but comes later"
    return graph.state_of(ref.blob)


def _unknown_bottom(node: Node, index: int, ref: Ref, help: str | None, sink: Sink) -> None:
    sink.error(
        "unknown-bottom",
        f"bottom {ref.blob!r} is not the top of an earlier layer",
        span=field_span(node, "bottom", index),
        layer=node.name,
        help=help,
    )


def _duplicate_top(node: Node, index: int, first: str, sink: Sink) -> None:
    sink.error(
        "duplicate-top",
        f"top {node.tops[index].blob!r} is already the top of layer {first!r}; expected a new "
        "name, or that of the bottom at the same index",
        span=field_span(node, "top", index),
        layer=node.name,
    )


def _shared_in_place(node: Node, index: int, readers: Sequence[str | None], sink: Sink) -> None:
    blob = node.tops[index].blob
    shown = ("its loss_weight" if one is None else f"layer {one!r}" for one in readers)
    other = next((one for one in shown if one != f"layer {node.name!r}"), "it")
    sink.error(
        "in-place-shared",
        f"works in place on {blob!r}, which {other} also reads: Caffe then finds two sources "
        f"of {blob!r}",
        span=field_span(node, "top", index),
        layer=node.name,
        help="give the top a name of its own",
    )


def _first_alone(node: Node) -> Span | None:
    """The first bottom or top without one of the other kind at the same index."""
    most = min(len(node.bottoms), len(node.tops))
    return field_span(node, "bottom" if len(node.bottoms) > most else "top", most)


def _check_count(node: Node, what: str, found: int, bounds: tuple[int, int], sink: Sink) -> None:
    least, most = bounds
    if least <= found <= most:
        return
    if least == most:
        wanted = f"{least}"
    else:
        wanted = f"at least {least}" if most >= MANY else f"{least} to {most}"
    sink.error(
        f"{what}-count",
        f"has {plural(found, what)}; {node.type} takes {wanted}",
        # The first that is too many; the type asks for those that are missing.
        span=field_span(node, what, most) if found > most else field_span(node, "type"),
        layer=node.name,
    )


def _check_each(node: Node, field: str, what: str, number: int, sink: Sink) -> None:
    """A field is absent, or given once for each bottom or top."""
    found = len(node.source.all(field))
    if found and found != number:
        sink.error(
            f"{field.replace('_', '-')}-count",
            f"has {found} {field} for {plural(number, what)}; expected none, or one for each "
            f"{what}",
            span=field_span(node, field),
            layer=node.name,
        )


def _loss_without_weights(node: Node, sink: Sink) -> None:
    """A loss gives itself a single loss_weight (loss_layer.cpp), too few for several tops."""
    sink.error(
        "loss-weight-count",
        f"has {len(node.tops)} tops and no loss_weight; expected one for each top",
        span=field_span(node, "top", 1),
        layer=node.name,
    )
