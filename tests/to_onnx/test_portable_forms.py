"""Forms of operators that were chosen since some runtime fails on, or is wrong with, another.

What each runtime computes is recorded in benchmarks/runtimes.json; no other runtime runs here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import numpy_helper
from to_onnx.recorded import cases, graph

from prototxt_gen.to_onnx.convert import Conversion, convert

CASES = {case.name: case for case in cases()}


def made(case: Path) -> onnx.GraphProto:
    return convert(graph(case), Conversion(metadata=False)).model.graph


def readers(model: onnx.GraphProto, value: str) -> set[str]:
    return {node.op_type for node in model.node if value in node.input}


def constants(model: onnx.GraphProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.initializer}


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith(("roip", "psr"))])
def test_regions_take_no_operator_that_some_runtime_lacks(name: str) -> None:
    """Nor a quotient before Floor and Ceil: OpenVINO and tract round its last bit otherwise."""
    nodes = made(CASES[name]).node
    assert {node.op_type for node in nodes}.isdisjoint({"MaxRoiPool", "GatherND"})
    before = {value for node in nodes if node.op_type == "Div" for value in node.output}
    assert not any(before & {*node.input} for node in nodes if node.op_type in ("Mul", "Floor"))


@pytest.mark.parametrize("name", ["det_all_empty", "det_corner_unshared", "detection0"])
def test_what_remains_of_boxes_is_never_looked_up_alone(name: str) -> None:
    """OpenCV 5 ends its process where a look-up has nothing to look up."""
    model = made(CASES[name])
    (node,) = [node for node in model.node if node.op_type == "NonMaxSuppression"]
    assert readers(model, node.output[0]) == {"Concat"}


def test_boxes_that_touch_do_not_overlap() -> None:
    """With a threshold of 0 OpenVINO takes an overlap of 0 for one."""
    model = made(CASES["det_nms_zero"])
    (node,) = [node for node in model.node if node.op_type == "NonMaxSuppression"]
    assert 0 < constants(model)[node.input[3]] < 1e-30


@pytest.mark.parametrize("name", ["pyproposal_small", "pyproposal_pre6000"])
def test_the_number_of_scores_that_are_sorted_is_a_constant(name: str) -> None:
    """tract has no TopK of a number that the data decide; TensorRT's has a limit."""
    model = made(CASES[name])
    (node,) = [node for node in model.node if node.op_type == "TopK"]
    assert node.input[1] in constants(model)


def test_the_maximum_of_nothing_is_no_answer_of_a_pooling() -> None:
    """OpenCV 5 takes it for 0 where it is asked for places."""
    model = made(CASES["pool_mask_gap"])
    (node,) = [node for node in model.node if node.op_type == "MaxPool"]
    assert readers(model, node.output[0]) == {"Where"}
