"""Two graphs side by side, against what ``diff`` says of their files."""

from __future__ import annotations

from typing import Any

import pytest
from diff.test_differences import CASES, text

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.diff.result import Change, FieldChange, Mark
from prototxt_gen.diff.sides import Sides, compare_graphs
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.phase import State

STATE = State("TEST")


def sides(a: str, b: str, **options: Any) -> Sides:
    graphs = [api.load(Source(net.encode())) for net in (a, b)]
    return compare_graphs(*graphs, STATE, **options)


def read(net: str) -> Graph | None:
    try:
        return api.load(text(net), STATE)
    except PrototxtError:
        return None


@pytest.mark.parametrize("structure", [False, True])
def test_the_differences_are_those_of_the_files(structure: bool) -> None:
    compared = 0
    for case in CASES:
        a, b = read(case["a"]), read(case["b"])
        if a is None or b is None:
            continue
        found = compare_graphs(a, b, STATE, structure=structure)
        wanted = api.diff(text(case["a"]), text(case["b"]), state=STATE, structure=structure)
        assert found.diff.to_dict() == wanted.to_dict(), case["name"]
        compared += 1
    assert compared > 0.9 * len(CASES)


def test_the_layers_of_a_difference_have_its_name() -> None:
    for case in CASES:
        a, b = read(case["a"]), read(case["b"])
        if a is None or b is None:
            continue
        found = compare_graphs(a, b, STATE)
        for one in found.differences:
            at = one.second if one.change.kind == "added" else one.first
            if one.change.what == "net":
                assert (one.first, one.second) == (None, None)
                continue
            assert at is not None
            node = (b if one.change.kind == "added" else a).nodes[at]
            assert one.change.name in (node.name, *(top.blob for top in node.tops)), case["name"]
            assert (one.first is None) == (one.change.kind == "added")
            assert (one.second is None) == (one.change.kind == "removed")
            if one.change.kind == "changed":
                assert (one.first, one.second) in found.pairs


def test_a_residual_net_is_a_plain_one_with_additions() -> None:
    found = sides(api.generate("plain34"), api.generate("resnet34"))
    marks = [one.change.mark for one in found.differences]
    # 16 blocks, each with a sum and a ReLU behind it; 3 of them with a projection of 3 layers.
    assert (marks.count("added"), marks.count("rewired"), marks.count("renamed")) == (25, 16, 1)
    assert len(marks) == 42
    assert len(found.pairs) == 137  # every layer of the plain net
    back = sides(api.generate("resnet34"), api.generate("plain34"))
    assert [one.change.mark for one in back.differences].count("removed") == 25
    assert {(b, a) for a, b in back.pairs} == set(found.pairs)


def test_names_that_do_not_count() -> None:
    net = api.generate("resnet18")
    other = net.replace("res2a", "other")
    same = sides(net, other, structure=True)
    assert same.diff.same and same.differences == ()
    assert len(same.pairs) == net.count("layer {") + 1  # and the input
    fewer = sides(net, api.generate("resnet18", classes=10), structure=True)
    assert [one.change.fields[0].name for one in fewer.differences] == ["num_output"]
    lonely = sides(net, api.generate("resnet34"), structure=True)
    kinds = {one.change.kind for one in lonely.differences}
    assert "added" in kinds and not lonely.diff.same
    covered = {one.second for one in lonely.differences} | {b for _, b in lonely.pairs}
    assert covered >= set(range(1 + api.generate("resnet34").count("layer {")))


@pytest.mark.parametrize(
    ("names", "mark"),
    [
        (["name", "top"], "renamed"),
        (["top[0]"], "renamed"),
        (["bottom[1]", "name"], "rewired"),
        (["order"], "rewired"),
        (["bottom", "num_output"], "changed"),
        (["type"], "changed"),
    ],
)
def test_the_mark_of_a_change(names: list[str], mark: Mark) -> None:
    fields = tuple(FieldChange(name, "a", "b") for name in names)
    assert Change("changed", "layer", "x", "ReLU", fields).mark == mark
    assert Change("added", "layer", "x").mark == "added"
