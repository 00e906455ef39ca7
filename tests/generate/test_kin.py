"""Kinds of blocks that are not residual as the first were: inverted ones, and dense ones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.convolution import Convolution

SMALL: dict[str, Any] = {"width": 8, "classes": 5, "input_shape": [1, 3, 64, 64]}
INVERTED = {**SMALL, "stages": [2, 1], "block": "inverted"}
DENSE = {**SMALL, "stages": [2, 2], "block": "dense"}
NORM = ("BatchNorm", "Scale")


def net(base: dict[str, Any], **keys: Any) -> Graph:
    return build(Spec.of({**base, **keys})).graph


def convs(graph: Graph) -> dict[str, Convolution]:
    return {n.name: n.layer for n in graph.nodes if type(n.layer) is Convolution}


def shapes(graph: Graph) -> dict[str, tuple[int | None, ...]]:
    """The channels and sides of each blob."""
    return {ref.blob: shape[1:3] for ref, shape in checked(graph).blobs.items()}


def types(graph: Graph, block: str) -> list[str]:
    """The types of the layers of a block, ``2a``."""
    return [n.type for n in graph.nodes if re.match(rf"[a-z]+{block}(_|$)", n.name)]


def reads(graph: Graph, name: str) -> list[str]:
    (node,) = (one for one in graph.nodes if one.name == name)
    return [ref.blob for ref in node.bottoms]


def test_an_inverted_block_is_wide_in_the_middle_and_ends_linearly() -> None:
    graph = net(INVERTED)
    assert types(graph, "2a") == [
        *("Convolution", *NORM, "ReLU") * 2,
        *("Convolution", *NORM, "Eltwise"),
    ]
    found = [
        (conv.num_output, conv.kernel, conv.stride, conv.group)
        for name, conv in convs(graph).items()
        if name.startswith("res3a")
    ]
    assert found == [(48, (1,), (1,), 1), (48, (3,), (2,), 48), (16, (1,), (1,), 1)]


def test_it_has_a_sum_only_where_the_shape_stays() -> None:
    """The paper's figure 4: a stride has no shortcut, and neither has a change of channels."""
    graph = net(INVERTED, stem_width=4, strides=[1, 1], stages=[2, 2])
    assert [n.name for n in graph.nodes if n.type == "Eltwise"] == ["res2b", "res3b"]
    assert reads(graph, "res2b") == ["res2a_branch2c", "res2b_branch2c"]
    strided = net(INVERTED, widths=[8, 8], stages=[1, 1])
    assert [n.name for n in strided.nodes if n.type == "Eltwise"] == ["res2a"]
    with pytest.raises(SpecError, match="none joins a shortcut"):
        net(INVERTED, stages=[1, 1], stem_width=4, eltwise="MAX")


def test_expansions_multiply_what_a_block_reads() -> None:
    """8 channels of the stem, and of the first stage; 0 leaves the convolution out."""
    found = convs(net(INVERTED, stages=[1, 2], expansions=[0, 3]))
    assert "res2a_branch2a" not in found
    assert [found[f"res{name}_branch2b"].group for name in ("2a", "3a", "3b")] == [8, 24, 48]


# t, c, n and s of table 2 in arXiv 1801.04381; the side is that of an image of 224.
@pytest.mark.parametrize(
    ("stage", "outputs", "side"),
    [(2, 16, 112), (3, 24, 56), (4, 32, 28), (5, 64, 14), (6, 96, 14), (7, 160, 7), (8, 320, 7)],
)
def test_mobilenet_v2_has_the_stages_of_its_paper(stage: int, outputs: int, side: int) -> None:
    found = shapes(build(Spec.of(preset("mobilenet-v2"))).graph)
    assert found[f"res{stage}a_branch2c"] == (outputs, side)
    assert found["conv_last"] == (1280, 7)


