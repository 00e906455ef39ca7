"""What layers say of themselves, held against what they do, over the whole table of cases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layers.cases import Case
from layers.test_cases import TAKEN, net

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Symbol
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.formats.schema import schema
from prototxt_gen.graph.check import check
from prototxt_gen.graph.fillers import initial
from prototxt_gen.graph.graph import Graph, Node
from prototxt_gen.graph.infer import Shapes
from prototxt_gen.graph.sample import seeded
from prototxt_gen.layers import MODULES, layer_class
from prototxt_gen.layers.base import (
    BATCH,
    BOTTOM,
    MEANINGS,
    ROWS,
    TIME,
    TOP,
    Affine,
    Before,
    Instead,
    Layer,
    Role,
)
from prototxt_gen.layers.batch_norm import BatchNorm
from prototxt_gen.layers.combine import Eltwise
from prototxt_gen.layers.elementwise import Power
from prototxt_gen.layers.fork_normalization import BN, LEARN
from prototxt_gen.layers.pooling import FLOOR, Pooling
from prototxt_gen.passes.axes import meaning_of

SHARING = [case for case in TAKEN if getattr(layer_class(case.type), "shares", False)]
FACTS = Path(__file__).parents[1] / "formats" / "facts"


def analysed(case: Case) -> tuple[Graph, Shapes, Node]:
    graph = api.load(Source(net(case).encode()))
    return graph, check(graph, Sink()), graph.nodes[-1]


def with_shapes(case: Case) -> tuple[Node, tuple[Any, ...], tuple[Any, ...]]:
    _, shapes, node = analysed(case)
    bottoms, tops = shapes.of(node.bottoms), shapes.of(node.tops)
    if bottoms is None or tops is None:
        pytest.skip("the shapes are not known, so that nobody asks")
    return node, bottoms, tops


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_axes_with_one_label_have_one_size(case: Case) -> None:
    node, bottoms, tops = with_shapes(case)
    said = node.layer.axes(bottoms, tops)
    sizes: dict[str, set[int | None]] = {}
    for shapes, labels in ((bottoms, said.bottoms), (tops, said.tops)):
        assert [len(shape) for shape in shapes] == [len(own) for own in labels]
        for shape, own in zip(shapes, labels, strict=True):
            for size, label in zip(shape, own, strict=True):
                if label is not None and size is not None:
                    sizes.setdefault(label, set()).add(size)
    assert {label: size for label, size in sizes.items() if len(size) > 1} == {}


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_an_axis_that_grows_does_so_wherever_it_has_its_label(case: Case) -> None:
    """Axis 0 of the first bottom, and with it all that has its label."""
    node, bottoms, tops = with_shapes(case)
    if not bottoms or not bottoms[0]:
        return
    said = node.layer.axes(bottoms, tops)
    label = said.bottoms[0][0]
    if label is None or meaning_of(label) not in (None, BATCH, ROWS):
        return

    def grown(shape: Any, labels: Any) -> Any:
        return tuple(
            size + 3 if own == label else size for size, own in zip(shape, labels, strict=True)
        )

    layer = node.layer.unpinned(bottoms[0], 0)
    wide = [grown(s, own) for s, own in zip(bottoms, said.bottoms, strict=True)]
    found = layer.shapes(wide, len(tops))
    assert list(found) == [grown(s, own) for s, own in zip(tops, said.tops, strict=True)]
    assert layer.blob_shapes(wide) == layer.blob_shapes(bottoms)


@pytest.mark.parametrize(
    ("type", "params", "bottoms", "tops", "batch", "time"),
    [
        ("LSTM", "", [(4, 2, 3), (4, 2)], [(4, 2, 5)], [1, 1], [0, 0]),
        ("LSTM", "", [(4, 2, 3), (4, 2), (2, 7)], [(4, 2, 5)], [1, 1, 0], [0, 0, None]),
        ("Lstm", "", [(4, 2, 3)], [(4, 2, 5)], [1], [0]),
        ("ReLU", "", [(4, 2, 3)], [(4, 2, 3)], [None], [None]),
    ],
)
def test_which_axis_is_time(
    type: str, params: str, bottoms: Any, tops: Any, batch: Any, time: Any
) -> None:
    cls = layer_class(type)
    assert cls is not None
    said = cls().axes(bottoms, tops)
    assert [_index(labels, BATCH) for labels in said.bottoms] == batch
    assert [_index(labels, TIME) for labels in said.bottoms] == time


def _index(labels: tuple[str | None, ...], meaning: str) -> int | None:
    return labels.index(meaning) if meaning in labels else None


def test_the_role_of_each_type() -> None:
    """By the folders of Caffe's sources: *_loss_layer, *_data_layer, and so on."""
    roles: dict[Role, set[str]] = {}
    for name in MODULES:
        roles.setdefault(_made(name).role, set()).add(name)
    assert roles[Role.INPUT] == {"Input"}
    assert roles[Role.SOURCE] == {name for name in MODULES if name.endswith("Data")} - {"DummyData"}
    assert roles[Role.LOSS] == {name for name in MODULES if re.search(r"Loss(OHEM)?$", name)}
    assert roles[Role.MEASURE] == {"Accuracy"}
    assert roles[Role.SINK] == {"Silence", "HDF5Output"}
    assert roles[Role.TRAINING] == {
        "BoxAnnotatorOHEM",
        "DetectNetTransformation",
        "DetectionEvaluate",
        "EvalDetection",
    }


