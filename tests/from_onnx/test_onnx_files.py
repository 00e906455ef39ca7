"""Models that come with the package onnx: PyTorch's first exports, nets of the model zoo."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx.backend.test
import pytest
from lifting import lifted, model, refusal, types

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx.convert import lift

DATA = Path(onnx.backend.test.__file__).parent / "data"
CONVERTED = sorted(DATA.glob("pytorch-*/*/model.onnx"))
#: What of them is refused, and the words.
REFUSED = {
    "test_MaxPool1d_stride_padding_dilation": "dilations",
    "test_MaxPool2d_stride_padding_dilation": "dilations",
    "test_PReLU_1d_multiparam": "2x3x4 and 3 do not broadcast",  # opset 6 had other rules
    "test_PReLU_2d_multiparam": "2x3x4x5 and 3 do not broadcast",
    "test_PReLU_3d_multiparam": "2x3x4x5x6 and 3 do not broadcast",
    "test_operator_addmm": "both matrices are computed",
    "test_operator_mm": "both matrices are computed",
    "test_operator_pow": "its exponent is computed",
}
QUICK = ("squeezenet", "shufflenet")
ZOO = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", *QUICK)


def name(path: Path) -> str:
    return path.parent.name


@pytest.mark.parametrize("path", CONVERTED, ids=name)
def test_pytorchs_first_exports(path: Path) -> None:
    """They have opset 6, and are brought to 13, with which ONNX's own converter helps."""
    made = onnx.load(path)
    if made.opset_import[0].version < 7:
        with pytest.raises(UnsupportedError, match="opset 6; expected 7 or later"):
            lift(made)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = onnx.version_converter.convert_version(made, 13)
    if name(path) in REFUSED:
        assert REFUSED[name(path)] in refusal(made)
        return
    whole = {}
    for value in made.graph.input:
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if value.type.tensor_type.elem_type == onnx.TensorProto.INT64:
            whole[value.name] = np.arange(np.prod(shape)).reshape(shape) % 4
    lifted(made, **whole)


def test_they_are_there() -> None:
    assert len(CONVERTED) > 100
    assert set(REFUSED) <= set(map(name, CONVERTED))


@pytest.mark.parametrize(
    "zoo", [pytest.param(one, marks=() if one in QUICK else pytest.mark.nets) for one in ZOO]
)
def test_nets_of_the_model_zoo(zoo: str) -> None:
    lifted(onnx.load(DATA / "light" / f"light_{zoo}.onnx"))


def test_a_layer_with_four_axes_at_most_is_not_given_five() -> None:
    slopes = np.full((2, 1, 1, 1), 0.5, np.float32)
    made = model("y = PRelu(x, s)", "float[1,2,3,2,2] x", "float[1,2,3,2,2] y", s=slopes)
    assert "PReLU" not in types(lifted(made))
