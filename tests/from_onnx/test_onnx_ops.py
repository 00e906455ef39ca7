"""ONNX's own cases for single operators: a net agrees with them, or there is a reason for none."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from lifting import lifted, model, refusal, types

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def ops():
    sys.path.insert(0, str(DOCS))
    try:
        import onnx_ops
    finally:
        sys.path.remove(str(DOCS))
    return onnx_ops


def test_no_net_differs_and_the_page_is_new(ops) -> None:
    found = ops.results()
    assert ops.unknown(found) == []
    assert {one.name for one in found if one.differs} == set(ops.KNOWN) & {o.name for o in found}
    assert sum(not one.why_not for one in found) > 400
    page = ops.TARGET.read_text("utf-8")
    if f"with onnx {onnx.__version__}." in page:
        assert ops.page(found) == page, "python docs/onnx_ops.py"


def dropout(ratio: float, training: bool) -> onnx.ModelProto:
    weights = {"r": np.float32(ratio), "t": np.bool_(training)}
    return model("d = Dropout(x, r, t) y = Relu(d)", "float[2,3] x", "float[2,3] y", **weights)


@pytest.mark.parametrize(("ratio", "training"), [(0.5, False), (0.0, True)])
def test_a_dropout_that_drops_nothing_goes(ratio: float, training: bool) -> None:
    assert types(lifted(dropout(ratio, training))) == ["ReLU"]


def test_a_dropout_that_drops_is_refused() -> None:
    assert "its training_mode is true" in refusal(dropout(0.5, True))
