"""Answers drawn: boxes on the picture that they are of, and maps in colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from prototxt_gen.errors import VerificationError
from prototxt_gen.inference.answers import Box
from prototxt_gen.inference.images import MISSING
from prototxt_gen.inference.labels import Labels, label

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

    Colour = tuple[int, int, int]

#: Of boxes, by class: far from each other, and from most pictures.
_COLOURS = (
    "00b050",
    "e6194b",
    "4363d8",
    "f58231",
    "911eb4",
    "00b7c4",
    "f032e6",
    "9a6324",
    "808000",
)
_LEAST = 12  #: the height of a letter


def palette() -> list[int]:
    """Red, green and blue of the 256 classes, as PASCAL VOC's segmentations have them."""
    found = []
    for index in range(256):
        rest, colour = index, [0, 0, 0]
        for bit in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= (rest >> channel & 1) << bit
            rest >>= 3
        found += colour
    return found


def drawn_map(labels: Array, size: tuple[int, int] | None) -> Any:
    """A picture whose pixels are the classes, in colours; classes from 256 on begin anew.

    ``size`` is (width, height), that of the labels where it is None.
    """
    image = _pillow().Image.fromarray((labels % 256).astype(np.uint8))
    if size is not None and image.size != size:
        image = image.resize(size, _pillow().Image.NEAREST)
    image.putpalette(palette())
    return image


def drawn_plane(plane: Array, size: tuple[int, int] | None) -> Any:
    """A plane of numbers in grey, from the least to the greatest; what is not finite is black."""
    finite = np.isfinite(plane)
    some = plane[finite].astype(np.float64)
    low, high = (float(some.min()), float(some.max())) if some.size else (0.0, 0.0)
    part = (np.where(finite, plane, low).astype(np.float64) - low) / ((high - low) or 1.0)
    image = _pillow().Image.fromarray((part * 255).round().astype(np.uint8))
    return image if size is None or image.size == size else image.resize(size)


def drawn_boxes(picture: Any, boxes: Sequence[Box], labels: Labels) -> Any:
    """A copy of a picture with boxes, the surest on top, each with its label and score."""
    pil = _pillow()
    image = picture.convert("RGB")
    pen = pil.ImageDraw.Draw(image)
    side = max(image.size)
    line = max(2, round(side / 320))
    font = _font(max(_LEAST, round(side / 45)))
    for box in reversed(boxes):
        place = corners_in(box, image.size)
        pen.rectangle(place, outline=colour_of(box.number), width=line)
    for box in reversed(boxes):
        at = corners_in(box, image.size)[:2]
        _tag(pen, _tag_of(box, labels), at, image.size, colour_of(box.number), font)
    return image


def colour_of(index: int) -> Colour:
    """The colour of a class."""
    red, green, blue = bytes.fromhex(_COLOURS[(index - 1) % len(_COLOURS)])
    return red, green, blue


def corners_in(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in pixels, in the picture and in their order."""
    last = (size[0] - 1, size[1] - 1)
    x = sorted(min(max(round(box.corners[i] * size[0]), 0), last[0]) for i in (0, 2))
    y = sorted(min(max(round(box.corners[i] * size[1]), 0), last[1]) for i in (1, 3))
    return x[0], y[0], x[1], y[1]


def _tag_of(box: Box, labels: Labels) -> str:
    name = label(labels, box.number) or str(box.number)
    shown = "".join(char if char.isprintable() else "?" for char in name)
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return f"{shown} {box.score:.2f}"


def _tag(
    pen: Any, text: str, at: tuple[int, int], size: tuple[int, int], colour: Colour, font: Any
) -> None:
    """A text on a ground of the colour: above the box, or in it where there is no place."""
    try:
        box = pen.textbbox((0, 0), text, font=font)
    except UnicodeError:  # the font of an old Pillow has Latin letters alone
        text = text.encode("latin-1", "replace").decode("latin-1")
        box = pen.textbbox((0, 0), text, font=font)
    pad = 2
    width, height = box[2] - box[0] + 2 * pad, box[3] - box[1] + 2 * pad
    left = max(0, min(at[0], size[0] - width))
    top = at[1] - height if at[1] >= height else min(at[1], size[1] - height)
    pen.rectangle((left, top, left + width - 1, top + height - 1), fill=colour)
    light = 299 * colour[0] + 587 * colour[1] + 114 * colour[2] > 150_000
    ink = (0, 0, 0) if light else (255, 255, 255)
    pen.text((left + pad - box[0], top + pad - box[1]), text, fill=ink, font=font)


def _font(size: int) -> Any:
    """A font of a height, or the only one that an old Pillow has."""
    fonts = _pillow().ImageFont
    try:
        return fonts.load_default(size)
    except TypeError:
        return fonts.load_default()


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageDraw
        import PIL.ImageFont
    except ImportError:
        raise VerificationError(MISSING) from None
    return PIL
