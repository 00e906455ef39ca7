"""Good nets have no smells: those that gen writes, and those that everybody uses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from prototxt_gen.diagnostics import Source
from prototxt_gen.generate.blocks import build
from prototxt_gen.generate.render import render
from prototxt_gen.generate.spec import Spec
from prototxt_gen.generate.zoo import preset
from prototxt_gen.lint.engine import lint
from prototxt_gen.lint.rule import SMELLS, Rule, rules
from prototxt_gen.lint.settings import Settings

POOLING = b"""
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 3, 112, 112] } } }
layer { name: "p" type: "Pooling" bottom: "data" top: "p"
        pooling_param { kernel_size: 3 stride: 2 } }
"""


@pytest.mark.parametrize("phase", ["deploy", "train_val"])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "wrn-28-10"])
def test_what_gen_writes_has_none(name: str, phase: str) -> None:
    spec = replace(Spec.of(preset(name)), phase=phase)
    assert lint(Source(render(build(spec)).encode())).found == []


@pytest.mark.parametrize(
    "files",
    [
        "KaimingHe+deep-residual-networks/**/*.prototxt",
        "forresti+SqueezeNet/**/deploy.prototxt",
        "BVLC+caffe/models/**/deploy.prototxt",
    ],
)
def test_published_nets_have_none(corpus: Path, files: str) -> None:
    smells = {name for name, rule in rules().items() if rule.category == SMELLS}
    paths = list(corpus.glob(files))
    assert paths
    for path in paths:
        found = lint(Source(path.read_bytes(), str(path))).found
        assert [one for one in found if one.rule in smells] == []


@pytest.mark.parametrize(
    ("select", "shown"),
    [
        (("all",), False),
        (("smells",), False),
        (("all", "ceil-pooling"), True),
        (("ceil-pooling",), True),
    ],
)
def test_some_are_shown_only_to_those_who_name_them(select: tuple[str, ...], shown: bool) -> None:
    found = lint(Source(POOLING), Settings(select=select)).found
    assert [one.rule for one in found] == ["ceil-pooling"] * shown


def test_a_finding_in_both_phases_is_shown_once() -> None:
    text = b"""
    layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: [1, 3] } } }
    layer { name: "a" type: "ReLU" bottom: "d" top: "a" relu_param { } tanh_param { } }
    layer { name: "s" type: "Silence" bottom: "a" include { phase: TRAIN } }
    layer { name: "t" type: "Softmax" bottom: "a" top: "t" include { phase: TEST } }
    """
    assert [one.rule for one in lint(Source(text)).found] == ["unused-param"]


@pytest.mark.parametrize(
    "rule", [r for r in rules().values() if r.category == SMELLS], ids=lambda r: r.name
)
def test_a_smell_has_a_page(rule: Rule) -> None:
    summary, blank, *rest = rule.text.split("\n")
    assert len(summary) <= 80 and summary.endswith(".") and not blank and rest
