"""Presets beyond the first papers: their published numbers, and what makes them what they are."""

from __future__ import annotations

import pytest

from prototxt_gen.cli import run
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.counts import COUNTS
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.layers.convolution import Convolution


# As osmr/imgclsmob lists them in pytorch/README.md ("b": the stride in the 3x3), to the last one.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet10", 5_418_792),
        ("resnet10-tv", 5_418_792),
        ("resnet26-tv", 15_995_176),
        ("resnet164", 1_704_154),
        ("resnet1001", 10_328_602),
        ("senet154", 115_088_984),
    ],
)
def test_parameters_are_published(name: str, parameters: int) -> None:
    assert COUNTS[name][0] == parameters


def test_resnext152_is_resnext101_with_more_blocks() -> None:
    """4 more in its second stage and 13 in its third, whose weights are counted by hand."""
    second = 512 * 256 + 256 * (256 // 32) * 9 + 256 * 512 + 2 * (256 + 256 + 512)
    third = 1024 * 512 + 512 * (512 // 32) * 9 + 512 * 1024 + 2 * (512 + 512 + 1024)
    more = COUNTS["resnext152-32x4d"][0] - COUNTS["resnext101-32x4d"][0]
    assert more == 4 * second + 13 * third


# Millions and billions of mmclassification's model zoo (ResNetV1D) and of osmr/imgclsmob, whose
# operations are those of normalization and activation as well.
@pytest.mark.parametrize(
    ("name", "millions", "billions"),
    [
        ("resnet50c", 25.58, 4.36),
        ("resnet50d", 25.58, 4.36),
        ("resnet101d", 44.57, 8.09),
        ("resnet10-tv", 5.42, 0.894),
        ("resnet26-tv", 16.00, 2.357),
        ("senet154", 115.09, 20.746),
    ],
)
def test_sizes_are_published(name: str, millions: float, billions: float) -> None:
    parameters, adds = COUNTS[name]
    assert round(parameters / 1e6, 2) == millions
    assert adds / 1e9 == pytest.approx(billions, rel=0.01)
    assert adds / 1e9 < billions


def test_senets_blocks_are_narrow_at_first_and_its_strided_shortcuts_are_3x3() -> None:
    """What the appendix of the paper (arXiv 1709.01507) says of SENet-154."""
    convs = {
        node.name: node.layer
        for node in build(Spec.of(preset("senet154"))).graph.nodes
        if type(node.layer) is Convolution
    }
    found = [
        (conv.num_output, conv.kernel, conv.stride, conv.group)
        for conv in (convs[f"res{name}"] for name in ("2a_branch1", "2a_branch2a", "2a_branch2b"))
    ]
    assert found == [(256, (1,), (1,), 1), (128, (1,), (1,), 1), (256, (3,), (1,), 64)]
    for stage in (3, 4, 5):
        shortcut, strided = convs[f"res{stage}a_branch1"], convs[f"res{stage}a_branch2b"]
        assert (shortcut.kernel, shortcut.stride, strided.stride) == ((3,), (2,), (2,))
    assert [convs[f"conv1_{n}"].num_output for n in (1, 2, 3)] == [64, 64, 128]


# To the last one, and billions, as a table of insightface's recognition nets has them for 112x112.
@pytest.mark.parametrize(
    ("name", "parameters", "billions"),
    [
        ("iresnet18", 24_025_600, 2.63),
        ("iresnet34", 34_139_328, 4.48),
        ("iresnet50", 43_590_848, 6.33),
        ("iresnet100", 65_156_160, 12.13),
    ],
)
def test_nets_for_faces_have_their_published_sizes(
    name: str, parameters: int, billions: float
) -> None:
    assert COUNTS[name][0] == parameters
    assert COUNTS[name][1] / 1e9 == pytest.approx(billions, rel=0.01)


def test_an_improved_block_is_normalized_at_both_ends() -> None:
    """BN, 3x3, BN, PReLU, 3x3 with the stride, BN; and nothing after the sum."""
    graph = build(Spec.of({**preset("iresnet18"), "stages": [1]})).graph
    assert [node.type for node in graph.nodes] == [
        *("Input", "Convolution", "BatchNorm", "Scale", "PReLU"),
        *("Convolution", "BatchNorm", "Scale"),
        *("BatchNorm", "Scale", "Convolution", "BatchNorm", "Scale", "PReLU"),
        *("Convolution", "BatchNorm", "Scale", "Eltwise"),
        *("BatchNorm", "Scale", "InnerProduct", "BatchNorm", "Scale"),
    ]
    strides = {n.name: n.layer.stride for n in graph.nodes if type(n.layer) is Convolution}
    assert [name for name, stride in strides.items() if stride == (2,)] == [
        *("res2a_branch1", "res2a_branch2b"),
    ]
    assert [ref.blob for ref in graph.outputs] == ["fc512"]


@pytest.mark.parametrize("words", ["--phase train_val", "--folded", "--output-stride 16"])
def test_what_a_net_for_faces_cannot_be(words: str) -> None:
    assert run(["gen", "iresnet18", *words.split()]) == 2


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("ResNet-50-D", "resnet50d"), ("resnet_101c", "resnet101c"), ("ResNeXt152_32x4d", None)],
)
def test_names_are_taken_as_they_are_meant(spelt: str, name: str | None) -> None:
    assert preset(spelt) == preset(name or "resnext152-32x4d")


def test_there_is_no_other_depth() -> None:
    with pytest.raises(SpecError, match="no resnet34d; the nearest is 50"):
        preset("resnet34d")
