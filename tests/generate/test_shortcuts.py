"""Each block ends in a sum of what goes around it and of its branch (arXiv 1512.03385)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.spec import Spec
from prototxt_gen.graph.graph import Graph, Node

STAGES = (2, 3)
BLOCKS = ("basic", "bottleneck", "preact-basic", "preact-bottleneck")


def net(**keys: Any) -> Graph:
    spec = {"stages": list(STAGES), "width": 4, "classes": 5, "input_shape": [1, 3, 64, 64], **keys}
    return build(Spec.of(spec)).graph


def sums(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.type == "Eltwise"]


def maker_of(graph: Graph, blob: str) -> Node:
    """The layer that first writes a blob."""
    return next(node for node in graph.nodes if blob in [top.blob for top in node.tops])


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("shortcut", ["A", "B", "C", "avgpool"])
def test_every_block_has_a_sum_of_two(shortcut: str, block: str) -> None:
    graph = net(shortcut=shortcut, block=block)
    found = sums(graph)
    assert len(found) == sum(STAGES)
    assert all(len({ref.blob for ref in node.bottoms}) == 2 for node in found)
    around = [maker_of(graph, node.bottoms[0].blob) for node in found]
    projected = "Concat" if shortcut == "A" else "Convolution"
    grows = "bottleneck" in block
    wanted = [grows or shortcut == "C", shortcut == "C", True, *[shortcut == "C"] * 2]
    assert [node.type == projected for node in around] == wanted
    assert {node.type for node in around} <= {projected, "Eltwise", "Convolution", "Pooling"}


def test_shortcut_a_takes_every_other_pixel_and_fills_up_with_zeros() -> None:
    graph = net(shortcut="A", block="basic", pool="floor")
    graph.stored = {}
    from prototxt_gen.weights import make

    graph.stored = make(graph, "random")
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    blobs = api.run(graph, {"data": x})
    node = sums(graph)[STAGES[0]]
    around = blobs[node.bottoms[0].blob]
    before = blobs[sums(graph)[STAGES[0] - 1].tops[0].blob]
    assert around.shape == (1, 8, *(-(-side // 2) for side in before.shape[2:]))
    assert np.array_equal(around[:, :4], before[:, :, ::2, ::2])
    assert not around[:, 4:].any()
    assert before.any()


@pytest.mark.parametrize("operation", ["SUM", "PROD", "MAX"])
def test_what_joins_a_block(operation: str) -> None:
    found = sums(net(eltwise=operation))
    assert {str(node.layer.operation) for node in found} == {operation}  # type: ignore[attr-defined]
    weighed = sums(net(coeff=[1, 0.5]))
    assert {node.layer.coeff for node in weighed} == {(1.0, 0.5)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("ratio", [2, 4])
def test_squeeze_and_excitation_is_in_every_branch(ratio: int) -> None:
    """SENet (arXiv 1709.01507): pool, C/r, ReLU, C, sigmoid, and each channel times that."""
    graph = net(se=ratio, block="basic")
    names = [node.name for node in graph.nodes]
    for index, node in enumerate(sums(graph)):
        scaled = maker_of(graph, node.bottoms[1].blob)
        assert scaled.type == "Scale"
        place = names.index(scaled.name)
        kinds = [n.type for n in graph.nodes[place - 5 : place]]
        assert kinds == ["Pooling", "InnerProduct", "ReLU", "InnerProduct", "Sigmoid"]
        width = 4 if index < STAGES[0] else 8
        down, up = (graph.nodes[place - i].layer for i in (4, 2))
        assert (down.num_output, up.num_output) == (width // ratio, width)  # type: ignore[attr-defined]


def test_dropout_is_in_front_of_the_last_convolution_of_a_block() -> None:
    graph = net(dropout=0.3, block="preact-basic")
    places = [index for index, node in enumerate(graph.nodes) if node.type == "Dropout"]
    assert len(places) == sum(STAGES)
    for place in places:
        assert graph.nodes[place].layer.dropout_ratio == 0.3  # type: ignore[attr-defined]
        assert graph.nodes[place + 1].name.endswith("branch2b")


@pytest.mark.parametrize(("stride_at", "strided"), [("1x1", "branch2a"), ("3x3", "branch2b")])
def test_where_a_bottleneck_has_its_stride(stride_at: str, strided: str) -> None:
    graph = net(stride_at=stride_at)
    found = {
        node.name
        for node in graph.nodes
        if node.type == "Convolution" and node.layer.stride == (2,)  # type: ignore[attr-defined]
    }
    assert found == {"conv1", "res3a_branch1", f"res3a_{strided}"}


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"classes": 2**32}, "classes"),
        ({"classes": 0}, "classes"),
        ({"stem_width": -1}, "stem_width"),
        ({"train_batch": -1}, "train_batch"),
        ({"base_width": 2**32}, "base_width"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout": -0.1}, "dropout"),
        ({"dropout": True}, "dropout"),
        ({"global_pool": 1}, "global_pool"),
        ({"output_stride": True}, "output_stride"),
        ({"coeff": [1, True]}, "coeff"),
        ({"coeff": [1, 2, 3]}, "coeff"),
        ({"stages": [2] * 33}, "width"),
        ({"width": 2**31, "stages": [1, 1]}, "width"),
        ({"base_width": 4, "block": "basic"}, "base_width"),
        ({"base_width": 3, "width": 32}, "base_width"),
        ({"cardinality": 3}, "cardinality"),
        ({"block": "basic", "cardinality": 2}, "cardinality"),
        ({"phase": "train_val", "input_shape": [1, 3, 64, 65]}, "input_shape"),
        ({"dialect": "bvlc-1.0", "pool": "floor"}, "dialect"),
        ({"dialect": "bvlc-1.0", "shortcut": "A"}, "dialect"),
    ],
)
def test_bounds(keys: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        net(**keys)
    assert caught.value.path == path


@pytest.mark.parametrize(
    "keys",
    [
        {"classes": 1},
        {"stem_width": 0},
        {"dropout": 0},
        {"dropout": 0.999},
        {"base_width": 16, "width": 4},
        {"cardinality": 4},
        {"coeff": [0, -1]},
        {"output_stride": 8},
        {"phase": "train_val", "input_shape": [1, 3, 64, 64]},
        {"dialect": "bvlc-1.0", "shortcut": "A", "stages": [2], "block": "basic", "stem_width": 2},
        {"dialect": "bvlc-1.0", "stem": "cifar", "shortcut": "B", "pool": "ceil"},
    ],
)
def test_what_is_just_within_bounds(keys: dict[str, Any]) -> None:
    spec = {"stages": list(STAGES), "width": 4, "input_shape": [1, 3, 64, 64], **keys}
    assert api.validate(Source(api.generate(spec).encode())) == []


@pytest.mark.parametrize(("more", "code"), [(0, 0), (1, 2)])
def test_a_spec_of_more_than_64_kibibytes_is_none(
    tmp_path: Path, more: int, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    text = b"depth: 18\n"
    file = tmp_path / "net.yaml"
    file.write_bytes(text + b"#" * (64 * 1024 - len(text) + more))
    assert run(["gen", "--spec", str(file)]) == code
    assert ("has more than 65536 bytes" in capsys.readouterr().err) == bool(code)
