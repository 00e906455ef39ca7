"""From a spec to a graph: stem, stages of blocks, classifier.

If a block changes channels or size, so must its shortcut; the stride is in the branch's
first convolution, or in its 3x3 one. The sum takes the shortcut first. In a pre-activation
net (``preact-``), the stem's activation serves the first block, and one more follows the
last block.
"""

from __future__ import annotations

from dataclasses import dataclass

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Sink
from prototxt_gen.document import Document, Symbol
from prototxt_gen.errors import GraphError, ShapeError, SpecError
from prototxt_gen.generate.maker import Maker, Section
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.activation import Dropout, Sigmoid, Softmax
from prototxt_gen.layers.affine import Scale
from prototxt_gen.layers.combine import Concat, Eltwise
from prototxt_gen.layers.dense import InnerProduct
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.inputs import Input
from prototxt_gen.layers.parts.shapes import show
from prototxt_gen.layers.pooling import AVE, CEIL, FLOOR, MAX, Pooling


@dataclass(frozen=True, slots=True)
class Net:
    """A generated net: the spec it was made from, its graph, and the groups of its layers."""

    spec: Spec
    graph: Graph
    sections: tuple[Section, ...]


def build(spec: Spec) -> Net:
    """The net of a spec, checked as Caffe would in each of its phases.

    Raises SpecError if the input is too small for the net or a shortcut cannot be made,
    and GraphError if Caffe would refuse a layer.
    """
    dialect = "caffe_priv" if spec.dialect == "caffe_priv" else "bvlc"
    deploy = spec.phase == "deploy"
    graph = Graph(spec.name, input_form="input_dim" if deploy else "layers", dialect=dialect)
    maker = Maker(spec, graph, "data", spec.input_shape)
    try:
        if deploy:
            graph.add("input", Input((spec.input_shape,)), (), ("data",))
        else:
            from prototxt_gen.generate.training import add_data

            add_data(maker)
        _trunk(maker)
    except ShapeError as error:
        message = f"{show(spec.input_shape)} is too small: {error.layer}: {error.message}"
        raise SpecError(message, path="input_shape") from error
    if deploy:
        maker.layer("prob", Softmax())
    else:
        from prototxt_gen.generate.training import add_losses

        add_losses(maker)
    _check(graph, spec)
    return Net(spec, graph, tuple(maker.sections))


def _check(graph: Graph, spec: Spec) -> None:
    sink = Sink()
    if spec.phase == "deploy":
        check(graph, sink)
    else:
        from prototxt_gen.graph.phase import PHASES, State
        from prototxt_gen.graph.read import build as read
        from prototxt_gen.graph.write import write

        document = Document(write(graph).root, dialect=graph.dialect)
        for phase in PHASES:
            check(read(document, sink, State(phase)), sink)
    sink.raise_errors(GraphError)


def _trunk(maker: Maker) -> None:
    """All layers between the data and the scores, inclusive."""
    spec = maker.spec
    _stem(maker)
    strides = _strides(spec)
    for stage, blocks in enumerate(maker.names.blocks(spec.stages)):
        out = spec.channels(stage)[1]
        section = maker.names.section(stage)
        maker.start(
            f"{section}: {plural(len(blocks), f'{spec.block} block')}, {plural(out, 'channel')}"
        )
        for index, block in enumerate(blocks):
            stride, dilation = strides[stage]
            first = stage == index == 0
            _block(maker, block, stage, 1 if index else stride, dilation, activated=first)
    maker.start("classifier")
    if spec.form.preact:
        maker.norm(maker.names.last(), relu=True)
    _, last_pool = maker.names.pools()
    height, width = maker.shape[2:]
    if spec.global_pool:
        pooling = Pooling(AVE, global_pooling=True)
    else:
        kernel = (height,) if height == width else (height, width)
        pooling = Pooling(AVE, kernel)  # type: ignore[arg-type]
    maker.layer(last_pool, pooling)
    maker.layer(maker.names.classifier(spec.classes), InnerProduct(spec.classes))


