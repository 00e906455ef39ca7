"""What a report says, before it is a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from prototxt_gen import _version
from prototxt_gen.diagnostics import Sink
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.lint.settings import Settings
from prototxt_gen.passes.deploy import Change
from prototxt_gen.report.cost import Stage, costliest, stages
from prototxt_gen.report.findings import Finding, findings
from prototxt_gen.report.layers import LayerView, layer_views, text_of
from prototxt_gen.report.numbers import WeightView, weight_views
from prototxt_gen.report.outlook import Outlook, from_model, to_model
from prototxt_gen.report.sketch import Sketch, sketch
from prototxt_gen.summary import summarize


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of the whole net; ``complete`` tells whether every layer is in them."""

    layers: int
    parameters: int
    statistics: int
    multiply_adds: int
    activations: int  #: bytes
    complete: bool
    batch: int | None = None  #: that multiply-adds and activations are of, where there is one


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page shows; layers are named by their index in ``layers``."""

    name: str
    file: str
    weights_file: str | None
    phase: str
    version: str
    totals: Totals
    sketch: Sketch
    layers: tuple[LayerView, ...]
    stages: tuple[Stage, ...]
    costliest: tuple[int, ...]
    findings: tuple[Finding, ...]
    weights: tuple[WeightView, ...]
    outlook: Outlook
    printed: bool  #: whether the text of the layers was made here, of a file that is none

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is about besides the graph, and how the net is drawn.

    ``changes`` are those on the way from an ONNX model; None for a net of Caffe's.
    """

    file: str
    weights_file: str | None = None
    phase: str = "TEST"
    input_shapes: Mapping[str, tuple[int, ...]] | None = None
    settings: Settings | None = None
    changes: Sequence[Change] | None = None
    blocks: bool | None = None  #: whether equal units are drawn once; None: if the net is large


def report(graph: Graph, asked: Asked) -> Report:
    """The report on a net, whose weights are those that the graph has stored.

    Raises ShapeError where ``input_shapes`` names a blob that is not an input.
    """
    given = dict(asked.input_shapes or {})
    summary = summarize(graph, given)
    shapes = check(graph, Sink(), given)
    source, fields = text_of(graph, asked.file)
    drawn = sketch(graph, shapes, asked.blocks)
    layers = layer_views(graph, summary, source, fields, drawn)
    if asked.changes is None:
        outlook = to_model(graph, shapes, given)
    else:
        outlook = from_model(graph, asked.changes)
    return Report(
        name=graph.name,
        file=asked.file,
        weights_file=asked.weights_file,
        phase=asked.phase,
        version=_version.__version__,
        totals=Totals(
            len(layers),
            summary.parameters,
            summary.statistics,
            summary.multiply_adds,
            summary.activations,
            summary.complete,
            summary.batch,
        ),
        sketch=drawn,
        layers=layers,
        stages=stages(layers),
        costliest=costliest(layers),
        findings=findings(source, asked.settings, layers),
        weights=weight_views(graph),
        outlook=outlook,
        printed=graph.source is not source,
    )
