"""Which preprocessing a model gets: by options, or as a data layer's transform says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

import numpy as np

from prototxt_gen.document import Block
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.formats.binary.mean import read_mean
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.passes.deploy import Change, became
from prototxt_gen.passes.preprocessing import Kind, Layout, Order, Preprocessing
from prototxt_gen.passes.transform import Transform, by_chance, left_to_you, places, transforms_of

Array = np.ndarray[Any, np.dtype[Any]]
_IMAGE_CHANNELS = (1, 3)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options; None is what the transform says, else the usual.

    ``transforms`` are those of another net; None are those of the net itself with ``auto``.
    """

    auto: bool = False
    transforms: tuple[Transform, ...] | None = None
    mean: Array | None = None
    scale: float | None = None
    order: Order = "bgr"
    type: Kind = "float32"
    layout: Layout = "nchw"
    blob: str | None = None
    resize: tuple[int, int] | None = None  #: height and width


def known_shapes(wanted: Wanted, graph: Graph) -> dict[str, Shape]:
    """The shapes of data layers that a mean image tells, as Caffe's images are of its size."""
    found: dict[str, Shape] = {}
    for one in transforms_of(graph) if wanted.auto else ():
        mean = _mean(one, wanted)
        node = next(node for node in graph.nodes if node.source is one.block)
        try:
            shape = node.layer.shapes((), 1)[0]
        except UnsupportedError:
            continue
        if mean is None or mean.ndim != 3 or len(shape) != 4 or None not in shape:
            continue
        own = (None, mean.shape[0], *((one.crop,) * 2 if one.crop else mean.shape[1:]))
        found[one.top] = tuple(a if a is not None else b for a, b in zip(shape, own, strict=True))
    return found


def preprocessings(
    wanted: Wanted, graph: Graph, shapes: Mapping[str, Shape], *, fold: bool
) -> tuple[list[Preprocessing], list[Change]]:
    """What is done to each input of a net for inference, and what is to be said of it.

    ``graph`` is the net as it was, ``shapes`` are those of the inputs. Raises UnsupportedError
    where something does not fit.
    """
    made: list[Preprocessing] = []
    changes: list[Change] = []
    for one in _transforms(wanted, graph, shapes):
        shape = shapes[one.top]
        if len(shape) != 4 or None in shape:
            raise UnsupportedError(
                f"the input {one.top!r} is {show(shape)}; preprocessing takes N, C, H, W"
            )
        found = _fitted(one, wanted, tuple(dim or 0 for dim in shape))
        found = replace(found, fold=fold)
        changes += _remarks(one, found, own=wanted.transforms is None)
        changes += _beside(found, shapes)
        if not found.does_nothing:
            made.append(found)
    return made, changes


def _transforms(wanted: Wanted, graph: Graph, shapes: Mapping[str, Shape]) -> Iterator[Transform]:
    """The transform for each input that gets one."""
    if wanted.blob is not None and wanted.blob not in shapes:
        raise UnsupportedError(
            f"the net has no input {wanted.blob!r} to preprocess; it has {_listed(shapes)}"
        )
    if not wanted.auto and wanted.transforms is None:
        yield Transform(wanted.blob or _picture(shapes), Block())
        return
    known = transforms_of(graph) if wanted.transforms is None else list(wanted.transforms)
    fitting = [one for one in known if one.top in shapes]
    if wanted.transforms is not None and not fitting and len(known) == 1:
        fitting = [replace(known[0], top=wanted.blob or _picture(shapes))]
    if wanted.blob is not None:
        fitting = [one for one in fitting if one.top == wanted.blob]
    if not fitting and wanted.transforms is not None:
        raise UnsupportedError(
            f"the net to take the preprocessing from has no data layer for {_listed(shapes)}"
        )
    if not fitting:
        raise UnsupportedError(
            "the net has no data layer whose transform could be taken; give its train_val.prototxt "
            "with --preprocess-from, or --mean and --scale"
        )
    yield from fitting


