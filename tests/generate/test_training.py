"""The part ``training`` of a spec: what it says is in the net, or is refused at its place."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from generate.specfiles import contradicts, refusal

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.cli.spec_options import TRAINING as OPTIONS
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.idle import Contradiction
from prototxt_gen.generate.practice import TRAINING
from prototxt_gen.generate.recipe import MAPPINGS, MEANINGS, Training
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import PHASES, State

SMALL: dict[str, Any] = {
    "stages": [1, 1],
    "width": 8,
    "classes": 10,
    "input_shape": [1, 3, 64, 64],
    "phase": "train_val",
}
OWN = """
layer { name: "data" type: "MemoryData" top: "data" top: "label" include { phase: TEST }
  memory_data_param { batch_size: 2 channels: 3 height: 64 width: 64 } }
layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN }
  image_data_param { source: "list.txt" batch_size: 2 new_height: 64 new_width: 64 } }
"""
#: A recipe for each key, and further keys of the spec.
RECIPES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("source", {"source": "a"}, {}),
    ("test_source", {"test_source": "b"}, {}),
    ("backend", {"backend": "LEVELDB"}, {}),
    ("backend", {"backend": "hdf5", "shuffle": True}, {}),
    ("backend", {"backend": "imageData", "shuffle": True}, {}),
    ("label_map", {"label_map": "map.prototxt"}, {"dialect": "intel"}),
    ("label_map", {"label_map": "map.prototxt", "backend": "LEVELDB"}, {"dialect": "nvcaffe"}),
    ("root_folder", {"backend": "ImageData", "root_folder": "r/"}, {}),
    ("resize", {"backend": "ImageData", "resize": 72, "shuffle": True}, {}),
    ("layers", {"layers": OWN}, {}),
    ("mean", {"mean": [1, 2, 3]}, {}),
    ("mean", {"mean": []}, {}),
    ("mean", {"mean": "mean.binaryproto"}, {}),
    ("crop", {"crop": 0}, {}),
    ("test_crop", {"test_crop": 0}, {}),
    ("mirror", {"mirror": False}, {}),
    ("scale", {"scale": 0.017}, {}),
    ("train_batch", {"train_batch": 3}, {}),
    ("test_batch", {"test_batch": 3}, {}),
    ("shuffle", {"shuffle": True}, {"dialect": "nvcaffe"}),
    ("cache", {"cache": True}, {"dialect": "nvcaffe"}),
    ("train_transform", {"train_transform": {"img_rand_resize_lower": 64}}, {"dialect": "nvcaffe"}),
    ("test_transform", {"test_transform": {"force_color": True}}, {}),
    ("filler", {"filler": "xavier:AVERAGE"}, {}),
    ("filler", {"filler": "uniform:-0.1:0.1"}, {}),
    ("stem_filler", {"stem_filler": "msra:FAN_OUT"}, {}),
    ("classifier_filler", {"classifier_filler": "gaussian:0.01"}, {}),
    ("bias_filler", {"bias_filler": "constant:0.1"}, {}),
    ("classifier_bias_filler", {"classifier_bias_filler": "constant:0.1"}, {}),
    ("last_scale_filler", {"last_scale_filler": "constant:0"}, {}),
    (
        "last_scale_filler",
        {"last_scale_filler": "constant:0"},
        {"dialect": "nvcaffe", "norm": "fused"},
    ),
    ("weight_rates", {"weight_rates": [0.1, 1]}, {}),
    ("bias_rates", {"bias_rates": [1, 1]}, {}),
    ("classifier_rates", {"classifier_rates": [10, 1]}, {}),
    ("classifier_bias_rates", {"classifier_bias_rates": [20, 0]}, {}),
    ("scale_rates", {"scale_rates": [1, 0]}, {}),
    ("shift_rates", {"shift_rates": [1, 0]}, {"dialect": "nvcaffe", "norm": "fused"}),
    ("freeze", {"freeze": 3}, {}),
    ("loss_weight", {"loss_weight": 0.5}, {}),
    ("label_smoothing", {"label_smoothing": 0.1}, {"dialect": "intel"}),
    ("label_smoothing", {"label_smoothing": 0.1}, {"dialect": "nvcaffe"}),
    ("loss_phase", {"loss_phase": "TRAIN"}, {}),
    ("accuracy", {"accuracy": [2, 3]}, {}),
    ("accuracy", {"accuracy": []}, {}),
    ("accuracy_phase", {"accuracy_phase": "both"}, {}),
    ("accuracy_of", {"accuracy_of": "softmax"}, {}),
    ("net", {"net": {"debug_info": True}}, {}),
]
IDS = [f"{index}-{key}" for index, (key, _, _) in enumerate(RECIPES)]


def test_every_key_is_tried_and_told() -> None:
    keys = [field.name for field in fields(Training)]
    assert list(MEANINGS) == keys
    assert {key for key, _, _ in RECIPES} == set(keys)
    assert {key for _, key, *_ in OPTIONS} < set(keys)
    assert {*MAPPINGS} == {field.name for field in fields(Training) if field.type == "Pairs"}


def test_what_options_take_is_taken_in_a_spec() -> None:
    made = Training.of({"mean": "none", "backend": "leveldb"})
    assert (made.mean, made.backend) == ((), "LEVELDB")


def spec_file(tmp_path: Path, keys: dict[str, Any]) -> str:
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(keys))
    return str(path)


@pytest.mark.parametrize(("key", "recipe", "others"), RECIPES, ids=IDS)
def test_what_a_key_says_is_in_the_net_and_valid(
    key: str, recipe: dict[str, Any], others: dict[str, Any]
) -> None:
    base = {**SMALL, **others}
    text = api.generate(base, training=recipe)
    # Apart from the key there is what it needs, and no other change.
    less = {name: value for name, value in recipe.items() if name != key and name != "shuffle"}
    assert text != api.generate(base, training=less)
    assert api.validate(Source(text.encode()), others.get("dialect")) == []


@pytest.mark.parametrize(("key", "recipe", "others"), RECIPES, ids=IDS)
def test_it_round_trips_and_deploys(
    tmp_path: Path,
    key: str,
    recipe: dict[str, Any],
    others: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = {**SMALL, **others, "training": recipe}
    assert run(["gen", "--spec", spec_file(tmp_path, keys), "--print-spec"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert Spec.of(printed) == Spec.of(keys)
    net = tmp_path / "train_val.prototxt"
    net.write_text(api.generate(printed))
    shape = ["--input-shape", "data=1,3,64,64"]
    assert run(["deploy", str(net), *shape, "-o", str(tmp_path / "deploy.prototxt")]) == 0
    made = api.load(tmp_path / "deploy.prototxt")
    # Where the loss is not in the TEST phase, nothing says how the scores are used.
    assert made.nodes[-1].type == ("InnerProduct" if key == "loss_phase" else "Softmax")
    assert not any(node.type == "Accuracy" for node in made.nodes)
    assert api.validate(tmp_path / "deploy.prototxt", others.get("dialect")) == []


@pytest.mark.parametrize("recipe", [{"freeze": 2}, {"filler": "xavier"}, {"test_crop": 0}])
def test_it_converts(
    tmp_path: Path, recipe: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    net = tmp_path / "train_val.prototxt"
    net.write_text(api.generate(SMALL, training=recipe))
    arguments = ["--weights-init", "fillers", "--input-shape", "data=1,3,64,64"]
    assert run(["convert", str(net), *arguments, "-o", str(tmp_path / "net.onnx")]) == 0
    capsys.readouterr()


def trained(recipe: dict[str, Any], phase: Any = "TRAIN", **others: Any) -> Graph:
    text = api.generate({**SMALL, **others}, training=recipe)
    return api.load(Source(text.encode()), State(phase))


def test_what_is_frozen_learns_nothing() -> None:
    """Neither weights nor statistics; what follows learns as before."""
    free = trained({})
    for freeze in range(4):
        for node, other in zip(trained({"freeze": freeze}).nodes, free.nodes, strict=True):
            part = {"conv1": 1, "bn_con": 1, "scale_": 1}.get(node.name[:6], 9)
            part = next((n for n in (2, 3) if f"{n}a_" in node.name), part)
            if part > freeze or node.type not in ("Convolution", "BatchNorm", "Scale"):
                assert node.source == other.source
                continue
            params = node.source.blocks("param")
            assert [param.get("lr_mult", float, 1.0) for param in params] == [0.0] * len(params)
            assert params
            if node.type == "BatchNorm":
                assert node.params.get("use_global_stats", bool, False)


@pytest.mark.parametrize("block", ["basic", "bottleneck", "air"])
def test_blocks_begin_as_identities(block: str) -> None:
    """Goyal et al., arXiv 1706.02677: the factor at the end of each branch starts as 0."""
    found = [
        node.name
        for node in trained({"last_scale_filler": "constant:0"}, block=block).nodes
        if node.params.has("filler") and node.params.block("filler").get("value", float, 1.0) == 0
    ]
    last = "b" if block == "basic" else "c"
    assert found == [f"scale{stage}a_branch2{last}" for stage in (2, 3)]


#: Values of no key, or hardly any.
WRONG = [None, 0, -1, 1.5, True, "", "nonsense", [], [[1]], ["a"], [None], {"a": 1}, {"a": {}}]
WRONG += [float("nan"), float("inf"), 10**5000, "\ud800", "x" * 10**4, {1: 2}, {"a": [10**5000]}]


@pytest.mark.parametrize("key", MEANINGS)
def test_nonsense_is_refused_or_is_a_net(key: str) -> None:
    refused = 0
    for value in WRONG:
        try:
            Spec.of({**SMALL, "training": {key: value}})
        except SpecError as error:
            refused += 1
            assert error.path.partition("[")[0].startswith(f"training.{key}")
            assert len(error.message) < 1200 and "\n" not in error.message, value
    assert refused > len(WRONG) // 2


def test_a_crop_is_the_input_where_none_is_given() -> None:
    keys = {key: value for key, value in SMALL.items() if key != "input_shape"}
    assert Spec.of({**keys, "training": {"crop": 96}}).input_shape == (1, 3, 96, 96)
    with pytest.raises(SpecError, match="is 96, but the input is 64") as caught:
        Spec.of({**SMALL, "training": {"crop": 96}})
    assert caught.value.path == "training.crop"


def test_the_batch_may_stand_in_the_spec_itself() -> None:
    nested = Spec.of({**SMALL, "training": {"train_batch": 7}})
    assert Spec.of({**SMALL, "train_batch": 7}) == nested
    assert nested.train_batch == 7
    with pytest.raises(SpecError, match="given twice"):
        Spec.of({**SMALL, "train_batch": 7, "training": {"train_batch": 7}})


@pytest.mark.parametrize("phase", PHASES)
def test_options_of_training(
    tmp_path: Path, phase: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """They override the file, key by key."""
    file = spec_file(tmp_path, {**SMALL, "training": {"source": "a", "mean": [1], "scale": 2}})
    words = (
        "--source b --mean none --train-batch 4 --test-batch 6 --backend leveldb --filler xavier"
    )
    assert run(["gen", "--spec", file, *words.split(), "--naming", "torchvision"]) == 0
    data = api.load(Source(capsys.readouterr().out.encode()), State(phase)).nodes[0].source
    assert not data.block("transform_param").has("mean_value")
    assert data.block("transform_param").get("scale", float, 1.0) == 2
    params = data.block("data_param")
    assert str(params.all("backend")[0]) == "LEVELDB"
    assert params.get("batch_size", int, 0) == {"TRAIN": 4, "TEST": 6}[phase]
    assert params.get("source", str, "") == {"TRAIN": "b", "TEST": "ilsvrc12_val_leveldb"}[phase]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("training: 5\n", "4:11", "training: is 5; expected a mapping"),
        ("training:\n  sorce: a\n", "5:10", "did you mean 'source'?"),
        ("training:\n  source: 5\n", "5:11", "training.source: is 5; expected a text"),
        ("training:\n  source: a\n  source: b\n", "6:3", "source is given twice"),
        ("training:\n  mean: [1,\n    x]\n", "5:9", "training.mean: is (1, 'x')"),
        ("training:\n  source:\n", "5:10", "is nothing"),
        ("training: {backend: LMBD}\n", "4:21", "unknown training.backend 'LMBD'"),
        ("training: {filler: mrsa}\n", "4:20", "did you mean 'msra'?"),
        ("training: {filler: 'msra:FAN_OT'}\n", "4:20", "did you mean 'FAN_OUT'?"),
        ("training: {filler: gaussian}\n", "4:20", "expected gaussian:STD"),
        ("training: {filler: 'gaussian:0'}\n", "4:20", "more than 0"),
        ("training: {filler: 'uniform:1:0'}\n", "4:20", "a minimum below the maximum"),
        ("training: {bias_rates: [1]}\n", "4:24", "expected two numbers"),
        ("training: {bias_rates: [1, -1]}\n", "4:24", "expected 0 or more"),
        ("training: {weight_rates: []}\n", "4:26", "expected two numbers"),
        ("training: {accuracy: [1, 1]}\n", "4:22", "twice the same"),
        ("training: {accuracy: [1, 0]}\n", "4:26", "training.accuracy[1]: is 0"),
        ("training: {test_transform: {crop_sise: 3}}\n", "4:40", "did you mean 'crop_size'?"),
        ("training: {test_transform: {crop_size: 3}}\n", "4:40", "is said elsewhere"),
        ("training: {test_transform: {force_color: 3}}\n", "4:42", "force_color"),
        ("training: {test_transform: {force_color: [[1]]}}\n", "4:42", "force_color"),
        ("training: {test_transform: 3}\n", "4:28", "expected a mapping of fields"),
        ("training: {net: {layer: 3}}\n", "4:25", "is a message"),
        ("training: {net: {name: x}}\n", "4:24", "is said elsewhere"),
        ("training: {layers: 'layer {'}\n", "4:20", "training.layers"),
        ("training: {layers: 'name: \"x\"'}\n", "4:20", "expected `layer"),
        ("training: {layers: 'layer { nme: 1 }'}\n", "4:20", "nme"),
        ('training: {layers: \'layer { type: "Input" top: "data" }\'}\n', "4:20", "no 'label'"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    tmp_path: Path, text: str, place: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    base = "stages: [1, 1]\ninput_shape: [1, 3, 64, 64]\nphase: train_val\n"
    message = refusal(tmp_path, base + text, capsys)
    assert message.startswith(f"{place}: ")
    assert words in message


#: A recipe for each row of the table, in its order, and further keys of the spec.
SENSELESS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"crop": 32}, {}),
    ({"test_crop": 32}, {}),
    ({"mean": [1, 2]}, {}),
    ({"layers": OWN, "source": "a"}, {}),
    ({"backend": "HDF5", "mean": [1]}, {}),
    ({"label_map": "l"}, {}),
    ({"label_map": "l", "backend": "HDF5"}, {"dialect": "intel"}),
    ({"root_folder": "r"}, {}),
    ({"resize": 256}, {}),
    ({"resize": 32, "backend": "ImageData"}, {}),
    ({"shuffle": True}, {}),
    ({"cache": True}, {}),
    ({"label_smoothing": 0.1}, {}),
    ({"freeze": 4}, {}),
    ({"accuracy": [11]}, {}),
    ({"accuracy": [], "accuracy_of": "softmax"}, {}),
    ({"accuracy": [], "accuracy_phase": "both"}, {}),
    ({"last_scale_filler": "constant:0"}, {"block": "preact-basic"}),
    ({"scale_rates": [1, 0]}, {"norm": "none"}),
    ({"shift_rates": [1, 0]}, {"folded": True}),
]


@pytest.mark.parametrize(("row", "keys"), list(zip(TRAINING, SENSELESS, strict=True)))
def test_every_contradiction_of_training_is_found(
    row: Contradiction, keys: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    contradicts(row, {**SMALL, **keys[1], "training": keys[0]})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--source a", "source: changes nothing without --phase train_val"),
        ("--data-scale 2", "data-scale: changes nothing without --phase train_val"),
        ("--phase train_val --data-scale -2", "data-scale: is -2.0; expected more than 0"),
        ("--phase train_val --filler mrsa", "filler: unknown filler 'mrsa'; did you mean 'msra'?"),
        ("--phase train_val --train-batch -1", "train_batch: is -1"),
    ],
)
def test_options_are_called_by_their_names(
    arguments: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["gen", "resnet18", *arguments.split()]) == 2
    assert words in capsys.readouterr().err


def test_data_layers_of_another_size_are_said() -> None:
    layer = (
        'layer { name: "d" type: "DummyData" top: "data" top: "label" dummy_data_param '
        "{ shape { dim: [4, 3, 64, 64] } shape { dim: 4 } } }"
    )
    keys = {"depth": 18, "phase": "train_val", "training": {"layers": layer}}
    with pytest.raises(SpecError, match="made for 1x3x224x224, does not go with them") as caught:
        api.generate(keys)
    assert caught.value.path == "training.layers"
    assert api.generate({**keys, "input_shape": [1, 3, 64, 64]})
