"""What the upgrade drops, keeps, warns of and refuses, field by field of the schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Field, Symbol
from prototxt_gen.formats.reader import read_text
from prototxt_gen.formats.text.printer import print_block
from prototxt_gen.formats.upgrade.net import (
    needs_solver_upgrade,
    needs_upgrade,
    upgrade_net,
    upgrade_solver,
)

FACTS = json.loads((Path(__file__).parent / "facts" / "bvlc.json").read_text("utf-8"))["messages"]
#: What UpgradeV0Net copies of a net beside its layers (upgrade_proto.cpp).
COPIED = {"name", "input", "input_dim", "force_backward"}
V0 = 'layers { layer { name: "r" type: "relu" %s } bottom: "x" top: "y" %s }\n'


def upgraded(text: str) -> tuple[Block, list[str]]:
    source = Source(text.encode())
    sink = Sink(source)
    root = read_text(source, sink, "NetParameter").root
    made = upgrade_net(root, sink, inputs=False)
    return made, [found.rule for found in sink.diagnostics]


def layer(text: str) -> tuple[Block, list[str]]:
    made, rules = upgraded(text)
    (found,) = made.blocks("layer")
    return found, rules


@pytest.mark.parametrize("name", sorted(FACTS["NetParameter"]["fields"]))
def test_a_v0_net_keeps_what_caffe_copies(name: str) -> None:
    if name in ("layer", "layers"):
        return
    kind = FACTS["NetParameter"]["fields"][name]["type"]
    value = {"string": '"x"', "bool": "true", "int32": "3"}.get(kind, "{ }")
    made, rules = upgraded(f"{name}: {value}\n" + V0 % ("", ""))
    assert made.has(name) == (name in COPIED)
    assert rules == ([] if name in COPIED else ["v0-ignored-field"])
    later, rules = upgraded(f'{name}: {value}\nlayers {{ name: "r" type: RELU }}')
    assert later.has(name)
    assert rules == []


@pytest.mark.parametrize("name", sorted(FACTS["V1LayerParameter"]["fields"]))
def test_what_stands_beside_a_v0_layer_goes(name: str) -> None:
    if name in ("bottom", "top", "layer"):
        return
    kind = FACTS["V1LayerParameter"]["fields"][name]["type"]
    value = {"string": '"x"', "float": "3"}.get(kind, "{ }")
    value = {"type": "RELU", "blob_share_mode": "STRICT"}.get(name, value)
    found, rules = layer(V0 % ("", f"{name}: {value}"))
    assert rules == ["v0-ignored-field"]
    assert {field.name for field in found} == {"name", "type", "bottom", "top"}


def test_the_last_of_a_field_that_stands_twice_counts() -> None:
    """Of messages that C++ reads the last value of a singular field stays, in V0 as anywhere."""
    text = 'layers { layer { name: "c" type: "conv" %s } bottom: "x" top: "y" }'
    source = Source((text % "num_output: 3 num_output: 5").encode())
    root = read_text(source, Sink(source), "NetParameter").root
    (found,) = upgrade_net(root, Sink()).blocks("layer")
    assert found.block("convolution_param").all("num_output") == [5]


def test_a_type_that_is_no_type_stays_to_be_shown() -> None:
    for value, rules in (('"CONV"', ["wrong-type"]), ("NO_SUCH", ["unknown-enum-value"])):
        made, found = upgraded(f'layers {{ name: "c" type: {value} }}')
        assert found[0] in rules or found[0] == "v1-unknown-type"
        (kept,) = made.blocks("layer")
        assert kept.has("type")
        (word,) = kept.all("type")
        assert (word.decode() if isinstance(word, bytes) else str(word)) == value.strip('"')


@pytest.mark.parametrize("value", ["{ }", '"nonsense"', "7"])
def test_a_v0_type_that_is_none_is_an_error(value: str) -> None:
    made, rules = upgraded(f'layers {{ layer {{ name: "r" type: {value} }} top: "y" }}')
    assert rules[-1] == "v0-unknown-type"
    assert made.blocks("layer")[0].get("name", str, "") == "r"


@pytest.mark.parametrize(
    ("word", "meant"), [("NO_SUCH", None), ("CONVOLUTIONS", None), ("relu", None)]
)
def test_an_unknown_v1_type_is_an_error(word: str, meant: str | None) -> None:
    source = Source(f'layers {{ name: "c" type: {word} }}'.encode())
    sink = Sink(source)
    root = read_text(source, sink, "NetParameter").root
    upgrade_net(root, sink)
    assert sink.errors
    assert meant is None or any(meant in (found.help or "") for found in sink.errors)


def test_v1s_share_modes_are_held_against_the_schema() -> None:
    modes = FACTS["V1LayerParameter"]["enums"]["DimCheckMode"]
    for mode in modes:
        found, rules = layer(f'layers {{ name: "r" type: RELU blob_share_mode: {mode} }}')
        assert rules == []
        assert found.blocks("param")[0].get("share_mode", str, "") == mode


def test_the_nth_value_goes_to_the_nth_param() -> None:
    found, _ = layer(
        'layers { name: "c" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 weight_decay: 3'
        ' weight_decay: 4 weight_decay: 5 param: "a" }'
    )
    params = [{field.name: field.value for field in param} for param in found.blocks("param")]
    assert params == [
        {"lr_mult": 1.0, "decay_mult": 3.0, "name": "a"},
        {"lr_mult": 2.0, "decay_mult": 4.0},
        {"decay_mult": 5.0},
    ]


PADDING = (
    'layers {{ layer {{ name: "p" type: "padding" {0} }} bottom: "x" top: "p" }}\n'
    'layers {{ layer {{ name: "c" type: "{1}" kernelsize: 3 {2} }} bottom: "p" top: "c" }}\n'
)


@pytest.mark.parametrize("type_", ["conv", "pool"])
@pytest.mark.parametrize(("own", "rules"), [("", []), ("pad: 2", []), ("pad: 1", ["v0-padding"])])
def test_a_padding_layer_goes_into_what_it_pads(type_: str, own: str, rules: list[str]) -> None:
    """UpgradeV0PaddingLayers: the pad and the bottom of the padding layer win."""
    found, told = layer(PADDING.format("pad: 2", type_, own))
    assert told == rules
    param = {"conv": "convolution_param", "pool": "pooling_param"}[type_]
    assert found.block(param).all("pad") == [2]
    assert found.all("bottom") == ["x"]
    assert found.get("name", str, "") == "c"


def test_a_padding_without_a_pad_pads_by_nothing() -> None:
    found, told = layer(PADDING.format("", "conv", ""))
    assert found.block("convolution_param").all("pad") == [0]
    assert told == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PADDING.format("pad: 1", "relu", ""), "expected"),
        (
            PADDING.format("pad: 1", "conv", "").replace('bottom: "p"', 'bottom: "p" bottom: "x"'),
            "2",
        ),
        (PADDING.format("pad: 1", "conv", "").replace('top: "p"', 'top: "p" top: "q"'), "2 tops"),
        (PADDING.format("pad: 1", "conv", "").replace('bottom: "x"', ""), "0 bottoms"),
    ],
)
def test_what_cannot_be_padded_is_refused(text: str, words: str) -> None:
    source = Source(text.encode())
    sink = Sink(source)
    upgrade_net(read_text(source, sink, "NetParameter").root, sink)
    found = [d for d in sink.errors if d.rule == "v0-padding"]
    assert len(found) == 1
    assert words in found[0].message
    assert found[0].layer == "c"


@pytest.mark.parametrize("field", ["new_height", "new_width"])
@pytest.mark.parametrize(("value", "rules"), [(-1, ["v0-value"]), (0, []), (7, [])])
def test_sizes_of_images_are_not_negative(field: str, value: int, rules: list[str]) -> None:
    text = f'layers {{ layer {{ name: "i" type: "images" {field}: {value} }} top: "x" top: "l" }}'
    assert layer(text)[1] == rules


DATA = "layers {{ name: 'd' type: DATA top: 'x' data_param {{ {0} }} {1} }}"


def test_a_transformation_of_its_own_wins_and_says_so_where_it_differs() -> None:
    found, rules = layer(DATA.format("crop_size: 3", "transform_param { crop_size: 4 scale: 2 }"))
    assert rules == ["transform-overridden"]
    transform = found.block("transform_param")
    assert (transform.all("crop_size"), transform.all("scale")) == ([3], [2.0])
    found, rules = layer(DATA.format("crop_size: 3", "transform_param { crop_size: 3 }"))
    assert rules == []
    assert found.block("transform_param").all("crop_size") == [3]
    found, rules = layer(DATA.format("batch_size: 2", "transform_param { crop_size: 3 }"))
    assert found.block("data_param").all("batch_size") == [2]


def test_a_layer_of_today_keeps_its_deprecated_fields() -> None:
    text = "layer { name: 'd' type: 'Data' top: 'x' data_param { crop_size: 3 } }"
    found, rules = layer(text)
    assert found.block("data_param").all("crop_size") == [3]
    assert not found.has("transform_param")
    assert rules == []


NORM = "layer {{ name: 'n' type: '{0}' bottom: 'x' top: 'y' {1} }}"
FROZEN = "param { lr_mult: 0 decay_mult: 0 } "


@pytest.mark.parametrize(
    ("params", "changes"),
    [
        ("", False),
        ("param { } " * 2, False),
        ("param { } " * 3, True),
        ("param { } " * 4, False),
        (FROZEN * 3, False),
        (FROZEN * 2 + "param { lr_mult: 0 }", True),
        (FROZEN * 2 + "param { decay_mult: 0 }", True),
        (FROZEN * 2 + "param { lr_mult: 1 decay_mult: 0 }", True),
        ("param { name: 'm' lr_mult: 5 } " + FROZEN * 2, True),
    ],
)
def test_three_params_of_a_batch_norm_are_frozen(params: str, changes: bool) -> None:
    """UpgradeNetBatchNorm: exactly three, and each lr_mult and decay_mult becomes 0."""
    text = NORM.format("BatchNorm", params)
    source = Source(text.encode())
    root = read_text(source, Sink(source), "NetParameter").root
    assert needs_upgrade(root) == changes
    found, rules = layer(text)
    assert rules == []
    if changes:
        rates = [[p.all("lr_mult"), p.all("decay_mult")] for p in found.blocks("param")]
        assert rates == [[[0.0], [0.0]]] * 3
    else:
        assert found == root.blocks("layer")[0]
    other, _ = layer(NORM.format("Scale", "param { } " * 3))
    assert not any(param.fields for param in other.blocks("param"))
    assert "name: 'm'" not in params or found.blocks("param")[0].get("name", str, "") == "m"


def solver(text: str, path: str | None = None) -> tuple[Block, list[str], bool]:
    source = Source(text.encode())
    sink = Sink(source)
    root = read_text(source, sink, "SolverParameter").root
    made = upgrade_solver(root, sink, path)
    return made, [found.rule for found in sink.diagnostics], needs_solver_upgrade(root)


def test_a_solver_is_upgraded_where_it_is_old() -> None:
    assert solver('net: "n" type: "Adam"') == (Block.of(net="n", type="Adam"), [], False)
    assert solver('net: "n" solver_type: ADAM') == (Block.of(net="n", type="Adam"), [], True)
    made, rules, needs = solver("solver_type: ADAM type: 'SGD'")
    assert (made, rules, needs) == (Block.of(type="SGD"), ["solver-type-twice"], True)
    made, _, _ = solver("net: 'n'", "folder/lenet_solver.prototxt")
    assert made.get("snapshot_prefix", str, "") == "folder/lenet_solver"
    made, _, _ = solver("net: 'n' snapshot_prefix: 'p'", "folder/lenet_solver.prototxt")
    assert made.all("snapshot_prefix") == ["p"]


@pytest.mark.parametrize("name", ["net_param", "train_net_param", "test_net_param"])
def test_the_nets_inside_of_a_solver(name: str) -> None:
    assert FACTS["SolverParameter"]["fields"][name]["type"] == "NetParameter"
    old = f'{name} {{ layers {{ name: "r" type: RELU bottom: "x" top: "y" }} }}'
    made, rules, needs = solver(old)
    assert needs
    assert rules == ["solver-old-net"]
    assert made.blocks(name)[0].blocks("layer")[0].get("type", str, "") == "ReLU"
    new = f'{name} {{ layer {{ name: "r" type: "ReLU" bottom: "x" top: "y" }} }}'
    made, rules, needs = solver(new)
    assert (rules, needs) == ([], False)
    made, rules, needs = solver(f"{name} {{ {NORM.format('BatchNorm', 'param { } ' * 3)} }}")
    assert (rules, needs) == ([], True)


@pytest.mark.parametrize(
    ("text", "shapes", "rules"),
    [
        ("input: 'a' input_dim: [1, 2, 3, 4]", [(1, 2, 3, 4)], []),
        (
            "input: 'a' input: 'b' input_dim: [1, 2, 3, 4, 5, 6, 7, 8]",
            [(1, 2, 3, 4), (5, 6, 7, 8)],
            [],
        ),
        (
            "input: 'a' input: 'b' input_shape { dim: 2 } input_shape { dim: [3, 4] }",
            [(2,), (3, 4)],
            [],
        ),
        (
            "input: 'a' input_dim: [1, 2, 3, 4, 5, 6, 7, 8]",
            [(1, 2, 3, 4)],
            ["input-ignored-field"],
        ),
        ("input: 'a' input_dim: [1, 2, 3, 4, 5]", [(1, 2, 3, 4)], ["input-ignored-field"]),
        ("input: 'a' input_dim: [1, 2, 3]", None, ["input-dim-count"]),
        (
            "input: 'a' input_shape { dim: 2 } input_shape { dim: 3 }",
            [(2,)],
            ["input-ignored-field"],
        ),
        (
            "input: 'a' input_shape { dim: 2 } input_dim: 5",
            [(2,)],
            ["input-ignored-field"],
        ),
        ("input: 'a' input: 'b' input_shape { dim: 2 }", None, ["input-shape-count"]),
    ],
)
def test_input_fields_become_a_layer(
    text: str, shapes: list[tuple[int, ...]] | None, rules: list[str]
) -> None:
    source = Source(f"name: 'n' {text} layer {{ name: 'r' type: 'ReLU' }}".encode())
    sink = Sink(source)
    made = upgrade_net(read_text(source, sink, "NetParameter").root, sink)
    assert [found.rule for found in sink.diagnostics] == rules
    if shapes is None:
        assert made.has("input") and len(made.blocks("layer")) == 1
        return
    first, second = made.blocks("layer")
    assert first.get("type", str, "") == "Input" and first.get("name", str, "") == "input"
    found = [block.get_list("dim", int) for block in first.block("input_param").blocks("shape")]
    assert found == shapes
    assert list(first.get_list("top", str)) == ["a", "b"][: len(shapes)]
    assert second.get("name", str, "") == "r"
    assert not any(made.has(name) for name in ("input", "input_dim", "input_shape"))


@pytest.mark.parametrize(
    "text",
    [
        DATA.format("crop_size: 3", "transform_param { crop_size: 4 }").replace("'d'", "'r'"),
        "layers { name: 'r' type: NO_SUCH }",
        "layers { name: 'r' type: RELU layer { } } layers { type: RELU name: 'r' }",
        "layers { layer { name: 'r' type: 'no_such' } }",
        "layers { layer { name: 'r' type: 'relu' stride: 2 } }",
        "layers { layer { name: 'r' type: 'relu' } name: 's' }",
        "layers { layer { name: 'a' type: 'relu' } } layers { name: 'r' type: RELU }",
        "layers { layer { name: 'r' type: 'images' new_height: -1 } }",
        PADDING.format("pad: 1", "conv", "pad: 2").replace('"c"', '"r"'),
        PADDING.format("pad: 1", "relu", "").replace('"c"', '"r"'),
    ],
)
def test_a_finding_names_its_layer_and_shows_its_place(text: str) -> None:
    source = Source(text.encode())
    sink = Sink(source)
    upgrade_net(read_text(source, sink, "NetParameter").root, sink)
    found = [
        diagnostic for diagnostic in sink.diagnostics if diagnostic.rule != "unknown-enum-value"
    ]
    assert found
    for diagnostic in found:
        assert diagnostic.layer in ("r", None)
        assert diagnostic.span is not None
        assert source.data[diagnostic.span.start : diagnostic.span.end].strip()
    assert any(diagnostic.layer == "r" for diagnostic in found) or "NO_SUCH" in text


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("blob_share_mode", Symbol("LOOSE"), "v1-share-mode"),
        ("blob_share_mode", Symbol("STRICT"), None),
        ("blob_share_mode", Symbol("PERMISSIVE"), None),
        ("type", Symbol("CONVOLUTIONS"), "v1-unknown-type"),
        ("type", 4, "v1-unknown-type"),
        ("type", True, None),  # no enum at all, which the reader has reported
        ("type", "Convolution", None),
    ],
)
def test_values_that_the_reader_would_not_hand_on(field: str, value: Any, rule: str | None) -> None:
    sink = Sink()
    root = Block.of(layers=Block([Field("name", "r"), Field(field, value)]))
    (made,) = upgrade_net(root, sink).blocks("layer")
    assert [found.rule for found in sink.diagnostics] == ([rule] if rule else [])
    if field == "type" and not isinstance(value, bool):
        assert str(made.all("type")[0]) == str(value)
    for found in sink.diagnostics:
        assert found.layer == "r"
        assert str(value) in found.message
        assert found.help == ("did you mean CONVOLUTION?" if "CONV" in str(value) else None)


def test_a_solver_type_that_is_none_is_refused() -> None:
    for value in (Symbol("SGDS"), "ADAM", 3):
        sink = Sink()
        made = upgrade_solver(Block([Field("solver_type", value)]), sink)
        assert [found.rule for found in sink.errors] == ["solver-unknown-type"]
        assert made == Block()


def test_comments_of_inputs_are_kept_once_and_those_of_shapes_too_many_as_well() -> None:
    text = (
        "# one\ninput: 'a' # two\n# three\ninput_shape { dim: 2 } # four\n"
        "# five\ninput_shape { dim: 3 } # six\n"
        "layer { name: 'r' type: 'ReLU' bottom: 'a' top: 'r' }\n"
    )
    source = Source(text.encode())
    sink = Sink(source)
    made = upgrade_net(read_text(source, sink, "NetParameter").root, sink)
    printed = print_block(made)
    for word in ("one", "two", "three", "four", "five", "six"):
        assert printed.count(f"# {word}") == 1


def test_an_input_without_any_shape_is_dropped_from_the_net() -> None:
    """UpgradeNetInput makes a layer of shapes alone, and clears ``input`` in any case."""
    source = Source(b'name: "n" input: "x"')
    sink = Sink(source)
    made = upgrade_net(read_text(source, sink, "NetParameter").root, sink)
    assert [field.name for field in made] == ["name"]
    assert [found.rule for found in sink.diagnostics] == ["input-ignored-field"]
