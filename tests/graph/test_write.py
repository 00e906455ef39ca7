"""A net whose layers were changed by a program, as text."""

from __future__ import annotations

from dataclasses import replace

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.layers import layer_class

INPUT = 'input: "x" input_shape { dim: [2, 3] }\n'


def test_a_layer_in_the_place_of_another_is_written_under_its_own_type() -> None:
    text = 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    graph = api.load(Source((INPUT + text).encode()))
    graph.nodes[1] = replace(graph.nodes[1], layer=layer_class("ELU")(alpha=2.0))
    again = api.load(Source(api.dump(graph).encode()))
    assert again.nodes[1].type == "ELU"
    assert again.nodes[1].layer == layer_class("ELU")(alpha=2.0)


def test_a_changed_layer_keeps_the_name_of_its_type_that_the_file_has() -> None:
    text = 'layer { name: "d" type: "SpatialDropout" bottom: "x" top: "d" }'
    graph = api.load(Source((INPUT + text).encode()))
    graph.nodes[1] = replace(graph.nodes[1], layer=layer_class("Dropout")(dropout_ratio=0.25))
    again = api.load(Source(api.dump(graph).encode()))
    assert again.nodes[1].type == "SpatialDropout"
    assert again.nodes[1].layer == layer_class("Dropout")(dropout_ratio=0.25)