def _picture(shapes: Mapping[str, Shape]) -> str:
    """The input that is a picture."""
    found = [name for name, s in shapes.items() if len(s) == 4 and s[1] in _IMAGE_CHANNELS]
    if len(found) != 1:
        found = found or [name for name, shape in shapes.items() if len(shape) == 4]
    if len(found) != 1:
        why = f"{_listed(found)} may be" if found else "none of its inputs is"
        raise UnsupportedError(f"which input is a picture? {why}; name one with --image-input")
    return found[0]


def _fitted(one: Transform, wanted: Wanted, shape: tuple[int, ...]) -> Preprocessing:
    """The preprocessing of a blob of a shape; raises UnsupportedError where it does not fit."""
    where = f"the input {one.top!r}, {show(shape)}"
    channels, blob = shape[1], (shape[2], shape[3])
    if wanted.order == "rgb" and channels != 3:
        raise UnsupportedError(f"{where}, has no three channels to be RGB")
    scale = one.scale if wanted.scale is None else wanted.scale
    if not isfinite(scale) or scale == 0:
        raise UnsupportedError(f"{where}: the scale is {scale}; expected a number other than 0")
    mean = _mean(one, wanted)
    means: tuple[float, ...] = one.means if wanted.mean is None else ()
    image, size = None, None if one.warps else one.size
    crop = _crop(one, wanted, blob)
    if mean is not None and mean.ndim == 1:
        means = tuple(float(value) for value in mean)
    elif mean is not None:
        image = _cropped(mean, one, crop, channels, blob, where)
        if not one.warps:
            size = _size(mean, size, where)
    if wanted.resize is not None:
        known = _known(one, size, blob, mean=image is not None)
        size = _resize(wanted.resize, known, blob, where)
    if not all(map(isfinite, means)):
        raise UnsupportedError(f"{where}: the mean has numbers that are not finite")
    if len(means) not in (0, 1, channels):
        raise UnsupportedError(
            f"{where}: the mean has {len(means)} numbers; expected 1 or {channels}"
        )
    if size is not None and size != blob:
        if crop != blob or size[0] < blob[0] or size[1] < blob[1]:
            what = f"crop_size {one.crop}" if one.crop else "no crop_size"
            raise UnsupportedError(f"{where}: its images are {_by(size)}, with {what}")
    else:
        size = crop = None
    found = Preprocessing(one.top, wanted.type, wanted.layout, wanted.order, means, image, scale)
    if wanted.resize is not None:
        return replace(found, crop=crop, resize=wanted.resize)
    return replace(found, size=size, crop=crop)


def _crop(one: Transform, wanted: Wanted, blob: tuple[int, int]) -> tuple[int, int] | None:
    """What is cropped of images that are larger: crop_size, else, by hand, what the net takes."""
    if one.crop:
        return one.crop, one.crop
    return blob if wanted.resize is not None and not one.block.fields else None


def _known(
    one: Transform, size: tuple[int, int] | None, blob: tuple[int, int], *, mean: bool
) -> tuple[tuple[int, int], str] | None:
    """The size that images have to get, and what says so; None where nothing does."""
    if one.warps:
        return blob, "its windows become"
    if size is not None:
        return size, "its mean image is" if mean else "its new_height and new_width are"
    return None if one.warped is None else (one.warped, "its resize_param has")


def _resize(
    asked: tuple[int, int],
    known: tuple[tuple[int, int], str] | None,
    blob: tuple[int, int],
    where: str,
) -> tuple[int, int]:
    """The size that images get; raises UnsupportedError where they have to have another one."""
    if asked[0] < blob[0] or asked[1] < blob[1]:
        raise UnsupportedError(
            f"{where}: --resize {_by(asked)} is smaller than {_by(blob)}, which the net takes"
        )
    if known is not None and known[0] != asked:
        raise UnsupportedError(
            f"{where}: --resize {_by(asked)}, and {known[1]} {_by(known[0])}; expected the same"
        )
    return asked


