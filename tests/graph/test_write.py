"""A net whose layers were changed by a program, as text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.formats.reader import read_text
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


@pytest.mark.parametrize(
    ("inputs", "shape", "fields"),
    [
        ('input: "x" input_shape { dim: [1, 2, 3, 4] }', (5, 2, 3, 4), ["input", "input_shape"]),
        ('input: "x" input_dim: [1, 2, 3, 4]', (5, 2, 3, 4), ["input", *["input_dim"] * 4]),
        ('input: "x" input_dim: [1, 2, 3, 4]', (5, 2), ["input", "input_shape"]),
    ],
)
def test_inputs_stay_in_their_form_as_long_as_it_can_say_their_shape(
    inputs: str, shape: tuple[int, ...], fields: list[str]
) -> None:
    """input_dim has four numbers for each input (caffe.proto)."""
    text = inputs + 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'
    graph = api.load(Source(text.encode()))
    graph.nodes[0] = replace(graph.nodes[0], layer=layer_class("Input")((shape,)))
    source = Source(api.dump(graph).encode())
    root = read_text(source, Sink(source), "NetParameter").root
    assert [field.name for field in root if field.name != "layer"] == fields
    assert api.load(source).nodes[0].layer.shapes((), 1) == (shape,)
