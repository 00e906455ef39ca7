"""What becomes of each layer of a net for training."""

from __future__ import annotations

import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.errors import ShapeError
from prototxt_gen.graph.check import check
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers import layer_class
from prototxt_gen.layers.inputs import Input
from prototxt_gen.passes.deploy import Change, Losses, deploy

DATA = """layer { name: "d" type: "Data" top: "data" top: "label"
  data_param { source: "x" batch_size: 4 } transform_param { %s } }
"""
COLOUR = DATA % "crop_size: 8 mean_value: 1 mean_value: 2 mean_value: 3"
FC = """layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc"
  inner_product_param { num_output: 3 } }
"""
LOSS = 'layer {{ name: "{0}" type: "SoftmaxWithLoss" bottom: "{1}" bottom: "label" top: "{0}" }}\n'
PROB = 'layer { name: "p" type: "Softmax" bottom: "fc" top: "p" }\n'


def deployed(text: str, losses: Losses = "auto") -> tuple[Graph, list[Change]]:
    graph = api.load(Source(text.encode()))
    return deploy(graph, check(graph, Sink()), losses)


def names(graph: Graph) -> list[tuple[str, str]]:
    return [(node.name, node.type) for node in graph.nodes]


def test_a_data_layer_that_goes_leaves_an_input_of_its_shape() -> None:
    made, changes = deployed(COLOUR + FC)
    assert made.nodes[0].layer == Input(((4, 3, 8, 8),))
    assert [top.blob for top in made.nodes[0].tops] == ["data"]
    assert [change.what for change in changes] == [
        "'data' became an input; its transform is left to you: mean_value 1, 2, 3, crop_size 8 "
        "(from the middle)",
        "its label 'label' left out",
    ]


def test_what_the_database_alone_knows_is_left_open() -> None:
    for transform in ("", "crop_size: 8", "mean_value: 1 mean_value: 2 mean_value: 3"):
        made, _ = deployed(DATA % transform + FC)
        assert made.nodes[0].layer == Input()


@pytest.mark.parametrize(
    "type_", ["AnnotatedData", "VideoData", "BoxData", "HDF5Data", "Data", "ImageData", "Mine"]
)
def test_a_given_shape_is_that_of_the_input_whatever_the_layer_knows(type_: str) -> None:
    source = f'layer {{ name: "d" type: "{type_}" top: "data" top: "label" }}'
    graph = api.load(Source((source + FC + LOSS.format("l", "fc")).encode()))
    rows = {row.name: row for row in api.summarize(graph, input_shapes={"data": (2, 5)}).rows}
    assert rows["d"].shapes[0] == (2, 5)
    assert rows["fc"].shapes == ((2, 3),)
    if type_ != "Mine":
        made, _ = api.deploy(graph, {"data": (2, 5)})
        assert made.nodes[0].layer == Input(((2, 5),))
        assert names(made) == [("d", "Input"), ("fc", "InnerProduct"), ("prob", "Softmax")]


def test_a_given_shape_is_that_of_constants_too() -> None:
    source = 'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { %s } }'
    text = (source % "shape { dim: [4, 7] } data_filler { value: 2 }") + FC
    made, _ = api.deploy(api.load(Source(text.encode())), {"data": (2, 5)})
    assert api.load(Source(api.dump(made).encode())).nodes[0].layer.shapes((), 1) == ((2, 5),)


def test_a_shape_that_is_stored_cannot_be_given() -> None:
    text = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 4 } } }'
    with pytest.raises(ShapeError, match="no input 'p'; it has none"):
        api.summarize(Source(text.encode()), input_shapes={"p": (5,)})


def test_a_loss_becomes_its_head() -> None:
    made, changes = deployed(COLOUR + FC + LOSS.format("loss", "fc"))
    assert names(made) == [("d", "Input"), ("fc", "InnerProduct"), ("prob", "Softmax")]
    assert [ref.blob for ref in made.nodes[-1].bottoms] == ["fc"]
    assert [ref.blob for ref in made.outputs] == ["prob"]
    assert changes[-1] == Change("loss", "SoftmaxWithLoss", "became its head: Softmax 'prob'")


@pytest.mark.parametrize("prob_first", [True, False])
def test_a_head_that_is_there_already_is_made_only_once(prob_first: bool) -> None:
    loss = LOSS.format("loss", "fc")
    made, changes = deployed(COLOUR + FC + (PROB + loss if prob_first else loss + PROB))
    assert names(made) == [("d", "Input"), ("fc", "InnerProduct"), ("p", "Softmax")]
    assert changes[-1].what == "left out: the net already has a Softmax"


def test_a_head_of_other_scores_or_of_another_kind_is_no_such_head() -> None:
    other = PROB.replace('bottom: "fc"', 'bottom: "data"')
    assert ("prob", "Softmax") in names(deployed(COLOUR + FC + other + LOSS.format("l", "fc"))[0])
    sigmoid = PROB.replace("Softmax", "Sigmoid")
    assert ("prob", "Softmax") in names(deployed(COLOUR + FC + sigmoid + LOSS.format("l", "fc"))[0])


