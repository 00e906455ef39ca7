"""Proposals of regions against a formulation in loops, with numpy and in onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from to_onnx.recorded import Array, run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.layers.proposals import ProposalLayer
from prototxt_gen.to_onnx.convert import Conversion, convert, newest_opset
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.verify import verify

f32 = np.float32
one, half = f32(1), f32(0.5)
OPSETS = sorted({11, 13, 17, newest_opset()})
NET = (
    'input: "scores" input_shape {{ dim: [1, {s}, {h}, {w}] }}\n'
    'input: "offsets" input_shape {{ dim: [1, {o}, {h}, {w}] }}\n'
    'input: "image" input_shape {{ dim: [1, {i}] }}\n'
    'layer {{ name: "p" type: "{type}" bottom: "scores" bottom: "offsets" bottom: "image"\n'
    '        top: "rois" top: "best" {params} }}\n'
)
PYTHON = 'python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "%s" }'


def net(anchors: int, size: tuple[int, int], type: str, params: str, info: int = 3) -> Any:
    sizes = {"s": 2 * anchors, "o": 4 * anchors, "h": size[0], "w": size[1], "i": info}
    return api.load(Source(NET.format(**sizes, type=type, params=params).encode()))


def wanted(
    anchors: list[list[float]],
    stride: int,
    limits: tuple[int, int],
    overlap: float,
    least: float,
    drops: bool,
    given: dict[str, Array],
) -> tuple[list[list[float]], list[float]]:
    """The rows and scores, box by box, as the C++ has it; ties in the order of the boxes."""
    scores, offsets = given["scores"][0], given["offsets"][0]
    height, width, scale, *more = given["image"][0]
    found = []
    for i in range(scores.shape[1]):
        for j in range(scores.shape[2]):
            for k, anchor in enumerate(anchors):
                dx, dy, dw, dh = offsets[4 * k : 4 * k + 4, i, j]
                x1, y1, x2, y2 = np.float32(anchor) + np.float32([j, i, j, i]) * np.float32(stride)
                w, h = x2 - x1 + one, y2 - y1 + one
                x, y = dx * w + (x1 + half * w), dy * h + (y1 + half * h)
                w, h = half * (np.exp(dw) * w), half * (np.exp(dh) * h)
                x1, x2 = (max(min(v, width - one), np.float32(0)) for v in (x - w, x + w))
                y1, y2 = (max(min(v, height - one), np.float32(0)) for v in (y - h, y + h))
                short_w = x2 - x1 + one < np.float32(least) * (more[0] if more else scale)
                short_h = y2 - y1 + one < np.float32(least) * scale
                score = scores[len(anchors) + k, i, j]
                if not (drops and (short_w or short_h)):
                    found.append((np.float32(0) if short_w or short_h else score, x1, y1, x2, y2))
    found = sorted(found, key=lambda box: -box[0])[: limits[0]]
    kept: list[Any] = []
    for box in found:
        if len(kept) < limits[1] and all(overlapping(box, other) <= overlap for other in kept):
            kept.append(box)
    return [[0.0, *box[1:]] for box in kept], [box[0] for box in kept]


def overlapping(a: Any, b: Any) -> Any:
    w = max(min(a[3], b[3]) - max(a[1], b[1]) + one, np.float32(0))
    h = max(min(a[4], b[4]) - max(a[2], b[2]) + one, np.float32(0))
    sizes = [(box[3] - box[1] + one) * (box[4] - box[2] + one) for box in (a, b)]
    return w * h / (sizes[0] + sizes[1] - w * h)


def drawn(seed: int, anchors: int, size: tuple[int, int], image: list[float]) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    scores = random.permutation(2 * anchors * size[0] * size[1]).astype(np.float32) / 997
    return {
        "scores": scores.reshape(1, 2 * anchors, *size),
        "offsets": random.normal(0, 0.4, (1, 4 * anchors, *size)).astype(np.float32),
        "image": np.array([image], np.float32),
    }


def check(graph: Any, given: dict[str, Array], rows: Any, scores: Any) -> None:
    reference = api.run(graph, given)
    results = [(reference["rois"], reference["best"])]
    for opset in OPSETS:
        data = convert(graph, Conversion(Options(opset))).model.SerializeToString()
        made = run_onnx(data, given)
        results.append((made["rois"], made["best"]))
    for rois, best in results:
        assert rois.shape == (len(rows), 5)
        assert best.size == len(rows)
        np.testing.assert_allclose(rois, np.reshape(rows, (-1, 5)), 1e-5, 1e-3)
        np.testing.assert_allclose(best.reshape(-1), scores, 1e-6)


#: Around (7.5, 7.5): 23 x 12, 16 x 16 and 11 x 22 pixels, doubled; and 16 x 16.
THREE = [[-15.0, -4.0, 30.0, 19.0], [-8.0, -8.0, 23.0, 23.0], [-3.0, -14.0, 18.0, 29.0]]
SQUARE = [[0.0, 0.0, 15.0, 15.0]]


@pytest.mark.parametrize("seed", range(6))
def test_the_layer_in_python_is_what_the_loops_give(seed: int) -> None:
    size, image = (4 + seed, 9 - seed), [70.0, 90.0, 0.5 + 0.3 * (seed % 3)]
    given = drawn(seed, 3, size, image)
    graph = net(3, size, "Python", PYTHON % "{'feat_stride': 12, 'scales': [2]}")
    check(graph, given, *wanted(THREE, 12, (6000, 300), 0.7, 16, True, given))


@pytest.mark.parametrize("most", [9, 40])
@pytest.mark.parametrize("seed", range(4))
def test_the_layer_in_cpp_is_what_the_loops_give(seed: int, most: int) -> None:
    size, image = (4 + seed, 9 - seed), [70.0, 90.0, 1.25, 0.75][: 3 + seed % 2]
    given = drawn(seed, 3, size, image)
    params = (
        "proposal_param {{ feat_stride: 12 ratio: [0.5, 1, 2] scale: 2 min_size: 20 "
        "pre_nms_topn: 35 post_nms_topn: {} nms_thresh: 0.6 }}"
    )
    graph = net(3, size, "Proposal", params.format(most), len(image))
    check(graph, given, *wanted(THREE, 12, (35, most), 0.6, 20, False, given))


@pytest.mark.parametrize(("type", "drops"), [("Python", True), ("Proposal", False)])
@pytest.mark.parametrize("image", [[40.0, 50.0, 1.0], [40.0, 50.0, 4.0]])
def test_no_box_is_large_enough_and_equal_scores(
    type: str, drops: bool, image: list[float]
) -> None:
    given = drawn(1, 1, (3, 4), image)
    given["scores"][:] = 0.5
    given["offsets"][:] = 0
    params = "proposal_param { ratio: 1 scale: 1 }"
    if type == "Python":
        params = PYTHON % "{feat_stride: 16, scales: [1], ratios: [1]}"
    rows, scores = wanted(SQUARE, 16, (6000, 300), 0.7, 16, drops, given)
    assert bool(rows) == (not drops or image[2] == 1)
    check(net(1, (3, 4), type, params), given, rows, scores)


def test_anchors_are_those_that_generate_anchors_prints() -> None:
    """Its docstring lists the nine of the defaults."""
    listed = (
        "-83 -39 100 56 -175 -87 192 104 -359 -183 376 200 -55 -55 72 72 -119 -119 136 136 "
        "-247 -247 264 264 -35 -79 52 96 -79 -167 96 184 -167 -343 184 360"
    )
    # In Matlab's counting from 1.
    boxes = np.array(listed.split(), np.float32).reshape(9, 4) - 1
    size = boxes[:, 2:] - boxes[:, :2] + 1
    given = {
        "scores": np.zeros((1, 18, 1, 1), np.float32),
        "offsets": np.zeros((1, 36, 1, 1), np.float32),
        "image": np.array([[2000.0, 2000.0, 0.1]], np.float32),
    }
    # Moved into the image, one at a time.
    for index, own in enumerate(boxes):
        given["scores"][:] = 0
        given["scores"][0, 9 + index] = 1
        shift = (400.0 - own[:2]) / size[index]
        given["offsets"][0, 4 * index : 4 * index + 2, 0, 0] = shift
        found = api.run(net(9, (1, 1), "Python", PYTHON % "'feat_stride': 16"), given)
        moved = [400.0, 400.0, *(400.0 + size[index])]  # one pixel more than the anchor
        np.testing.assert_allclose(found["rois"][0, 1:], moved, rtol=1e-5)


@pytest.mark.parametrize("name", ["feat_stride", "base_size", "pre_nms_topn", "post_nms_topn"])
def test_numbers_of_the_layer_in_cpp(name: str) -> None:
    def told(value: int) -> list[str]:
        params = f"proposal_param {{ ratio: 1 scale: 1 {name}: {value} }}"
        return [d.message for d in api.validate(net(1, (3, 4), "Proposal", params).source)]

    most = [f"{name} is 1000000; expected less than 1000000"] if "nms" not in name else []
    assert (told(1), told(999_999), told(1_000_000)) == ([], [], most)
    assert told(0) == [f"{name} is 0; expected at least 1"]


def test_more_boxes_than_there_are_may_be_compared() -> None:
    given = drawn(2, 1, (3, 4), [40.0, 50.0, 1.0])
    params = "proposal_param { ratio: 1 scale: 1 pre_nms_topn: 2000000 post_nms_topn: 2000000 }"
    rows, scores = wanted(SQUARE, 16, (2_000_000,) * 2, 0.7, 16, False, given)
    check(net(1, (3, 4), "Proposal", params), given, rows, scores)


def test_the_configuration_may_stand_in_param_str() -> None:
    given = drawn(4, 1, (6, 7), [90.0, 110.0, 1.0])
    settings = (
        "{'feat_stride': 16, 'scales': [1], 'ratios': [1], 'pre_nms_top_n': 20,"
        "'post_nms_top_n': 5, 'nms_thresh': 0.3, 'min_size': 9}"
    )
    rows, scores = wanted(SQUARE, 16, (20, 5), 0.3, 9, True, given)
    assert len(rows) == 5
    check(net(1, (6, 7), "Python", PYTHON % settings), given, rows, scores)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("pre_nms_top_n", "-1", "a whole number of at least 0"),
        ("post_nms_top_n", "1.5", "a whole number of at least 0"),
        ("post_nms_top_n", "9" * 30, "a whole number of at least 0"),
        ("nms_thresh", "1.5", "a number from 0 to 1"),
        ("nms_thresh", ".nan", "a number from 0 to 1"),
        ("min_size", "true", "a number of at least 0"),
    ],
)
def test_what_the_configuration_cannot_be(name: str, value: str, expected: str) -> None:
    source = net(9, (3, 4), "Python", PYTHON % f"{{'feat_stride': 16, '{name}': {value}}}").source
    (found,) = api.validate(source)
    assert name in found.message and found.message.endswith(f"; expected {expected}")


@pytest.mark.parametrize("value", ["0", "16.0", "true", "a", "1000000", "9" * 30])
def test_the_stride_of_the_layer_in_python(value: str) -> None:
    source = net(9, (3, 4), "Python", PYTHON % f"'feat_stride': {value}").source
    (found,) = api.validate(source)
    assert "; expected a whole number of at least 1" in found.message


def test_optimisation_changes_nothing() -> None:
    given = drawn(3, 3, (5, 6), [70.0, 90.0, 1.0])
    graph = net(3, (5, 6), "Python", PYTHON % "{'feat_stride': 12, 'scales': [2]}")
    data = convert(graph, Conversion()).model.SerializeToString()
    results = []
    for level in ("ORT_DISABLE_ALL", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
        results.append(session.run(None, given))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """py-faster-rcnn takes all boxes where its configuration has 0."""
    monkeypatch.setattr(ProposalLayer, "pre_nms_top_n", 0)
    monkeypatch.setattr(ProposalLayer, "post_nms_top_n", 0)
    given = drawn(5, 3, (12, 14), [140.0, 170.0, 0.2])
    graph = net(3, (12, 14), "Python", PYTHON % "{'feat_stride': 12, 'scales': [2]}")
    rows, scores = wanted(THREE, 12, (9999, 9999), 0.7, 16, True, given)
    assert len(rows) > 300
    check(graph, given, rows, scores)


def test_verify_knows_that_nearly_equal_scores_may_change_places() -> None:
    text = """
    layer { name: "i" type: "Input" top: "s" top: "t" input_param {
            shape { dim: [1, 18, 5, 6] } shape { dim: [1, 18, 5, 6] } } }
    layer { name: "j" type: "Input" top: "o" input_param { shape { dim: [1, 36, 5, 6] } } }
    layer { name: "k" type: "Input" top: "m" input_param { shape { dim: [1, 3] } } }
    layer { name: "e" type: "Eltwise" bottom: "s" bottom: "t" top: "e"
            eltwise_param { coeff: [1, %s] } }
    layer { name: "p" type: "Python" bottom: "e" bottom: "o" bottom: "m" top: "p" """
    text += PYTHON % "'feat_stride': 16" + " }"
    random = np.random.default_rng(0)
    values = {
        "s": 0.5 + 6e-8 * random.permutation(540).reshape(1, 18, 5, 6).astype(f32),
        "t": random.normal(size=(1, 18, 5, 6)).astype(f32),
        "o": random.normal(size=(1, 36, 5, 6)).astype(f32),
        "m": np.array([[80, 96, 1]], f32),
    }
    net, other = (api.load(Source((text % factor).encode())) for factor in ("0", "1e-6"))
    assert not np.array_equal(api.run(net, values)["p"], api.run(other, values)["p"])
    assert verify(net, api.to_onnx(other), values).agrees
