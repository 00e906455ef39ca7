"""Detections as TensorRT's EfficientNMS_TRT: what it is given, and what it makes of that.

TensorRT is not here. The operator is emulated in loops, as efficientNMSInference.cu has it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from layers.test_detections import Asked, box, drawn, in_loops
from to_onnx.recorded import GOLDEN, blobs, graph, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.parts.efficient_nms import detector_of
from prototxt_gen.to_onnx import efficient_nms
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.efficient_nms import DOMAIN, OPERATOR, before_plugins, plugins_of
from prototxt_gen.to_onnx.export import Exported, Options

Array = np.ndarray[Any, np.dtype[Any]]
F = np.float32
NAMES = ["num_detections", "detection_boxes", "detection_scores", "detection_classes"]
REFUSED = "det_keep_zero"
CASES = [case for case in sorted((GOLDEN / "forks").glob("det_*")) if case.name != REFUSED]
#: Where the plug-in cannot do what Caffe does, and what is said of it.
TOP_K, CROSSED = "top_k is not applied", "crossed corners"
DIFFER = {
    **dict.fromkeys(("topk", "topk1", "topk_ties", "bg_minus1_unshared"), TOP_K),
    **dict.fromkeys(("center_size_venc", "corner_size_venc", "corner_venc"), TOP_K),
    **dict.fromkeys(("crossed", "inverted", "inverted_default_code"), CROSSED),
}


def made(net: Graph, outputs: tuple[str, ...] = (), **options: Any) -> Exported:
    return convert(net, Conversion(Options(outputs=outputs, **options), detection="trt"))


def settings(exported: Exported) -> dict[str, Any]:
    (node,) = (node for node in exported.skeleton.graph.node if node.op_type == OPERATOR)
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def given(exported: Exported, inputs: dict[str, Array]) -> tuple[Array, Array]:
    """The boxes and scores that the plug-in is given, by onnxruntime."""
    found = run_onnx(before_plugins(exported.model).SerializeToString(), inputs)
    ((boxes, scores),) = plugins_of(exported.skeleton).values()
    return found[boxes], found[scores]


def emulated(boxes: Array, scores: Array, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of EfficientNMS_TRT: image, class, score, corners; those it marks are left out."""
    assert asked["score_threshold"] >= 0 < asked["iou_threshold"], "as createPlugin demands"
    assert asked["max_output_boxes"] > 0 == asked["score_activation"] == asked["box_coding"]
    rows = []
    for image in range(len(scores)):
        candidates = []
        for index in range(scores.shape[1]):
            for label in range(scores.shape[2]):
                score = scores[image, index, label]
                counts = score >= F(asked["score_threshold"]) and label != asked["background_class"]
                if counts or asked["score_threshold"] < 0.007:
                    candidates.append((score if counts else F(-32768), index, label))
        candidates.sort(key=lambda one: -one[0])
        kept: list[tuple[Any, Array, int]] = []
        for score, index, label in candidates[:5000]:
            own = boxes[image, index] if boxes.ndim == 3 else boxes[image, index, label]
            if len(kept) < asked["max_output_boxes"] and not any(
                label == other and iou(own, corners) >= F(asked["iou_threshold"])
                for _, corners, other in kept
            ):
                kept.append((score, own, label))
        rows += [(image, label, score, *own) for score, own, label in kept if score != -32768]
    return rows


def iou(a: Array, b: Array) -> Any:
    (a1, a2), (b1, b2) = (np.sort(one.reshape(2, 2), axis=0) for one in (a, b))
    sides = np.maximum(np.minimum(a2, b2) - np.maximum(a1, b1), 0)
    shared = sides[0] * sides[1]
    return shared / (np.prod(a2 - a1) + np.prod(b2 - b1) - shared) if shared > 0 else F(0)


def in_order(rows: Any) -> Array:
    """Rows in an order that does not depend on how equal scores are ordered."""
    found = [tuple(map(float, row)) for row in rows if row[1] != -1]
    return np.array(sorted(found), F).reshape(-1, 7)


