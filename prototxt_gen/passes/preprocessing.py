"""What is done to a picture before it is what a net takes, as Caffe's DataTransformer does it.

The order is that of data_transformer.cpp in the TEST phase: the middle is cropped, the mean,
cropped likewise, is subtracted, and the difference is scaled. Before that, numbers become
floats, channels the second axis, pictures get another size (``passes.resizing``), and red, green,
blue become the net's blue, green, red.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from prototxt_gen._numpy import np
from prototxt_gen.errors import VerificationError
from prototxt_gen.passes.resizing import resized

if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]

Kind = Literal["float32", "uint8"]
Layout = Literal["nchw", "nhwc"]
Order = Literal["bgr", "rgb"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From the picture that a model takes to the blob of a net; by default nothing is done.

    ``mean`` has one number, or one for each channel of the net; ``image`` is a mean of the
    blob's own channels, height and width instead. ``crop`` is the height and width of the blob
    where the picture's are ``size``, which is larger. With ``resize`` pictures may have any height
    and width, and get these, of which ``crop`` may be the middle; there is no ``size`` then.
    """

    blob: str
    type: Kind = "float32"
    layout: Layout = "nchw"
    order: Order = "bgr"  #: of the picture; bgr stands for the net's own
    mean: tuple[float, ...] = ()
    image: Array | None = field(default=None, compare=False, repr=False)
    scale: float = 1.0
    size: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None
    fold: bool = True  #: whether a convolution may do some of it by its weights
    resize: tuple[int, int] | None = None

    @property
    def does_nothing(self) -> bool:
        """Whether the picture is the blob."""
        return self == Preprocessing(self.blob, fold=self.fold) and self.image is None

    @property
    def reverses(self) -> bool:
        """Whether the channels come in the other order."""
        return self.order == "rgb"

    @property
    def offsets(self) -> tuple[int, int]:
        """Where the crop begins (data_transformer.cpp, h_off and w_off)."""
        whole = self.resize or self.size
        if whole is None or self.crop is None:
            return 0, 0
        return (whole[0] - self.crop[0]) // 2, (whole[1] - self.crop[1]) // 2

    def subtracted(self, channels: int) -> Array | None:
        """The mean, shaped to be subtracted from (N, C, H, W); None where there is none."""
        if self.image is not None:
            return self.image[None].astype(np.float32)
        if not any(self.mean):
            return None
        means = np.array(self.mean, np.float32)
        return np.broadcast_to(means, (channels,)).reshape(1, -1, 1, 1).copy()

    @property
    def free(self) -> tuple[str, str]:
        """The names that a model has for the height and width of pictures of any size."""
        return f"{self.blob}_height", f"{self.blob}_width"

    @property
    def sample(self) -> tuple[int, int]:
        """A height and width of pictures to try, one larger and one smaller than they become."""
        height, width = self.resize or (1, 1)
        return height * 3 // 2 + 1, max(1, width * 2 // 3)

    def outer(self, shape: Sequence[T], any_size: tuple[T, T]) -> tuple[T | int, ...]:
        """The shape of pictures, where the blob has a shape (N, C, H, W).

        ``any_size`` stands for a height and width that are free.
        """
        batch, channels, *sizes = shape
        height, width = sizes if self.size is None else self.size
        if self.resize is not None:
            height, width = any_size
        if self.layout == "nhwc":
            return batch, height, width, channels
        return batch, channels, height, width

    def inner(self, shape: Sequence[T]) -> tuple[T | int, ...]:
        """The shape of the blob, where pictures have a shape."""
        if len(shape) != 4:
            return tuple(shape)
        if self.layout == "nhwc":
            batch, height, width, channels = shape
        else:
            batch, channels, height, width = shape
        return (batch, channels, *(self.crop or self.resize or (height, width)))

    def apply(self, pictures: Array) -> Array:
        """The blob, computed with numpy."""
        x = pictures.astype(np.float32)
        if self.layout == "nhwc":
            x = x.transpose(0, 3, 1, 2)
        if self.resize is not None:
            x = resized(x, self.resize)
        if self.crop is not None:
            top, left = self.offsets
            x = x[:, :, top : top + self.crop[0], left : left + self.crop[1]]
        if self.reverses:
            x = x[:, ::-1]
        mean = self.subtracted(x.shape[1])
        if mean is not None:
            x = x - mean
        return np.ascontiguousarray(x * np.float32(self.scale) if self.scale != 1 else x)

    def as_taken(self, pictures: Array) -> Array:
        """Pictures of (N, C, H, W) in the net's order of channels, as the model takes them."""
        x = pictures[:, ::-1] if self.reverses else pictures
        x = x.transpose(0, 2, 3, 1) if self.layout == "nhwc" else x
        return np.ascontiguousarray(x, self.type)

    def words(self) -> Iterator[str]:
        """What is done, with its numbers, in order."""
        if self.type != "float32":
            yield f"{self.type} to float32"
        if self.layout == "nhwc":
            yield "NHWC to NCHW"
        if self.resize is not None:
            yield f"any size to {_by(self.resize)} (linear)"
        whole = self.resize or self.size
        if whole is not None and self.crop is not None:
            place = f"(from row {self.offsets[0]}, column {self.offsets[1]} on)"
            yield f"{_by(self.crop)} from the middle of {_by(whole)} {place}"
        if self.reverses:
            yield "RGB to BGR"
        if self.image is not None:
            each = ", ".join(f"{mean:.6g}" for mean in self.image.mean(axis=(1, 2), dtype=float))
            yield f"minus a mean image of {_by(self.image.shape)} (by channel {each})"
        elif any(self.mean):
            yield f"minus {', '.join(f'{mean:.9g}' for mean in self.mean)}"
        if self.scale != 1:
            yield f"times {self.scale:.9g}"


def held(values: Array, dtype: np.dtype[Any], name: str) -> Array:
    """Values for an input of a type of numbers; VerificationError for what it cannot hold.

    To a whole number nothing is rounded, and to float16 nothing becomes infinite.
    """
    with np.errstate(all="ignore"):
        found = values.astype(dtype)
        whole = dtype.kind in "iub"
        same = found == values if whole else np.isfinite(found) | ~np.isfinite(values)
    if not same.all():
        odd = values[~same].flat[0]
        raise VerificationError(f"the input {name!r} takes {_kind(dtype)}; found {odd:.9g}")
    return found


def _kind(dtype: np.dtype[Any]) -> str:
    """The numbers of a type, in words."""
    if dtype.kind in "iu":
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        return f"{dtype}, whole numbers from {least} to {most}"
    if dtype.kind == "b":
        return "bool, 0 or 1"
    return f"{dtype}, numbers up to {float(np.finfo(dtype).max):.6g}"


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
