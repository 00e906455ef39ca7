"""Find faces with MTCNN: three Caffe nets, converted, and the cascade around them.

    python examples/mtcnn.py MODELS [--image photo.jpg] [-o faces.png]

MODELS is a folder with det1, det2 and det3, each a prototxt and a caffemodel, as published by
Zhang et al. (2016). P-Net looks at every place of a pyramid of pictures, R-Net rejects most of
what that proposes, and O-Net decides and adds five landmarks. Without an image, the people that
faces.py draws are looked at. It needs onnxruntime and OpenCV.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnxruntime
from faces import Array, Face, draw, read, write

from prototxt_gen import api
from prototxt_gen.graph.graph import Graph

#: What one answer of P-Net is about, in pixels, and the step to the next.
CELL, STRIDE = 12, 2
#: The side of the smallest face in pixels, and the factor from one scale to the next.
SMALLEST, FACTOR = 20, 0.709
THRESHOLDS = 0.6, 0.7, 0.7


class Mtcnn:
    """The three nets, and the cascade around them."""

    def __init__(self, models: Path) -> None:
        self.nets = [
            api.read_caffe(models / f"det{i}.prototxt", models / f"det{i}.caffemodel")
            for i in (1, 2, 3)
        ]
        self.r_net, self.o_net = (session(net, batch="dynamic") for net in self.nets[1:])

    def find(self, picture: Array) -> list[Face]:
        """The faces in a picture (height, width, RGB), the surest first."""
        boxes = self.propose(picture)
        moves, scores = self.r_net.run(["conv5-2", "prob1"], {"data": crops(picture, boxes, 24)})
        boxes, scores, moves = above(THRESHOLDS[1], scores[:, 1], boxes, moves)
        kept = nms(boxes, scores, 0.7, "union")
        boxes = square(moved(boxes[kept], moves[kept]))

        given = {"data": crops(picture, boxes, 48)}
        moves, points, scores = self.o_net.run(["conv6-2", "conv6-3", "prob1"], given)
        boxes, scores, moves, points = above(THRESHOLDS[2], scores[:, 1], boxes, moves, points)
        size = boxes[:, None, 2:] - boxes[:, None, :2]
        points = boxes[:, None, :2] + size * points.reshape(-1, 2, 5).transpose(0, 2, 1)
        boxes = moved(boxes, moves)
        return [Face(boxes[i], float(scores[i]), points[i]) for i in nms(boxes, scores, 0.7, "min")]

    def propose(self, picture: Array) -> Array:
        """Squares that P-Net takes for faces, at any scale."""
        found = [self.at_scale(picture, scale) for scale in scales(min(picture.shape[:2]))]
        if not found:
            return np.empty((0, 4))
        boxes, scores, moves = (np.concatenate(each) for each in zip(*found, strict=True))
        kept = nms(boxes, scores, 0.7, "union")
        return square(moved(boxes[kept], moves[kept]))

    def at_scale(self, picture: Array, scale: float) -> tuple[Array, Array, Array]:
        """The boxes of one scale with their scores, and how to move them."""
        height, width = (int(np.ceil(side * scale)) for side in picture.shape[:2])
        data = blob(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))[None]
        net = session(self.nets[0], input_shapes={"data": data.shape})
        moves, scores = net.run(["conv4-2", "prob1"], {"data": data})
        corners = STRIDE * np.indices(scores.shape[2:]).reshape(2, -1).T
        boxes = np.hstack([corners, corners + CELL]) / scale
        boxes, kept, moves = above(
            THRESHOLDS[0], scores[0, 1].ravel(), boxes, moves[0].reshape(4, -1).T
        )
        best = nms(boxes, kept, 0.5, "union")
        return boxes[best], kept[best], moves[best]


def session(net: Graph, **options: Any) -> onnxruntime.InferenceSession:
    model = api.to_onnx(net, **options).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def scales(side: int) -> Iterator[float]:
    scale = CELL / SMALLEST
    while side * scale >= CELL:
        yield scale
        scale *= FACTOR


def blob(picture: Array) -> Array:
    """What the nets expect: RGB from -1 to 1, and the width before the height, as in MATLAB."""
    return (picture.astype(np.float32).transpose(2, 1, 0) - 127.5) * 0.0078125


def crops(picture: Array, boxes: Array, side: int) -> Array:
    """What is in the boxes, at one size, and black where they leave the picture."""
    made = np.empty((len(boxes), 3, side, side), np.float32)
    height, width = picture.shape[:2]
    for into, (left, top, right, bottom) in zip(made, boxes.round().astype(int), strict=True):
        crop = np.zeros((bottom - top, right - left, 3), picture.dtype)
        y, x = np.clip([top, bottom], 0, height), np.clip([left, right], 0, width)
        crop[y[0] - top : y[1] - top, x[0] - left : x[1] - left] = picture[slice(*y), slice(*x)]
        into[:] = blob(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA))
    return made


def above(threshold: float, scores: Array, boxes: Array, *others: Array) -> list[Array]:
    kept = scores >= threshold
    return [boxes[kept], scores[kept], *(other[kept] for other in others)]


def moved(boxes: Array, by: Array) -> Array:
    """Bounding box regression: each side moved by a part of the width or height."""
    size: Array = boxes[:, 2:] - boxes[:, :2]
    result: Array = boxes + np.hstack([size, size]) * by
    return result


def square(boxes: Array) -> Array:
    """The squares around the same centres, with the longer side, of 2 pixels or more."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=2) / 2
    return np.hstack([centre - half, centre + half])


def overlap(box: Array, boxes: Array, by: Literal["union", "min"]) -> Array:
    """How much of the union of two boxes, or of the smaller one, is in both."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    both = sides.clip(0).prod(1)
    area, areas = (box[2:] - box[:2]).prod(), (boxes[:, 2:] - boxes[:, :2]).prod(1)
    part: Array = both / (area + areas - both if by == "union" else np.minimum(area, areas))
    return part


def nms(boxes: Array, scores: Array, limit: float, by: Literal["union", "min"]) -> list[int]:
    """Non-maximum suppression: the best boxes, without those that overlap a better one."""
    order, kept = np.argsort(-scores, kind="stable"), []
    while len(order):
        kept.append(int(order[0]))
        order = order[1:][overlap(boxes[order[0]], boxes[order[1:]], by) <= limit]
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description="Find faces with MTCNN.")
    parser.add_argument("models", type=Path, metavar="MODELS", help="a folder with det1 to det3")
    parser.add_argument("--image", type=Path, help="a photo; without it, faces are drawn")
    parser.add_argument(
        "-o", dest="output", type=Path, default="faces.png", help="the picture to write"
    )
    asked = parser.parse_args()
    picture = draw()[0] if asked.image is None else read(asked.image)
    for face in (found := Mtcnn(asked.models).find(picture)):
        box = ", ".join(f"{side:.0f}" for side in face.box)
        points = " ".join(f"{x:.0f},{y:.0f}" for x, y in face.landmarks)
        print(f"face at {box}: score {face.score:.3f}, landmarks {points}")
    write(asked.output, picture, found)


if __name__ == "__main__":
    main()
