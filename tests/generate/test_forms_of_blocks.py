"""What a spec says of the structure of a net, against rules and counts from elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from generate.structure import SMALL, net, nodes

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.convolution import Convolution
from prototxt_gen.weights import make


def parameters(graph: Graph) -> int:
    return api.summarize(graph).parameters


def convolutions(graph: Graph) -> dict[str, Convolution]:
    return {n.name: n.layer for n in graph.nodes if type(n.layer) is Convolution}


# --- dilation --------------------------------------------------------------------------------


def torchvisions(dilate: list[bool]) -> dict[str, tuple[int, int]]:
    """Stride and dilation of each 3x3 and of each projection of torchvision's resnet50.

    ``ResNet._make_layer``: where a layer is dilated, ``self.dilation *= stride; stride = 1``;
    its first block has ``previous_dilation``, the others ``self.dilation``; ``Bottleneck.conv2``
    has the stride, and so has ``downsample[0]``.
    """
    found, dilation = {}, 1
    for layer, (blocks, stride) in enumerate(((3, 1), (4, 2), (6, 2), (3, 2)), 1):
        previous = dilation
        if layer > 1 and dilate[layer - 2]:
            dilation *= stride
            stride = 1
        found[f"layer{layer}.0.downsample.0"] = (stride, 1)
        found[f"layer{layer}.0.conv2"] = (stride, previous)
        for block in range(1, blocks):
            found[f"layer{layer}.{block}.conv2"] = (1, dilation)
    return found


@pytest.mark.parametrize(
    ("output_stride", "dilate"),
    [(0, [False] * 3), (32, [False] * 3), (16, [False, False, True]), (8, [False, True, True])],
)
def test_dilation_is_torchvisions(output_stride: int, dilate: list[bool]) -> None:
    graph = net("resnet50-tv", naming="torchvision", output_stride=output_stride)
    found = {
        name: (layer.stride[0], layer.dilation[0])
        for name, layer in convolutions(graph).items()
        if name.endswith(("conv2", "downsample.0"))
    }
    assert found == torchvisions(dilate)
    assert parameters(graph) == 25_557_032


def test_torchvision_dilates_no_basic_blocks() -> None:
    """``BasicBlock``: "Dilation > 1 not supported"."""
    with pytest.raises(SpecError, match="torchvision dilates no basic blocks"):
        net("resnet18-tv", output_stride=8)
    assert net("resnet18-tv", output_stride=8, dilation="stage")


def test_the_grid_multiplies_the_dilation_of_the_last_stage() -> None:
    """As in DeepLab v3 (arXiv 1706.05587): rates 2 times (1, 2, 4) at output stride 16."""
    graph = net("resnet50", output_stride=16, multi_grid=[1, 2, 4])
    rates = [convolutions(graph)[f"res5{block}_branch2b"].dilation[0] for block in "abc"]
    assert rates == [2, 4, 8]
    pads = [convolutions(graph)[f"res5{block}_branch2b"].pad[0] for block in "abc"]
    assert pads == rates


# --- squeeze and excitation ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count"),
    # github.com/Cadene/pretrained-models.pytorch, whose weights are SENet's own
    [("se-resnext50-32x4d", 27_559_896), ("se-resnext101-32x4d", 48_955_416)],
)
def test_senets_nets(name: str, count: int) -> None:
    """SENet's files: ``pool1`` has kernel 3, stride 2 and nothing else, so rounds up."""
    graph = net(name)
    assert parameters(graph) == count
    stem = nodes(graph, "Pooling")[0].layer
    assert (stem.kernel, stem.stride, stem.pad) == ((3,), (2,), (0,))  # type: ignore[attr-defined]
    assert str(stem.round_mode) == "CEIL"  # type: ignore[attr-defined]
    assert convolutions(graph)["res3a_branch2b"].stride == (2,)


def computed(graph: Graph, blob: str) -> np.ndarray[Any, Any]:
    """A blob, for weights that depend on the names of layers and on the sizes of blobs alone."""
    graph.stored = make(graph, "random")
    for name, blobs in graph.stored.items():
        seed = sum(map(ord, name))
        graph.stored[name] = [
            np.random.default_rng(seed + i).normal(size=b.size).reshape(b.shape).astype("f") / 8
            for i, b in enumerate(blobs)
        ]
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    return np.asarray(api.run(graph, {"data": x})[blob])


