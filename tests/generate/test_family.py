"""The whole residual family: presets, published nets and counts, both phases, names."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from generate.structure import Structures

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.generate import zoo
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import PRESETS, preset
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State
from prototxt_gen.summary import Summary


def spec(name: str, **keys: Any) -> Spec:
    return Spec.of({**preset(name), **keys})


def summary(name: str, **keys: Any) -> Summary:
    return api.summarize(build(spec(name, **keys)).graph)


# torchvision's published counts, to the last weight.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("resnet18-tv", 11_689_512),
        ("resnet34-tv", 21_797_672),
        ("resnet50-tv", 25_557_032),
        ("resnet101-tv", 44_549_160),
        ("resnet152-tv", 60_192_808),
        ("resnext50-32x4d", 25_028_904),
        ("resnext101-32x8d", 88_791_336),
        ("resnext101-64x4d", 83_455_272),
        ("wrn50-2", 68_883_240),
        ("wrn101-2", 126_886_696),
        ("mobilenet-v2-tv", 3_504_872),
        ("densenet121", 7_978_856),
        ("densenet161", 28_681_000),
        ("densenet169", 14_149_480),
        ("densenet201", 20_013_928),
    ],
)
def test_parameters_are_torchvisions(name: str, parameters: int) -> None:
    assert summary(name).parameters == parameters


# Millions, as the papers' tables have them.
@pytest.mark.parametrize(
    ("name", "millions", "precision"),
    [
        ("resnet20", 0.27, 0.005),
        ("resnet32", 0.46, 0.005),
        ("resnet44", 0.66, 0.005),
        ("resnet56", 0.85, 0.005),
        ("resnet110", 1.7, 0.05),
        ("resnet1202", 19.4, 0.05),
        ("preresnet164", 1.7, 0.05),
        ("preresnet1001", 10.2, 0.15),
        ("wrn-16-8", 11.0, 0.05),
        ("wrn-28-10", 36.5, 0.05),
        ("wrn-40-4", 8.9, 0.05),
        ("resnext29-8x64d", 34.4, 0.05),
        ("resnext29-16x64d", 68.1, 0.1),
        ("se-resnet50", 28.1, 0.05),
        ("se-resnet101", 49.3, 0.05),
        ("se-resnet152", 66.8, 0.05),
        ("mobilenet-v2", 3.4, 0.15),
        ("densenet-bc-100-12", 0.8, 0.05),
        ("densenet-bc-250-24", 15.3, 0.05),
        ("densenet-bc-190-40", 25.6, 0.05),
    ],
)
def test_parameters_are_the_papers(name: str, millions: float, precision: float) -> None:
    assert abs(summary(name).parameters / 1e6 - millions) <= precision


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("resnet18-tv", 1.81),
        ("resnet34-tv", 3.66),
        ("resnet50-tv", 4.09),
        ("resnet101-tv", 7.80),
        ("resnet152-tv", 11.51),
        ("resnext50-32x4d", 4.23),
        ("resnext101-32x8d", 16.41),
        ("resnext101-64x4d", 15.46),
        ("wrn50-2", 11.40),
        ("wrn101-2", 22.75),
        ("mobilenet-v2-tv", 0.30),
        ("densenet121", 2.83),
        ("densenet161", 7.73),
        ("densenet169", 3.36),
        ("densenet201", 4.29),
    ],
)
def test_multiply_adds_are_torchvisions(name: str, billions: float) -> None:
    assert round(summary(name).multiply_adds / 1e9, 2) == billions


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_sound_in_every_phase_and_survives_print_spec(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = spec(name)
    assert run(["gen", name, "--print-spec"]) == 0
    assert Spec.of(yaml.safe_load(capsys.readouterr().out)) == made
    if made.depth < 1000:
        # Training needs scores of classes.
        for phase in ("deploy", "train_val") if made.head == "classifier" else ("deploy",):
            text = api.generate(name, phase=phase)
            assert api.validate(Source(text.encode())) == [], phase


@pytest.mark.parametrize("depth", [18, 34])
def test_plain_and_residual_differ_in_nothing_but_the_shortcuts(depth: int) -> None:
    residual = build(spec(f"resnet{depth}")).graph
    plain = build(spec(f"plain{depth}")).graph
    assert _without_shortcuts(residual) == [(n.name, n.layer) for n in plain.nodes]
    assert [ref.blob for ref in plain.outputs] == [ref.blob for ref in residual.outputs]


def _without_shortcuts(graph: Graph) -> list[tuple[str, object]]:
    return [
        (node.name, node.layer)
        for node in graph.nodes
        if node.type != "Eltwise" and "branch1" not in node.name
    ]


@pytest.mark.parametrize(
    "name", ["resnet50", "preresnet50", "se-resnext50-32x4d", "resnet20", "resnext29-8x64d"]
)
def test_a_naming_changes_names_alone(name: str) -> None:
    structures = Structures()
    msra = build(spec(name)).graph
    other = build(spec(name, naming="torchvision")).graph
    assert structures.scores(msra) == structures.scores(other)
    names = [node.name for node in other.nodes]
    assert "layer1.0.conv1" in names
    assert "layer1.0.bn1" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("shortcut", ["A", "B", "C", "avgpool"])
@pytest.mark.parametrize("block", ["basic", "bottleneck", "preact-basic", "preact-bottleneck"])
def test_every_shortcut_goes_with_every_block(shortcut: str, block: str) -> None:
    keys = {"stages": [2, 2], "block": block, "shortcut": shortcut, "width": 8, "se": 4}
    text = api.generate(keys, dropout=0.3, coeff=[1, -1])
    assert api.validate(Source(text.encode())) == []
    projections = text.count('name: "res2a_branch1"') + text.count('name: "res2b_branch1"')
    expansion = 4 if "bottleneck" in block else 1
    assert projections == {"A": 0, "C": 2}.get(shortcut, 1 if expansion > 1 else 0)
    assert ("res3a_shortcut_pool" in text) == (shortcut in ("A", "avgpool"))
    assert ("res3a_zeros" in text) == (shortcut == "A")


@pytest.mark.parametrize(("output_stride", "side"), [(8, 28), (16, 14), (32, 7), (0, 7)])
def test_dilation_takes_the_place_of_strides(output_stride: int, side: int) -> None:
    found = summary("resnet50", output_stride=output_stride)
    last = next(row for row in found.rows if row.name == "res5c")
    assert last.shapes == ((1, 2048, side, side),)
    assert found.parameters == summary("resnet50").parameters
    text = api.generate("resnet50", output_stride=output_stride)
    assert text.count("dilation: 2") == {8: 6, 16: 3}.get(output_stride, 0)
    assert text.count("dilation: 4") == {8: 3}.get(output_stride, 0)


def test_rounding_down_is_written_as_the_dialect_has_it() -> None:
    assert "round_mode: FLOOR" in api.generate("resnet18-tv")
    priv = api.generate("resnet18-tv", dialect="caffe_priv")
    assert "ceil_mode: false" in priv
    assert "round_mode" not in priv
    assert api.validate(Source(priv.encode()), "caffe_priv") == []
    with pytest.raises(SpecError, match=r"bvlc-1\.0 cannot round down"):
        api.generate("resnet18-tv", dialect="bvlc-1.0")
    old = api.generate("resnet18", dialect="bvlc-1.0")
    assert "round_mode" not in old


def test_a_folded_net_has_biases_in_place_of_batch_norm() -> None:
    text = api.generate("resnet18", folded=True)
    assert "BatchNorm" not in text
    assert "Scale" not in text
    assert "bias_term: false" not in text
    with pytest.raises(SpecError, match="cannot be folded"):
        api.generate("preresnet50", folded=True)


def test_a_training_net_has_data_losses_and_fillers() -> None:
    text = api.generate("resnet50", phase="train_val", train_batch=16)
    source = Source(text.encode())
    train, test = (api.load(source, State(phase)) for phase in ("TRAIN", "TEST"))
    assert [node.type for node in train.nodes].count("Accuracy") == 0
    assert [node.type for node in test.nodes].count("Accuracy") == 2
    convs = [node for node in train.nodes if node.type == "Convolution"]
    fillers = {node.params.block("weight_filler").get("type", str, "constant") for node in convs}
    assert fillers == {"msra"}
    for node in train.nodes:
        rates = [param.get("lr_mult", float, 1.0) for param in node.source.blocks("param")]
        if node.type == "BatchNorm":
            assert rates == [0.0, 0.0, 0.0]
            assert not node.params.has("use_global_stats")
        elif node.type == "Convolution":
            assert rates[0] == 1.0
    assert test.nodes[0].source.block("data_param").get("source", str, "") == "ilsvrc12_val_lmdb"
    assert train.nodes[0].source.block("data_param").get("batch_size", int, 0) == 16


@pytest.mark.parametrize(
    ("name", "keys", "path", "words"),
    [
        ("resnet51", {}, "preset", "nearest are 50 and 56"),
        ("resnet7-tv", {}, "preset", "nearest is 10"),
        ("preresnet99", {}, "preset", "nearest are 50 and 101"),
        ("plain21", {}, "preset", "nearest are 20 and 32"),
        ("wrn-29-10", {}, "depth", "nearest are 28 and 34"),
        ("wrn-28-0", {}, "width_factor", "at least 1"),
        ("resnext50-32x8d", {}, "preset", "expected resnext50-32x4d"),
        ("se-resnet18", {}, "preset", "nearest is 50"),
        ("resnext50", {}, "preset", "did you mean 'resnext50-32x4d'"),
        ("ResNeXt-101", {}, "preset", "did you mean 'resnext101-32x4d'"),
        ("seresnext50", {}, "preset", "did you mean 'se-resnext50-32x4d'"),
        ("resnte50", {}, "preset", "did you mean 'resnet50'"),
        ("ResNet-51", {}, "preset", "nearest are 50 and 56"),
        ("mobilnet", {}, "preset", "did you mean 'mobilenet-v2'"),
        ("desnenet", {}, "preset", "did you mean 'densenet121'"),
        ("r50", {}, "preset", "did you mean 'resnet50'"),
        ("dense121", {}, "preset", "did you mean 'densenet121'"),
        ("arcface", {}, "preset", "did you mean 'iresnet18'"),
        ("r51", {}, "preset", "gen --list"),
        ("vgg16", {}, "preset", "gen --list"),
        ("resnet50", {"cardinality": 5}, "cardinality", "do not divide the width 64"),
        ("resnet18", {"cardinality": 2}, "cardinality", "requires bottleneck"),
        ("resnet50", {"base_width": 3, "width": 20}, "base_width", "not a whole number"),
        ("resnet50", {"eltwise": "PROD", "coeff": [1, 1]}, "coeff", "requires SUM"),
        ("resnet50", {"coeff": [1]}, "coeff", "two numbers"),
        ("resnet50", {"coeff": [1, float("nan")]}, "coeff", "two numbers"),
        ("resnet20", {"output_stride": 8}, "output_stride", "stem cifar"),
        ("resnet50", {"output_stride": 7}, "output_stride", "expected 0, 8, 16 or 32"),
        ("resnet50", {"dropout": 1}, "dropout", "less than 1"),
        ("resnet50", {"se": 1000}, "se", "is 1000; expected at most"),
        ("resnet50", {"shortcut": "A", "stem_width": 48}, "shortcut", "not a multiple of 48"),
        ("resnet50", {"stem": "3x3", "stem_width": 7}, "stem_width", "is odd"),
        (
            "resnet50",
            {"phase": "train_val", "input_shape": [1, 3, 64, 32]},
            "input_shape",
            "square",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    name: str, keys: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(SpecError) as caught:
        api.generate(name, **keys)
    assert caught.value.path == path
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("depth", "block", "words"),
    [
        (51, "basic", "nearest are 50 and 56"),
        (3, "basic", "nearest is 8"),
        (165, "preact-bottleneck", "nearest are 164 and 173"),
    ],
)
def test_a_cifar_depth_that_fits_no_stages_is_refused(depth: int, block: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        api.generate(depth=depth, stem="cifar", block=block)
    assert api.generate(depth=56, stem="cifar").count('"Eltwise"') == 27


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ResNet50", "resnet50"),
        ("resnet-50", "resnet50"),
        ("ResNet 50", "resnet50"),
        ("ResNet_50_TV", "resnet50-tv"),
        ("ResNet50-v2", "preresnet50"),
        ("PreAct-ResNet-152", "preresnet152"),
        ("WRN-16-8", "wrn-16-8"),
        ("WRN-50-2", "wrn50-2"),
        ("wide_resnet50_2", "wrn50-2"),
        ("Wide-ResNet-28-10", "wrn-28-10"),
        ("resnext50_32x4d", "resnext50-32x4d"),
        ("SE-ResNet-50", "se-resnet50"),
        ("seresnet50", "se-resnet50"),
    ],
)
def test_a_preset_is_taken_as_it_is_meant(written: str, meant: str) -> None:
    assert preset(written) == preset(meant)


def test_no_two_presets_have_the_same_spelling() -> None:
    assert len(zoo._BY_SPELLING) == len(PRESETS)


def test_the_list_shows_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gen", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(PRESETS)
    assert any("25,557,032" in line and "4.09 G" in line for line in lines)