def test_the_name_of_a_head_is_nobody_elses() -> None:
    taken = FC.replace('"fc"', '"prob"')
    made, _ = deployed(COLOUR + FC + taken + LOSS.format("loss", "fc"))
    assert names(made)[-1] == ("loss_prob", "Softmax")
    more = taken + FC.replace('"fc"', '"loss_prob"')
    made, _ = deployed(COLOUR + FC + more + LOSS.format("loss", "fc"))
    assert names(made)[-1] == ("loss_prob2", "Softmax")


@pytest.mark.parametrize(
    ("losses", "last"), [("auto", "Softmax"), ("head", "Softmax"), ("drop", "InnerProduct")]
)
def test_losses_as_they_are_asked_for(losses: Losses, last: str) -> None:
    made, _ = deployed(COLOUR + FC + LOSS.format("loss", "fc"), losses)
    assert made.nodes[-1].type == last


GIVEN = (
    'input: "data" input_shape { dim: [4, 3, 8, 8] } input: "label" input_shape { dim: 4 }\n'
    'input: "other" input_shape { dim: [2, 7] }\n'
)


def test_a_loss_whose_label_is_given_is_computed_unless_it_is_to_go() -> None:
    text = GIVEN + FC + LOSS.format("loss", "fc")
    for losses, last in (("auto", "SoftmaxWithLoss"), ("keep", "SoftmaxWithLoss")):
        made, changes = deployed(text, losses)  # type: ignore[arg-type]
        assert made.nodes[-1].type == last
        assert changes == []
        assert [ref.blob for ref in made.inputs] == ["data", "label", "other"]
    made, _ = deployed(text, "head")
    assert made.nodes[-1].type == "Softmax"
    assert made.nodes[0].layer == Input(((4, 3, 8, 8), (2, 7)))
    assert [ref.blob for ref in made.inputs] == ["data", "other"]


def test_a_label_that_another_layer_reads_is_an_input() -> None:
    text = COLOUR + FC + LOSS.format("loss", "fc")
    more = 'layer { name: "e" type: "Power" bottom: "label" top: "e" }\n'
    made, _ = deployed(text + more)
    assert [ref.blob for ref in made.inputs] == ["data", "label"]
    assert made.nodes[1].layer == Input(((4,),))
    assert names(made)[-2:] == [("loss", "SoftmaxWithLoss"), ("e", "Power")]


def test_what_reads_what_is_for_training_goes_with_it() -> None:
    text = COLOUR + FC + LOSS.format("loss", "fc")
    text += 'layer { name: "r" type: "Power" bottom: "loss" top: "r" }\n'
    text += 'layer { name: "a" type: "Accuracy" bottom: "fc" bottom: "label" top: "a" }\n'
    made, changes = deployed(text)
    assert names(made) == [("d", "Input"), ("fc", "InnerProduct"), ("prob", "Softmax")]
    told = {change.layer: change.what for change in changes}
    assert told["r"] == "left out: it reads a blob that is for training only"
    assert told["a"] == "left out: it is for training only"


def test_what_is_silenced_is_no_output() -> None:
    made, changes = deployed(
        COLOUR + FC + 'layer { name: "s" type: "Silence" bottom: "fc" }\n' + FC.replace("fc", "f2")
    )
    assert [ref.blob for ref in made.outputs] == ["f2"]
    told = {change.layer: change.what for change in changes}
    assert told["s"] == "left out: it is for training only"


def test_a_label_that_nobody_reads_is_no_input() -> None:
    """Tops of a data layer behind the first are labels, if no layer says otherwise."""
    made, _ = deployed(COLOUR)
    assert [ref.blob for ref in made.inputs] == ["data"]


def test_a_layer_that_is_another_one_at_inference_takes_no_name_from_a_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No type of ours is such a layer without being a loss; one of a user's may be."""
    monkeypatch.setattr(layer_class("Power"), "at_inference", lambda self: layer_class("AbsVal")())
    text = COLOUR + FC + LOSS.format("loss", "fc")
    made, changes = deployed(text + 'layer { name: "p" type: "Power" bottom: "fc" top: "p" }')
    assert names(made)[2:] == [("prob", "Softmax"), ("p", "AbsVal")]
    assert changes[-1] == Change("p", "Power", "became AbsVal")


def test_a_label_that_is_drawn_at_random_is_an_input() -> None:
    """Only a data layer has labels that nobody can give."""
    random = """layer { name: "r" type: "DummyData" top: "label" dummy_data_param {
      shape { dim: 4 } data_filler { type: "uniform" } } }
    """
    data = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: [4, 2] } } }\n'
    made, _ = deployed(data + random + FC + LOSS.format("loss", "fc"))
    assert [top.blob for node in made.nodes[:2] for top in node.tops] == ["data", "label"]
    assert names(made)[-1] == ("loss", "SoftmaxWithLoss")
