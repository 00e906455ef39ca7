"""Heads of YOLO against a formulation in loops, box by box and class by class, as the forks'
C++ has them (yolo_detection_output_layer.cpp, yolov3_detection_output_layer.cpp, region_ref.c)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.layers.yolo import YoloDetectionOutput
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options
from prototxt_gen.verify import verify_export

Array = np.ndarray[Any, np.dtype[Any]]
F = np.float32


class Asked(NamedTuple):
    """A head: the sides of its maps, and its parameters."""

    version: int
    sides: tuple[int, ...]
    classes: int
    boxes: int
    biases: list[float]
    least: float
    overlap: float
    mask: tuple[int, ...] = ()
    scales: tuple[int, ...] = ()
    images: int = 1

    @property
    def text(self) -> str:
        inputs = "".join(
            f'input: "m{i}" input_shape {{ dim: {[self.images, self.channels, side, side]} }}\n'
            for i, side in enumerate(self.sides)
        )
        bottoms = " ".join(f'bottom: "m{i}"' for i in range(len(self.sides)))
        more = ""
        if self.version == 3:
            more = (
                f"mask: {list(self.mask)} anchors_scale: {list(self.scales)} "
                f"mask_group_num: {len(self.sides)}"
            )
        which = "v3" if self.version == 3 else ""
        return (
            f'{inputs}layer {{ name: "d" type: "Yolo{which}DetectionOutput" {bottoms} top: "d" '
            f"yolo{which}_detection_output_param {{ num_classes: {self.classes} "
            f"num_box: {self.boxes} biases: {self.biases} confidence_threshold: {self.least} "
            f"nms_threshold: {self.overlap} {more} }} }}"
        )

    @property
    def channels(self) -> int:
        return self.boxes * (5 + self.classes)

    def maps(self, seed: int, spread: float = 1) -> dict[str, Array]:
        random = np.random.default_rng(seed)
        return {
            f"m{i}": random.normal(
                scale=spread, size=(self.images, self.channels, side, side)
            ).astype(F)
            for i, side in enumerate(self.sides)
        }


ANCHORS = [0.6, 0.8, 1.5, 1.1, 2.2, 2.9]
PIXELS = [10, 14, 23, 27, 37, 58, 81, 82]
SECOND = Asked(2, (4,), 3, 3, ANCHORS, 0.2, 0.45)
THIRD = Asked(3, (3, 6), 4, 2, PIXELS, 0.3, 0.45, (2, 3, 0, 1), (32, 16))
HEADS = [
    SECOND,
    SECOND._replace(sides=(4, 7), overlap=0.2),
    SECOND._replace(classes=1, least=0.5),
    SECOND._replace(least=0.999),
    SECOND._replace(overlap=0),
    SECOND._replace(overlap=1.5, sides=(2,)),
    SECOND._replace(least=-1, overlap=0.7),
    THIRD,
    THIRD._replace(overlap=0.1, least=0.1),
    THIRD._replace(sides=(5,), mask=(3, 0), scales=(8,)),
    THIRD._replace(least=0.99999),
    # One anchor more in the mask than boxes: the second map begins behind it.
    THIRD._replace(mask=(2, 3, 0, 1, 0, 2)),
    THIRD._replace(classes=1, overlap=1.2, sides=(2, 4)),
]


def sigmoid(x: Any) -> Any:
    return F(1 / (1 + math.exp(-x)))


def in_loops(asked: Asked, maps: dict[str, Array]) -> list[tuple[Any, ...]]:
    found = []
    skipped = 0
    for t, side in enumerate(asked.sides):
        x = maps[f"m{t}"][0]
        for row in range(side):
            for column in range(side):
                for n in range(asked.boxes):
                    of = x[n * (5 + asked.classes) :, row, column]
                    anchor, size = n, side
                    if asked.version == 3:
                        anchor, size = asked.mask[skipped + n], side * asked.scales[t]
                    box = (
                        (column + sigmoid(of[0])) / F(side),
                        (row + sigmoid(of[1])) / F(side),
                        F(math.exp(of[2])) * F(asked.biases[2 * anchor]) / F(size),
                        F(math.exp(of[3])) * F(asked.biases[2 * anchor + 1]) / F(size),
                    )
                    found += scored(asked, of[4:], box)
        skipped += len(asked.mask) // len(asked.sides)
    found.sort(key=lambda one: -one[1])
    kept: list[Any] = []
    for one in found:
        if not any(shared(one[2], other[2]) >= F(asked.overlap) for other in kept):
            kept.append(one)
    rows = []
    for label, score, (x, y, w, h) in kept:
        rows.append((0, label + 1, score, x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return rows or [(0, *[-1] * 6)]


def scored(asked: Asked, of: Array, box: tuple[Any, ...]) -> list[Any]:
    thing = sigmoid(of[0])
    classes = of[1 : 1 + asked.classes]
    if asked.version == 3:
        scores = [thing * sigmoid(one) for one in classes]
        return [(c, s, box) for c, s in enumerate(scores) if s > F(asked.least)]
    parts = [math.exp(one - max(classes)) for one in classes]
    best = int(np.argmax(classes))
    score = thing * F(parts[best] / sum(parts))
    return [(best, score, box)] if score >= F(asked.least) else []


def shared(a: tuple[Any, ...], b: tuple[Any, ...]) -> Any:
    sides = [
        min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2)
        - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)
        for i in (0, 1)
    ]
    area = 0 if min(sides) < 0 else sides[0] * sides[1]
    return area / (a[2] * a[3] + b[2] * b[3] - area)


def graph(asked: Asked) -> Any:
    return api.load(Source(asked.text.encode()))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("asked", HEADS, ids=map(str, range(len(HEADS))))
def test_the_reference_and_onnx_find_what_the_loops_find(asked: Asked, seed: int) -> None:
    maps = asked.maps(seed, 1.5)
    wanted = np.array(in_loops(asked, maps), F)[None, None]
    ours = api.run(graph(asked), maps)["d"]
    np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-5)
    for opset in (11, 17):
        made = convert(graph(asked), Conversion(Options(opset)))
        theirs = run_onnx(made.model.SerializeToString(), maps)["d"]
        np.testing.assert_allclose(theirs, wanted, rtol=1e-4, atol=1e-5)


def test_the_heads_find_none_one_and_many() -> None:
    numbers = [len(in_loops(asked, asked.maps(0, 1.5))) for asked in HEADS]
    assert min(numbers) == 1 and max(numbers) > 20
    assert in_loops(HEADS[3], HEADS[3].maps(0, 1.5))[0][1] == -1
    labels = {row[1] for row in in_loops(THIRD, THIRD.maps(0, 1.5))}
    assert labels == {1, 2, 3, 4}


def test_a_score_that_equals_the_threshold_is_enough_in_the_second_version_alone() -> None:
    """With a map of zeros, scores are 1/2 of 1/2, and all boxes of a pixel have its centre."""
    for version, rows in ((2, 4), (3, 1)):
        asked = SECOND if version == 2 else THIRD._replace(sides=(2,), mask=(0, 1), scales=(8,))
        asked = asked._replace(sides=(2,), classes=2 if version == 2 else 1, least=0.25)
        asked = asked._replace(boxes=1, biases=ANCHORS[:4])
        maps = {"m0": np.zeros((1, asked.channels, 2, 2), F)}
        ours = api.run(graph(asked), maps)["d"]
        theirs = run_onnx(convert(graph(asked), Conversion()).model.SerializeToString(), maps)["d"]
        assert ours.shape == theirs.shape == (1, 1, rows, 7)
        assert (ours[..., 1] == (1 if version == 2 else -1)).all()


def test_what_the_forks_read_differently_is_refused() -> None:
    for asked, reason in (
        (SECOND._replace(images=2), "expected one image"),
        (THIRD._replace(overlap=0.995), "one box may be found in several classes"),
    ):
        with pytest.raises(UnsupportedError, match=reason) as caught:
            convert(graph(asked), Conversion())
        assert caught.value.diagnostics
        with pytest.raises(UnsupportedError, match=reason):
            api.run(graph(asked), asked.maps(0))
    oblong = api.load(Source(SECOND.text.replace("4, 4]", "4, 5]").encode()))
    with pytest.raises(UnsupportedError, match="the fork takes the width for the height"):
        convert(oblong, Conversion())
    with pytest.raises(UnsupportedError):
        convert(graph(SECOND), Conversion(Options(batch="dynamic")))


def test_detections_of_nearly_equal_score_may_change_places_whatever_their_labels() -> None:
    rows = np.array([[0, 2, 0.9, 1, 1, 2, 2], [0, 1, 0.8, 3, 3, 4, 4]], F)[None, None]
    layer = YoloDetectionOutput(2)
    near = rows.copy()
    near[..., 2] = 0.9
    swapped = near[:, :, ::-1]
    np.testing.assert_array_equal(layer.aligned(0, near, swapped), near)
    np.testing.assert_array_equal(layer.aligned(0, rows, rows[:, :, ::-1]), rows[:, :, ::-1])
    np.testing.assert_array_equal(layer.aligned(0, rows, rows[:, :, :1]), rows[:, :, :1])


REGION = """
input: "x" input_shape { dim: [2, 16, 3, 4] }
layer { name: "c" type: "Power" bottom: "x" top: "c" power_param { scale: 2 } }
layer { name: "r" type: "Region" bottom: "c" top: "r"
        region_param { num_classes: 3 num_box: 2 nms_threshold: 0.4 biases: [1, 2, 3, 4] } }
