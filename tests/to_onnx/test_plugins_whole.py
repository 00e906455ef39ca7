"""A model that ends in EfficientNMS_TRT: its names, and how it is written, compared, given back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest

from prototxt_gen import api
from prototxt_gen.cli import run
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import PrototxtError, UnsupportedError, VerificationError
from prototxt_gen.to_onnx import write as writing
from prototxt_gen.to_onnx.efficient_nms import OPERATOR, before_plugins
from prototxt_gen.to_onnx.export import Exported
from prototxt_gen.verify import verify, verify_export
from prototxt_gen.verify_net import verify_net

NET = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 4, 3, 3] } } }
layer { name: "loc" type: "Convolution" bottom: "data" top: "loc"
        convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "flat" type: "Flatten" bottom: "loc" top: "flat" }
layer { name: "conf" type: "Flatten" bottom: "data" top: "conf" }
layer { name: "softmax" type: "Softmax" bottom: "data" top: "beside" }
layer { name: "priors" type: "PriorBox" bottom: "data" bottom: "data" top: "priors"
        prior_box_param { min_size: 3 } }
layer { name: "found" type: "DetectionOutput" bottom: "flat" bottom: "conf" bottom: "priors"
        top: "found" detection_output_param { num_classes: 4 code_type: CENTER_SIZE } }
"""
MORE = """
layer { name: "more" type: "Power" bottom: "found" top: "more" power_param { scale: 2 } }
"""
AGAIN = NET[NET.index('layer { name: "found"') :].replace('"found"', '"again"')
NAMES = ["num_detections", "detection_boxes", "detection_scores", "detection_classes"]


def made(text: str = NET, **options: Any) -> Exported:
    return api.convert(net(text), weights_init="fillers", detection="trt", **options)


def net(text: str = NET) -> Any:
    return api.load(Source(text.encode()))


def names(exported: Exported) -> list[str]:
    return [value.name for value in exported.skeleton.graph.output]


def test_several_heads_have_names_of_their_own() -> None:
    exported = made(NET + AGAIN)
    ours = [f"{top}_{name}" for top in ("found", "again") for name in NAMES]
    assert names(exported) == ["beside", *ours]
    verdict = verify_export(exported)
    assert verdict.agrees and verdict.untried == ("found", "again")


def test_a_blob_keeps_a_name_that_the_plug_in_has() -> None:
    text = NET.replace('"beside"', '"num_detections"')
    text = text.replace('"priors"', '"found_detection_boxes"')
    assert names(made(text)) == ["num_detections", *(f"found__{name}" for name in NAMES)]


def test_two_heads_never_share_a_name() -> None:
    text = (
        (NET + AGAIN).replace('"again"', '"found_"').replace('"beside"', '"found_num_detections"')
    )
    ours = [*(f"found__{name}" for name in NAMES), *(f"found___{name}" for name in NAMES)]
    assert names(made(text)) == ["found_num_detections", *ours]


def test_what_follows_detections_is_left_out() -> None:
    exported = made(NET + MORE)
    assert names(exported) == ["beside", *NAMES]
    (change,) = (change for change in exported.changes if change.layer == "more")
    assert change.what.startswith("left out: it follows detections")


def test_outputs_that_are_asked_for() -> None:
    assert names(made(outputs=("conf",))) == ["conf"]
    assert names(made(outputs=("found", "conf"))) == [*NAMES, "conf"]
    assert names(made(NET + MORE, outputs=("more",))) == NAMES
    for detection in ("trt", "stop"):
        with pytest.raises(PrototxtError, match="has no blob 'nope'"):
            api.convert(net(), detection=detection, outputs=("nope",))  # type: ignore[arg-type]


def test_a_layer_that_reads_detections_in_place_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="it reads 'found', the detections, which Eff"):
        made(NET + MORE.replace('"more"', '"found"').replace('name: "found"', 'name: "more"'))


def test_a_net_without_detections_stays() -> None:
    exported = made(NET[: NET.index('layer { name: "found"')])
    assert set(names(exported)) == {"flat", "conf", "beside", "priors"}
    assert any("--detection trt changes nothing" in change.what for change in exported.changes)


