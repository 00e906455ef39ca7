"""Pairs of nets, and the lines that tell how they differ."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.diff.result import Diff
from prototxt_gen.errors import ParseError
from prototxt_gen.graph.phase import State

CASES: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("pairs.yml").read_text("utf-8")
)
DATA = """layer { name: "x" type: "Input" top: "x" input_param {
          shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
"""


def text(short: str) -> Source:
    """A net in short: DATA is its input, and scalars have no colon."""
    with_colons = re.sub(r"(\b[a-z_]+)(?= (?:[A-Z0-9\"]|true\b|false\b))", r"\1:", short)
    return Source(with_colons.replace("::", ":").replace("DATA", DATA).encode(), "net")


def diff_of(a: str, b: str, **options: Any) -> Diff:
    return api.diff(text(a), text(b), **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_lines_of_a_pair(case: dict[str, Any]) -> None:
    options = dict(case.get("with", {}))
    if "state" in options:
        options["state"] = State(options["state"])
    found = diff_of(case["a"], case["b"], **options)
    assert list(found.lines()) == case.get("lines", [])
    assert found.same == (not case.get("lines"))
    back = diff_of(case["b"], case["a"], **options)
    assert back.same == found.same
    for side in ("a", "b"):
        assert diff_of(case[side], case[side], **options).same


def test_every_layer_has_a_line_if_asked_for() -> None:
    case = next(case for case in CASES if "alike" in case["name"])
    assert len(list(diff_of(case["a"], case["b"]).lines(every=True))) == 5


def test_equal_branches_are_told_apart_by_what_follows() -> None:
    """Two branches begin alike; in the second net they stand in the other order."""
    branch = (
        'layer { name "%s1" type "ReLU" bottom "x" top "%s1" }'
        'layer { name "%s2" type "%s" bottom "%s1" top "%s2" }'
    )

    def net(one: str, two: str) -> str:
        ours = branch % (one, one, one, "TanH", one, one)
        theirs = branch % (two, two, two, "Exp", two, two)
        join = f'layer {{ name "e" type "Eltwise" bottom "{one}2" bottom "{two}2" top "e" }}'
        return f"DATA {ours if one < two else theirs} {theirs if one < two else ours} {join}"

    assert net("a", "b") != net("d", "c")
    assert diff_of(net("a", "b"), net("d", "c"), structure=True).same


def test_ways_round_a_ring_are_found() -> None:
    """Six inputs that are read in pairs: nothing but who reads them with whom tells them apart."""

    def net(order: list[int], rings: list[list[int]]) -> str:
        inputs = "".join(
            f'layer {{ name "{i}" type "Input" top "{i}" input_param {{ shape {{ dim 1 }} }} }}'
            for i in order
        )
        pairs = [(ring[i - 1], ring[i]) for ring in rings for i in range(len(ring))]
        readers = "".join(
            f'layer {{ name "e{a}{b}" type "Eltwise" bottom "{a}" bottom "{b}" top "e{a}{b}" }}'
            for a, b in pairs
        )
        return inputs + readers

    ring = net([0, 1, 2, 3, 4, 5], [[0, 1, 2, 3, 4, 5]])
    same = net([5, 3, 1, 2, 0, 4], [[3, 0, 5, 1, 4, 2]])
    other = net([0, 1, 2, 3, 4, 5], [[0, 1, 2], [3, 4, 5]])
    assert diff_of(ring, same, structure=True).same
    assert not diff_of(ring, other, structure=True).same


def test_json_has_everything() -> None:
    found = diff_of(
        'DATA layer { name "e" type "ELU" bottom "x" top "e" }',
        'DATA layer { name "e" type "ELU" bottom "x" top "e" elu_param { alpha 2 } }',
    ).to_dict()
    assert found["same"] is False
    assert found["changes"] == [
        {
            "kind": "changed",
            "what": "layer",
            "name": "e",
            "type": "ELU",
            "fields": ({"name": "alpha", "before": 1.0, "after": 2.0},),
            "rules": "",
            "other": "",
        }
    ]


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        ("DATA", 'net "a" base_lr 1', "is a NetParameter and net a SolverParameter"),
        ("DATA", "layer {", "not closed"),
        ("DATA", "", "no layer"),
    ],
)
def test_what_cannot_be_compared(a: str, b: str, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        diff_of(a, b)
