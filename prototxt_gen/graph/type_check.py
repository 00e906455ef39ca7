"""Layer types that Caffe does not have (LayerRegistry::CreateLayer, layer_factory.hpp)."""

from __future__ import annotations

from typing import Literal

from prototxt_gen._nearest import did_you_mean, nearest
from prototxt_gen.diagnostics import Sink
from prototxt_gen.formats.dialects import is_bvlc
from prototxt_gen.formats.schema import schema
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes, field_span
from prototxt_gen.layers.parts.forks import BVLC, ELSEWHERE, FORKS, OTHER_NAMES
from prototxt_gen.layers.parts.shapes import show

LEGACY_AXES = 4
#: How to report a type that no known Caffe has.
UnknownTypes = Literal["error", "warning", "ignore"]


def check_types(
    graph: Graph, sink: Sink, dialect: str | None = None, unknown: UnknownTypes = "warning"
) -> None:
    """Report types that Caffe would not find.

    For BVLC's Caffe, or a release of it, that is every type that it does not have. Otherwise an
    empty type and a misspelt known one are errors; ``unknown`` is how to report other unknown
    types. An error is reported for each layer, a warning once for each type.
    """
    warned: set[str] = set()
    strict = is_bvlc(dialect)
    for node in graph.nodes:
        name = node.type
        if strict and name in BVLC and _is_later(node, dialect):
            _report(node, sink, f"{dialect} has no type {name!r}", "known to bvlc: see --dialect")
            continue
        # A type from outside this package exists in the Caffe that it is for.
        if name in BVLC or (name not in FORKS and node.layer.known):
            continue
        if not name:
            _report(node, sink, "has no type", "write the layer's type")
        elif strict:
            _report(node, sink, f"BVLC's Caffe has no type {name!r}", _help(name))
        elif name not in FORKS and name not in warned:
            near = () if name in ELSEWHERE else nearly(name)
            if near:
                _report(node, sink, f"no Caffe has a type {name!r}", did_you_mean(near))
            elif unknown == "error":
                _report(node, sink, f"type {name!r} is not known", _other(name))
            elif unknown == "warning":
                warned.add(name)
                sink.warning(
                    "unknown-type",
                    f"type {name!r} is not known: Caffe would need such a layer, and "
                    "shapes after it are not checked",
                    span=field_span(node, "type"),
                    layer=node.name,
                    help=_other(name),
                )


def check_axes(graph: Graph, shapes: Shapes, sink: Sink, dialect: str | None = None) -> None:
    """Report bottoms with more axes than num(), channels(), height() and width() allow.

    For BVLC's Caffe that is an error. Layers of some forks do not use these, so otherwise there
    is one warning for the whole net.
    """
    strict = is_bvlc(dialect)
    report = sink.error if strict else sink.warning
    for node in graph.nodes:
        shape = shapes.blobs.get(node.bottoms[0], ()) if node.layer.legacy and node.bottoms else ()
        if len(shape) > LEGACY_AXES:
            report(
                "legacy-axes",
                f"the bottom {show(shape)} has {len(shape)} axes; BVLC's {node.type} takes at "
                f"most {LEGACY_AXES} (blob.hpp, LegacyShape)",
                span=field_span(node, "bottom"),
                layer=node.name,
            )
            if not strict:
                return


def _is_later(node: Node, dialect: str | None) -> bool:
    """Whether a type of BVLC's came after a release: that has no field for its parameters."""
    param = node.layer.param
    known = schema(dialect or "bvlc").message("LayerParameter").fields
    return param is not None and param not in known


def nearly(name: str) -> tuple[str, ...]:
    """Known types that differ from a name only in case or by a letter or two; the nearest first."""
    return nearest(name, {*BVLC, *FORKS, *ELSEWHERE})


def _help(name: str) -> str | None:
    """Which Caffe has a type that BVLC does not have, else what may have been meant."""
    if name in FORKS or name in ELSEWHERE:
        dialects = FORKS.get(name, ())
        return f"known to {', '.join(dialects)}" if dialects else "known to other forks"
    near = nearly(name)
    return did_you_mean(near) if near else _other(name)


def _other(name: str) -> str | None:
    """What Caffe calls a type that has this name elsewhere."""
    meant = OTHER_NAMES.get(name.casefold())
    return did_you_mean([meant]) if meant else None


def _report(node: Node, sink: Sink, message: str, help: str | None) -> None:
    sink.error("unknown-type", message, span=field_span(node, "type"), layer=node.name, help=help)