def asked_of(net: Graph, inputs: dict[str, Array]) -> tuple[Asked, list[Array]]:
    """A recorded head as the loops of the full form have it, and its bottoms."""
    (node,) = (node for node in net.nodes if node.layer.detects)
    values = api.run(net, inputs)
    loc, conf, prior = (values[ref.blob] for ref in node.bottoms[:3])
    layer: Any = node.layer
    priors = prior.shape[2] // 4
    asked = Asked(len(loc), priors, layer.num_classes, layer.share_location)
    asked.code, asked.encoded = str(layer.code_type), layer.variance_encoded_in_target
    return asked, [loc, conf, prior]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_boxes_and_scores_are_those_that_loops_decode(case: Path) -> None:
    net, (inputs, _) = graph(case), blobs(case)
    boxes, scores = given(made(net), inputs)
    asked, (loc, conf, prior) = asked_of(net, inputs)
    np.testing.assert_array_equal(scores.reshape(conf.shape), conf)
    own = [
        [
            [box(asked, loc, prior, image, index, label) for label in range(asked.classes)]
            for index in range(asked.priors)
        ]
        for image in range(asked.images)
    ]
    wanted = np.array(own, F)[:, :, 0] if asked.shared else np.array(own, F)
    assert boxes.shape == wanted.shape
    np.testing.assert_allclose(boxes, wanted, 1e-5, 1e-6)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_it_finds_is_what_caffe_found(case: Path) -> None:
    net, (inputs, wanted) = graph(case), blobs(case)
    exported = made(net)
    found = in_order(emulated(*given(exported, inputs), settings(exported)))
    recorded = in_order(wanted["detection_out"].reshape(-1, 7))
    said = DIFFER.get(case.name.removeprefix("det_"))
    if said:
        assert found.shape != recorded.shape or not np.allclose(found, recorded, 1e-4, 1e-5)
        assert any(said in change.what for change in exported.changes)
    else:
        np.testing.assert_allclose(found, recorded, 1e-4, 1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_scores_and_overlaps_of_exactly_a_threshold_are_as_in_caffe(seed: int) -> None:
    asked = Asked(2, 12, 3, least=0.25, overlap=(0.0, 0.25, 0.5, 1.0)[seed % 4])
    loc, conf, prior = drawn(asked, np.random.default_rng(seed))
    loc *= 0  # boxes are on a grid of quarters
    exported = made(api.load(Source(asked.text.encode())))
    inputs = {"loc": loc, "conf": np.nan_to_num(conf, posinf=0, neginf=0), "prior": prior}
    found = in_order(emulated(*given(exported, inputs), settings(exported)))
    wanted = in_loops(asked, inputs["loc"], inputs["conf"], inputs["prior"])
    np.testing.assert_allclose(found, in_order(wanted), 1e-6)


def head(**params: Any) -> Graph:
    """A head of 30 priors and 3 classes."""
    return api.load(Source(Asked(2, 30, 3, **params).text.encode()))


def test_its_attributes() -> None:
    exported = made(head(least=0.25, overlap=0.45, keep=7, background=2))
    assert settings(exported) == {
        "plugin_version": b"1",
        "score_threshold": float(np.nextafter(F(0.25), F(1))),
        "iou_threshold": float(np.nextafter(F(0.45), F(1))),
        "max_output_boxes": 7,
        "background_class": 2,
        "score_activation": 0,
        "box_coding": 0,
        "class_agnostic": 0,
    }
    assert settings(made(head(background=9)))["background_class"] == -1
    assert settings(made(head()))["score_threshold"] == 0


@pytest.mark.parametrize("batch", [None, "dynamic"])
def test_its_outputs(batch: Any) -> None:
    model = made(head(keep=7), batch=batch).model
    first = (batch and "batch") or 2
    assert [
        (value.name, value.type.tensor_type.elem_type, dims(value)) for value in model.graph.output
    ] == [
        (NAMES[0], onnx.TensorProto.INT32, [first, 1]),
        (NAMES[1], onnx.TensorProto.FLOAT, [first, 7, 4]),
        (NAMES[2], onnx.TensorProto.FLOAT, [first, 7]),
        (NAMES[3], onnx.TensorProto.INT32, [first, 7]),
    ]
    assert {one.domain: one.version for one in model.opset_import} == {"": 17, DOMAIN: 1}


def dims(value: onnx.ValueInfoProto) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"top_k": 20}, "top_k is not applied: Caffe takes the best 20 scores of a class"),
        ({"keep": -1}, "keep_top_k is -1; the outputs have room for the best 60 of an image"),
        ({}, "confidence_threshold is absent; it finds no score below 0"),
        ({"least": -1.5}, "confidence_threshold is -1.5; it finds no score below 0"),
        ({"least": 0.005}, "below 0.007 it fills its outputs with boxes that are no detections"),
        ({}, "a box with crossed corners overlaps others"),
        ({}, "itself was not tried, only what comes before it"),
        ({}, f"with the outputs {', '.join(NAMES)} instead of d"),
    ],
)
def test_what_it_does_otherwise_is_said(params: dict[str, Any], said: str) -> None:
    assert any(said in change.what for change in made(head(**params)).changes)


def test_nothing_is_said_that_is_not_so() -> None:
    exact = {"least": 0.01, "keep": 20, "top_k": 30, "code": "CENTER_SIZE"}
    first, last = (change.what for change in made(head(**exact)).changes)
    assert first.startswith("is TensorRT's") and "not tried" in last


def test_it_takes_no_more_than_its_best_scores() -> None:
    exported = made(api.load(Source(Asked(1, 2600, 3, least=0.1).text.encode())))
    assert settings(exported)["max_output_boxes"] == 5000
    told = [change.what for change in exported.changes]
    assert any(
        "of the 5200 scores of an image, it takes no more than the best 5000" in w for w in told
    )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"keep": 0}, "nothing can be found"),
        ({"top_k": 0}, "nothing can be found"),
        ({"overlap": 0.75, "eta": 0.5}, r"eta is 0\.5.*EfficientNMS_TRT has one threshold"),
        ({"least": float("nan")}, "confidence_threshold is nan"),
    ],
)
def test_what_it_cannot_do_is_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        made(head(**params))


def test_a_detector_without_a_mapping_to_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = api.load(Source(b'input: "x" input_shape { dim: [1] }')).nodes[0].layer
    assert detector_of(other) is None
    monkeypatch.setattr(efficient_nms, "detector_of", lambda layer: detector_of(other))
    with pytest.raises(UnsupportedError, match="it has no mapping to EfficientNMS_TRT"):
        made(head())
