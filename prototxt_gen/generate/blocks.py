"""From a spec to a graph: stem, stages of blocks, head.

Each kind of block is a module, which ``KINDS`` names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from prototxt_gen._records import Record, record
from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Document
from prototxt_gen.errors import GraphError, ShapeError, SpecError
from prototxt_gen.generate import dense, forked, inverted, residual
from prototxt_gen.generate.forms import POOLS, STEMS
from prototxt_gen.generate.heads import add_head
from prototxt_gen.generate.maker import Maker, Section
from prototxt_gen.generate.shortcuts import subsampling
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.steps import Place, ends, steps
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import Softmax
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import show


class Kind(NamedTuple):
    """What makes a block of a kind, and what is between stages."""

    block: Callable[[Maker, str, Place], None]
    between: Callable[[Maker, Place], None] | None = None


RESIDUAL = Kind(residual.add_block)
#: By the keys of ``BLOCKS``; the others are residual.
KINDS = {
    "air": Kind(forked.add_block),
    "inverted": Kind(inverted.add_block),
    "dense": Kind(dense.add_block, dense.add_transition),
}


@record
class Net(Record):
    """A generated net: the spec it was made from, its graph, and the groups of its layers."""

    spec: Spec
    graph: Graph
    sections: tuple[Section, ...]


def build(spec: Spec) -> Net:
    """The net of a spec, checked as Caffe would in each of its phases.

    Raises SpecError if the input is too small for the net, a shortcut cannot be made, or the
    user's data layers have another size, and GraphError if Caffe would refuse a layer.
    """
    dialect = "bvlc" if spec.dialect == "bvlc-1.0" else spec.dialect
    deploy = spec.phase == "deploy"
    graph = Graph(spec.name, input_form="input_dim" if deploy else "layers", dialect=dialect)
    maker = Maker(spec, graph, "data", spec.input_shape)
    try:
        if deploy:
            graph.add("input", Input((spec.input_shape,)), (), ("data",))
        else:
            from prototxt_gen.generate.training import add_data, add_header

            add_header(maker)
            add_data(maker)
        _trunk(maker)
    except ShapeError as error:
        message = f"{show(spec.input_shape)} is too small: {error.layer}: {error.message}"
        raise SpecError(message, path="input_shape") from error
    if deploy and spec.head in ("classifier", "fcn"):
        maker.layer("prob", Softmax())
    elif not deploy:
        from prototxt_gen.generate.training import add_losses

        add_losses(maker)
    _check(graph, spec)
    return Net(spec, graph, tuple(maker.sections))


def _check(graph: Graph, spec: Spec) -> None:
    sink, deploy = Sink(), spec.phase == "deploy"
    if deploy:
        check(graph, sink)
    else:
        from prototxt_gen.graph.phase import PHASES, State
        from prototxt_gen.graph.read import build as read
        from prototxt_gen.graph.write import write

        document = Document(write(graph).root, dialect=graph.dialect)
        for phase in PHASES:
            check(read(document, sink, State(phase)), sink)
    if sink.errors and spec.training.layers and not deploy:
        raise SpecError(
            f"the net, made for {show(spec.input_shape)}, does not go with them: "
            f"{sink.errors[0].message}",
            path="training.layers",
        )
    sink.raise_errors(GraphError)


def _trunk(maker: Maker) -> None:
    """All layers between the data and the scores, inclusive."""
    spec = maker.spec
    frozen = spec.training.freeze if spec.phase != "deploy" else 0
    maker.frozen = frozen > 0
    _stem(maker)
    kind = KINDS.get(spec.block, RESIDUAL)
    for stage, (blocks, places, out) in enumerate(
        zip(maker.names.blocks(spec.stages), steps(spec), ends(spec), strict=True)
    ):
        maker.frozen = frozen > stage + 1
        section = maker.names.section(stage)
        maker.start(
            f"{section}: {plural(len(blocks), f'{spec.block} block')}, {plural(out, 'channel')}"
        )
        for index, block in enumerate(blocks):
            place = Place(stage, index, *places[index])
            if kind.between and stage and not index:
                kind.between(maker, place)
            kind.block(maker, block, place)
    maker.frozen = False
    add_head(maker)


def _stem(maker: Maker) -> None:
    """Convolutions, and a pooling if the stem has one.

    Dense blocks begin with an activation of their own, so that no other precedes the first one
    without a pooling between.
    """
    spec, stem = maker.spec, STEMS[maker.spec.stem]
    maker.start("conv1")
    if spec.data_norm:
        names = maker.names.data()
        maker.norm(names, relu=False, top=names.conv)
    for index, (kernel, stride, share) in enumerate(stem.convs):
        names = maker.names.stem(index, len(stem.convs))
        kind = "" if index else "conv1"
        maker.conv(names.conv, spec.stem_channels // share, kernel, stride=stride, kind=kind)
        if stem.pools or not spec.form.dense:
            maker.norm(names, relu=True)
    if stem.pools:
        maker.layer(maker.names.pools()[0], subsampling(spec, 3, POOLS[spec.pool]))