@pytest.mark.parametrize(
    "keys",
    [
        {"se_form": "conv"},
        {"se_join": "axpy", "dialect": "intel"},
        {"se_form": "conv", "se_join": "axpy", "dialect": "intel"},
    ],
)
def test_every_form_of_squeeze_and_excitation_computes_the_same(keys: dict[str, Any]) -> None:
    both = {"se": 4, "head": "none", "block": "basic", "norm": "none", "classes": 1000}
    one, other = net(**both), net(**both, **keys)
    assert parameters(one) == parameters(other)
    wanted = computed(one, "res3b")
    assert np.abs(wanted).max() > 0.1
    np.testing.assert_allclose(computed(other, "res3b"), wanted, rtol=1e-4, atol=1e-5)


def test_axpy_takes_the_place_of_scale_and_sum() -> None:
    graph = net(se=4, se_form="conv", se_join="axpy", dialect="intel")
    kinds = {kind: len(nodes(graph, kind)) for kind in ("Axpy", "Eltwise", "Sigmoid")}
    assert kinds == {"Axpy": 4, "Eltwise": 0, "Sigmoid": 4}
    assert not [node for node in nodes(graph, "Scale") if len(node.bottoms) == 2]
    text = api.generate(SMALL, se=4, se_form="conv", se_join="axpy", dialect="intel")
    assert api.validate(Source(text.encode()), "intel") == []


# --- normalization and biases ----------------------------------------------------------------


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
def test_the_values_of_batch_norm(phase: str) -> None:
    graph = net(eps=1e-3, moving_average_fraction=0.9, phase=phase)
    found = {
        (n.layer.eps, n.layer.moving_average_fraction)  # type: ignore[attr-defined]
        for n in nodes(graph, "BatchNorm")
    }
    assert found == {(1e-3, 0.9)}


@pytest.mark.parametrize(
    ("norm", "kinds"),
    [("batch", (11, 11)), ("scale", (0, 11)), ("fused", (11, 0)), ("none", (0, 0))],
)
@pytest.mark.parametrize("block", ["basic", "preact-basic"])
def test_norms(norm: str, kinds: tuple[int, int], block: str) -> None:
    """conv1, 8 convolutions in blocks of 2 stages, the projection, and the data."""
    keys = {"norm": norm, "block": block, "data_norm": norm != "none"}
    if norm == "fused":
        keys["dialect"] = "nvcaffe"
    graph = net(**keys)
    found = len(nodes(graph, "BatchNorm")), len(nodes(graph, "Scale"))
    # Before activation: 1 + 8, less the first block's, and the last; no projection.
    fewer = 1 if block == "preact-basic" and norm != "none" else 0
    assert found == tuple(kind - fewer if kind else 0 for kind in kinds)
    text = api.generate(SMALL, **keys)
    assert api.validate(Source(text.encode()), keys.get("dialect")) == []


def test_the_data_are_normalized_without_being_overwritten() -> None:
    graph = net(data_norm=True)
    assert [node.name for node in graph.nodes[1:4]] == ["bn_data", "scale_data", "conv1"]
    assert graph.nodes[1].bottoms[0].blob == "data"
    assert graph.nodes[3].bottoms[0].blob == graph.nodes[1].tops[0].blob != "data"


def test_a_net_of_activations_first_keeps_its_sums_without_norms() -> None:
    """The ReLU before a block must not change the blob that goes around it."""
    graph = net(norm="none", block="preact-basic")
    sums = nodes(graph, "Eltwise")
    assert sums[1].bottoms[0] == sums[0].tops[0]


@pytest.mark.parametrize(
    ("bias", "named"),
    [
        ("none", []),
        ("conv1", ["conv1"]),
        ("conv1,branch2a", ["conv1", "branch2a"]),
        ("branch1", ["branch1"]),
        ("branch2b,branch2c", ["branch2b", "branch2c"]),
        ("all", ["conv1", "branch1", "branch2a", "branch2b", "branch2c"]),
    ],
)
def test_biases(bias: str, named: list[str]) -> None:
    for name, layer in convolutions(net(bias=bias)).items():
        assert layer.bias_term == (name.rpartition("_")[2] in named), name


