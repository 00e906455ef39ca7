"""Free sizes by name: ``data=1,3,H,W`` frees the height and the width of an input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn, Union

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph, Ref
from prototxt_gen.graph.infer import Shapes, infer, named
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.axes import Meanings, batch_axes
from prototxt_gen.passes.deploy import Change
from prototxt_gen.passes.preprocessing import Preprocessing
from prototxt_gen.to_onnx.batch import freed
from prototxt_gen.to_onnx.free import Dims

#: For an input each dimension: a number, or the symbol of a free size.
Dynamic = Mapping[str, tuple[Union[int, str], ...]]


def own_shapes(graph: Graph, dynamic: Dynamic, given: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of the inputs that have free sizes, which are as the net has them.

    Raises UnsupportedError for a shape that the net does not say, or has otherwise.
    """
    known = graph.sources
    wanted = {name: shape for name, shape in given.items() if name in known}
    shapes = infer(graph, Sink(), wanted)
    found: dict[str, Shape] = {}
    for name, dims in dynamic.items():
        asked = f"{name}={','.join(map(str, dims))}"
        if name not in known:
            shown = ", ".join(sorted(known)) or "none"
            raise UnsupportedError(f"--dynamic {asked}: the net has no such input; it has {shown}")
        shape = shapes.blobs.get(Ref(name, 0))
        if shape is None or None in shape:
            raise UnsupportedError(
                f"--dynamic {asked}: the net does not say its own size, with which it is "
                f"compared; give one with --input-shape {name}=N,C,H,W"
            )
        if len(shape) != len(dims):
            _refuse_number(graph, name, asked, shape, len(dims))
        found[name] = tuple(
            dim if isinstance(dim, int) else own for dim, own in zip(dims, shape, strict=True)
        )
    return found


def _refuse_number(graph: Graph, name: str, asked: str, shape: Shape, found: int) -> NoReturn:
    """Raise UnsupportedError for another number of sizes than an input has, at its place."""
    sink, maker = Sink(graph.source), graph.makers[Ref(name, 0)]
    words = f"--dynamic {asked}: found {plural(found, 'size')}, expected {len(shape)}"
    message = f"{words}, for the input {name!r} is {show(shape)}"
    sink.error("unsupported", message, span=maker.span, layer=maker.name)
    sink.fail(UnsupportedError)


def free_sizes(
    graph: Graph, shapes: Shapes, dynamic: Dynamic, done: tuple[Preprocessing, ...]
) -> tuple[Graph, Dims, list[Change]]:
    """The net with free sizes of inputs; raises UnsupportedError with each layer that pins one."""
    inputs = named(shapes, graph.inputs)
    asked = {name: _symbols(name, dims, inputs) for name, dims in dynamic.items()}
    _need_one_size(asked, inputs)
    _need_free_pictures(asked, done)
    meanings = Meanings(graph, shapes)
    batch = {
        name: free._replace(symbol=asked[name][free.axis])
        for name, free in batch_axes(graph, shapes, meanings).items()
        if free.axis in asked.get(name, {})
    }
    sink = Sink(graph.source)
    graph, dims, changes = freed(graph, shapes, asked, batch, meanings, sink)
    if sink.errors:
        sink.fail(UnsupportedError)
    return graph, dims, changes


def _symbols(name: str, dims: tuple[int | str, ...], inputs: Mapping[str, Shape]) -> dict[int, str]:
    if name not in inputs:
        shown = ", ".join(inputs) or "none"
        raise UnsupportedError(f"the net has no input {name!r} to have free sizes; it has {shown}")
    return {axis: dim for axis, dim in enumerate(dims) if isinstance(dim, str)}


def _need_one_size(asked: Mapping[str, Mapping[int, str]], inputs: Mapping[str, Shape]) -> None:
    """Raise UnsupportedError for a symbol of axes that have different sizes in the net."""
    first: dict[str, tuple[str, int]] = {}
    for name, axes in asked.items():
        for axis, symbol in axes.items():
            other, at = first.setdefault(symbol, (name, axis))
            if inputs[other][at] != inputs[name][axis]:
                raise UnsupportedError(
                    f"{symbol} would be axis {at} of {other!r}, {show(inputs[other])}, and axis "
                    f"{axis} of {name!r}, {show(inputs[name])}; expected one size"
                )


def _need_free_pictures(
    asked: Mapping[str, Mapping[int, str]], done: tuple[Preprocessing, ...]
) -> None:
    """Raise UnsupportedError where preprocessing has the size of an input."""
    for one in done:
        if any(axis >= 2 for axis in asked.get(one.blob, {})):
            what = "a mean image" if one.image is not None else "a crop" if one.crop else ""
            if one.resize is not None:
                raise UnsupportedError(
                    f"the input {one.blob!r} cannot have a free height or width: the model takes "
                    f"pictures of any, and resizes them to {one.resize[0]}x{one.resize[1]}"
                )
            if what:
                raise UnsupportedError(
                    f"the input {one.blob!r} cannot have a free height or width: its "
                    f"preprocessing has {what} of one size"
                )
        clash = set(asked.get(one.blob, {}).values()) & set(one.free)
        if one.resize is not None and clash:
            raise UnsupportedError(
                f"--dynamic {one.blob}: {min(clash)} is the name of a size of its pictures; "
                "expected another one"
            )


def said(dims: Dims, dynamic: Dynamic) -> list[Change]:
    """What the model takes, in words, for each input with free sizes."""
    narrowed = dict(dims.narrowed())
    changes = []
    for name, asked in dynamic.items():
        symbols = [dim for dim in asked if isinstance(dim, str)]
        if symbols:
            words = "; ".join(narrowed.get(s, f"{s} of 1 or more") for s in dict.fromkeys(symbols))
            changes.append(Change(name, "input", f"takes any {words}"))
    return changes