def test_relu6_never_overwrites_what_its_gradient_needs() -> None:
    graph = net(INVERTED, relu6=True, last_width=16)
    clips = [node for node in graph.nodes if node.type == "Clip"]
    assert len(clips) == 1 + 2 * 3 + 1
    assert not any(node.in_place(0) for node in clips)
    assert {(node.layer.min, node.layer.max) for node in clips} == {(0.0, 6.0)}  # type: ignore
    text = api.generate({**INVERTED, "relu6": True, "phase": "train_val"})
    assert api.validate(Source(text.encode())) == []


def test_a_dense_block_adds_to_what_it_reads() -> None:
    """Figure 2 and section 3 of arXiv 1608.06993: BN-ReLU-1x1 of 4k, BN-ReLU-3x3 of k."""
    graph = net(DENSE)
    assert types(graph, "2b") == [*(*NORM, "ReLU", "Convolution") * 2, "Concat"]
    assert reads(graph, "bn2a_branch2a") == ["pool1"]
    assert reads(graph, "res2a") == ["pool1", "res2a_branch2b"]
    assert reads(graph, "res2b") == ["res2a", "res2b_branch2b"]
    assert {(c.num_output, c.kernel) for n, c in convs(graph).items() if "branch" in n} == {
        *((32, (1,)), (8, (3,))),
    }
    found = shapes(graph)
    assert [found[blob][0] for blob in ("pool1", "res2a", "res2b", "res3b")] == [16, 24, 32, 32]


def test_a_transition_halves_channels_and_sides() -> None:
    graph = net(DENSE)
    found = shapes(graph)
    assert (found["res2b"], found["res3_transition"], found["res3_pool"]) == (
        *((32, 16), (16, 16), (16, 8)),
    )
    dilated = net(DENSE, output_stride=8, stages=[2, 2, 2])
    strided = [n.name for n in dilated.nodes if n.name.endswith("_pool")]
    assert strided == ["res3_pool"]
    assert {c.dilation for n, c in convs(dilated).items() if n.startswith("res4")} == {(1,), (2,)}


# Table 1 of the paper: channels are 64 + 6 * 32, halved, and so on.
@pytest.mark.parametrize(
    ("name", "ends"),
    [
        ("densenet121", [(256, 56), (512, 28), (1024, 14), (1024, 7)]),
        ("densenet161", [(384, 56), (768, 28), (2112, 14), (2208, 7)]),
        ("densenet169", [(256, 56), (512, 28), (1280, 14), (1664, 7)]),
        ("densenet201", [(256, 56), (512, 28), (1792, 14), (1920, 7)]),
        ("densenet-bc-100-12", [(216, 32), (300, 16), (342, 8)]),
    ],
)
def test_densenets_have_the_channels_of_torchvisions(name: str, ends: list[Any]) -> None:
    graph = build(Spec.of(preset(name))).graph
    found = shapes(graph)
    last: dict[str, tuple[int | None, ...]] = {}
    for node in graph.nodes:
        if node.type == "Concat":
            last[node.name[:4]] = found[node.name]
    assert list(last.values()) == ends