@pytest.mark.parametrize("name", sorted(MODULES))
def test_what_stands_for_a_layer_at_inference(name: str) -> None:
    layer = _made(name)
    expected: dict[Role, object] = {
        Role.PLAIN: Instead.ITSELF,
        Role.INPUT: Instead.ITSELF,
        Role.SOURCE: Instead.INPUT,
    }
    heads = {"SoftmaxWithLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid"}
    found = layer.at_inference()
    if name in heads:
        assert isinstance(found, Layer)
        assert found.type == heads[name]
        assert found.shapes([(2, 3)], 1) == ((2, 3),)
    else:
        assert found is expected.get(layer.role, Instead.NOTHING)


@pytest.mark.parametrize(
    ("name", "bottoms", "labels"),
    [
        ("SoftmaxWithLoss", 2, {1}),
        ("InfogainLoss", 3, {1}),
        ("ContrastiveLoss", 3, {2}),
        ("MultiBoxLoss", 4, {3}),
        ("SmoothL1Loss", 4, {1, 2, 3}),
        ("Accuracy", 2, {1}),
        ("DetectionEvaluate", 2, {1}),
        ("Silence", 2, {0, 1}),
        ("HDF5Output", 2, set()),
        ("Eltwise", 2, set()),
    ],
)
def test_which_bottoms_are_labels(name: str, bottoms: int, labels: set[int]) -> None:
    assert _made(name).labels(bottoms) == labels


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_every_blob_has_a_name_of_its_own(case: Case) -> None:
    node, bottoms, _ = with_shapes(case)
    shapes = node.layer.blob_shapes(bottoms)
    weights = node.layer.weights(shapes)
    assert len(weights) == len(shapes)
    assert len({weight.name for weight in weights}) == len(weights)


