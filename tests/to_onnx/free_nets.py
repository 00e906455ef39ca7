"""The deploy nets of public repositories with free sizes: which they take, and the proof."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import infer, named
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers.parts.ranges import Range
from prototxt_gen.to_onnx.builder import CONSTANT
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.to_onnx.free import read_ranges
from prototxt_gen.weights import make

Array = np.ndarray[Any, np.dtype[Any]]
Shape = tuple[int, ...]
BATCHES = (1, 3, 8)
#: Height and width to try, or the next larger ones that the net takes.
PLACES = ((48, 51), (65, 64), (97, 80))


@dataclass(frozen=True)
class Freed:
    """A net's inputs with the symbols that may be free, their ranges, and what pins others."""

    dynamic: dict[str, tuple[int | str, ...]]
    ranges: dict[str, Range]
    pinned: tuple[str, ...]  #: why more cannot be free
    model: str = ""  #: a digest of the model, without its weights
    follows: bool = False  #: whether layers that have the batch written follow it


def image_inputs(graph: Graph) -> dict[str, Shape]:
    """The inputs with a height and a width."""
    shapes = named(infer(graph, Sink()), graph.inputs)
    return {
        name: tuple(dim or 1 for dim in shape)
        for name, shape in shapes.items()
        if len(shape) == 4 and (shape[2] or 1) > 1
    }


def freed(graph: Graph, outputs: tuple[str, ...] = ()) -> Freed:
    """Batch, height and width free, as many of them as the net allows up to some outputs."""
    images = image_inputs(graph)
    pinned: list[str] = []
    for symbols in ("NHW", "HW", "N"):
        dynamic: dict[str, tuple[int | str, ...]] = {
            name: (
                "N" if "N" in symbols else n,
                channels,
                "H" if "H" in symbols else height,
                "W" if "W" in symbols else width,
            )
            for name, (n, channels, height, width) in images.items()
        }
        try:
            made = api.convert(
                graph, weights_init="zeros", fold=False, dynamic=dynamic, outputs=outputs
            )
        except PrototxtError as error:
            why = [d for d in error.diagnostics if d.severity.value == "error"]
            words = f"{why[0].layer}: {why[0].message}" if why else error.message
            known = {one.partition(":")[0] for one in pinned}
            pinned += [] if words.partition(":")[0] in known else [words]
            continue
        follows = any("literal batch size" in change.what for change in made.changes)
        ranges = read_ranges(made.skeleton)
        return Freed(dynamic, ranges, tuple(pinned), digest(made), follows)
    return Freed({}, {}, tuple(pinned))


def digest(made: Exported) -> str:
    """Of the nodes of a model, and of the constants that are no weights."""
    found = hashlib.sha256()
    for node in made.skeleton.graph.node:
        found.update(node.SerializeToString(deterministic=True))
    for name, value in made.values.items():
        if name.startswith(CONSTANT):
            found.update(name.encode() + np.asarray(value).tobytes())
    return found.hexdigest()[:16]


def sizes_of(found: Freed) -> Iterator[dict[str, int]]:
    """Three sizes of each symbol that the net takes."""
    sizes = dict.fromkeys(found.ranges, 0)
    for batch, (height, width) in zip(BATCHES, PLACES, strict=True):
        wanted = {"N": batch, "H": height, "W": width}
        sizes = {s: one.after(max(wanted[s] - 1, sizes[s])) for s, one in found.ranges.items()}
        yield sizes


def differences(
    graph: Graph, found: Freed, outputs: tuple[str, ...] = ()
) -> Iterator[tuple[dict[str, int], float]]:
    """At three sizes the greatest difference from the net converted with that size.

    It is relative to the greatest value of an output; infinite for another shape. ``outputs``
    are blobs to stop at, in place of the net's own outputs.
    """
    graph.stored = make(graph, "random")
    free = api.to_onnx(graph, dynamic=found.dynamic, outputs=outputs, metadata=False)
    model = free.SerializeToString()
    del free
    own = named(infer(graph, Sink()), graph.inputs)
    for sizes in sizes_of(found):
        shapes = {name: tuple(dim or 1 for dim in shape) for name, shape in own.items()}
        for name, dims in found.dynamic.items():
            shapes[name] = tuple(sizes[dim] if isinstance(dim, str) else dim for dim in dims)
        given = seeded(graph, shapes)
        ours = computed(model, given)
        theirs = computed(_of_one_size(graph, found, outputs, sizes, shapes), given)
        yield sizes, max(apart(ours[name], theirs[name]) for name in theirs)


def _of_one_size(
    graph: Graph,
    found: Freed,
    outputs: tuple[str, ...],
    sizes: dict[str, int],
    shapes: dict[str, Shape],
) -> bytes:
    """The model of the net with inputs of these shapes."""
    batch = None
    if found.follows:
        # Layers that have the batch written follow it where it is set as such.
        own = named(infer(graph, Sink()), graph.inputs)
        shapes = {name: (own[name][0] or 1, *shape[1:]) for name, shape in shapes.items()}
        batch = sizes.get("N")
    made = api.to_onnx(graph, input_shapes=shapes, batch=batch, outputs=outputs, metadata=False)
    return made.SerializeToString()


def computed(model: bytes, given: dict[str, Array]) -> dict[str, Array]:
    options = onnxruntime.SessionOptions()
    # The most would lay out channels in blocks where it knows the sizes, which rounds otherwise.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, given), strict=True))


def apart(ours: Array, theirs: Array) -> float:
    if ours.shape != theirs.shape:
        return float("inf")
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    far = np.where(same, 0, np.abs(ours.astype(np.float64) - theirs))
    return float(far.max(initial=0) / max(1e-12, np.abs(theirs).max(initial=0)))