def test_a_small_stem_of_a_dense_net_is_a_convolution_alone() -> None:
    """Each block begins with an activation; a pooling between would need one of its own."""
    names = [n.name for n in net(DENSE, stem="cifar", input_shape=[1, 3, 32, 32]).nodes]
    assert names[1:3] == ["conv1", "bn2a_branch2a"]
    with pytest.raises(SpecError, match="theirs are between stages"):
        net(DENSE, stem="flat")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("densenet121 --shortcut A", "changes nothing in dense blocks"),
        ("densenet121 --eltwise MAX", "changes nothing in dense blocks"),
        ("mobilenet-v2 --shortcut avgpool", "changes nothing in inverted blocks"),
        ("mobilenet-v2 --projection 3", "no shortcut is a convolution"),
        ("mobilenet-v2 --stride-at 3x3", "changes nothing in inverted blocks"),
        ("mobilenet-v2 --pool floor", "the stem half has no pooling"),
        ("mobilenet-v2 --inner-widths 1,2,3,4,5,6,7", "expected expansions"),
        ("mobilenet-v2 --cardinality 4", "requires bottleneck blocks, found inverted"),
        ("mobilenet-v2 --stages 1,2", "expected a number for each of (1, 2)"),
        ("mobilenet-v2-tv --dialect nvcaffe", "Clip, which nvcaffe does not know"),
        ("densenet121 --se 16", "is for residual blocks, found dense"),
        ("densenet121 --folded", "cannot be folded"),
        ("densenet121 --expansions 1,1,1,1", "require inverted blocks, found dense"),
        ("densenet121 --strides 2,2,2,2", "theirs are between stages"),
        ("resnet50 --strides 1,2,3,2", "expected 1 or 2 for each stage"),
        ("resnet50 --expansions 1,1,1,1", "require inverted blocks, found bottleneck"),
        ("densenet122", "the nearest are 121 and 161"),
        ("DenseNet-BC-99-12", "has 4 + 6n layers; the nearest are 94 and 100"),
        ("densenet-bc-100-0", "expected at least 1"),
        ("mobilenet", "did you mean 'mobilenet-v2'?"),
    ],
)
def test_what_they_cannot_be(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gen", *arguments.split()]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("MobileNetV2", "mobilenet-v2"),
        ("mobilenet_v2", "mobilenet-v2"),
        ("MobileNet v2 1.0", "mobilenet-v2"),
        ("DenseNet-121", "densenet121"),
        ("DenseNet_BC_100_12", "densenet-bc-100-12"),
    ],
)
def test_a_preset_is_taken_as_it_is_meant(written: str, meant: str) -> None:
    assert preset(written) == preset(meant)


@pytest.mark.parametrize("depth", [121, 161, 169, 201])
def test_a_densenet_is_called_after_its_layers(depth: int) -> None:
    spec = Spec.of(preset(f"densenet{depth}"))
    convolutions = len(convs(build(spec).graph))
    assert (spec.name, convolutions + 1) == (f"DenseNet-{depth}", depth)


def test_a_cifar_depth_of_dense_blocks() -> None:
    keys = {"depth": 100, "stem": "cifar", "block": "dense", "width": 12}
    spec = Spec.of(keys)
    assert (spec.stages, spec.depth) == ((16, 16, 16), 100)
    with pytest.raises(SpecError, match=r"has 4 \+ 6n layers; the nearest are 100 and 106"):
        Spec.of({**keys, "depth": 101})


def test_strides_are_where_a_spec_says() -> None:
    graph = net({**SMALL, "stages": [1, 1, 1], "block": "basic"}, strides=[2, 1, 2])
    found = shapes(graph)
    assert [found[f"res{n}a"][1] for n in (2, 3, 4)] == [8, 8, 4]
    assert [n for n, c in convs(graph).items() if c.stride == (2,)][1:] == [
        *("res2a_branch1", "res2a_branch2a", "res4a_branch1", "res4a_branch2a"),
    ]


def test_usual_strides_and_expansions_are_the_default() -> None:
    """So that an option can give a preset them back."""
    assert Spec.of({**INVERTED, "strides": [1, 2], "expansions": [6, 6]}) == Spec.of(INVERTED)
    usual = Spec.of({**preset("mobilenet-v2"), "strides": [1, *[2] * 6], "expansions": [6] * 7})
    assert (usual.strides, usual.expansions, usual.natural_stride) == ((), (), 2 * 2**6)


def test_a_classifier_of_a_convolution_has_the_same_scores() -> None:
    dense, conv = (net(DENSE, classifier_form=form) for form in ("dense", "conv"))
    assert shapes(dense)["fc5"] == (5,)
    assert shapes(conv)["fc5"] == (5, 1)
    counts = [api.summarize(graph).parameters for graph in (dense, conv)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("base", [INVERTED, DENSE])
def test_shicais_names_are_for_any_block(base: dict[str, Any]) -> None:
    """Those of whole nets are compared with published files (published.yml)."""
    names = [node.name for node in net(base, naming="shicai").nodes]
    assert len(set(names)) == len(names)
    first, last = ("conv2_1/expand", "fc3") if base is INVERTED else ("conv2_1/x1", "fc4")
    assert {first, last, "conv1/bn", "relu1"} <= set(names)
