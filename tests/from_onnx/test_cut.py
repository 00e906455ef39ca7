"""A model that cannot become a net as a whole may become one up to some values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from to_onnx.recorded import assert_close, run_onnx

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import GraphError, UnsupportedError
from prototxt_gen.from_onnx.cut import ending_at

MODEL = """<ir_version: 8, opset_import: ["" : 17], producer_name: "p">
net (float[1,3,4,4] x, float[1,3,4,4] z) => (float[1,3,4,4] y, float[1,3,4,4] r)
<float[3,1,1] w = {1, 2, 3}, float[3,1,1] v = {4, 5, 6}> {
    h = LeakyRelu<alpha=0.25>(x)
    s = Mul(h, w)
    r = Add(z, v)
    i = Sign(s)
    y = Sub(i, h)
}"""


def model(text: str = MODEL) -> onnx.ModelProto:
    return onnx.parser.parse_model(text)


def test_only_what_is_needed_is_left() -> None:
    whole = model()
    cut = ending_at(whole, ["s"])
    assert [node.op_type for node in cut.graph.node] == ["LeakyRelu", "Mul"]
    assert [tensor.name for tensor in cut.graph.initializer] == ["w"]
    assert [value.name for value in cut.graph.input] == ["x"]
    assert [value.name for value in cut.graph.output] == ["s"]
    cut.graph.ClearField("node")
    assert (cut.ir_version, cut.opset_import, cut.producer_name) == (8, whole.opset_import, "p")
    assert whole == model()
    assert ending_at(whole, []) is whole


def test_what_a_branch_reads_is_needed() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    net (float[2] x, bool c) => (float[2] y) {
        a = Relu(x)
        b = Abs(x)
        d = If (c) <
            then_branch = one () => (float[2] p) { p = Neg(a) },
            else_branch = two () => (float[2] b) { }>
        y = Exp(d)
    }"""
    cut = ending_at(model(text), ["d"])
    assert [node.op_type for node in cut.graph.node] == ["Relu", "Abs", "If"]


def test_the_net_ends_there_and_computes_the_same() -> None:
    with pytest.raises(UnsupportedError) as caught:
        api.from_onnx(model())
    assert caught.value.diagnostics[0].help == "--outputs r,s,h ends the net before them"
    found = api.from_onnx(model(), outputs=["r", "s", "h"])
    assert {ref.blob for ref in found.graph.outputs} == {"r", "s", "h"}
    inputs = {name: np.random.default_rng(0).normal(size=(1, 3, 4, 4)) for name in "xz"}
    whole = model()
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in "hs")
    wanted = run_onnx(whole.SerializeToString(), {k: v.astype("f4") for k, v in inputs.items()})
    del wanted["y"]
    assert_close(api.run(found.graph, inputs), wanted)


def test_nothing_comes_before_the_first() -> None:
    with pytest.raises(UnsupportedError) as caught:
        api.from_onnx(model(MODEL.replace("LeakyRelu<alpha=0.25>", "Sign").replace("Add", "Mod")))
    assert caught.value.diagnostics[0].help is None


@pytest.mark.parametrize(("name", "hint"), [("x", ""), ("w", ""), ("", ""), ("ss", "'s'?")])
def test_a_value_that_no_node_makes(name: str, hint: str) -> None:
    with pytest.raises(GraphError, match=f"no value '{name}' to use as an output") as caught:
        api.from_onnx(model(), outputs=[name])
    assert caught.value.message.endswith(hint or "as an output")


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, net = tmp_path / "m.onnx", tmp_path / "m.prototxt"
    onnx.save(model(), path)
    words = ["convert", str(path), "-o", str(net), "--verify"]
    assert run(words) == 1
    assert "--outputs r,s,h ends the net before them" in capsys.readouterr().err
    assert run([*words, "--outputs", "r,s"]) == 0
    again = ["verify", str(path), str(net), str(net.with_suffix(".caffemodel"))]
    assert run(again) == 2
    assert "if it was made with --outputs, give the same here" in capsys.readouterr().err
    assert run([*again, "--outputs", "r,s"]) == 0
    assert run([*words, "--until", "h"]) == 0
    assert run(["convert", str(tmp_path), "-o", str(tmp_path / "o"), "--outputs", "h"]) == 2
    assert "is for one net" in capsys.readouterr().err


def test_a_model_of_ours_does_not_come_back_whole() -> None:
    text = b"""input: "x" input_shape { dim: [1, 3] }
    layer { name: "a" type: "AbsVal" bottom: "x" top: "a" }
    layer { name: "b" type: "TanH" bottom: "a" top: "b" }"""
    made = api.to_onnx(api.load(Source(text)))
    assert api.from_onnx(made).stored
    found = api.from_onnx(made, outputs=["a"])
    assert not found.stored and [node.type for node in found.graph.nodes] == ["Input", "AbsVal"]