def _size(mean: Array, size: tuple[int, int] | None, where: str) -> tuple[int, int]:
    """The size of images, which is the mean's."""
    own = (int(mean.shape[1]), int(mean.shape[2]))
    if size is not None and size != own:
        raise UnsupportedError(
            f"{where}: the mean image is {_by(own)}, and its images are {_by(size)}; "
            "Caffe needs both to be the same"
        )
    return own


def _cropped(
    mean: Array,
    one: Transform,
    wanted: tuple[int, int] | None,
    channels: int,
    blob: tuple[int, int],
    where: str,
) -> Array:
    """The mean image in the size of the blob: its middle, where images are cropped."""
    own = (int(mean.shape[1]), int(mean.shape[2]))
    if mean.shape[0] != channels:
        raise UnsupportedError(f"{where}: the mean image is {_by(mean.shape)}, of other channels")
    if own == blob:
        return mean
    if wanted != blob or own[0] < blob[0] or own[1] < blob[1]:
        each = ",".join(f"{value:.6g}" for value in mean.mean(axis=(1, 2), dtype=float))
        crop = f"crop_size {one.crop} does not make" if one.crop else "no crop_size makes"
        raise UnsupportedError(
            f"{where}: the mean image is {_by(own)}, the input {_by(blob)}, and {crop} "
            f"one of the other; --preprocess-from takes that of a train_val.prototxt, "
            f"and --mean {each} is the mean of each channel"
        )
    top, left = (own[0] - blob[0]) // 2, (own[1] - blob[1]) // 2
    return np.ascontiguousarray(mean[:, top : top + blob[0], left : left + blob[1]])


def _mean(one: Transform, wanted: Wanted) -> Array | None:
    """The mean that is given, else that of the file that the transform names."""
    if wanted.mean is not None or not one.mean_file:
        return wanted.mean
    if one.means:
        raise UnsupportedError(
            f"the data layer of {one.top!r} has mean_file and mean_value; Caffe takes one of them"
        )
    for path in places(one.mean_file, one.folder):
        if path.is_file():
            return read_mean(path)
    raise UnsupportedError(
        f"the mean_file {one.mean_file!r} of {one.top!r} is not here, nor in {one.folder}; "
        "give it with --mean"
    )


def _remarks(one: Transform, found: Preprocessing, *, own: bool) -> Iterator[Change]:
    """What of the transform is in the model, and what is not."""
    name, type = (one.block.get(key, str, "") for key in ("name", "type"))
    if not name:
        return
    done = {"mean_file", "mean_value", "scale"}
    if found.crop is not None or found.resize is not None or one.warps:
        done |= {"crop_size", "new_height", "new_width"}
    if found.resize is not None and one.warped is not None:
        done.add("resize_param")
    left = left_to_you(one.block, done, warps=one.warps).removeprefix("; its transform ")
    what = became(found.blob) if own else f"it tells the transform of the input {found.blob!r}"
    has = bool(found.scale != 1 or found.mean or found.image is not None)
    has |= found.crop is not None or found.resize is not None
    what += "; its transform is in the model" if has else "; there is no transform to put in"
    if left:
        what += f", the rest {left}" if has else f"; {left.removeprefix('is ')}"
    if one.size is not None and found.resize is None:
        what += f"; --resize {one.size[0]},{one.size[1]} takes images of any size"
    yield Change(name, type, what + by_chance(one.block))


def _beside(found: Preprocessing, shapes: Mapping[str, Shape]) -> Iterator[Change]:
    """What the other inputs have to say where pictures are resized: a detector's im_info."""
    if found.resize is None:
        return
    what = f"what it says of a picture's size is of the resized one, {_by(found.resize)}"
    for name in shapes:
        if name != found.blob:
            yield Change(name, "input", what)


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"


def _by(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes))
