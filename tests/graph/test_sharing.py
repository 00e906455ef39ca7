"""Weights that layers share, tops that a loss reads, and what a finding advises."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source, render
from prototxt_gen.errors import ShapeError, UnsupportedError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.graph.infer import costs, infer, total_cost
from prototxt_gen.graph.weights import bind
from prototxt_gen.layers.activation import ReLU
from prototxt_gen.layers.base import Problem
from prototxt_gen.layers.elementwise import Power

INPUT = 'input: "x" input_shape { dim: [2, 4, 5, 5] }\n'
IP = (
    'layer {{ name: "{0}" type: "InnerProduct" bottom: "{1}" top: "{0}" {2}'
    " inner_product_param {{ num_output: 4 axis: 1 bias_term: {3} }} }}\n"
)
W = 'param { name: "w" }'
WB = 'param { name: "w" } param { name: "b" }'
NORM = 'layer {{ name: "{0}" type: "BatchNorm" bottom: "{1}" top: "{0}" {2} }}\n'
RATE = 'param {{ name: "{0}" lr_mult: 0 }} '
STATISTICS = "".join(RATE.format(name) for name in ("m", "v", "f"))


def net(text: str) -> Graph:
    return api.load(Source((INPUT + text).encode()))


def bound(graph: Graph, stored: dict[str, list[Any]]) -> tuple[Any, list[str]]:
    sink = Sink()
    weights = bind(graph, check(graph, Sink()), stored, sink)
    return weights, [found.rule for found in sink.diagnostics]


def full(value: float, *shape: int) -> Any:
    return np.full(shape, value, np.float32)


def test_a_shared_weight_is_that_of_its_last_owner() -> None:
    """CopyTrainedLayersFrom copies layer by layer into one memory: the last one stays."""
    graph = net(IP.format("a", "x", WB, "true") + IP.format("b", "x", WB, "true"))
    stored = {"a": [full(1, 4, 100), full(2, 4)], "b": [full(3, 4, 100), full(4, 4)]}
    weights, rules = bound(graph, stored)
    assert rules == []
    for index in (1, 2):
        assert [blob.flat[0] for blob in weights.get(index)] == [3, 4]
    top = api.run(_with(graph, stored), {"x": full(1, 2, 4, 5, 5)})
    assert set(top["a"].flat) == set(top["b"].flat) == {3 * 100 + 4}


def test_one_owner_in_the_file_is_enough() -> None:
    graph = net(IP.format("a", "x", W, "false") + IP.format("b", "x", W, "false"))
    for owner in ("a", "b"):
        weights, rules = bound(graph, {owner: [full(5, 4, 100)]})
        assert rules == []
        assert [blob.flat[0] for index in (1, 2) for blob in weights.get(index)] == [5, 5]


def test_a_layer_of_which_one_weight_is_shared_needs_its_own_bias() -> None:
    graph = net(IP.format("a", "x", W, "true") + IP.format("b", "x", W, "true"))
    stored = {"a": [full(1, 4, 100), full(2, 4)], "b": [full(3, 4, 100), full(4, 4)]}
    weights, rules = bound(graph, stored)
    assert [[blob.flat[0] for blob in weights.get(index)] for index in (1, 2)] == [[3, 2], [3, 4]]
    assert rules == []
    assert bound(graph, {"a": stored["a"]})[1] == ["weights-missing"]
    assert bound(graph, {**stored, "b": [full(1, 4, 100)]})[1] == ["weights-missing"]


def test_layers_of_the_file_that_the_net_has_not_are_listed() -> None:
    weights, rules = bound(
        net(IP.format("a", "x", "", "false")), {"a": [full(1, 4, 100)], "z": [full(1, 1)]}
    )
    assert weights.extra == ["z"]
    assert rules == []


def _with(graph: Graph, stored: dict[str, list[Any]]) -> Graph:
    graph.stored = dict(stored)
    return graph


def test_shared_weights_and_statistics_count_once() -> None:
    text = IP.format("a", "x", WB, "true") + IP.format("b", "x", WB, "true")
    text += NORM.format("n", "x", STATISTICS) + NORM.format("o", "x", STATISTICS)
    graph = net(text)
    shapes = infer(graph, Sink())
    total = total_cost(graph, shapes)
    assert total.parameters == 4 * 100 + 4
    assert total.statistics == 4 + 4 + 1
    each = {node.name: cost for node, cost in costs(graph, shapes)}
    assert (each["n"].statistics, each["o"].statistics) == (9, 0)
    assert (each["a"].parameters, each["b"].parameters) == (404, 0)
    assert each["a"].multiply_adds == each["b"].multiply_adds == 2 * 4 * 100


def test_what_is_shared_in_part_counts_in_part() -> None:
    text = IP.format("a", "x", WB, "true") + IP.format("b", "x", W, "true")
    text += NORM.format("n", "x", STATISTICS) + NORM.format("o", "x", RATE.format("m"))
    graph = net(text)
    each = {node.name: cost for node, cost in costs(graph, infer(graph, Sink()))}
    assert each["b"].parameters == 4
    assert each["o"].statistics == 4 + 1


def found(text: str) -> list[Any]:
    source = Source((INPUT + text).encode())
    return api.validate(source)


RELU = 'layer {{ name: "{0}" type: "ReLU" bottom: "{1}" top: "{2}" {3} }}\n'


@pytest.mark.parametrize(
    ("weight", "rules"),
    [("", []), ("loss_weight: 0", []), ("loss_weight: 1", ["in-place-shared"])],
)
def test_a_top_with_a_weight_is_read_by_the_loss(weight: str, rules: list[str]) -> None:
    """insert_splits.cpp counts the loss as a reader, and splits for two; 0 is no loss."""
    text = RELU.format("a", "x", "y", weight) + RELU.format("b", "y", "y", "")
    diagnostics = found(text)
    assert [d.rule for d in diagnostics] == rules
    if rules:
        assert "which its loss_weight also reads" in diagnostics[0].message
        assert diagnostics[0].layer == "b"


def test_the_weight_is_that_of_the_top_in_its_place() -> None:
    split = 'layer { name: "s" type: "Split" bottom: "x" top: "y" top: "z"'
    weights = " loss_weight: 0 loss_weight: 2 }\n"
    assert found(split + weights + RELU.format("b", "y", "y", "")) == []
    assert len(found(split + weights + RELU.format("b", "z", "z", ""))) == 1


def test_a_finding_says_what_to_do_about_it() -> None:
    """The advice of a layer's problem, of a shape, of the wiring, and of an export."""
    text = INPUT + RELU.format("a", "x", "y", "") + RELU.format("b", "x", "x", "")
    (shared,) = api.validate(Source(text.encode()))
    assert shared.help == "give the top a name of its own"
    assert f"; {shared.help} [" in render(shared, Source(text.encode()))
    text = RELU.format("a", "z", "y", "") + RELU.format("b", "x", "z", "")
    (late,) = found(text)
    assert late.help == "layer 'b' makes it, but comes later"
    assert found(RELU.format("a", "z", "y", ""))[0].help is None
    (rate,) = found(NORM.format("n", "x", "param { lr_mult: 1 }"))
    assert rate.help is not None and "lr_mult: 0" in rate.help
    (absent,) = found('layer { name: "a" type: "AbsVal" bottom: "x" top: "x" }')
    assert absent.help == "give the top a name of its own"


