"""What a data layer does to its images, as text: the user of the input now has to do it.

The order is that of data_transformer.cpp in the TEST phase: the mean is subtracted, then the
result is scaled. Changes by chance, such as mirrors and distortions, are named as left out: they
are for training. A field that is not known is said as it is, since it may change the numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from prototxt_gen.document import Block, Field, Value
from prototxt_gen.graph.graph import Graph
from prototxt_gen.layers.base import Instead, Role


@dataclass(frozen=True, slots=True)
class Transform:
    """The transform of a data layer's images, which are the blob ``top``.

    ``size`` is that of the images before the crop, where the layer tells it; ``warps`` tells that
    they have the size of the crop before it. ``warped`` is the size that SSD's resize_param brings
    them to, whatever their sides.
    """

    top: str
    block: Block
    mean_file: str = ""
    means: tuple[float, ...] = ()
    scale: float = 1.0
    crop: int = 0
    size: tuple[int, int] | None = None
    warps: bool = False
    warped: tuple[int, int] | None = None
    folder: Path = Path()  #: of the net


def transforms_of(graph: Graph) -> list[Transform]:
    """The transforms of the data layers, of which some may do nothing."""
    folder = Path(graph.source.path).parent if graph.source is not None else Path()
    found = []
    for node in graph.nodes:
        layer = node.layer
        if layer.role is not Role.SOURCE or layer.at_inference() is not Instead.INPUT:
            continue
        params, image = node.source.block("transform_param"), node.source.block("image_data_param")
        size = tuple(image.get(name, int, 0) for name in ("new_height", "new_width"))
        found.append(
            Transform(
                node.tops[0].blob,
                node.source,
                params.get("mean_file", str, ""),
                params.get_list("mean_value", float),
                params.get("scale", float, 1.0),
                params.get("crop_size", int, 0),
                (size[0], size[1]) if all(size) else None,
                layer.warps,
                _warped(params.block("resize_param")),
                folder,
            )
        )
    return found


def _warped(resize: Block) -> tuple[int, int] | None:
    """The height and width that WARP gives linearly (SSD's im_transforms.cpp, ApplyResize)."""
    linear = set(resize.get_list("interp_mode", str)) <= {"LINEAR"}
    linear = linear and resize.get("resize_mode", str, "WARP") == "WARP"
    size = resize.get("height", int, 0), resize.get("width", int, 0)
    return size if linear and all(size) else None


def places(mean_file: str, folder: Path) -> Iterator[Path]:
    """Where a mean may be that a net in a folder names."""
    yield Path(mean_file)
    yield folder / mean_file
    yield folder / Path(mean_file).name


#: What training does by chance, by the names of forks too.
_CHANCE = frozenset(
    [
        *("mirror", "distort_param", "expand_param", "noise_param", "scale_factors"),
        *("random_resize_param", "random_aspect_ratio_param"),
        *("rand_resize_ratio_lower", "rand_resize_ratio_upper"),
        *("vertical_stretch_lower", "vertical_stretch_upper"),
        *("horizontal_stretch_lower", "horizontal_stretch_upper"),
        *("img_rand_resize_lower", "img_rand_resize_upper"),
    ]
)
_ONE_SIZE = ("img_rand_resize_lower", "img_rand_resize_upper")  #: no chance where they are equal
_SIZES = ("crop_h", "crop_w", "crop_height", "crop_width")  #: of forks
#: What is said in other words, or changes no number of an image.
_KNOWN = frozenset(
    [
        *("mean_file", "mean_value", "scale", "crop_size", *_SIZES, "resize_param"),
        *("force_color", "force_gray", "emit_constraint", "use_gpu_transform", "random_seed"),
    ]
)


def left_to_you(layer: Block, done: Collection[str] = (), *, warps: bool = False) -> str:
    """The transform in the ``layer`` block of a data layer; empty if there is none.

    It begins with a semicolon, to be appended to the line about the layer. What is ``done``
    elsewhere, by the names of fields, is left out. ``warps`` is the layer's.
    """
    params = layer.block("transform_param")
    parts = [*_transform(params, warps=warps), *_others(params), *_decoding(layer)]
    parts = [part for part in parts if part.split()[0] not in done]
    return f"; its transform is left to you: {', '.join(parts)}" if parts else ""


def by_chance(layer: Block) -> str:
    """What a data layer changes by chance, as left out; begins with a semicolon, or is empty."""
    params = layer.block("transform_param")
    names = dict.fromkeys(field.name for field in _told(params) if _is_chance(field.name, params))
    verbs = ("are", "they are") if len(names) > 1 else ("is", "it is")
    return f"; {', '.join(names)} {verbs[0]} left out: {verbs[1]} for training" if names else ""


def _told(params: Block) -> Iterator[Field]:
    """The fields that say more than their default."""
    kind = params.type
    for field in params:
        default = None if kind is None else kind.default(field.name)
        if field.value != default and field.value not in (False, 0):
            yield field


def _is_chance(name: str, params: Block) -> bool:
    if name in _ONE_SIZE:
        least, most = (params.get(one, int, 0) for one in _ONE_SIZE)
        return least != most
    return name in _CHANCE


def _transform(params: Block, *, warps: bool) -> Iterator[str]:
    mean_file = params.get("mean_file", str, "")
    if mean_file:
        yield f"mean_file {mean_file!r}"
    means = params.get_list("mean_value", float)
    if any(means):
        yield f"mean_value {', '.join(f'{mean:.9g}' for mean in means)}"
    scale = params.get("scale", float, 1.0)
    if scale != 1:
        yield f"scale {scale:.9g}"
    crop = params.get("crop_size", int, 0)
    if crop:
        yield f"crop_size {crop} ({'windows are warped to it' if warps else 'from the middle'})"
    for name in _SIZES:
        size = params.get(name, int, 0)
        if size:
            yield f"{name} {size}"
    yield from (name for name in ("force_color", "force_gray") if params.get(name, bool, False))
    resize = params.block("resize_param")  # SSD
    if resize.fields:
        yield f"resize_param {_shown(resize)}"


def _others(params: Block) -> Iterator[str]:
    """What else there is, of forks, as it is written."""
    for field in _told(params):
        if field.name not in _KNOWN and not _is_chance(field.name, params):
            yield field.name + ("" if field.value is True else f" {_shown(field.value)}")


def _decoding(layer: Block) -> Iterator[str]:
    """What ImageData and WindowData do to their files before anything else."""
    params = layer.block("image_data_param")
    for name in ("new_height", "new_width"):
        size = params.get(name, int, 0)
        if size:
            yield f"{name} {size}"
    if not params.get("is_color", bool, True):
        yield "is_color false"
    windows = layer.block("window_data_param")
    pad = windows.get("context_pad", int, 0)
    if pad:
        yield f"context_pad {pad}"
    if windows.get("crop_mode", str, "warp") != "warp":
        yield f"crop_mode {windows.get('crop_mode', str, '')!r}"


def _shown(value: Value) -> str:
    """A value as in a prototxt, in one line."""
    if isinstance(value, Block):
        return f"{{ {' '.join(f'{field.name}: {_shown(field.value)}' for field in value)} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9g}" if isinstance(value, float) else str(value)
