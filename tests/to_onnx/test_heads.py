"""A model that ends before its detections, and what a refusal advises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError, UnsupportedError
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Exported, Options
from prototxt_gen.verify import verify, verify_export

NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 4, 3, 3] } } }
layer { name: "loc" type: "Flatten" bottom: "data" top: "loc" }
layer { name: "conf" type: "Flatten" bottom: "data" top: "conf" }
layer { name: "softmax" type: "Softmax" bottom: "data" top: "beside" }
layer { name: "priors" type: "PriorBox" bottom: "data" bottom: "data" top: "priors"
        prior_box_param { min_size: 3 } }
layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors"
        bottom: "data" top: "found" detection_output_param { num_classes: 4 } }
layer { name: "more" type: "Power" bottom: "found" top: "more" power_param { scale: 2 } }
"""


def made(text: str = NET, outputs: tuple[str, ...] = ()) -> Exported:
    options = Conversion(Options(outputs=outputs), detection="stop")
    return convert(api.load(Source(text.encode())), options)


def names(exported: Exported) -> list[str]:
    return [value.name for value in exported.skeleton.graph.output]


def test_a_model_ends_before_its_detections() -> None:
    exported = made()
    assert names(exported) == ["beside", "loc", "conf", "priors"]
    (change,) = (c for c in exported.changes if c.layer == "found")
    assert change.what == "left out, with what follows; the model ends at loc, conf, priors"
    assert "NonMaxSuppression" not in {node.op_type for node in exported.skeleton.graph.node}
    assert verify_export(exported).agrees


def test_what_it_outputs_gives_the_detections() -> None:
    graph = api.load(Source(NET.encode()))
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3)).astype(np.float32)
    wanted = api.run(graph, {"data": x})
    ends = run_onnx(made().model.SerializeToString(), {"data": x})
    layer = next(node.layer for node in graph.nodes if node.name == "found")
    (found,) = layer.run([ends["loc"], ends["conf"], ends["priors"]], (), 1)
    np.testing.assert_allclose(found, wanted["found"], rtol=1e-5, atol=1e-6)


def test_outputs_that_need_no_detections_stay() -> None:
    assert names(made(outputs=("beside",))) == ["beside"]
    assert names(made(outputs=("conf", "more"))) == ["conf", "loc", "priors"]


def test_a_net_without_detections_stays_and_the_report_says_so() -> None:
    exported = made(NET[: NET.index('layer { name: "found"')])
    assert set(names(exported)) == {"loc", "conf", "beside", "priors"}
    assert any("no layer detects" in change.what for change in exported.changes)


def test_a_net_of_detections_alone_is_refused() -> None:
    text = """
    input: "loc" input_shape { dim: [1, 8] } input: "conf" input_shape { dim: [1, 4] }
    input: "priors" input_shape { dim: [1, 2, 8] }
    layer { name: "found" type: "DetectionOutput" bottom: "loc" bottom: "conf" bottom: "priors"
            top: "found" detection_output_param { num_classes: 2 } }"""
    with pytest.raises(UnsupportedError, match="nothing of the net comes before"):
        made(text)


def test_the_dimension_of_what_is_found_has_a_symbol_of_its_own() -> None:
    graph = api.load(Source(NET.replace('layer { name: "more"', "#").encode()))
    for batch in (None, "dynamic"):
        model = convert(graph, Conversion(Options(batch=batch))).model  # type: ignore[arg-type]
        (found,) = (value for value in model.graph.output if value.name == "found")
        dims = [dim.dim_param or dim.dim_value for dim in found.type.tensor_type.shape.dim]
        assert dims == [1, 1, "found_2", 7]


def test_a_refusal_names_the_blobs_before_the_layer() -> None:
    graph = api.load(Source(NET.replace('"DetectionOutput"', '"Unheard"').encode()))
    with pytest.raises(UnsupportedError) as caught:
        convert(graph, Conversion())
    (found,) = caught.value.diagnostics
    assert found.help == "--outputs loc,conf,priors ends the model before it"
    assert names(convert(graph, Conversion(Options(outputs=("loc", "conf", "priors")))))


def test_the_option_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, target = tmp_path / "net.prototxt", str(tmp_path / "net.onnx")
    net.write_text(NET)
    assert run(["convert", str(net), "-o", target, "--detection", "stop", "--verify"]) == 0
    assert "the model ends at loc, conf, priors" in capsys.readouterr().err
    assert verify(api.load(net), target, outputs=["beside", "loc", "conf", "priors"]).agrees
    with pytest.raises(PrototxtError, match="detection is 'none'; expected full, stop"):
        api.convert(api.load(net), detection="none")  # type: ignore[arg-type]
