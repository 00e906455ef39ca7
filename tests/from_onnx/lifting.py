"""A model lifted, and proven: the net computes what onnxruntime computes of the model."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx import TARGETS
from prototxt_gen.from_onnx.convert import Lift, Net, lift
from prototxt_gen.from_onnx.target import Target
from prototxt_gen.graph.check import checked
from prototxt_gen.graph.run import run
from prototxt_gen.graph.weights import bound


def model(body: str, inputs: str, outputs: str, opset: int = 17, **weights) -> onnx.ModelProto:
    """A model in ONNX's text form: model("y = Relu(x)", "float[1,3,8,8] x", "float[1,3,8,8] y").

    ``weights`` are initializers by name.
    """
    made = onnx.parser.parse_model(
        f'<ir_version: 8, opset_import: ["" : {opset}]> net ({inputs}) => ({outputs}) {{ {body} }}'
    )
    for name, value in weights.items():
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return made


def refusal(proto: onnx.ModelProto, target: str = "bvlc") -> str:
    """Why a model cannot be a net."""
    with pytest.raises(UnsupportedError) as caught:
        lift(proto, Lift(Target(target)))
    return " ".join(one.message for one in caught.value.diagnostics)


def types(made: Net) -> list[str]:
    """The layer types of a net, without its inputs."""
    return [node.type for node in made.graph.nodes if node.type != "Input"]


def lifted(
    proto: onnx.ModelProto,
    target: str = "bvlc",
    seed: int = 0,
    known: Collection[str] = (),
    **inputs,
) -> Net:
    """The net of a model, after it was compared with onnxruntime and validated.

    Inputs are drawn at random where not given. The text of the net is read back for what is
    computed, and validated for the target; ``known`` are rules that may find something.
    """
    made = lift(proto, Lift(Target(target)))
    text = api.dump(made.graph)
    findings = api.validate(Source(text.encode(), "net.prototxt"), dialect=TARGETS[target])
    assert {finding.rule for finding in findings} <= set(known), [f.message for f in findings]
    graph = api.load(Source(text.encode(), "net.prototxt"))
    weights = bound(graph, checked(graph), made.graph.stored)
    given = drawn(made, seed)
    given |= {name: np.asarray(value, np.float32) for name, value in inputs.items()}
    found = {ref.blob: value for ref, value in run(graph, weights, given).items()}
    outputs = {ref.blob for ref in graph.outputs}
    for name, wanted in computed(proto, given).items():
        assert name in outputs, f"{name} is no output of the net; it has {outputs}"
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name)
    return made


def drawn(made: Net, seed: int = 0) -> dict[str, np.ndarray]:
    """Random inputs of a net."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal(shape).astype(np.float32)
        for name, shape in made.model.inputs.items()
    }


def computed(proto: onnx.ModelProto, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a model by onnxruntime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    kinds = {
        "tensor(float)": np.float32,
        "tensor(int64)": np.int64,
        "tensor(float16)": np.float16,
        "tensor(double)": np.float64,
    }
    feed = {v.name: given[v.name].astype(kinds[v.type]) for v in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))
