"""What a file of a fleet is, by its contents: a net and its weights, or something else."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from prototxt_gen._numpy import np
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet import stores
from prototxt_gen.formats.reader import guess_message, read_text
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import Shapes, infer, named
from prototxt_gen.graph.weights import bind
from prototxt_gen.layers.parts.shapes import Shape, same

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State

Headers = Mapping[str, tuple[tuple[int, ...], ...]]
WEIGHTS = (".caffemodel", ".caffemodel.h5")
#: What the names of files of one model differ by.
_ROLE = re.compile(r"[_.-]?(deploy|train_val|trainval|train_test|train|test|inference)$", re.I)
SNAPSHOT = re.compile(r"^(?P<of>.*?)_iter_(?P<turn>\d+)$")
_MOST_GRAPHS = 200  #: that are kept; one of a large net has a MiB
_graphs: dict[str, Graph] = {}
_WORDS = {
    "SolverParameter": "a solver",
    "LabelMap": "a label map",
    "TransformationParameter": "a transform",
}


@dataclass(frozen=True)
class Look:
    """What a prototxt is: a net with what it takes and has, or ``other``, in words.

    ``shapes`` are those of its inputs; ``layers`` are the names of those that have weights, as
    far as that is known; a ``bare`` net has none. A net is ``sized`` where the shape of what it
    reads is known. A ``broken`` net is none that Caffe would read. Of a training net ``names``
    are those of all layers, and ``sources`` the blobs that nothing makes.
    """

    path: str
    other: str = ""
    broken: bool = False
    training: bool = False
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    layers: frozenset[str] = frozenset()
    bare: bool = False
    sized: bool = False
    names: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    #: The graph, which is kept for some time only: a fleet has many.
    graph: Callable[[], Graph] | None = None


@dataclass(frozen=True)
class Fit:
    """Whether weights are those of a net: how many layers fit, else why they do not."""

    layers: int = 0
    why: str = ""
    foreign: bool = False


def stem(path: str) -> str:
    """The name of a file without what tells the files of one model apart."""
    name = posixpath.basename(path.replace("\\", "/"))
    for suffix in (".prototxt", *reversed(WEIGHTS)):
        name = name.removesuffix(suffix)
    match = SNAPSHOT.match(name)
    name = match["of"] if match else name
    return _ROLE.sub("", name).lower()


def text_of(path: str) -> bytes | None:
    """The bytes of a prototxt; None where it cannot be read."""
    try:
        return stores.read(path)
    except OSError:
        return None


def look(
    path: str, text: bytes | None, state: State | None = None, dialect: str | None = None
) -> Look:
    """What a prototxt is; one that cannot be read is a broken net."""
    from prototxt_gen.reading import load

    if text is None:
        return Look(path, broken=True)
    source = Source(text, path)
    try:
        graph = load(source, state, dialect)
        shapes = infer(graph, Sink())
    except PrototxtError as error:
        training = "no layer in this phase" in error.message
        other = "" if training else _other(source, dialect)
        return Look(path, other, broken=not training, training=training)
    if len(_graphs) >= _MOST_GRAPHS:
        _graphs.clear()
    _graphs[path] = graph
    return _net(path, graph, shapes, partial(_graph, path, state, dialect))


def _other(source: Source, dialect: str | None) -> str:
    """What a text is that is no sound net, if it is none at all."""
    root = read_text(source, Sink(source), dialect=dialect).root
    if not root.fields:
        return "empty, or no text of Caffe's"
    kind = root.type.name if root.type else guess_message(root)
    return "" if kind == "NetParameter" else _WORDS.get(kind, f"a {kind}")


def _net(path: str, graph: Graph, shapes: Shapes, again: Callable[[], Graph]) -> Look:
    own = frozenset(graph.nodes[index].name for index, some in shapes.weights.items() if some)
    training = not graph.inputs
    starts = [node for node in graph.nodes if node.tops and not node.bottoms]
    read = [shapes.blobs.get(node.tops[0]) for node in starts]
    return Look(
        path,
        training=training,
        shapes=named(shapes, graph.inputs),
        layers=own,
        bare=not own and len(shapes.weights) == len(graph.nodes),
        sized=all(shape is not None and None not in shape for shape in read),
        names=frozenset(node.name for node in graph.nodes if training),
        sources=frozenset(top.blob for node in starts for top in node.tops if training),
        graph=again,
    )


def _graph(path: str, state: State | None, dialect: str | None) -> Graph:
    """The graph of a net that was looked at, read once more if that is some time ago."""
    from prototxt_gen.reading import load

    if path not in _graphs:
        if len(_graphs) >= _MOST_GRAPHS:
            _graphs.clear()
        _graphs[path] = load(Source(stores.read(path), path), state, dialect)
    return _graphs[path]


def headers(path: str) -> Headers | str:
    """The shapes in a caffemodel by layer, or why they are not known."""
    from prototxt_gen.formats.binary.caffemodel import read_caffemodel
    from prototxt_gen.formats.binary.headers import read_headers

    try:
        if path.endswith(".h5") and not stores.is_url(path):
            found = read_caffemodel(path).weights()
            return {name: tuple(b.shape for b in blobs) for name, blobs in found.items()}
        return read_headers(stores.opened(path), path)
    except PrototxtError as error:
        return error.message
    except OSError as error:
        return f"{path}: {error.strerror or error}"


def fit(net: Look, weights: Headers, shapes: Mapping[str, Shape] | None = None) -> Fit:
    """Whether weights are those of a net; ``shapes`` are of inputs that it does not have.

    Layers of unknown shapes are compared by their names.
    """
    if net.graph is None:
        return Fit(why="the net cannot be read")
    if net.layers and net.layers.isdisjoint(weights):
        return Fit(why=_foreign(net, weights), foreign=True)
    graph = copy(net.graph())
    graph.nodes = list(graph.nodes)
    # Arrays of the shapes, in no memory.
    zero = np.float32(0)
    stored = {
        name: tuple(np.broadcast_to(zero, shape) for shape in some)
        for name, some in weights.items()
    }
    for index, node in enumerate(graph.nodes):
        shown = node.layer.as_stored(stored.get(node.name, ()))
        if shown is not None:
            graph.nodes[index] = replace(node, layer=shown[0])
    sink = Sink()
    made = {top.blob for n in graph.nodes if not n.bottoms for top in n.tops}
    given = {name: shape for name, shape in (shapes or {}).items() if name in made}
    known = infer(graph, Sink(), given)
    for index, wanted in known.weights.items():
        own = [blob.shape for blob in stored.get(graph.nodes[index].name, ())]
        if len(own) == len(wanted) and all(map(same, wanted, own)):
            known.weights[index] = tuple(own)  # of a training net, some sizes are not known
    bound = bind(graph, known, stored, sink)
    if sink.errors:
        first = sink.errors[0]
        where = f"layer {first.layer!r} " if first.layer else ""
        return Fit(why=f"{where}{first.message}", foreign=first.rule == "weights-foreign")
    names = {node.name for index, node in enumerate(graph.nodes) if index not in known.weights}
    layers = len(bound.of) + len(names & stored.keys())
    if not layers:
        return Fit(why="it has no layer of the net", foreign=True)
    if len(bound.extra) > layers:
        more = plural(len(bound.extra), "layer")
        return Fit(why=f"it has {more} that the net has not, and {layers} that it has")
    return Fit(layers)


def _foreign(net: Look, weights: Headers) -> str:
    theirs, ours = next(iter(weights), ""), min(net.layers)
    return f"the weights belong to another net: they have {theirs!r}, and the net has {ours!r}"
