"""What a report says, against the summary, the linter and the conversion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.draw import forms
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.lint.engine import lint
from prototxt_gen.report.data import Asked, Report, report
from prototxt_gen.report.numbers import BINS, spread
from prototxt_gen.weights import make, save, statistics

INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: [1, 4, 8, 8] } } }\n'
CONV = """layer {
  name: "c" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 6 kernel_size: 3 %s }
}
"""


def made(text: str, **asked: object) -> Report:
    return report(api.load(Source(text.encode(), "net")), Asked("net", **asked))  # type: ignore[arg-type]


def resnet(depth: int = 18) -> Graph:
    return api.load(Source(api.generate(depth=depth).encode(), "net"))


def test_the_layers_are_those_of_the_summary() -> None:
    graph = resnet()
    summary, page = api.summarize(graph), report(graph, Asked("net"))
    assert [(one.name, one.type, one.parameters, one.multiply_adds) for one in page.layers] == [
        (row.name, row.type, row.cost and row.cost.parameters, row.cost and row.cost.multiply_adds)
        for row in summary.rows
    ]
    assert page.totals.parameters == summary.parameters == sum(s.parameters for s in page.stages)
    assert page.totals.multiply_adds == sum(s.multiply_adds for s in page.stages)
    assert [s.size for s in page.stages] == ["112×112", "56×56", "28×28", "14×14", "7×7", "vectors"]
    assert page.layers[page.costliest[0]].name == "conv1"


def test_a_layer_has_its_parameters_text_and_neighbours() -> None:
    layer = made(INPUT + CONV % "stride: 2").layers[1]
    assert ("stride", "2", False) in layer.settings
    assert ("group", "1", True) in layer.settings
    assert (layer.line, layer.text[0], layer.text[-1]) == (2, "layer {", "}")
    assert (layer.before, layer.after, layer.shapes) == ((0,), (), ("1x6x3x3",))


def test_the_findings_are_those_of_validate_with_their_layers() -> None:
    text = INPUT + CONV % "group: 4" + INPUT.replace('"in"', '"again"').replace('"x"', '"unread"')
    page = made(text)
    found = lint(Source(text.encode(), "net")).found
    assert [(one.rule, one.message) for one in page.findings] == [
        (one.rule, one.message) for one in found
    ]
    assert (page.findings[0].rule, page.findings[0].layer, page.findings[0].line) == (
        "group-divides",
        1,
        4,
    )
    assert page.outlook.converts is False
    assert "group" in page.outlook.answer


def test_the_outlook_is_that_of_convert() -> None:
    graph = resnet()
    page = report(graph, Asked("net"))
    assert graph.stored == {}
    changes = {
        change.layer: change.what for change in api.convert(graph, weights_init="random").changes
    }
    told = {
        page.layers[index].name: fate.words
        for index, fate in enumerate(page.outlook.fates)
        if fate.what == "changed"
    }
    assert page.outlook.converts
    assert {name: what for name, what in changes.items() if name != graph.name} == told


def test_what_is_refused_is_told_of_its_layer() -> None:
    text = INPUT + CONV % "" + 'layer { name: "u" type: "Mine" bottom: "y" top: "u" }\n'
    text += 'layer { name: "r" type: "ReLU" bottom: "u" top: "r" }\n'
    outlook = made(text).outlook
    assert [fate.what for fate in outlook.fates] == ["kept", "kept", "refused", "behind"]
    assert "the type is not known" in outlook.fates[2].words
    assert "1 of 4 layers is refused" in outlook.answer


def test_weights_that_do_not_fit_are_told() -> None:
    graph = api.load(Source((INPUT + CONV % "").encode(), "net"))
    graph.stored = {"c": [np.ones((6, 4, 3, 3), np.float32)]}
    outlook = report(graph, Asked("net")).outlook
    assert outlook.converts is False
    assert "the weights do not fit" in outlook.answer


def test_weights_have_their_statistics_and_spread() -> None:
    graph = api.load(Source((INPUT + CONV % "").encode(), "net"))
    graph.stored = {**make(graph, "random"), "other": [np.array([np.nan, 0, 2], np.float32)]}
    views = report(graph, Asked("net")).weights
    assert [(v.name, v.what, v.layer) for v in views] == [
        ("c", "weight", 1),
        ("c", "bias", 1),
        ("other", "weight", None),
    ]
    for view, one in zip(views, statistics(graph.stored), strict=True):
        assert (view.least, view.greatest, view.mean) == (one.least, one.greatest, one.mean)
        assert sum(view.counts) == view.size - view.nan - view.infinite


def test_a_spread_counts_every_finite_value() -> None:
    values = np.array([0, 1, 1, 2, np.inf, -np.inf, np.nan], np.float32)
    counts = spread(values, 0, 2)
    assert (len(counts), counts[0], counts[BINS // 2], counts[-1]) == (BINS, 1, 2, 1)
    assert spread(np.ones(5, np.float32), 1, 1) == (5,)
    widest = np.finfo(np.float32).max
    assert sum(spread(np.array([-widest, widest], np.float32), -widest, widest)) == 2


def test_a_caffemodel_and_a_model_have_the_same_layers(tmp_path: Path) -> None:
    graph = api.load(Source((INPUT + CONV % "").encode(), "net"))
    graph.stored = make(graph, "random")
    save(graph, graph.stored, tmp_path / "a.caffemodel")
    binary = report(api.read_caffe(tmp_path / "a.caffemodel"), Asked("a.caffemodel"))
    lifted = api.from_onnx(api.to_onnx(graph), restore=False)
    model = report(lifted.graph, Asked("a.onnx", changes=lifted.changes))
    assert binary.printed and model.printed
    assert [one.shapes for one in binary.layers] == [one.shapes for one in model.layers]
    assert binary.layers[1].text[0] == model.layers[1].text[0] == "layer {"
    assert binary.outlook.converts and model.outlook.model


def test_of_a_large_net_equal_units_are_drawn_once() -> None:
    page = report(resnet(152), Asked("net"))
    whole = report(resnet(152), Asked("net", blocks=False))
    assert "671 layers" in page.sketch.why and not whole.sketch.why
    assert page.sketch.boxes < whole.sketch.boxes / 4
    for one in (page, whole):
        keys = {layer.box for layer in one.layers}
        assert len(keys) == one.sketch.boxes
        assert all(f'id="box&#45;{key}"' in one.sketch.svg for key in keys)
    at = {layer.name: layer.box for layer in page.layers}
    assert at["res4b7_branch2b"] == at["res4b1_branch2b"] != at["res4b1_branch2a"]


def test_without_graphviz_all_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise PrototxtError("Graphviz is not installed")

    monkeypatch.setattr(forms, "_engine", missing)
    page = made(INPUT + CONV % "")
    assert (page.sketch.svg, page.sketch.why) == (
        "",
        "There is no picture: Graphviz is not installed.",
    )
    assert len(page.layers) == 2


@pytest.mark.parametrize("form", ["input_dim: [1, 4, 8, 8]", "input_shape { dim: [1, 4, 8, 8] }"])
def test_input_fields_are_a_layer(form: str, tmp_path: Path) -> None:
    graph = api.load(Source(f'input: "x" {form}\n{CONV % ""}'.encode(), "net"))
    written = report(graph, Asked("net")).layers
    assert [(one.line, one.text[0]) for one in written] == [(1, 'input: "x"'), (2, "layer {")]
    save(graph, make(graph, "zeros"), tmp_path / "a.caffemodel")
    saved = report(api.read_caffe(tmp_path / "a.caffemodel"), Asked("a.caffemodel")).layers
    assert [one.type for one in saved] == [one.type for one in written]
    assert saved[1].text[:2] == ("layer {", '  name: "c"')
