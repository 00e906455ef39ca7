"""The tables of the upgrade, all of each, against the schema and against published files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.upgrade.net import upgrade_net, upgrade_solver
from prototxt_gen.layers import MODULES

FACTS = json.loads((Path(__file__).parent / "facts" / "bvlc.json").read_text("utf-8"))["messages"]
V1_TYPES = sorted(set(FACTS["V1LayerParameter"]["enums"]["LayerType"]) - {"NONE"})
V1_FIELDS = FACTS["V1LayerParameter"]["fields"]
V0_FIELDS = FACTS["V0LayerParameter"]["fields"]
TODAY = FACTS["LayerParameter"]["fields"]
SOLVER_TYPES = sorted(FACTS["SolverParameter"]["enums"]["SolverType"])

#: V0 says some of V1's types shorter; the others are V1's in small letters.
SHORT = {
    "conv": "CONVOLUTION",
    "images": "IMAGE_DATA",
    "innerproduct": "INNER_PRODUCT",
    "pool": "POOLING",
}
#: What came with V1: no V0 layer was of these types (caffe.proto, V1LayerParameter).
SINCE_V1 = {
    "ABSVAL",
    "ARGMAX",
    "CONTRASTIVE_LOSS",
    "DECONVOLUTION",
    "DUMMY_DATA",
    "ELTWISE",
    "EXP",
    "HINGE_LOSS",
    "MEMORY_DATA",
    "MVN",
    "POWER",
    "SIGMOID_CROSS_ENTROPY_LOSS",
    "SILENCE",
    "SLICE",
    "THRESHOLD",
}
V0_TYPES = {v1.lower(): v1 for v1 in V1_TYPES if v1 not in {*SINCE_V1, *SHORT.values()}} | SHORT
#: How V0's fields are called in the messages of V1, where not by the same name.
RENAMED = {
    "biasterm": "bias_term",
    "kernelsize": "kernel_size",
    "batchsize": "batch_size",
    "shuffle_images": "shuffle",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    **{name: name.removeprefix("det_") for name in V0_FIELDS if name.startswith("det_")},
}
TRANSFORMED = ("scale", "meanfile", "cropsize", "mirror")
#: HDF5DataParameter got its shuffle after V0 was over (upgrade_proto.cpp knows "images" alone).
NOT_IN_V0 = {("hdf5_data", "shuffle_images")}


def read(text: str) -> tuple[Block, Sink]:
    source = Source(text.encode())
    sink = Sink(source)
    root = read_text(source, sink).root
    assert not sink.errors, text
    return root, sink


def upgraded(text: str) -> tuple[Block, list[str]]:
    root, sink = read(text)
    made = upgrade_net(root, sink)
    assert not sink.errors
    (layer,) = made.blocks("layer")
    return layer, [found.rule for found in sink.diagnostics]


def plain(word: str) -> str:
    return word.replace("_", "").lower()


@pytest.mark.parametrize("v1", V1_TYPES)
def test_every_type_of_v1_is_the_type_of_that_name(v1: str) -> None:
    layer, _ = upgraded(f'layers {{ name: "l" type: {v1} bottom: "x" top: "y" }}')
    type_ = layer.get("type", str, "")
    assert plain(type_) == {"SOFTMAX_LOSS": "softmaxwithloss"}.get(v1, plain(v1))
    assert type_ in MODULES


@pytest.mark.parametrize("v0", sorted(V0_TYPES))
def test_every_type_of_v0_is_a_type_of_v1(v0: str) -> None:
    text = 'layers { %s bottom: "x" top: "y" }'
    old, _ = upgraded(text % f'layer {{ name: "l" type: "{v0}" }}')
    new, _ = upgraded(text % f'name: "l" type: {V0_TYPES[v0]}')
    assert old == new


def sample(fact: dict[str, Any]) -> str:
    """A value that is no default."""
    if fact["type"] in ("uint32", "int32", "float"):
        return "3"
    if fact["type"] == "bool":
        return "false" if fact.get("default") == "true" else "true"
    if fact["type"] == "string":
        return '"text"'
    return "AVE" if fact["type"].endswith("PoolMethod") else '{ type: "xavier" }'


def message_of(v0: str) -> tuple[str, dict[str, Any]]:
    """The parameters of a V1 layer: the field, and what it holds."""
    kind = V0_TYPES[v0].lower()
    for name in (f"{kind}_param", f"{kind.removesuffix('_data')}_param"):
        if name in V1_FIELDS:
            return name, FACTS[V1_FIELDS[name]["type"]]["fields"]
    return "", {}


@pytest.mark.parametrize("v0", sorted(V0_TYPES))
@pytest.mark.parametrize("field", sorted(V0_FIELDS))
def test_every_field_of_v0_goes_where_its_type_has_it(field: str, v0: str) -> None:
    fact = V0_FIELDS[field]
    if field in ("name", "type", "blobs", "blobs_lr", "weight_decay", "hdf5_output_param"):
        return
    value, name = sample(fact), RENAMED.get(field, field)
    layer, rules = upgraded(
        f'layers {{ layer {{ name: "l" type: "{v0}" {field}: {value} }} bottom: "x" top: "y" }}'
    )
    holder, fields = message_of(v0)
    if field in TRANSFORMED:
        holder = "transform_param"
    elif name not in fields or (v0, field) in NOT_IN_V0:
        assert rules == ["v0-ignored-field"]
        assert {f.name for f in layer} == {"name", "type", "bottom", "top"}
        return
    assert rules == []
    expected, _ = read(f"layer {{ {holder} {{ {name}: {value} }} }}")
    (wanted,) = expected.blocks("layer")
    assert layer.block(holder) == wanted.block(holder)
    assert {f.name for f in layer} == {"name", "type", "bottom", "top", holder}


def test_what_v0_repeats_goes_to_params() -> None:
    layer, rules = upgraded(
        'layers { layer { name: "l" type: "conv" blobs_lr: 1 blobs_lr: 2 weight_decay: 3'
        ' weight_decay: 0 } bottom: "x" top: "y" }'
    )
    expected, _ = read(
        "layer { param { lr_mult: 1 decay_mult: 3 } param { lr_mult: 2 decay_mult: 0 } }"
    )
    assert layer.blocks("param") == expected.blocks("layer")[0].blocks("param")
    assert rules == []


def test_every_field_of_v1_has_a_place() -> None:
    """As in LayerParameter by name; but for what ParamSpec has, and V0's layer."""
    moved = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult"}
    moved["weight_decay"] = "decay_mult"
    spec = FACTS["ParamSpec"]["fields"]
    assert set(V1_FIELDS) - set(TODAY) == {*moved, "layer"} - {"param"}
    values = {"param": '"w"', "blob_share_mode": "PERMISSIVE", "blobs_lr": "4", "weight_decay": "5"}
    for old, new in moved.items():
        assert new in spec
        layer, _ = upgraded(f'layers {{ name: "l" type: RELU {old}: {values[old]} }}')
        (param,) = layer.blocks("param")
        expected, _ = read(f"layer {{ param {{ {new}: {values[old]} }} }}")
        assert param == expected.blocks("layer")[0].blocks("param")[0]
    for name in set(V1_FIELDS) & set(TODAY) - {"param", "type", "blobs"}:
        place = V1_FIELDS[name]
        text = '"t"' if place["type"] == "string" else "3" if place["type"] == "float" else "{ }"
        layer, _ = upgraded(f"layers {{ type: RELU {name}: {text} }}")
        assert layer.has(name), name


