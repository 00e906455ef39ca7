"""What a data layer does to its images, as text: the user of the input now has to do it.

The order is that of data_transformer.cpp in the TEST phase: the mean is subtracted, then the
result is scaled. Random changes that occur only in training are omitted: mirrors, distortions.
"""

from __future__ import annotations

from collections.abc import Iterator

from prototxt_gen.document import Block, Value


def left_to_you(layer: Block) -> str:
    """The transform in the ``layer`` block of a data layer; empty if there is none.

    It begins with a semicolon, to be appended to the line about the layer.
    """
    parts = [*_transform(layer.block("transform_param")), *_decoding(layer)]
    return f"; its transform is left to you: {', '.join(parts)}" if parts else ""


def _transform(params: Block) -> Iterator[str]:
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
        yield f"crop_size {crop} (from the middle)"
    for name in ("crop_h", "crop_w"):  # forks
        size = params.get(name, int, 0)
        if size:
            yield f"{name} {size}"
    yield from (name for name in ("force_color", "force_gray") if params.get(name, bool, False))
    resize = params.block("resize_param")  # SSD
    if resize.fields:
        yield f"resize_param {_shown(resize)}"


def _decoding(layer: Block) -> Iterator[str]:
    """What ImageData does to its files before anything else (image_data_layer.cpp)."""
    params = layer.block("image_data_param")
    for name in ("new_height", "new_width"):
        size = params.get(name, int, 0)
        if size:
            yield f"{name} {size}"
    if not params.get("is_color", bool, True):
        yield "is_color false"


def _shown(value: Value) -> str:
    """A value as in a prototxt, in one line."""
    if isinstance(value, Block):
        return f"{{ {' '.join(f'{field.name}: {_shown(field.value)}' for field in value)} }}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.9g}" if isinstance(value, float) else str(value)
