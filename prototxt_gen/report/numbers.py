"""The weights of a report: their statistics, and how their values are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prototxt_gen._numpy import np
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.base import Layer
from prototxt_gen.layers.parts.shapes import show
from prototxt_gen.weights import statistics

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

BINS = 32
_PIECE = 1 << 20  #: numbers that are float64 at once


@dataclass(frozen=True, slots=True)
class WeightView:
    """One weight of a file; ``counts`` are the values in equal steps from least to greatest."""

    layer: int | None  #: None where the net has no layer of that name
    name: str  #: of the layer
    what: str  #: weight, bias, mean…
    shape: str
    size: int
    least: float
    greatest: float
    mean: float
    deviation: float
    zeros: int
    nan: int
    infinite: int
    counts: tuple[int, ...]


def weight_views(graph: Graph) -> tuple[WeightView, ...]:
    """Every weight that the graph has stored, in the order of the file."""
    found: dict[str, int] = {}
    for at, node in enumerate(graph.nodes):
        found.setdefault(node.name, at)
    made = []
    for one in statistics(graph.stored):
        index = found.get(one.layer)
        layer = graph.nodes[index].layer if index is not None else Layer()
        blobs = graph.stored[one.layer]
        kinds = layer.weights([blob.shape for blob in blobs])
        blob = blobs[one.index]
        made.append(
            WeightView(
                index,
                one.layer,
                kinds[one.index].name if one.index < len(kinds) else str(one.index),
                show(one.shape),
                blob.size,
                one.least,
                one.greatest,
                one.mean,
                one.deviation,
                int(blob.size - np.count_nonzero(blob)),
                one.nan,
                one.infinite,
                spread(blob, one.least, one.greatest),
            )
        )
    return tuple(made)


def spread(blob: Array, least: float, greatest: float) -> tuple[int, ...]:
    """How many finite values are in each of the steps; one step where all are equal."""
    values = blob.reshape(-1)
    # Of halves, since the difference of two floats may be infinite.
    half = float(greatest) / 2 - float(least) / 2
    if not half > 0:
        return (int(np.isfinite(values).sum()),)
    counts = np.zeros(BINS, np.int64)
    for start in range(0, values.size, _PIECE):
        piece = values[start : start + _PIECE].astype(np.float64)
        piece = piece[np.isfinite(piece)] / 2 - float(least) / 2
        steps = np.minimum((piece / half * BINS).astype(np.int64), BINS - 1)
        counts += np.bincount(steps, minlength=BINS)
    return tuple(counts.tolist())