def test_a_refused_layer_says_how_to_stop_in_front_of_it() -> None:
    decode = (
        'input: "offsets" input_shape { dim: [3, 8] } input: "scores" input_shape { dim: [3, 3] }'
        'input: "rois" input_shape { dim: [3, 5] } '
        'layer { name: "r" type: "ReLU" bottom: "scores" top: "y" }'
        'layer { name: "p" type: "DecodeBBox" bottom: "offsets" bottom: "y" bottom: "rois" '
        'top: "p" }'
    )
    with pytest.raises(UnsupportedError) as caught:
        api.convert(net(decode))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.help == "--outputs y ends the model before it"
    assert diagnostic.layer == "p"


def test_what_a_layer_advises_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer of the user's own may say what to do, for a parameter and for a shape."""

    def problems(self: ReLU) -> Iterator[Problem]:
        yield Problem("own-problem", "is wrong", "negative_slope", "write 3")

    def shapes(self: Power, bottoms: Any, tops: int) -> Any:
        raise ShapeError("does not fit", rule="own-shape", field="scale", help="write 4")

    monkeypatch.setattr(ReLU, "problems", problems)
    monkeypatch.setattr(Power, "shapes", shapes)
    relu = RELU.format("r", "x", "r", "relu_param { negative_slope: 7 }")
    power = 'layer { name: "p" type: "Power" bottom: "x" top: "p" power_param { scale: 5 } }\n'
    text = INPUT + relu + power
    first, second = found(relu + power)
    assert (first.rule, first.layer, first.help) == ("own-problem", "r", "write 3")
    assert (second.rule, second.layer, second.help) == ("own-shape", "p", "write 4")
    for diagnostic, field in ((first, "negative_slope: 7"), (second, "scale: 5")):
        assert text[diagnostic.span.start : diagnostic.span.end] == field


def test_what_is_missing_is_said_in_words() -> None:
    graph = net(
        IP.format("a", "x", WB, "true")
        + IP.format("b", "x", WB, "true")
        + IP.format("c", "x", "", "true")
    )
    own = [full(1, 4, 100), full(2, 4)]
    for stored, words in (
        ({"c": own}, {"a": "no weights for it; InnerProduct has 2", "b": "no weights for it"}),
        ({"a": own}, {"c": "no weights for it; InnerProduct has 2"}),
        ({"a": own, "c": own[:1]}, {"c": "has 1 weight for it; InnerProduct has 2"}),
        ({"a": [full(1, 3, 100), full(2, 4)], "c": own}, {"a": "3x100", "b": "3x100"}),
    ):
        sink = Sink()
        bind(graph, check(graph, Sink()), stored, sink)
        told = {d.layer: d.message for d in sink.diagnostics}
        assert set(told) == set(words)
        assert all(words[layer] in told[layer] for layer in words if layer)
    sink = Sink()
    bind(graph, check(graph, Sink()), {"z": own}, sink)
    (foreign,) = sink.errors
    assert foreign.rule == "weights-foreign"
    assert "'z'" in foreign.message and "3 with weights" in foreign.message
