"""Pictures as values of an input, as Caffe's tools give them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Optional

import numpy as np

from prototxt_gen._words import plural
from prototxt_gen.errors import VerificationError

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Order = Literal["bgr", "rgb"]
MISSING = "images need Pillow: pip install 'resnet-proto[image]'"
#: Forms that Pillow gives to another program, which runs what is in the file.
_PROGRAMS = frozenset({"EPS", "WMF"})


_SIXTEEN_BITS = (1 << 16) - 1


class Frame(NamedTuple):
    """What an input takes of a picture; ``last`` if its channels are the last axis."""

    channels: int
    height: Optional[int]
    width: Optional[int]
    last: bool = False


def frame_of(shape: Sequence[int | None]) -> Frame | None:
    """The frame of an input of four axes with one channel or three; None for any other."""
    if len(shape) != 4 or 0 in shape:
        return None
    if shape[1] in (1, 3):
        return Frame(shape[1] or 0, shape[2], shape[3])
    if shape[3] in (1, 3):
        return Frame(shape[3] or 0, shape[1], shape[2], last=True)
    return None


def open_picture(path: str, channels: int, forms: str = "image, .npy or .npz file") -> Any:
    """A picture of Pillow's, in RGB or grey, turned as its camera was held.

    It is what OpenCV's imread gives, and so what Caffe's tools see: of 16 bits the upper 8.
    ``forms`` is what a file may be. Raises VerificationError for what is no picture, is damaged,
    or is too large, and OSError.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise VerificationError(MISSING) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow only warns of a picture that is somewhat too large for its file.
            warnings.filterwarnings("error", ".*decompression bomb")
            with Image.open(path) as image:
                if getattr(image, "format", "") in _PROGRAMS:
                    raise ValueError(f"it is of the form {image.format}; expected png or jpg")
                turned = _of_eight_bits(ImageOps.exif_transpose(image))
                return turned.convert("L" if channels == 1 else "RGB")
    except Exception as error:  # of a damaged picture Pillow raises nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if isinstance(error, UnidentifiedImageError):
            raise VerificationError(f"{path}: is not an {forms}") from None
        words = " ".join(str(error).split()) or type(error).__name__
        raise VerificationError(f"{path}: cannot be read as an image: {words}") from error


def _of_eight_bits(image: Any) -> Any:
    """A grey picture of 16 bits in 8, which Pillow's convert would cut off at 255."""
    if image.mode == "F":
        raise ValueError("its numbers are floats; expected 8 or 16 bits, or give them as a .npy")
    if not image.mode.startswith("I"):
        return image
    from PIL import Image

    numbers = np.asarray(image)
    if numbers.min(initial=0) < 0 or numbers.max(initial=0) > _SIXTEEN_BITS:
        raise ValueError("its numbers have 32 bits; expected 8 or 16, or give them as a .npy")
    return Image.fromarray((numbers >> 8).astype(np.uint8))


def values(picture: Any, frame: Frame, order: Order = "bgr") -> Array:
    """The values of a picture, (channels, height, width), from 0 to 255, of the frame's size."""
    if frame.height is not None and frame.width is not None:
        picture = picture.resize((frame.width, frame.height))
    pixels = np.asarray(picture, np.float32).reshape(*np.shape(picture)[:2], frame.channels)
    if order == "bgr":
        pixels = pixels[:, :, ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@dataclass(frozen=True)
class Preparation:
    """What is done to the values of a picture: the mean is subtracted, then they are scaled.

    ``mean`` is (channels,) or (channels, height, width), its channels in the order of the input's.
    """

    order: Order = "bgr"
    mean: Optional[Array] = None
    scale: float = 1.0

    def prepared(self, picture: Any, frame: Frame) -> Array:
        """An image of a batch for the input."""
        found = values(picture, frame, self.order)
        if self.mean is not None:
            found = found - _fitted(self.mean, found.shape)
        if self.scale != 1:
            found = found * np.float32(self.scale)
        return found.transpose(1, 2, 0) if frame.last else found

    def need_fit(self, frame: Frame) -> None:
        """Raise VerificationError for a mean of other channels than the input's."""
        if self.mean is not None and len(self.mean) not in (1, frame.channels):
            found = f"the mean has {plural(len(self.mean), 'channel')}"
            raise VerificationError(f"{found}; the input takes {frame.channels}")


def _fitted(mean: Array, shape: tuple[int, ...]) -> Array:
    """The mean for a shape; one of another size becomes that of channels (classification.cpp)."""
    if mean.ndim == 1:
        return mean[:, None, None]
    if mean.shape[1:] == shape[1:]:
        return mean
    of_channels: Array = mean.mean((1, 2), dtype=np.float64, keepdims=True).astype(np.float32)
    return of_channels


def read_array(path: str) -> Array:
    """The numbers of an npy file, as float32; raises VerificationError and OSError."""
    from prototxt_gen.formats.binary.npz import read_npy

    with open(path, "rb") as file:
        try:
            return read_npy(file, os.fstat(file.fileno()).st_size, path)
        except ValueError as error:
            raise VerificationError(f"{path}: is no npy file of numbers: {error}") from error