def test_fillers_are_those_of_the_schemas() -> None:
    """Each filler that a parameter message has fills a blob of its layer, and no other is named.

    But for two: Parameter's weight is filled by nothing, and Intel's BatchNorm has fillers for
    a ``use_weight_bias`` that is not read.
    """
    odd = {"Parameter", "BatchNorm", "MKLBatchNorm", "CuDNNBatchNorm"}
    fields: dict[str, set[str]] = {}  # of each message, in all forks
    types: dict[str, set[str]] = {}  # the messages of each field of a layer
    for path in FACTS.glob("*.json"):
        facts = json.loads(path.read_text("utf-8"))
        messages = {**facts.get("new_messages", {}), **facts["messages"]}
        for message, content in messages.items():
            fields.setdefault(message, set()).update(_fields(content))
        for field, place in _fields(messages.get("LayerParameter", {})).items():
            types.setdefault(field, set()).add(place["type"])
    used: dict[str, set[str]] = {}
    for case in TAKEN:
        layer_ = analysed(case)[2].layer
        if layer_.param is not None and not layer_.parameter_free() and case.type not in odd:
            own = {weight.filler for weight in layer_.weights(case.weights) if weight.filler}
            used.setdefault(layer_.param, set()).update(own)
    known = {
        param: {n for m in types[param] for n in fields.get(m, ()) if n.endswith("filler")}
        for param in used
        if param in types
    }
    assert {param: used[param] for param in known} == known


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_an_affine_layer_computes_factor_and_shift(case: Case) -> None:
    graph, shapes, node = analysed(case)
    blobs = _blobs(graph, shapes, node)
    if not blobs or len(node.bottoms) != 1:
        return
    affine = node.layer.affine(blobs)
    if affine is None:
        assert case.type not in ("Scale", "Bias", "BatchNorm") or case.params
        return
    x = np.random.default_rng(0).normal(size=case.bottoms[0]).astype(np.float32)
    (y, *_) = node.layer.run([x], blobs, len(node.tops))
    along = (1, -1, *(1,) * (x.ndim - 2))
    expected = x * affine.factor.reshape(along) + affine.shift.reshape(along)
    np.testing.assert_allclose(y.reshape(x.shape), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_what_absorbs_an_affine_layer_computes_both(case: Case) -> None:
    graph, shapes, node = analysed(case)
    blobs = _blobs(graph, shapes, node)
    tops = shapes.of(node.tops)
    if not blobs or len(node.bottoms) != 1 or tops is None or len(tops[0]) < 2:
        return
    channels = tops[0][1] or 0
    random = np.random.default_rng(1)
    affine = Affine(random.uniform(0.5, 2, channels), random.normal(size=channels))
    absorbed = node.layer.absorb(blobs, affine)
    if absorbed is None:
        return
    x = np.random.default_rng(0).normal(size=case.bottoms[0]).astype(np.float32)
    (y,) = node.layer.run([x], blobs, 1)
    (z,) = absorbed[0].run([x], absorbed[1], 1)
    along = (1, -1, *(1,) * (y.ndim - 2))
    expected = y * affine.factor.reshape(along) + affine.shift.reshape(along)
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_what_absorbs_what_is_before_it_computes_both(case: Case, with_mean: bool) -> None:
    graph, shapes, node = analysed(case)
    blobs = _blobs(graph, shapes, node)
    if not blobs or len(node.bottoms) != 1 or len(case.bottoms[0]) != 4:
        return
    channels = case.bottoms[0][1]
    random = np.random.default_rng(1)
    before = Before(0.3, random.normal(size=channels) if with_mean else None)
    for order in ((), tuple(random.permutation(channels).tolist())):
        before = before._replace(order=order)
        absorbed = node.layer.absorb_before(case.bottoms[0], blobs, before)
        if absorbed is None:
            continue
        x = random.normal(size=case.bottoms[0]).astype(np.float32)
        inside = x[:, order] if order else x
        if before.mean is not None:
            inside = inside - before.mean.reshape(1, -1, 1, 1).astype(np.float32)
        (y,) = node.layer.run([inside * np.float32(0.3)], blobs, 1)
        (z,) = absorbed[0].run([x], absorbed[1], 1)
        np.testing.assert_allclose(z, y, rtol=1e-4, atol=1e-4)


def test_the_kin_of_a_convolution_absorbs() -> None:
    absorbing = set()
    for case in TAKEN:
        graph, shapes, node = analysed(case)
        blobs, tops = _blobs(graph, shapes, node), shapes.of(node.tops)
        channels = tops[0][1] if tops and len(tops[0]) > 1 else 1
        ones = Affine(np.ones(channels or 1), np.zeros(channels or 1))
        if blobs and node.layer.absorb(blobs, ones) is not None:
            absorbing.add(case.type)
    assert absorbing == {
        "Convolution",
        "ConvolutionDepthwise",
        "Deconvolution",
        "DepthwiseConv",
        "DepthwiseConvolution",
        "InnerProduct",
    }


@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_a_sample_is_what_the_layer_takes(case: Case) -> None:
    """Indices that do not exist would raise; a region outside of the image would give zeros."""
    graph, shapes, node = analysed(case)
    sizes = {ref.blob: shapes.blobs[ref] for ref in graph.inputs}
    given = seeded(graph, sizes)
    assert {name: value.shape for name, value in given.items()} == {
        name: tuple(size or 1 for size in shape) for name, shape in sizes.items()
    }
    blobs = _blobs(graph, shapes, node)
    if blobs is None:
        return
    try:
        with np.errstate(all="ignore"):
            tops = node.layer.run([given[r.blob] for r in node.bottoms], blobs, len(node.tops))
    except UnsupportedError:
        return
    if case.type.startswith("ROI"):
        assert all(np.count_nonzero(top) > top.size / 2 for top in tops)


def test_a_sample_goes_back_through_what_only_moves_values() -> None:
    text = (
        'layer { name: "i" type: "Input" top: "i" input_param { shape { dim: [6, 1, 1] } } }'
        'layer { name: "f" type: "Flatten" bottom: "i" top: "f" }'
        'layer { name: "s" type: "Split" bottom: "f" top: "a" top: "b" }'
        'layer { name: "e" type: "Embed" bottom: "a" top: "e"'
        " embed_param { num_output: 2 input_dim: 5 } }"
    )
    (value,) = seeded(api.load(Source(text.encode())), {"i": (6, 1, 1)}).values()
    assert set(value.reshape(-1)) <= {0, 1, 2, 3, 4}


def test_meanings_are_words_for_a_person() -> None:
    assert {"batch", "time", "rows", "classes", "fixed"} == MEANINGS


def _fields(message: dict[str, Any]) -> dict[str, Any]:
    """Those that a message has, or that a fork adds to it."""
    return {**message.get("fields", {}), **message.get("added", {})}


def _made(name: str) -> Layer:
    cls = layer_class(name)
    assert cls is not None
    return cls()


def _blobs(graph: Graph, shapes: Shapes, node: Node) -> list[Any] | None:
    """Random weights of the node; None where shapes are not known."""
    index = len(graph.nodes) - 1
    if index not in shapes.weights or shapes.of(node.bottoms) is None:
        return None
    return initial(graph, shapes, "random").get(node.name, [])


@pytest.mark.parametrize(
    "layer", [BatchNorm(), BatchNorm(use_global_stats=False), BN(LEARN)], ids=repr
)
def test_only_a_layer_that_says_so_looks_at_its_batch(layer: Layer) -> None:
    x = np.random.default_rng(1).normal(size=(3, 2, 4, 4)).astype(np.float32)
    blobs = [np.ones(shape, np.float32) for shape in layer.blob_shapes([x.shape])]
    whole, alone = layer.run([x], blobs, 1)[0][:1], layer.run([x[:1]], blobs, 1)[0]
    assert layer.by_batch() == (not np.allclose(whole, alone))


@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize(("kernel", "pad"), [(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)])
def test_a_pooling_knows_what_rounding_down_gives(kernel: int, stride: int, pad: int) -> None:
    layer = Pooling(kernel=(kernel,), stride=(stride,), pad=(pad,))
    for size in range(kernel, 13):
        shape = (1, 2, size, size)
        (caffe,) = layer.shapes([shape], 1)
        out = min((size + 2 * pad - kernel) // stride + 1, caffe[2] or 0)
        expected = None if out == caffe[2] else ((1, 2, out, out),)
        assert layer.rounded_down([shape], 1) == expected


def test_what_rounds_down_or_has_no_window_is_the_same_everywhere() -> None:
    assert (
        Pooling(kernel=(1,), stride=(2,), round_mode=FLOOR).rounded_down([(1, 1, 4, 4)], 1) is None
    )
    assert Pooling(global_pooling=True).rounded_down([(1, 1, 4, 4)], 1) is None
    assert Pooling(kernel=(2,), stride=(2,)).rounded_down([(1, 1, None, 5)], 1) is None


@pytest.mark.parametrize("case", SHARING, ids=str)
def test_what_shares_memory_has_the_values_of_its_bottom(case: Case) -> None:
    node, bottoms, tops = with_shapes(case)
    x = np.random.default_rng(1).normal(size=[size or 1 for size in bottoms[0]])
    for y in node.layer.run([x], (), len(tops)):
        assert (y.ravel() == x.ravel()).all()


def test_a_line_needs_no_values_for_its_gradient() -> None:
    assert not Power(scale=2.0, shift=1.0).backward
    assert Power(power=2.0).backward == BOTTOM
    assert Power(power=3.0).backward == BOTTOM | TOP
    assert not Power(power=3.0, scale=0.0).backward
    assert not Eltwise().backward
    assert Eltwise(Symbol("PROD")).backward == BOTTOM


def test_the_messages_that_are_read_besides_the_own_one_exist() -> None:
    known = schema("bvlc").message("LayerParameter").fields
    classes = [cls for cls in map(layer_class, MODULES) if cls is not None]
    assert {name for cls in classes for name in cls.besides} <= set(known)
    assert not [cls for cls in classes if cls.param in cls.besides]