def _stem(maker: Maker) -> None:
    """Convolutions and a pooling that divide each side by 4; in a CIFAR net one convolution."""
    spec = maker.spec
    width = spec.stem_channels
    convs = {
        "7x7": [(width, 7, 2)],
        "3x3": [(width // 2, 3, 2), (width // 2, 3, 1), (width, 3, 1)],
        "cifar": [(width, 3, 1)],
    }[spec.stem]
    maker.start("conv1")
    for index, (channels, kernel, stride) in enumerate(convs):
        names = maker.names.stem(index, len(convs))
        bias = spec.bias == "conv1" and index == 0
        maker.conv(names.conv, channels, kernel, stride=stride, bias=bias)
        maker.norm(names, relu=True)
    if spec.stem != "cifar":
        maker.layer(maker.names.pools()[0], _pooling(spec, 3, pad=spec.pool == "floor"))


def _strides(spec: Spec) -> list[tuple[int, int]]:
    """For each stage the stride of its first block, and the dilation of its 3x3 convolutions.

    Once the output stride is reached, dilation replaces strides, in every block of a stage,
    as in Caffe nets for segmentation.
    """
    reached, dilation = 1 if spec.stem == "cifar" else 4, 1
    found = [(1, 1)]
    for _ in spec.stages[1:]:
        if spec.output_stride and reached >= spec.output_stride:
            dilation *= 2
            found.append((1, dilation))
        else:
            reached *= 2
            found.append((2, 1))
    return found


def _block(
    maker: Maker, block: str, stage: int, stride: int, dilation: int, *, activated: bool
) -> None:
    """One block: the shortcut, the branch, and their sum."""
    form, out = maker.spec.form, maker.spec.channels(stage)[1]
    raw = maker.blob
    if form.preact and not activated:
        names = maker.names.preact(block)
        maker.norm(names, relu=True, top=names.conv)
    blob, shape = maker.blob, maker.shape
    shortcut = None if form.plain else _shortcut(maker, block, raw, out, stride)
    maker.blob, maker.shape = blob, shape
    _branch(maker, block, stage, stride, dilation)
    total, relu = maker.names.total(block)
    if maker.spec.se:
        _squeeze_and_excite(maker, block)
    if shortcut is not None:
        coeff = tuple(map(float, maker.spec.coeff))
        maker.join(total, Eltwise(Symbol(maker.spec.eltwise), coeff), shortcut)
    if not form.preact:
        maker.relu(relu)


def _branch(maker: Maker, block: str, stage: int, stride: int, dilation: int) -> None:
    """The convolutions of a block, with the layers between them."""
    spec = maker.spec
    convs = spec.form.convs
    inner, out = spec.channels(stage)
    strided = 1 if len(convs) == 3 and spec.stride_at == "3x3" else 0
    last = len(convs) - 1
    for index, (kernel, _) in enumerate(convs):
        names = maker.names.branch(block, index)
        if index == last and spec.dropout:
            dropout = Dropout(float(spec.dropout))
            maker.layer(maker.names.part(block, "dropout"), dropout, maker.blob)
        maker.conv(
            names.conv,
            out if index == last else inner,
            kernel,
            stride=stride if index == strided else 1,
            dilation=dilation if kernel > 1 else 1,
            group=spec.cardinality if kernel > 1 else 1,
        )
        if index < last or not spec.form.preact:
            maker.norm(names, relu=index < last)


def _shortcut(maker: Maker, block: str, raw: str, out: int, stride: int) -> str:
    """The blob of a block's shortcut."""
    spec = maker.spec
    same = stride == 1 and maker.shape[1] == out
    if same and spec.shortcut != "C":
        return raw
    names = maker.names.shortcut(block)
    if spec.shortcut == "A":
        _pad_with_zeros(maker, block, out, stride)
        return maker.blob
    if spec.shortcut == "avgpool" and stride > 1:
        # Rounded up, like a convolution with a pad.
        maker.layer(maker.names.part(block, "shortcut_pool"), Pooling(AVE, (stride,), (stride,)))
        stride = 1
    maker.conv(names.conv, out, 1, stride=stride)
    if not spec.form.preact:
        maker.norm(names, relu=False)
    return maker.blob


def _pad_with_zeros(maker: Maker, block: str, out: int, stride: int) -> None:
    """Every other pixel, and zeros for the additional channels (shortcut A).

    The zeros are the blob times 0, which Power sets without reading the blob
    (power_layer.cpp), so that they fit any batch.
    """
    if stride > 1:
        maker.layer(maker.names.part(block, "shortcut_pool"), _pooling(maker.spec, 1))
    channels = maker.shape[1] or 1
    if out % channels:
        raise SpecError(
            f"A pads with zeros in whole copies: {out} channels are not a multiple of {channels}",
            path="shortcut",
        )
    copies = out // channels - 1
    if copies:
        blob = maker.blob
        zeros = maker.names.part(block, "zeros")
        maker.layer(zeros, Power(scale=0.0))
        maker.graph.add(
            maker.names.part(block, "shortcut"),
            Concat(),
            (blob, *(zeros,) * copies),
            (maker.names.part(block, "shortcut"),),
        )
        maker.blob = maker.names.part(block, "shortcut")


def _squeeze_and_excite(maker: Maker, block: str) -> None:
    """Each channel times a number from 0 to 1, computed from the means of all (SENet)."""
    blob, shape = maker.blob, maker.shape
    channels = shape[1] or 0
    squeezed = channels // maker.spec.se
    if squeezed == 0:
        raise SpecError(
            f"is {maker.spec.se}; expected at most {channels}, the channels of a block",
            path="se",
        )
    part = maker.names.part
    maker.layer(part(block, "se_pool"), Pooling(AVE, global_pooling=True))
    maker.layer(part(block, "se_down"), InnerProduct(squeezed))
    maker.relu(part(block, "se_relu"))
    maker.layer(part(block, "se_up"), InnerProduct(channels))
    maker.layer(part(block, "se_sigmoid"), Sigmoid(), maker.blob)
    maker.shape = shape
    maker.join(part(block, "se"), Scale(axis=0), blob)


def _pooling(spec: Spec, kernel: int, *, pad: bool = False) -> Pooling:
    """The stem's pooling, or every other pixel: with stride 2, rounded as the spec says."""
    floor = pad or kernel == 1
    return Pooling(
        MAX,
        (kernel,),
        (2,),
        (1,) if pad else (0,),
        round_mode=FLOOR if floor else CEIL,
        ceil_mode=floor and spec.dialect == "caffe_priv",
    )
