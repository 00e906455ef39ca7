"""The API answers input that makes no sense in words: a PrototxtError, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError
from prototxt_gen.graph.graph import Graph

NET = b"""input: "x" input_shape { dim: [2, 3, 4, 4] }
layer { name: "c" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 2 kernel_size: 3 } }
"""


@pytest.fixture
def graph() -> Graph:
    made = api.load(Source(NET))
    made.stored = {"c": [np.ones((2, 3, 3, 3), np.float32), np.zeros(2, np.float32)]}
    return made


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(({"batch": batch}, "batch.*1 or more.*dynamic") for batch in ("dyn", 0, -1, 2.0, True)),
        ({"batch": [1]}, "batch"),
        ({"batch": 2**31}, "2147483647"),
        *(({"opset": opset}, "opset.*11") for opset in ("17", None, 17.0, True, 10, 10**6)),
        *(({"losses": losses}, "losses.*auto, keep, head, drop") for losses in ("all", None, 1)),
        *(({"weights_init": how}, "weights_init.*fillers, zeros, random") for how in ("one", 1)),
        *(({"seed": seed}, "seed") for seed in (-1, "a", 1.5, None)),
        ({"fold": "no"}, "fold"),
        ({"outputs": "y"}, "outputs"),
        ({"outputs": [1]}, "outputs"),
        ({"outputs": 7}, "outputs"),
        ({"outputs": ["nope"]}, "nope"),
        ({"input_shapes": [1]}, "input_shapes"),
        ({"input_shapes": {"x": 3}}, "input_shapes.*'x'"),
        ({"input_shapes": {"x": "1,3,4,4"}}, "input_shapes.*'x'"),
        ({"input_shapes": {"x": (1, 3, 4, None)}}, "input_shapes.*'x'"),
        ({"input_shapes": {"x": (1, 3, 4, 4.5)}}, "input_shapes.*'x'"),
        ({"input_shapes": {"x": (1, 3, 4, -4)}}, "input_shapes.*'x'"),
        ({"input_shapes": {"x": (1, 3, 4, 2**31)}}, "input_shapes.*'x'"),
        ({"input_shapes": {1: (1, 3, 4, 4)}}, "input_shapes"),
        ({"input_shapes": {"z": (1, 3, 4, 4)}}, "no input 'z'"),
    ],
)
def test_options_of_a_conversion(graph: Graph, options: dict[str, Any], words: str) -> None:
    with pytest.raises(PrototxtError, match=words):
        api.to_onnx(graph, **options)


def test_options_as_numpy_and_lists_have_them(graph: Graph) -> None:
    made = api.to_onnx(
        graph,
        opset=np.int64(17),
        batch=np.int32(5),
        outputs=["y"],
        input_shapes={"x": [1, np.int64(3), 6, 6]},
    )
    assert [d.dim_value for d in made.graph.output[0].type.tensor_type.shape.dim] == [5, 2, 4, 4]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "'x' is not given"),
        (None, "inputs"),
        ([1, 2], "inputs"),
        ({"x": "nope"}, "'x'.*numbers"),
        ({"x": None}, "'x'.*numbers"),
        ({"x": [[1], [2, 3]]}, "'x'.*numbers"),
        ({"x": object()}, "'x'.*numbers"),
        ({"x": np.ones(3, complex)}, "'x'.*numbers"),
        ({"x": np.ones((2, 3, 4, 4), dtype="datetime64[s]")}, "'x'.*numbers"),
        ({"x": np.ones((2, 3, 4))}, "weight"),
        ({"x": 1}, "axis 1 is outside the bottom"),
        ({"x": np.ones((2, 3, 2, 4))}, "does not fit"),
        ({"x": np.ones((2, 4, 4, 4))}, "weight"),
        ({"x": np.ones((2, 3, 4, 4)), 1: np.ones(3)}, "name of an input"),
    ],
)
def test_inputs_of_a_run(graph: Graph, inputs: Any, words: str) -> None:
    with pytest.raises(PrototxtError, match=words):
        api.run(graph, inputs)


def test_a_list_of_whole_numbers_is_an_input(graph: Graph) -> None:
    found = api.run(graph, {"x": np.ones((1, 3, 3, 3), int).tolist()})  # type: ignore[dict-item]
    assert found["y"].tolist() == [[[[27.0]], [[27.0]]]]
    assert found["x"].dtype == np.float32


@pytest.mark.parametrize("verb", [api.validate, api.load, api.summarize])
def test_a_dialect_that_is_none(verb: Any) -> None:
    with pytest.raises(PrototxtError, match="'nvcafe'; did you mean 'nvcaffe'"):
        verb(Source(NET), dialect="nvcafe")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": 0}, "batch"),
        ({"batch": "dynamic"}, "batch"),
        ({"losses": "keep"}, "losses.*auto, head, drop"),
        ({"input_shapes": {"x": 1}}, "input_shapes"),
    ],
)
def test_options_of_a_deployment(graph: Graph, options: dict[str, Any], words: str) -> None:
    with pytest.raises(PrototxtError, match=words):
        api.deploy(graph, **options)


def test_shapes_of_a_summary(graph: Graph) -> None:
    with pytest.raises(PrototxtError, match=r"input_shapes.*'x'"):
        api.summarize(graph, input_shapes={"x": "1"})  # type: ignore[dict-item]
    with pytest.raises(PrototxtError, match="input_shapes"):
        api.summarize(graph, input_shapes="x")  # type: ignore[arg-type]
