"""Nets for training as nets for inference: heads, labels that go, another batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.passes.deploy import Change, as_lines
from prototxt_gen.verify import verify

THREE = """layer { name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "x" batch_size: 4 } transform_param { crop_size: 8 } }
""" + "".join(
    f"""layer {{ name: "fc{i}" type: "InnerProduct" bottom: "data" top: "fc{i}"
  inner_product_param {{ num_output: 3 }} }}
layer {{ name: "loss{i}" type: "SoftmaxWithLoss" bottom: "fc{i}" bottom: "label" top: "loss{i}" }}
"""
    for i in range(3)
)


def net(text: str) -> Graph:
    return api.load(Source(text.encode()))


def shape(graph: Graph, blob: str) -> tuple[int | None, ...]:
    rows = api.summarize(graph).rows
    return next(
        s or () for row in rows for t, s in zip(row.tops, row.shapes, strict=True) if t == blob
    )


def test_each_head_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(THREE)
    target = tmp_path / "deploy.prototxt"
    given = ["--input-shape", "data=4,3,8,8", "--input-shape", "label=4"]
    assert run(["deploy", str(tmp_path / "net.prototxt"), *given, "-o", str(target)]) == 0
    assert api.validate(target) == []
    graph = api.load(target)
    assert len(graph.outputs) == 3
    heads = [node.name for node in graph.nodes if node.type == "Softmax"]
    assert heads == ["loss0_prob", "loss1_prob", "prob"]  # the last loss is the main one


def test_a_label_that_nothing_reads_any_more_goes() -> None:
    text = (
        'input: "data" input_shape { dim: [2, 3] } input: "label" input_shape { dim: 2 }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "loss" }'
    )
    made, changes = api.deploy(net(text), losses="head")
    assert [ref.blob for ref in made.inputs] == ["data"]
    assert "label (Input): left out: nothing reads it any more" in as_lines(changes)


def test_a_model_of_a_head_is_compared_at_another_batch_than_that_of_the_label() -> None:
    text = (
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: [2, 3] } } }'
        'layer { name: "y" type: "Input" top: "y" input_param { shape { dim: [2, 3] } } }'
        'layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "x" bottom: "y" top: "l" }'
    )
    model = api.to_onnx(net(text), losses="head", batch="dynamic")
    verdict = verify(net(text), model, losses="head")
    assert (verdict.agrees, verdict.sizes) == (True, ("batch 2", "batch 3"))


def test_an_input_without_a_shape_whose_label_goes_keeps_the_given_one() -> None:
    text = (
        'layer { name: "in" type: "Input" top: "data" top: "label" }'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "data" bottom: "label" top: "loss" }'
    )
    made, _ = api.deploy(net(text), {"data": (2, 3), "label": (2,)}, losses="head")
    assert [ref.blob for ref in made.inputs] == ["data"]
    assert shape(made, "data") == (2, 3)


def test_the_batch_of_a_sequence_is_its_second_axis() -> None:
    text = (
        'input: "x" input_shape { dim: [4, 2, 3] } input: "cont" input_shape { dim: [4, 2] }'
        'layer { name: "h" type: "LSTM" bottom: "x" bottom: "cont" top: "h"'
        " recurrent_param { num_output: 5 } }"
    )
    made, _ = api.deploy(net(text), batch=1)
    assert shape(made, "x") == (4, 1, 3)
    assert shape(made, "cont") == (4, 1)
    assert shape(made, "h") == (4, 1, 5)


def test_factors_of_a_scale_have_no_batch() -> None:
    text = (
        'input: "x" input_shape { dim: [2, 3, 4, 4] } input: "k" input_shape { dim: [3] }'
        'layer { name: "s" type: "Scale" bottom: "x" bottom: "k" top: "s" }'
    )
    made, _ = api.deploy(net(text), batch=4)
    assert shape(made, "x") == (4, 3, 4, 4)
    assert shape(made, "k") == (3,)


def test_a_batch_that_the_net_cannot_have_is_refused() -> None:
    text = (
        'input: "x" input_shape { dim: [2, 3, 8, 8] }'
        'layer { name: "r" type: "Reshape" bottom: "x" top: "r"'
        " reshape_param { shape { dim: [%s] } } }"
    )
    with pytest.raises(GraphError):
        api.deploy(net(text % "1, 384"), batch=5)
    made, changes = api.deploy(net(text % "2, 192"), batch=5)
    assert shape(made, "r") == (5, 192)
    what = "its literal batch size 2 became that of its bottom"
    assert changes == [Change("r", "Reshape", what)]
    made, changes = api.deploy(net(text % "2, 192"), batch=2)
    assert shape(made, "r") == (2, 192) and not changes


@pytest.mark.parametrize("batch", [1, 4, 7])
def test_inputs_of_another_batch_keep_it_and_constants_of_the_batch_follow(batch: int) -> None:
    """As the axes that are free with ``--batch dynamic``."""
    text = (
        'input: "x" input_shape { dim: [4, 3] } input: "codes" input_shape { dim: [20, 3] }'
        'layer { name: "k" type: "DummyData" top: "k" dummy_data_param { shape { dim: [4, 3] } } }'
        'layer { name: "s" type: "Eltwise" bottom: "x" bottom: "k" top: "s" }'
        'layer { name: "p" type: "Power" bottom: "codes" top: "p" }'
    )
    made, _ = api.deploy(net(text), batch=batch)
    model = api.to_onnx(net(text), batch=batch)
    dynamic = api.to_onnx(net(text), batch="dynamic")
    sizes = {"x": batch, "codes": 20, "s": batch, "p": 20}
    assert {name: (shape(made, name) or (0,))[0] for name in sizes} == sizes
    assert shape(made, "k") == (batch, 3)
    for found, one, other in ((model, batch, 20), (dynamic, "batch", "codes_batch")):
        assert {
            value.name: dim.dim_param or dim.dim_value
            for value in (*found.graph.input, *found.graph.output)
            for dim in value.type.tensor_type.shape.dim[:1]
        } == {"x": one, "codes": other, "s": one, "p": other}
