"""The options of ``convert`` for preprocessing and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from prototxt_gen.passes.resizing import MOST

F = TypeVar("F", bound=Callable[..., Any])
#: The options that change pictures.
_DOES = {
    *("preprocess", "preprocess_from", "mean", "scale"),
    *("channel_order", "input_type", "layout", "resize"),
}


class MeanFile(click.ParamType):  # type: ignore[type-arg]
    """Numbers separated by commas, or a file."""

    name = "mean"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[float] | str:
        """The numbers as a list, else the path."""
        if isinstance(value, list):
            return value
        try:
            return [float(item) for item in str(value).split(",")]
        except ValueError:
            return str(value)


class Size(click.ParamType):  # type: ignore[type-arg]
    """One number, or height and width."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """The height and width."""
        if isinstance(value, list):
            return value
        items = [item.strip() for item in str(value).split(",")]
        sides = [
            int(one) if one.isascii() and one.isdigit() and len(one) < 6 else 0 for one in items
        ]
        if len(sides) > _SIDES or not all(1 <= side <= MOST for side in sides):
            self.fail(f"{value!r}: expected N, or H,W, each from 1 to {MOST}", param, ctx)
        return sides * 2 if len(sides) == 1 else sides


_SIDES = 2
_OPTIONS = (
    click.option(
        "--preprocess",
        type=click.Choice(["auto"]),
        help="Put preprocessing into the model: auto takes the transform (mean, scale, crop) of "
        "the data layers that become inputs.",
    ),
    click.option(
        "--preprocess-from",
        metavar="FILE",
        help="Take the transform from the data layer for tests of another net, such as "
        "train_val.prototxt.",
    ),
    click.option(
        "--mean",
        type=MeanFile(),
        metavar="FILE|N,...",
        help="Subtract a mean in the model: a binaryproto, a .npy, or a number for each channel "
        "in the net's order (blue, green, red).",
    ),
    click.option("--scale", type=float, metavar="N", help="Multiply in the model, after the mean."),
    click.option(
        "--channel-order",
        type=click.Choice(["bgr", "rgb"]),
        help="The channels that the model takes; bgr is as the net does. [default: bgr]",
    ),
    click.option(
        "--input-type",
        type=click.Choice(["float32", "uint8"]),
        help="The numbers that the model takes, from 0 to 255. [default: float32]",
    ),
    click.option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="The axes that the model takes. [default: nchw]",
    ),
    click.option(
        "--resize",
        type=Size(),
        metavar="N|H,W",
        help="Take pictures of any height and width, and resize them in the model to exactly N x N "
        "or H x W, linearly, as Caffe's tools do by cv::resize (torchvision's Resize(N) keeps the "
        "ratio of the sides). The middle of that is cropped where the net takes less.",
    ),
    click.option(
        "--image-input",
        metavar="NAME",
        help="The input to preprocess. [default: the one that is a picture]",
    ),
    click.option(
        "--labels",
        metavar="FILE",
        help="Keep the names of the classes in the model: one on each line, synset_words.txt, or "
        "a labelmap.",
    ),
)


def need_sense(options: Mapping[str, Any]) -> None:
    """Raise UsageError for options that do not go together, by the names they have here."""
    given = {name for name, value in options.items() if value is not None}
    if {"preprocess", "preprocess_from"} <= given:
        raise click.UsageError("--preprocess and --preprocess-from: expected one of them")
    if "image_input" in given and not given & _DOES:
        raise click.UsageError("--image-input names the input to preprocess; nothing says how")


def preprocess_options(command: F) -> F:
    """The options, which have the names of those of ``api.convert``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