def test_it_is_checked_and_loaded_up_to_its_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[set[str]] = []

    def load(model: Any) -> None:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        loaded.append({value.name for value in session.get_outputs()})

    monkeypatch.setattr(writing, "_load", load)
    target = tmp_path / "net.onnx"
    for external in (False, True):
        files = writing.write_model(made(), target, external_data=external)
        assert sorted(map(str, tmp_path.iterdir())) == sorted(files), "nothing else is left"
        assert OPERATOR in {node.op_type for node in onnx.load(str(target)).graph.node}
    assert [len(found) for found in loaded] == [3, 3]
    assert all("beside" in found and not found & set(NAMES) for found in loaded)
    writing.check(made().model, made().model.SerializeToString())
    assert len(loaded) == 3


@pytest.mark.parametrize("external", [False, True])
def test_a_model_that_does_not_load_before_it_is_not_written(
    external: bool, tmp_path: Path
) -> None:
    exported = made()
    nodes = exported.skeleton.graph.node
    next(node for node in nodes if node.op_type == "Softmax").input[0] = "flat"
    nodes[-1].attribute.append(onnx.helper.make_attribute("box_coding", 1))
    with pytest.raises(VerificationError):
        writing.write_model(exported, tmp_path / "net.onnx", external_data=external)
    assert not list(tmp_path.iterdir())


def test_a_wrong_decoding_is_found() -> None:
    exported = made()
    assert verify_export(exported).text.endswith(
        "agree; compared up to the inputs of found, which was not tried"
    )
    exported = made()
    (last, *_) = (n for n in reversed(exported.skeleton.graph.node) if n.op_type == "Sub")
    last.op_type = "Add"
    verdict = verify_export(exported)
    assert verdict.first is not None and verdict.first.blob == "boxes of found"


@pytest.mark.parametrize("batch", [None, "dynamic"])
def test_the_net_comes_back(batch: Any) -> None:
    exported = made(NET + AGAIN, batch=batch)
    restored = api.from_onnx(exported.model)
    assert restored.stored
    found = [node.name for node in restored.graph.nodes if node.layer.detects]
    assert found == ["found", "again"]
    assert verify_net(exported.model, restored.graph).agrees
    again = api.convert(restored.graph, detection="trt", batch=batch)
    assert again.model.graph == exported.model.graph


def test_a_changed_attribute_is_told_and_the_structure_refused() -> None:
    model = made().model
    (node,) = (node for node in model.graph.node if node.op_type == OPERATOR)
    next(a for a in node.attribute if a.name == "max_output_boxes").i = 5
    with pytest.raises(UnsupportedError, match=r"the domain 'trt\.plugins', not of ONNX"):
        api.from_onnx(model)


def test_without_a_plug_in_a_model_is_itself() -> None:
    model = api.convert(net(), weights_init="zeros").model
    assert before_plugins(model) is model


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, weights, target = (
        str(tmp_path / f"net.{end}") for end in ("prototxt", "caffemodel", "onnx")
    )
    Path(one).write_text(NET)
    assert run(["weights", "init", one, "-o", weights]) == 0
    asked = ["--detection", "trt", "--verify", "--batch", "dynamic"]
    assert run(["convert", one, weights, "-o", target, *asked]) == 0
    said = capsys.readouterr().err
    assert "compared up to the inputs of found, which was not tried" in said
    assert "found (DetectionOutput): is TensorRT's EfficientNMS_TRT" in said
    assert run(["verify", one, weights, target, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["untried"] == ["found"]
    assert {"boxes of found", "scores of found"} < {blob["blob"] for blob in told["blobs"]}
    assert verify(api.read_caffe(one, weights), target).agrees
    back = [str(tmp_path / f"back.{end}") for end in ("prototxt", "caffemodel")]
    assert run(["convert", target, "-o", back[0], "--verify"]) == 0
    assert run(["verify", target, *back]) == 0
    assert "is the net that the model was made from" in capsys.readouterr().err
