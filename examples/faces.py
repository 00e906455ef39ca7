"""Draw people with shaded ellipses, so that detectors find their faces; mtcnn.py does.

It needs OpenCV, for the files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: An ellipse a line, of a head that is 2 high: what has its colour, x (and -x), y, half the width
#: and height, how soft its edge is, how opaque it is, and how far it is bent up at its ends.
PARTS = """
long   .00  .20  .92 1.12  .08  1    0
hair   .00 -.16  .88  .94  .08  1    0
neck   .00  .95  .36  .60  .05  1    0
shade  .00  .98  .45  .30  1    .6   0
shirt  .00 2.40 1.20 1.25  .05  1    0
neck   .75  .05  .12  .22  .10  1    0
skin   .00  .05  .73  .95  .05  1    0
shade  .72  .25  .26  .80  1    .5   0
light  .00 -.35  .45  .35  1    .35  0
hair   .00 -.88  .72  .34  .15  1   -.3
shade  .30 -.12  .24  .17  1    .45  0
light  .38  .32  .20  .16  1    .25  0
hair   .31 -.30  .20  .045 .40  .9  -.5
white  .30 -.10  .14  .075 .20  1    0
iris   .30 -.10  .07  .070 .20  1    0
black  .30 -.10  .035 .035 .30  1    0
black  .30 -.165 .15  .030 .50  .8  -1
light  .00  .10  .05  .28  1    .5   0
shade  .00  .33  .20  .09  1    .5   0
black  .08  .34  .035 .025 .60  .7   0
shade  .00  .74  .22  .06  1    .4   0
lips   .00  .60  .28  .10  .30  .9   .5
white  .00  .59  .21  .045 .30  1    .7
"""
LANDMARKS = np.array([[-0.3, -0.1], [0.3, -0.1], [0, 0.27], [-0.26, 0.57], [0.26, 0.57]])
COLOURS = "shade 3c1e19 light ffebd7 white f0eeeb black 190f0f lips a54646 "
PEOPLE = [  # x, y and half the height of the head, its tilt, and colours
    (85, 110, 60, -0.05, "skin e8bea0 hair 462d1e iris 506e3c shirt 3c5a8c"),
    (210, 150, 48, 0.15, "skin 966446 hair 191414 iris 3c2314 shirt be3c3c"),
    (330, 115, 56, -0.1, "skin f0cdb4 hair a06e32 long a06e32 iris 466ea0 shirt 468250"),
    (435, 165, 40, 0.0, "skin c89673 hair 5a5a5f iris 46321e shirt d2a03c"),
]


class Face(NamedTuple):
    """A box (left, top, right, bottom), its score, and the eyes, nose and corners of the mouth."""

    box: Array
    score: float
    landmarks: Array


def draw() -> tuple[Array, list[Face]]:
    """A picture of people (height, width, RGB), and where their faces are."""
    y = np.indices((270, 500))[0]
    picture = np.stack([150 + y / 5, 185 + y / 8, 210 + y / 16], 2)
    faces = [paint(picture, *person) for person in PEOPLE]
    return picture.round().clip(0, 255).astype(np.uint8), faces


def paint(picture: Array, left: float, top: float, half: float, tilt: float, own: str) -> Face:
    """Paint a person into a picture."""
    words = iter((COLOURS + own).split())
    colours = {
        name: np.array([*bytes.fromhex(rgb)]) for name, rgb in zip(words, words, strict=True)
    }
    colours["neck"] = 0.82 * colours["skin"]
    cos, sin = half * np.cos(tilt), half * np.sin(tilt)
    turn = np.array([[cos, sin], [-sin, cos]])  # from the units of the head to pixels
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    u, v = np.moveaxis(np.stack([x - left, y - top], 2) @ np.linalg.inv(turn), 2, 0)
    below = np.ones_like(u)  # the skin, beyond which there is neither light nor shade
    for part in PARTS.strip().splitlines():
        name, *numbers = part.split()
        if name not in colours:
            continue
        at_x, at_y, width, height, soft, opaque, bend = map(float, numbers)
        for side in {at_x, -at_x}:
            far = np.hypot((u - side) / width, (v - at_y + bend * (u - side) ** 2) / height)
            mask = ((1 - far) / soft + (soft < 1) / 2).clip(0, 1) * opaque
            if name in ("skin", "neck"):
                below = mask
            elif name in ("shade", "light"):
                mask *= below
            picture += mask[..., None] * (colours[name] - picture)
    extent = np.hypot(*(turn * [[0.73], [0.95]]))
    centre = [left, top] + np.array([0, 0.05]) @ turn
    return Face(np.hstack([centre - extent, centre + extent]), 1.0, [left, top] + LANDMARKS @ turn)


def read(path: Path) -> Array:
    """The picture in a file."""
    picture: Array | None = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path}: cannot be read as an image")
    return picture[..., ::-1]


def write(path: Path, picture: Array, faces: Sequence[Face]) -> None:
    """Write a picture, twice as large, with the boxes and landmarks of faces in it."""
    shown = np.ascontiguousarray(picture[..., ::-1])
    shown = cv2.resize(shown, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for face in faces:
        left, top, right, bottom = (2 * face.box).round().astype(int).tolist()
        cv2.rectangle(shown, (left, top), (right, bottom), (0, 220, 0), 2, cv2.LINE_AA)
        cv2.rectangle(shown, (left, top - 20), (left + 56, top), (0, 220, 0), -1)
        score, font = f"{face.score:.3f}", cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(shown, score, (left + 3, top - 5), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
        for point in (2 * face.landmarks).round().astype(int).tolist():
            cv2.circle(shown, point, 4, (0, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(shown, point, 4, (0, 0, 0), 1, cv2.LINE_AA)
    if not cv2.imwrite(str(path), shown):
        raise SystemExit(f"{path}: cannot be written")