"""


def region_in_loops(x: Array) -> Array:
    flat = x.ravel().copy()
    images, channels, height, width = x.shape
    plane = height * width
    for image in range(images):
        for box in range(2):
            start = image * channels * plane + box * plane * 8
            for at in range(plane):
                for entry in (0, 1, 4):
                    flat[start + entry * plane + at] = sigmoid(
                        x.ravel()[start + entry * plane + at]
                    )
                own = [start + (5 + c) * plane + at for c in range(3)]
                powers = [math.exp(x.ravel()[i]) for i in own]
                for i, power in zip(own, powers, strict=True):
                    flat[i] = power / sum(powers)
    return flat.reshape(x.shape)


def test_a_region_makes_probabilities() -> None:
    x = np.random.default_rng(0).normal(size=(2, 16, 3, 4)).astype(F)
    net = api.load(Source(REGION.encode()))
    wanted = region_in_loops(2 * x)
    np.testing.assert_allclose(api.run(net, {"x": x})["r"], wanted, rtol=1e-5, atol=1e-7)
    for opset in (11, 17):
        made = convert(net, Conversion(Options(opset, batch="dynamic")))
        for images in (1, 2):
            found = run_onnx(made.model.SerializeToString(), {"x": x[:images]})["r"]
            np.testing.assert_allclose(found, wanted[:images], rtol=1e-5, atol=1e-7)


def test_a_model_may_end_before_a_region_or_a_detection() -> None:
    made = convert(api.load(Source(REGION.encode())), Conversion(detection="stop"))
    assert [value.name for value in made.skeleton.graph.output] == ["c"]
    text = THIRD.text.replace('bottom: "m0"', 'bottom: "p"') + (
        'layer { name: "p" type: "Power" bottom: "m0" top: "p" }'
    )
    first, last = text.split('layer { name: "d"')
    last, power = last.split("layer {", 1)
    whole = f'{first}layer {{{power}layer {{ name: "d"{last}'
    made = convert(api.load(Source(whole.encode())), Conversion(detection="stop"))
    assert [value.name for value in made.skeleton.graph.output] == ["p"]


@pytest.mark.parametrize("asked", [SECOND, THIRD], ids=["second", "third"])
def test_verify_proves_them(asked: Asked) -> None:
    verdict = verify_export(convert(graph(asked), Conversion()))
    assert verdict.agrees, verdict.text