def test_a_folded_net_has_all_biases_whatever_bias_says() -> None:
    for bias in ("none", "conv1", "all"):
        graph = net(folded=True, bias=bias)
        assert all(layer.bias_term for layer in convolutions(graph).values())


@pytest.mark.parametrize("bias", ["", "conv2", "conv1,", "conv1,conv1", "none,conv1", "ALL"])
def test_a_bias_of_nothing_is_refused(bias: str) -> None:
    with pytest.raises(SpecError) as caught:
        net(bias=bias)
    assert caught.value.path == "bias"


# --- shortcuts and widths --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shortcut", "wanted"),
    [("B", ["3a"]), ("first", ["2a", "3a"]), ("C", ["2a", "2b", "3a", "3b"])],
)
@pytest.mark.parametrize("kernel", [1, 3])
def test_projections(shortcut: str, wanted: list[str], kernel: int) -> None:
    graph = net(block="basic", shortcut=shortcut, projection=kernel)
    found = {n: x for n, x in convolutions(graph).items() if n.endswith("branch1")}
    assert list(found) == [f"res{block}_branch1" for block in wanted]
    assert {x.kernel for x in found.values()} == {(kernel,)}
    assert {x.pad for x in found.values()} == {(kernel // 2,)}


def test_widths_of_stages() -> None:
    graph = net(widths=[8, 24], inner_widths=[6, 10], block="bottleneck")
    shapes = {name: x.num_output for name, x in convolutions(graph).items()}
    assert {shapes[f"res2{b}_branch2{c}"] for b in "ab" for c in "ab"} == {6}
    assert {shapes[f"res3{b}_branch2{c}"] for b in "ab" for c in "ab"} == {10}
    assert {shapes["res2a_branch2c"], shapes["res2a_branch1"]} == {4 * 8}
    assert {shapes["res3a_branch2c"], shapes["res3a_branch1"]} == {4 * 24}
    assert shapes["conv1"] == 8


def test_inner_widths_make_a_wide_resnet() -> None:
    """torchvision's wide_resnet50_2 is resnet50 with twice the width inside its blocks."""
    graph = net("resnet50-tv", inner_widths=[128, 256, 512, 1024])
    assert parameters(graph) == parameters(net("wrn50-2")) == 68_883_240


@pytest.mark.parametrize(
    ("pool", "pad", "mode"),
    [
        ("ceil", 0, "CEIL"),
        ("floor", 1, "FLOOR"),
        ("ceil-pad1", 1, "CEIL"),
        ("floor-pad0", 0, "FLOOR"),
    ],
)
def test_the_stems_pooling(pool: str, pad: int, mode: str) -> None:
    layer: Any = nodes(net(pool=pool), "Pooling")[0].layer
    assert (layer.pad, str(layer.round_mode)) == ((pad,), mode)


@pytest.mark.parametrize("dialect", ["bvlc-1.0", "nvcaffe", "intel"])
@pytest.mark.parametrize("pool", ["floor", "floor-pad0"])
def test_forks_that_always_round_up(dialect: str, pool: str) -> None:
    """Their PoolingParameter has neither round_mode nor ceil_mode."""
    with pytest.raises(SpecError, match=f"{dialect} cannot round down"):
        net(dialect=dialect, pool=pool)
    text = api.generate(SMALL, dialect=dialect, pool="ceil-pad1")
    assert api.validate(Source(text.encode()), dialect.partition("-")[0]) == []


def test_a_preset_with_the_stem_of_cifar_keeps_its_width() -> None:
    """ResNet-18 for CIFAR: 11,173,962 parameters (github.com/kuangliu/pytorch-cifar)."""
    assert parameters(net("resnet18", stem="cifar")) == 11_173_962
    # and ResNet-20 keeps its 16 channels with another stem
    assert net("resnet20", stem="7x7").nodes[1].layer.num_output == 16  # type: ignore[attr-defined]