@pytest.mark.parametrize("old", SOLVER_TYPES)
def test_every_solver_type_is_the_word_of_that_name(old: str) -> None:
    root, sink = read(f'net: "n" solver_type: {old}')
    made = upgrade_solver(root, sink)
    assert not made.has("solver_type")
    assert made.get("type", str, "").upper() == old
    # REGISTER_SOLVER_CLASS of sgd_solver.cpp, nesterov_solver.cpp and their like.
    classes = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
    assert made.get("type", str, "") in classes


def test_published_solvers_spell_their_types_so(corpus: Path) -> None:
    spelt = set()
    for file in corpus.rglob("*solver*.prototxt"):
        text = file.read_text("utf-8", "replace")
        spelt.update(re.findall(r'^type: *"(\w+)"', text, re.M))
    made = set()
    for old in SOLVER_TYPES:
        root, sink = read(f"solver_type: {old}")
        made.add(upgrade_solver(root, sink).get("type", str, ""))
    assert made == spelt


@pytest.mark.parametrize("field", ["scale", "mean_file", "crop_size", "mirror"])
@pytest.mark.parametrize("type_", ["DATA", "IMAGE_DATA", "WINDOW_DATA"])
def test_every_transformation_that_was_a_datas_own(type_: str, field: str) -> None:
    """Those that are in the messages of data and in TransformationParameter, both."""
    holder = f"{type_.lower()}_param"
    message = FACTS[V1_FIELDS[holder]["type"]]["fields"]
    common = set(message) & set(FACTS["TransformationParameter"]["fields"])
    assert common == {"scale", "mean_file", "crop_size", "mirror"}
    value = sample(message[field])
    layer, _ = upgraded(f'layers {{ type: {type_} top: "x" {holder} {{ {field}: {value} }} }}')
    expected, _ = read(f"layer {{ {holder} {{ }} transform_param {{ {field}: {value} }} }}")
    (wanted,) = expected.blocks("layer")
    for name in (holder, "transform_param"):
        assert layer.block(name) == wanted.block(name)
