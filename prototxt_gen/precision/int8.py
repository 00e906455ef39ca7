"""A model in int8, by onnxruntime's static quantization: QDQ, a scale for each channel."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import onnx

from prototxt_gen.errors import UnsupportedError
from prototxt_gen.precision.samples import Feed
from prototxt_gen.precision.tools import tools
from prototxt_gen.to_onnx.export import Exported

OLDEST_OPSET = 13  #: before it, DequantizeLinear has one scale for a whole tensor
#: What is computed in int8: sums of products, and what stands between them.
QUANTIZED = (
    *("Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "AveragePool"),
    *("GlobalAveragePool", "Concat", "Reshape", "Transpose", "Squeeze", "Unsqueeze"),
)


def to_int8(made: Exported, kept: Collection[str], feeds: Iterator[Feed]) -> onnx.ModelProto:
    """The model with all but the nodes of ``kept`` in int8, as far as they are ``QUANTIZED``.

    The range of each blob is that of the feeds. Raises UnsupportedError for a model with nothing
    to quantize, and for an opset that knows no scale for each channel.
    """
    opset = max(one.version for one in made.skeleton.opset_import if not one.domain)
    if opset < OLDEST_OPSET:
        raise UnsupportedError(f"int8 needs opset {OLDEST_OPSET} or later, found {opset}")
    with tempfile.TemporaryDirectory(prefix="int8-") as folder, tools():
        from onnxruntime import quantization as tool

        source, target = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        onnx.save_model(made.model, str(source))
        tool.quantize_static(
            str(source),
            str(target),
            _reader(tool, feeds),
            quant_format=tool.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            activation_type=tool.QuantType.QInt8,
            weight_type=tool.QuantType.QInt8,
            nodes_to_exclude=list(kept),
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True},
        )
        model: onnx.ModelProto = onnx.load(str(target))
    if not any(node.op_type == "QuantizeLinear" for node in model.graph.node):
        raise UnsupportedError("the net has no layer that int8 is for")
    return model


def _reader(tool: Any, feeds: Iterator[Feed]) -> Any:
    class Reader(tool.CalibrationDataReader):  # type: ignore[misc]
        """The feeds, one after the other."""

        def get_next(self) -> Feed | None:
            return next(feeds, None)

    return Reader()
