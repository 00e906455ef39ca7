"""Boxes, frames and edges of a picture, against the net that is drawn."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.draw.boxes import Box, boxes
from prototxt_gen.draw.dot import as_dot
from prototxt_gen.draw.mermaid import as_mermaid
from prototxt_gen.draw.picture import Drawing, Frame, Picture, picture, short, size
from prototxt_gen.draw.units import units
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import infer
from prototxt_gen.graph.phase import State

HOSTILE = '</script><b>&"\\\n\x1b]0;x\x07#;`'


def net(text: str) -> Graph:
    return api.load(Source(text.encode()))


def preset(name: str, **options: Any) -> Graph:
    return net(api.generate(name, **options))


def made(graph: Graph, **options: Any) -> Picture:
    return picture(graph, check(graph, Sink()), Drawing(**options))


def frames(graph: Graph, **options: Any) -> list[Frame]:
    return [part for part in made(graph, **options).parts if isinstance(part, Frame)]


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("resnet18", 8),
        ("resnet50", 16),
        ("preresnet50", 16),
        ("resnext50-32x4d", 16),
        ("se-resnet50", 16),
        ("resnet20", 9),  # its shortcuts are filled up with zeros
        ("plain18", 0),
    ],
)
def test_a_residual_block_has_a_frame(name: str, blocks: int) -> None:
    found = frames(preset(name))
    assert len(found) == blocks
    for frame in found:
        assert any("Eltwise" in line for line in frame.shown[-1].lines)
        # In a pre-activation block the first BatchNorm has a name of another kind.
        own = [one for one in frame.shown if not one.name.startswith("bn")]
        assert frame.name and all(one.name.startswith(frame.name) for one in own)


def test_the_branches_of_googlenet(corpus: Path) -> None:
    graph = api.load(corpus / "BVLC+caffe/models/bvlc_googlenet/deploy.prototxt")
    found = frames(graph)
    assert [frame.name for frame in found] == [
        f"inception_{name}" for name in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert {len(frame.shown) for frame in found} == {8}  # six convolutions, a pool, a Concat


@pytest.mark.parametrize("expand", [False, True])
def test_each_layer_is_in_one_box_and_each_blob_an_edge(corpus: Path, expand: bool) -> None:
    for file in sorted(corpus.rglob("*.prototxt"))[::7]:
        try:
            graph = api.load(file)
        except PrototxtError:
            continue
        shapes = infer(graph, Sink())
        found = boxes(graph, shapes, expand=expand)
        nodes = [id(node) for box in found for node in box.nodes]
        assert Counter(nodes) == Counter(map(id, graph.nodes)), file
        assert not expand or all(len(box.nodes) == 1 for box in found)
        makers = {top: box for box in found for node in box.nodes for top in node.tops}
        edges = Counter((id(one), id(box)) for box in found for one, _ in box.inputs)
        wanted = Counter(
            (id(makers[ref]), id(box))
            for box in found
            for ref in box.nodes[0].bottoms
            if ref in makers
        )
        assert edges == wanted, file
        for unit in units(found):
            check_frame(unit.boxes, found)


def check_frame(inside: list[Box], every: list[Box]) -> None:
    """Only the last box of a frame is read from outside, and all read one box outside."""
    names = {box.number for box in inside}
    read = {
        one.number
        for box in every
        if box.number not in names
        for one, _ in box.inputs
        if one.number in names
    }
    assert read <= {inside[-1].number}
    assert len({o.number for box in inside for o, _ in box.inputs if o.number not in names}) == 1


def test_layers_that_change_values_alone_join_the_box_before() -> None:
    text = """input: "x" input_shape { dim: [1, 3, 8, 8] }
    layer { name: "c" type: "Convolution" bottom: "x" top: "c"
            convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
    layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }
    layer { name: "r" type: "ReLU" bottom: "b" top: "r" }
    layer { name: "s" type: "Sigmoid" bottom: "r" top: "s" }
    layer { name: "t" type: "TanH" bottom: "r" top: "t" }
    layer { name: "p" type: "Pooling" bottom: "s" top: "p" pooling_param { global_pooling: true
            pool: AVE } }"""
    graph = net(text)
    found = boxes(graph, infer(graph, Sink()))
    assert [[node.name for node in box.nodes] for box in found] == [
        ["input"],
        ["c", "b", "r"],
        ["s"],
        ["t"],
        ["p"],
    ]
    assert found[1].title == "Convolution 3×3, 4, /2"
    assert found[4].title == "Pooling, ave, global"
    padded = text.replace("kernel_size: 3", "kernel_size: 3 pad_h: 1 pad_w: 2")
    graph = net(padded)
    one = boxes(graph, infer(graph, Sink()))[1]
    assert (one.title, one.brief) == ("Convolution 3×3, 4, /2, pad 1×2", "Convolution 3×3, 4, /2")
    assert [box.kind for box in found] == ["input", "convolution", *["pointwise"] * 2, "pooling"]
    assert found[1].cost is not None and found[1].cost.parameters == 4 * 3 * 9 + 4


def test_an_output_ends_its_box() -> None:
    text = """input: "x" input_shape { dim: [1, 3] }
    layer { name: "a" type: "ReLU" bottom: "x" top: "a" }
    layer { name: "u" type: "NoSuch" bottom: "a" top: "u" }"""
    graph = net(text)
    found = boxes(graph, infer(graph, Sink()))
    assert [box.kind for box in found] == ["input", "pointwise", "unknown"]


@pytest.mark.parametrize(("name", "blocks"), [("resnet18", 8), ("resnet152", 50)])
def test_equal_units_in_a_row_are_drawn_once(name: str, blocks: int) -> None:
    found = frames(preset(name), blocks=True)
    assert sum(frame.times for frame in found) == blocks
    # The first block of the first stage of ResNet-18 is like its second: it projects nothing.
    wanted = {"resnet18": [2, 1, 1, 1, 1, 1, 1], "resnet152": [1, 2, 1, 7, 1, 35, 1, 2]}
    assert [frame.times for frame in found] == wanted[name]
    last = {"resnet18": "res2a … res2b", "resnet152": "res3b1 … res3b7"}
    assert last[name] in {frame.name for frame in found}
    picture_of = made(preset(name), blocks=True)
    keys = {one.key for one in picture_of.shown}
    assert {key for start, end, _ in picture_of.edges for key in (start, end)} <= keys


def test_what_reads_more_each_time_is_a_row_of_a_compact_picture() -> None:
    graph = preset("densenet-bc-40-12")
    found = made(graph, compact=True)
    rows = [one.name for one in found.shown if "×" in one.name]
    # The last of each stage ends in what is in front of the transition, and stands alone.
    assert rows == ["res2a … res2e × 5", "res3a … res3e × 5", "res4a … res4e × 5"]
    key = next(one.key for one in found.shown if one.name == rows[0])
    assert [label for start, _, label in found.edges if start == key] == ["84×32×32"]
    # The cost grows, and is told of the row as a whole.
    told = made(graph, compact=True, cost=True)
    assert [one.name for one in told.shown] == [one.name for one in found.shown]
    (line,) = [one.lines[-1] for one in told.shown if one.name == rows[0]]
    # Convolutions 3x3 to 12 channels, of 24, 36, ... 72 channels, with BatchNorm and Scale:
    # in BC each has 1x1 to 48 before it.
    channels = [24 + 12 * step for step in range(5)]
    wanted = sum(c * 48 + 2 * c + 48 * 12 * 9 + 2 * 48 for c in channels)
    assert line.startswith(f"{short(wanted)} parameters, ") and line.endswith(" in all")


def test_the_name_of_a_row_stands_beside_the_edge_into_it() -> None:
    text = as_dot(made(preset("resnet20"), blocks=True))
    assert r'label="res2a …\lres2c  × 3\l"' in text


def test_a_unit_is_a_box_of_a_compact_picture(corpus: Path) -> None:
    graph = preset("resnet152")
    found = made(graph, compact=True, cost=True)
    boxes = {one.name: one for one in found.shown}
    assert list(boxes) == [
        *("input", "conv1", "pool1", "res2a", "res2b … res2c × 2", "res3a", "res3b1 … res3b7 × 7"),
        *("res4a", "res4b1 … res4b35 × 35", "res5a", "res5b … res5c × 2", "pool5", "fc1000"),
    ]
    assert boxes["res3a"].lines[:3] == (
        "Convolution 1×1, 128, /2 · 3×3, 128 · 1×1, 512",
        "Convolution 1×1, 512, /2",
        "Eltwise, sum · ReLU",
    )
    # 1024 x 256 + 256 x 256 x 9 + 256 x 1024 weights, and two values a channel.
    assert boxes["res4b1 … res4b35 × 35"].lines[-1].startswith("1.12 M parameters, 218 M")
    assert boxes["res4b1 … res4b35 × 35"].lines[-1].endswith(" each")
    keys = [one.key for one in found.shown]
    assert [edge[:2] for edge in found.edges] == list(pairwise(keys))
    assert sorted(id(n) for nodes in found.layers.values() for n in nodes) == sorted(
        map(id, graph.nodes)
    )
    assert set(found.layers) == set(keys)
    googlenet = api.load(corpus / "BVLC+caffe/models/bvlc_googlenet/deploy.prototxt")
    (module,) = [one for one in made(googlenet, compact=True).shown if one.name == "inception_3a"]
    assert set(module.lines) == {
        "Convolution 1×1, 64",
        "Convolution 1×1, 96 · 3×3, 128",
        "Convolution 1×1, 16 · 5×5, 32",
        "Pooling 3×3, max · Convolution 1×1, 32",
        "Concat",
    }


def test_a_loss_ends_no_unit() -> None:
    text = api.generate("resnet20", phase="train_val")
    found = frames(api.load(Source(text.encode()), State("TRAIN")))
    assert [frame.name for frame in found][:2] == ["res2a", "res2b"] and len(found) == 9


def test_detections_end_no_unit() -> None:
    ends = "".join(
        f"""layer {{ name: "{name}" type: "Convolution" bottom: "x" top: "{name}_c"
        convolution_param {{ num_output: {channels} kernel_size: 1 }} }}
        layer {{ name: "{name}_flat" type: "Flatten" bottom: "{name}_c" top: "{name}" }}"""
        for name, channels in (("loc", 4), ("conf", 2))
    )
    text = f"""input: "x" input_shape {{ dim: [1, 3, 4, 4] }} {ends}
    layer {{ name: "p" type: "PriorBox" bottom: "x" bottom: "x" top: "p"
            prior_box_param {{ min_size: 2 }} }}
    layer {{ name: "out" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "p" top: "o"
            detection_output_param {{ num_classes: 2 }} }}"""
    assert frames(net(text)) == []


def test_an_input_with_several_blobs_names_them() -> None:
    text = """layer { name: "d" type: "Data" top: "data" top: "label"
            transform_param { crop_size: 4 } data_param { batch_size: 2 } }
    layer { name: "e" type: "Input" top: "e" input_param { shape { dim: [1, 3, 2, 2] } } }
    layer { name: "f" type: "Input" top: "f" }"""
    lines = [one.lines for one in made(net(text)).shown]
    assert lines == [("Data", "data ?×4×4", "label 2"), ("Input 3×2×2",), ("Input",)]


def straight(graph: Graph) -> list[str]:
    """The layers along the heavy edges of a picture, from its first box on."""
    dot = as_dot(made(graph))
    names = dict(re.findall(r"(n\d+) \[label=<<B>([^<]*)<", dot))
    heavy = dict(re.findall(r"(n\d+) -> (n\d+) \[[^\n]*weight", dot))
    key, way = "n0", []
    while key:
        way.append(names[key])
        key = heavy.get(key, "")
    return way


def test_the_longest_way_is_straight(corpus: Path) -> None:
    way = straight(preset("resnet50"))
    assert way[:7] == ["input", "conv1", "pool1", *(f"res2a_branch2{c}" for c in "abc"), "res2a"]
    assert way[-1] == "fc1000" and not any("branch1" in name for name in way)
    # Of branches of one length that in the middle.
    way = straight(api.load(corpus / "BVLC+caffe/models/bvlc_googlenet/deploy.prototxt"))
    assert [name for name in way if "3b" in name] == [
        f"inception_3b/{part}" for part in ("5x5_reduce", "5x5", "output")
    ]
    assert way[-1] == "loss3/classifier"
    # In whatever order a sum reads them.
    for bottoms in ('bottom: "b" bottom: "s"', 'bottom: "s" bottom: "b"'):
        text = 'input: "x" input_shape { dim: [1, 4, 2, 2] }\n'
        for bottom, top in ("xs", "xa", "ab"):
            text += f'layer {{ name: "{top}" type: "Convolution" bottom: "{bottom}" top: "{top}"'
            text += " convolution_param { num_output: 4 kernel_size: 1 } }\n"
        text += f'layer {{ name: "e" type: "Eltwise" {bottoms} top: "e" }}'
        assert straight(net(text)) == ["input", "a", "b", "e"]


def test_shapes_stand_on_the_edges() -> None:
    found = made(preset("resnet18"))
    labels = [label for _, _, label in found.edges]
    assert labels[0] == "3×224×224" and labels[-1] == "512×1×1"
    assert (size((None, 3, None)), size((5,)), size(None)) == ("3×?", "5", "")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (999, "999"),
        (1000, "1 k"),
        (25_557_032, "25.6 M"),
        (999_999, "1 M"),
        (999_499, "999 k"),
        (4 * 10**9, "4 G"),
    ],
)
def test_numbers(number: int, words: str) -> None:
    assert short(number) == words


def test_costs_on_demand() -> None:
    (shown,) = [one for one in made(preset("resnet18"), cost=True).shown if one.name == "conv1"]
    # 64 filters of 7x7x3 without bias, BatchNorm's Scale of 64 factors and 64 shifts.
    assert shown.lines[-1] == f"{short(64 * 147 + 128)} parameters, 118 M multiply-adds"
    assert all(
        "parameters" not in line for one in made(preset("resnet18")).shown for line in one.lines
    )


def test_hostile_names_are_texts() -> None:
    quoted = "".join(f"\\{ord(c):03o}" for c in HOSTILE)
    text = f"""name: "{quoted}" input: "x" input_shape {{ dim: [1, 3] }}
    layer {{ name: "{quoted}" type: "{quoted}" bottom: "x" top: "{quoted}" }}"""
    found = made(net(text))
    dot, mermaid = as_dot(found), as_mermaid(found)
    for words in (dot, mermaid):
        assert all(c.isprintable() or c == "\n" for c in words)
    assert "</script>" not in dot.replace("label=<", "").split("graph [")[1]
    assert "<b>&" not in mermaid and re.search(r'[^(["]"[^)\]"|]*<script', mermaid) is None
    labels = re.findall(r'\("([^\n]*)"\)', mermaid)
    assert labels and all(
        '"' not in label and "<" not in label.replace("<br/>", "") for label in labels
    )
