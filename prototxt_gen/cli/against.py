"""``verify --against``: other programs that compute a net or its model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.verify import Verdict

RUNTIMES = ("onnxruntime-gpu", "openvino", "opencv-5")  #: those that compute the model
READERS = ("opencv-4", "opencv", "caffe")  #: those that read the net themselves


def in_runtime(
    what: str,
    graph: Graph,
    model: str | None,
    inputs: Mapping[str, Any] | None,
    options: Mapping[str, Any],
    within: Mapping[str, float | None],
) -> Verdict:
    """A model, by default that which the net becomes, in a runtime; its outputs are compared.

    ``options`` are those that ``api.convert`` and ``verify.verify`` have in common.
    """
    from prototxt_gen import api
    from prototxt_gen import verify as proof
    from prototxt_gen.runtimes import GPU, computed_by, need_gpu

    if what == "onnxruntime-gpu":
        need_gpu()
    taken = model or api.convert(graph, metadata=False, **options).model
    asked: dict[str, Any] = {**options, **within}
    if what == "onnxruntime-gpu":
        return proof.verify(graph, taken, inputs, provider=GPU, **asked)
    return proof.verify(graph, taken, inputs, compute=computed_by(what), **asked)


def need_regular(against: str, *paths: str) -> None:
    """Raise UsageError for a pipe, where another program reads the same once more."""
    for path in paths:
        if os.path.exists(path) and not os.path.isfile(path):
            raise click.UsageError(f"{path} is no file; --against {against} reads it itself")


def by_reader(
    what: str,
    net: str,
    weights: str,
    graph: Any,
    inputs: dict[str, Any] | None,
    seed: int,
    within: Mapping[str, float | None],
) -> Verdict:
    """A net in a program that reads it itself; the outputs are compared."""
    from prototxt_gen import api, engines
    from prototxt_gen import verify as proof
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.graph.check import check
    from prototxt_gen.graph.comparison import Tolerance, compare_top, fitted
    from prototxt_gen.graph.infer import named

    known = named(check(graph, Sink(graph.source)), graph.inputs)
    given = inputs or proof.seeded(graph, known, seed)
    compute = engines.against_caffe if what == "caffe" else engines.against_opencv
    theirs = compute(net, weights, graph, given)
    ours = api.run(graph, given)
    makers = {top.blob: node for top, node in graph.makers.items()}
    tolerance = Tolerance(**{name: one for name, one in within.items() if one is not None})
    found = []
    for name, value in theirs.items():
        same = fitted(value, ours[name].shape)
        found.append(compare_top(makers[name], name, ours[name], same, tolerance))
    return proof.Verdict(tuple(found))
