"""Receptive fields: published ones, and what a change of a pixel reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.graph.check import check, checked
from prototxt_gen.graph.field import Extent, Field, Window, fields
from prototxt_gen.graph.graph import Graph


def found(graph: Graph) -> dict[str, Field]:
    return {ref.blob: field for ref, field in fields(graph, checked(graph)).items()}


def size(field: Field) -> tuple[int, ...]:
    assert isinstance(field, Window)
    return field.size


# Araujo, Norris and Sim: Computing receptive fields of convolutional neural networks (2019).
@pytest.mark.parametrize(
    ("preset", "pixels"),
    [("resnet50", 483), ("resnet101", 1027), ("resnet152", 1507), ("resnet200", 1763)],
)
def test_residual_nets_are_as_published(preset: str, pixels: int) -> None:
    seen = found(api.load(Source(api.generate(preset).encode())))
    assert size(seen["res5c"]) == (pixels, pixels)
    assert seen["fc1000"] is Extent.WHOLE
    assert isinstance(seen["res5c"], Window)
    assert seen["res5c"].stride == (32, 32)


def test_torchvisions_stride_is_later() -> None:
    assert (
        size(found(api.load(Source(api.generate("resnet50-tv").encode())))["res5c"]) == (427,) * 2
    )


@pytest.mark.parametrize(
    ("file", "pixels"),
    [
        ("BVLC+caffe/models/bvlc_alexnet/deploy.prototxt", {"conv5": 163, "pool5": 195}),
        ("BVLC+caffe/models/bvlc_reference_caffenet/deploy.prototxt", {"conv5": 163, "pool5": 195}),
        (
            "soeaver+caffe-model/cls/vgg/deploy_vgg16-pytorch.prototxt",
            {"conv1_1": 3, "conv5_3": 196, "pool5": 212},
        ),
    ],
)
def test_corpus_is_as_published(corpus: Path, file: str, pixels: dict[str, int]) -> None:
    seen = found(api.load(corpus / file))
    assert {name: size(seen[name]) for name in pixels} == {n: (p, p) for n, p in pixels.items()}


def chain(*layers: str, side: int = 48) -> str:
    """An input and layers that each read the one before; ``%`` is the name of the bottom."""
    lines = [
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ '
        f"dim: [1, 1, {side}, {side}] }} }} }}"
    ]
    before = "x"
    for index, layer in enumerate(layers):
        lines.append(f'layer {{ name: "l{index}" bottom: "{before}" top: "l{index}" {layer} }}')
        before = f"l{index}"
    return "\n".join(lines)


def conv(*words: str, kind: str = "Convolution") -> str:
    return f'type: "{kind}" convolution_param {{ num_output: 1 {" ".join(words)} }}'


def pool(*words: str) -> str:
    return f'type: "Pooling" pooling_param {{ pool: AVE {" ".join(words)} }}'


NETS = [
    chain(conv("kernel_size: 5 stride: 2 pad: 2"), conv("kernel_size: 3 dilation: 2 pad: 2")),
    chain(
        conv("kernel_h: 3 kernel_w: 5"), pool("kernel_size: 3 stride: 2"), conv("kernel_size: 2")
    ),
    chain(
        pool("kernel_size: 2 stride: 2"),
        conv("kernel_size: 4 stride: 2 pad: 1", kind="Deconvolution"),
        conv("kernel_size: 3 pad: 1"),
    ),
    chain(
        conv("kernel_size: 3 stride: 2 pad: 1"),
        'type: "Upsample" upsample_param { scale: 2 }',
        conv("kernel_size: 3"),
    ),
    chain('type: "LRN" lrn_param { local_size: 5 norm_region: WITHIN_CHANNEL }', side=12),
    chain(conv("kernel_size: 3 pad: 1"), conv("kernel_size: 5 pad: 2"))
    + '\nlayer { name: "s" type: "Eltwise" bottom: "l0" bottom: "l1" bottom: "x" top: "s" }',
]


@pytest.mark.parametrize("text", NETS)
def test_a_value_depends_on_its_field_and_no_other_pixel(text: str) -> None:
    graph = api.load(Source(text.encode()))
    graph.stored = {
        node.name: [np.ones(shape, np.float32) for shape in checked(graph).weights[index]]
        for index, node in enumerate(graph.nodes)
    }
    (ref,) = graph.outputs
    field = fields(graph, checked(graph))[ref]
    assert isinstance(field, Window)
    assert field.stride is not None
    assert field.offset is not None
    shape = checked(graph).blobs[graph.inputs[0]]
    x = np.random.default_rng(0).uniform(1, 2, [d or 0 for d in shape]).astype(np.float32)
    before = api.run(graph, {"x": x})[ref.blob]
    middle = [size // 2 for size in before.shape[2:]]
    reached: list[tuple[int, int]] = []
    for row in range(x.shape[2]):
        for column in range(x.shape[3]):
            changed = x.copy()
            changed[0, 0, row, column] += 1000
            after = api.run(graph, {"x": changed})[ref.blob]
            if abs(after - before)[0, 0, *middle] > 1e-4:
                reached.append((row, column))
    for axis in (0, 1):
        low, high = min(p[axis] for p in reached), max(p[axis] for p in reached)
        center = field.offset[axis] + field.stride[axis] * middle[axis]
        # Behind a map that grows, fields differ by a pixel from place to place.
        assert high - low + 1 <= field.size[axis] <= high - low + 2
        assert abs((low + high) / 2 - center) <= 0.5
        if "Upsample" not in text and "Deconvolution" not in text:
            assert high - low + 1 == field.size[axis]
            assert (low + high) / 2 == center


GATED = """layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [1, 4, 9, 9] } } }
layer { name: "i" type: "Input" top: "info" input_param { shape { dim: [1, 3] } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "g" type: "Pooling" bottom: "c" top: "g" pooling_param { global_pooling: true } }
layer { name: "f" type: "Flatten" bottom: "c" top: "f" }
layer { name: "s" type: "Scale" bottom: "c" bottom: "g" top: "s" scale_param { axis: 0 } }
layer { name: "u" type: "Whatever" bottom: "c" top: "u" }
layer { name: "p" type: "Permute" bottom: "c" top: "p"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "q" type: "Convolution" bottom: "p" top: "q"
  convolution_param { num_output: 1 kernel_size: 3 } }
"""


def test_what_is_no_window() -> None:
    graph = api.load(Source(GATED.encode()))
    seen = {r.blob: f for r, f in fields(graph, check(graph, Sink())).items()}
    assert "info" not in seen
    assert seen["g"] is Extent.WHOLE
    assert seen["s"] is Extent.WHOLE
    assert seen["u"] is Extent.UNKNOWN
    assert seen["q"] is Extent.UNKNOWN
    for name in "fp":
        assert size(seen[name]) == (3, 3)
        assert seen[name]._replace(exact=()) == ((), None, None)  # type: ignore[union-attr]
