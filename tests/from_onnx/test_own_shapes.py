"""Layers as our own export writes them: most come back as themselves."""

import pytest
from layers.cases import CASES, Case
from lifting import lifted, types
from to_onnx.test_layer_cases import graph, inputs

from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options

#: The layers that a type comes back as, where that is not the type alone.
OTHERWISE = {
    "Reshape": {"Reshape", "Flatten"},
    "Flatten": {"Reshape", "Flatten"},
    "Crop": {"Slice", "Silence"},
    "Split": {"Power"},
    "MVN": {"Reshape", "MVN"},
    "BatchNorm": {"BatchNorm", "Scale", "ReLU"},
    "ArgMax": {"Flatten", "ArgMax", "Reshape", "Concat"},
    "Concat": {"Concat", "Power"},
}
SAME = {"Slice", "Permute", "Tile", "Reduction", "InnerProduct", "Embed", "Normalize"}
SAME |= {"BatchReindex", "Filter"}
TAKEN = [c for c in CASES if c.rule is None and c.type in SAME | OTHERWISE.keys()]


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("case", TAKEN, ids=str)
def test_layers_come_back(case: Case, opset: int):
    made = convert(graph(case), Conversion(Options(opset), fold=False))
    found = types(lifted(made.model, "ssd", **inputs(case)))
    assert set(found) <= OTHERWISE.get(case.type, {case.type})
    if case.type in SAME and len(case.tops) == 1:
        assert found == [case.type]
