"""From a spec to a graph: stem, stages of blocks, classifier.

If a block changes channels or size, so must its shortcut; the stride is in the branch's
first convolution, or in its 3x3 one. The sum takes the shortcut first. In a pre-activation
net (``preact-``), the stem's activation serves the first block, and one more follows the
last block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Document, Symbol
from prototxt_gen.errors import GraphError, ShapeError, SpecError
from prototxt_gen.generate.excitation import excite
from prototxt_gen.generate.forms import POOLS
from prototxt_gen.generate.heads import add_head
from prototxt_gen.generate.maker import Maker, Section
from prototxt_gen.generate.shortcuts import add_shortcut, subsampling
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import Dropout, Softmax
from prototxt_gen.layers.combine import Concat, Eltwise
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import show


@dataclass(frozen=True, slots=True)
class Net:
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
    steps = _steps(spec)
    for stage, blocks in enumerate(maker.names.blocks(spec.stages)):
        maker.frozen = frozen > stage + 1
        out = spec.channels(stage)[1]
        section = maker.names.section(stage)
        maker.start(
            f"{section}: {plural(len(blocks), f'{spec.block} block')}, {plural(out, 'channel')}"
        )
        for index, block in enumerate(blocks):
            _block(maker, block, Place(stage, index, *steps[stage][index]))
    maker.frozen = False
    add_head(maker)


def _stem(maker: Maker) -> None:
    """Convolutions and a pooling that divide each side by 4; in a CIFAR net one convolution."""
    spec = maker.spec
    width = spec.stem_channels
    convs = {
        "7x7": [(width, 7, 2)],
        "3x3": [(width // 2, 3, 2), (width // 2, 3, 1), (width, 3, 1)],
        "cifar": [(width, 3, 1)],
        "flat": [(width, 3, 1)],
    }[spec.stem]
    maker.start("conv1")
    if spec.data_norm:
        names = maker.names.data()
        maker.norm(names, relu=False, top=names.conv)
    for index, (channels, kernel, stride) in enumerate(convs):
        names = maker.names.stem(index, len(convs))
        kind = "" if index else "conv1"
        maker.conv(names.conv, channels, kernel, stride=stride, kind=kind)
        maker.norm(names, relu=True)
    if spec.pools:
        maker.layer(maker.names.pools()[0], subsampling(spec, 3, POOLS[spec.pool]))


class Place(NamedTuple):
    """Where a block is, counted from 0, its stride, and the dilation of its 3x3 convolutions."""

    stage: int
    number: int
    stride: int
    dilation: int


def _steps(spec: Spec) -> list[list[tuple[int, int]]]:
    """The stride and the dilation of each block of each stage.

    Once the output stride is reached, dilation replaces strides: in every block of a stage, as
    in Caffe nets for segmentation, or in all but its first, which keeps the dilation before
    (torchvision's replace_stride_with_dilation). The last stage may have factors for each block.
    """
    reached, dilation = spec.natural_stride >> (len(spec.stages) - 1), 1
    found = [[(spec.first_stride, 1), *[(1, 1)] * (spec.stages[0] - 1)]]
    for blocks in spec.stages[1:]:
        stride, before = 1, dilation
        if spec.output_stride and reached >= spec.output_stride:
            dilation *= 2
        else:
            reached *= 2
            stride = 2
        first = before if spec.dilation == "torchvision" else dilation
        found.append([(stride, first), *[(1, dilation)] * (blocks - 1)])
    if spec.multi_grid:
        pairs = zip(found[-1], spec.multi_grid, strict=True)
        found[-1] = [(stride, dilation * factor) for (stride, dilation), factor in pairs]
    return found


def _block(maker: Maker, block: str, place: Place) -> None:
    """One block: the shortcut, the branch, and their sum."""
    spec, form = maker.spec, maker.spec.form
    out = spec.channels(place.stage)[1]
    raw = maker.blob
    if form.preact and (place.stage or place.number):
        names = maker.names.unit(block, "pre")
        maker.norm(names, relu=True, top=names.conv)
    blob, shape = maker.blob, maker.shape
    shortcut = None
    if not form.plain:
        first = place.number == 0
        shortcut = add_shortcut(maker, block, raw, out, place.stride, first=first)
    maker.blob, maker.shape = blob, shape
    if form.leading:
        names = maker.names.unit(block, "pre")
        maker.norm(names, relu=False, top=names.conv)
    if form.forked:
        _fork(maker, block, place)
    else:
        _branch(maker, block, place)
    total, relu = maker.names.total(block)
    summed = bool(spec.se) and excite(maker, block, total, shortcut)
    if shortcut is not None and not summed:
        coeff = tuple(map(float, spec.coeff))
        maker.join(total, Eltwise(Symbol(spec.eltwise), coeff), shortcut)
    if not (form.preact or form.leading):
        maker.relu(relu)


def _branch(maker: Maker, block: str, place: Place) -> None:
    """The convolutions of a block, with the layers between them."""
    spec = maker.spec
    inner, out = spec.channels(place.stage)
    last = len(spec.form.convs) - 1
    channels = [inner // 2 if spec.form.halved else inner, *[inner] * (last - 1), out]
    for index, (kernel, _) in enumerate(spec.form.convs):
        names = maker.names.branch(block, index)
        if index == last:
            _drop_out(maker, block)
        maker.conv(
            names.conv,
            channels[index],
            kernel,
            stride=place.stride if index == _strided(spec) else 1,
            dilation=place.dilation if kernel > 1 else 1,
            group=spec.cardinality if kernel > 1 else 1,
            kind=f"branch2{'abc'[index]}",
        )
        if index < last or not spec.form.preact:
            maker.norm(names, relu=index < last, kind="last" if index == last else "")


def _fork(maker: Maker, block: str, place: Place) -> None:
    """A bottleneck of two paths: one 3x3, and beside it two of half the width (AIR)."""
    spec, names = maker.spec, maker.names
    inner, out = spec.channels(place.stage)
    blob, shape = maker.blob, maker.shape
    paths = []
    for of, kernels, share in ((names.branch, (1, 3), 1), (names.fork, (1, 3, 3), 2)):
        maker.blob, maker.shape = blob, shape
        for index, kernel in enumerate(kernels):
            units = of(block, index)
            maker.conv(
                units.conv,
                inner // share,
                kernel,
                stride=place.stride if index == _strided(spec) else 1,
                dilation=place.dilation if kernel > 1 else 1,
                group=max(1, spec.cardinality // share) if kernel > 1 else 1,
                kind="branch2b" if index else "branch2a",
            )
            if index < len(kernels) - 1:
                maker.norm(units, relu=True)
        paths.append(maker.blob)
    cat = names.unit(block, "cat")
    maker.graph.add(cat.conv, Concat(), tuple(paths), (cat.conv,))
    maker.blob = cat.conv
    maker.shape = (maker.shape[0], inner + inner // 2, *maker.shape[2:])
    maker.norm(cat, relu=True)
    _drop_out(maker, block)
    units = names.branch(block, 2)
    maker.conv(units.conv, out, 1, kind="branch2c")
    maker.norm(units, relu=False, kind="last")


def _strided(spec: Spec) -> int:
    """The index of the convolution that has a block's stride."""
    if spec.form.leading:
        return len(spec.form.convs) - 1
    return 1 if spec.form.bottleneck and spec.stride_at == "3x3" else 0


def _drop_out(maker: Maker, block: str) -> None:
    if maker.spec.dropout:
        dropout = Dropout(float(maker.spec.dropout))
        maker.layer(maker.names.part(block, "dropout"), dropout, maker.blob)
