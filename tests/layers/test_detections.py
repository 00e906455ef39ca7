"""Detections against a formulation in loops, as detection_output_layer.cpp and bbox_util.cpp
have it, on random heads; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from to_onnx.recorded import run_onnx

from prototxt_gen import api
from prototxt_gen.diagnostics import Source
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.to_onnx.convert import Conversion, convert
from prototxt_gen.to_onnx.export import Options

Array = np.ndarray[Any, np.dtype[Any]]
Box = tuple[Any, Any, Any, Any]
F = np.float32
LEAST = F(np.finfo(np.float32).min)


@dataclass
class Asked:
    """The parameters of a head, and its sizes."""

    images: int = 1
    priors: int = 4
    classes: int = 2
    shared: bool = True
    background: int = 0
    code: str = "CORNER"
    encoded: bool = False
    keep: int | None = None
    least: float | None = None
    overlap: float | None = None
    top_k: int | None = None
    eta: float | None = None

    @property
    def text(self) -> str:
        nms = {"nms_threshold": self.overlap, "top_k": self.top_k, "eta": self.eta}
        params = {
            "num_classes": self.classes,
            "share_location": str(self.shared).lower(),
            "background_label_id": self.background,
            "code_type": self.code,
            "variance_encoded_in_target": str(self.encoded).lower(),
            "keep_top_k": self.keep,
            "confidence_threshold": self.least,
            "nms_param": f"{{ {written(nms)} }}",
        }
        places = 1 if self.shared else self.classes
        sizes = {
            "loc": (self.images, self.priors * places * 4),
            "conf": (self.images, self.priors * self.classes),
            "prior": (1, 2, self.priors * 4),
        }
        inputs = "".join(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" '
            f"input_param {{ shape {{ dim: {list(size)} }} }} }}\n"
            for name, size in sizes.items()
        )
        return (
            f'{inputs}layer {{ name: "d" type: "DetectionOutput" bottom: "loc" bottom: "conf" '
            f'bottom: "prior" top: "d" detection_output_param {{ {written(params)} }} }}'
        )


def written(fields: dict[str, object]) -> str:
    return " ".join(f"{name}: {value}" for name, value in fields.items() if value is not None)


def in_loops(asked: Asked, loc: Array, conf: Array, prior: Array) -> list[tuple[Any, ...]]:
    """The rows, box by box."""
    rows = []
    for image in range(asked.images):
        found: list[tuple[int, int]] = []
        for label in range(asked.classes):
            if label != asked.background:
                found += [
                    (label, index) for index in of_class(asked, loc, conf, prior, image, label)
                ]
        if asked.keep is not None and -1 < asked.keep < len(found):
            while len(found) > asked.keep:
                worst = 0
                for at, (label, index) in enumerate(found):
                    score, other = (
                        conf[image, i * asked.classes + c]
                        for c, i in ((label, index), found[worst])
                    )
                    if score <= other:  # the last of equal ones goes
                        worst = at
                found.pop(worst)
        for label, index in found:
            score = conf[image, index * asked.classes + label]
            rows.append((image, label, score, *box(asked, loc, prior, image, index, label)))
    if not rows:
        rows = [(image, *[-1] * 6) for image in range(asked.images)]
    return rows


def of_class(
    asked: Asked, loc: Array, conf: Array, prior: Array, image: int, label: int
) -> list[int]:
    least = LEAST if asked.least is None else F(asked.least)
    order: list[int] = []
    for index in range(asked.priors):
        score = conf[image, index * asked.classes + label]
        if score > least:
            at = len(order)
            while at and conf[image, order[at - 1] * asked.classes + label] < score:
                at -= 1
            order.insert(at, index)
    if asked.top_k is not None and asked.top_k > -1:
        order = order[: asked.top_k]
    limit = F(0.3 if asked.overlap is None else asked.overlap)
    kept: list[int] = []
    for index in order:
        own = box(asked, loc, prior, image, index, label)
        stays = True
        for other in kept:
            if not overlap(own, box(asked, loc, prior, image, other, label)) <= limit:
                stays = False
        if stays:
            kept.append(index)
            if asked.eta is not None and asked.eta < 1 and limit > 0.5:
                limit = F(limit * F(asked.eta))
    return kept


def overlap(a: Box, b: Box) -> Any:
    if b[0] > a[2] or b[2] < a[0] or b[1] > a[3] or b[3] < a[1]:
        return F(0)
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width > 0 and height > 0:
        return width * height / (area(a) + area(b) - width * height)
    return F(0)


def area(a: Box) -> Any:
    return F(0) if a[2] < a[0] or a[3] < a[1] else (a[2] - a[0]) * (a[3] - a[1])


def box(asked: Asked, loc: Array, prior: Array, image: int, index: int, label: int) -> Box:
    places = 1 if asked.shared else asked.classes
    start = (index * places + (0 if asked.shared else label)) * 4
    t = [loc[image, start + i] for i in range(4)]
    x1, y1, x2, y2 = (prior[0, 0, index * 4 + i] for i in range(4))
    if not asked.encoded:
        t = [prior[0, 1, index * 4 + i] * t[i] for i in range(4)]
    w, h = x2 - x1, y2 - y1
    if asked.code == "CORNER":
        return x1 + t[0], y1 + t[1], x2 + t[2], y2 + t[3]
    if asked.code == "CORNER_SIZE":
        return x1 + t[0] * w, y1 + t[1] * h, x2 + t[2] * w, y2 + t[3] * h
    x, y = t[0] * w + (x1 + x2) / F(2), t[1] * h + (y1 + y2) / F(2)
    w, h = np.exp(t[2]) * w, np.exp(t[3]) * h
    return x - w / F(2), y - h / F(2), x + w / F(2), y + h / F(2)


#: Halves and quarters, so that ties and overlaps of exactly a threshold are frequent.
SCORES = [0.125, 0.25, 0.25, 0.5, 0.5, 0.75, 1.0, -1.0, *map(float, ("nan", "inf", "-inf"))]


@st.composite
def heads(draw: Callable[..., Any]) -> tuple[Asked, Array, Array, Array]:
    shared = draw(st.booleans())
    asked = Asked(
        images=draw(st.integers(1, 3)),
        priors=draw(st.integers(1, 9)),
        classes=draw(st.integers(1, 4)),
        shared=shared,
        background=draw(st.sampled_from([0, 0, 1, 3, 7] if shared else [-1, 0, 1, 3])),
        code=draw(st.sampled_from(["CORNER", "CORNER_SIZE", "CENTER_SIZE"])),
        encoded=draw(st.booleans()),
        keep=draw(st.sampled_from([None, None, -1, 0, 1, 2, 5, 100])),
        least=draw(st.sampled_from([None, 0.25, 0.0, -2.0, 5.0])),
        overlap=draw(st.sampled_from([None, 0.0, 0.25, 0.5, 1.0, 2.0])),
        top_k=draw(st.sampled_from([None, None, -1, 0, 1, 3, 100])),
    )
    if (asked.overlap or 0) <= 0.5:
        asked.eta = draw(st.sampled_from([None, 0.5]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return asked, *drawn(asked, random)


def drawn(asked: Asked, random: Any) -> tuple[Array, Array, Array]:
    low = random.integers(0, 4, (asked.priors, 2)) / 4
    corners = np.concatenate([low, low + random.integers(1, 4, low.shape) / 4], axis=1)
    variances = random.choice([0.5, 1.0], (asked.priors, 4))
    prior = np.stack([corners, variances]).reshape(1, 2, -1)
    places = 1 if asked.shared else asked.classes
    # Moves of corners empty and cross some boxes.
    loc = random.integers(-3, 4, (asked.images, asked.priors * places * 4)) / 4
    if random.random() < 0.5:
        loc *= random.integers(0, 2, loc.shape)
    scores = random.choice(SCORES, (asked.images, asked.priors * asked.classes))
    return loc.astype(F), scores.astype(F), prior.astype(F)


def both(asked: Asked, loc: Array, conf: Array, prior: Array, opset: int = 17) -> list[Array]:
    """What numpy and onnxruntime find."""
    graph = api.load(Source(asked.text.encode()))
    values = {"loc": loc, "conf": conf, "prior": prior}
    model = convert(graph, Conversion(Options(opset, "dynamic"))).model
    return [api.run(graph, values)["d"], run_onnx(model.SerializeToString(), values)["d"]]


@settings(max_examples=500)
@given(heads())
def test_random_heads_find_what_loops_find(head: tuple[Asked, Array, Array, Array]) -> None:
    wanted = np.array(in_loops(*head), F).reshape(1, 1, -1, 7)
    for found in both(*head):
        assert found.dtype == F
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("opset", [11, 13, 28])
def test_larger_heads_find_what_loops_find_at_other_opsets(opset: int) -> None:
    asked = Asked(2, 60, 4, least=0.125, overlap=0.45, top_k=20, keep=30, code="CENTER_SIZE")
    loc, conf, prior = drawn(asked, np.random.default_rng(5))
    conf = np.random.default_rng(6).random(conf.shape, F)
    wanted = np.array(in_loops(asked, loc, conf, prior), F).reshape(1, 1, -1, 7)
    assert wanted.shape[2] == 60
    for found in both(asked, loc, conf, prior, opset):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


def values(conf: list[float], boxes: list[list[float]]) -> tuple[Asked, Array, Array, Array]:
    """A head of one class without background, whose boxes are these."""
    asked = Asked(1, len(conf), 1, background=3, encoded=True)
    prior = np.stack([np.array(boxes, F), np.ones((len(conf), 4), F)]).reshape(1, 2, -1)
    return asked, np.zeros((1, 4 * len(conf)), F), np.array([conf], F), prior


def test_boxes_without_area_do_not_overlap() -> None:
    flat = [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.5], [0, 0.5, 1, 0.5], [0, 0, 1, 1]]
    asked, *rest = values([0.9, 0.8, 0.7, 0.6], flat)
    asked.overlap = 0.0
    for found in both(asked, *rest):
        assert found[0, 0, :, 2].tolist() == [F(0.9), F(0.8), F(0.7), F(0.6)]


@pytest.mark.parametrize(("overlap", "found"), [(0.9375, 1), (1.0, 2), (3.0, 2)])
def test_equal_boxes_overlap_by_1_and_no_more(overlap: float, found: int) -> None:
    asked, *rest = values([0.9, 0.8], [[0.25, 0.25, 0.5, 0.75]] * 2)
    asked.overlap = overlap
    assert [len(tops[0, 0]) for tops in both(asked, *rest)] == [found] * 2


def test_crossed_boxes_do_not_overlap() -> None:
    crossed = [[0.75, 0.75, 0.25, 0.25], [0.25, 0.25, 0.75, 0.75], [0.75, 0.25, 0.25, 0.75]]
    for found in both(*values([0.9, 0.8, 0.7], crossed)):
        assert found[0, 0, :, 2].tolist() == [F(0.9), F(0.8), F(0.7)]
        assert found[0, 0, 0, 3:].tolist() == crossed[0], "the corners stay as they were"


def test_scores_that_are_no_numbers_are_never_found_and_infinity_is_first() -> None:
    apart = [[i, 0, i + 0.5, 1] for i in range(4)]
    nan, inf = float("nan"), float("inf")
    for found in both(*values([nan, 0.5, inf, -inf], apart)):
        assert found[0, 0, :, 2].tolist() == [inf, 0.5]


def test_an_eta_that_acts_is_computed_and_not_converted() -> None:
    asked = Asked(2, 12, 3, overlap=0.75, eta=0.5)
    loc, conf, prior = drawn(asked, np.random.default_rng(1))
    conf = np.random.default_rng(2).random(conf.shape, F)
    graph = api.load(Source(asked.text.encode()))
    found = api.run(graph, {"loc": loc, "conf": conf, "prior": prior})["d"]
    rows = in_loops(asked, loc, conf, prior)
    asked.eta = None
    assert len(in_loops(asked, loc, conf, prior)) > len(rows)
    np.testing.assert_allclose(found.reshape(-1, 7), np.array(rows, F), rtol=1e-6)
    with pytest.raises(UnsupportedError, match=r"eta is 0\.5"):
        convert(graph, Conversion())


@pytest.mark.parametrize("code", ["CORNER_SIZE", "CENTER_SIZE"])
def test_a_prior_without_a_width_is_refused_where_caffe_stops(code: str) -> None:
    asked, loc, conf, prior = values([0.5], [[0.5, 0, 0.5, 1]])
    asked.code = code
    graph = api.load(Source(asked.text.encode()))
    with pytest.raises(UnsupportedError, match="has no width"):
        api.run(graph, {"loc": loc, "conf": conf, "prior": prior})


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (((1, 8, 2, 1), (1, 4), (1, 2, 8)), "bottom 0 is 1x8x2x1"),
        (((1, 8), (1, 4, 1, 3), (1, 2, 8)), "bottom 1 is 1x4x1x3"),
        (((1, 8), (1, 4), (1, 1, 8)), "the priors are 1x1x8"),
        (((1, 8), (1, 4), (1, 2, 10)), "the priors are 1x2x10"),
    ],
)
def test_bottoms_of_other_sizes_are_refused(sizes: Any, said: str) -> None:
    """Caffe reads past a blob, or part of it."""
    text = "".join(
        f'input: "b{i}" input_shape {{ dim: {list(size)} }}\n' for i, size in enumerate(sizes)
    )
    text += 'layer { name: "d" type: "DetectionOutput" bottom: "b0" bottom: "b1" bottom: "b2" '
    text += 'top: "d" detection_output_param { num_classes: 2 } }'
    graph = api.load(Source(text.encode()))
    with pytest.raises(UnsupportedError, match=said):
        convert(graph, Conversion())
    with pytest.raises(UnsupportedError, match=said):
        api.run(graph, {f"b{i}": np.zeros(size, F) for i, size in enumerate(sizes)})
