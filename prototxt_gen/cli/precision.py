"""The options of ``convert`` for float16 and int8, and how much ``verify`` allows."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from prototxt_gen.precision import Asked

F = TypeVar("F", bound=Callable[..., Any])
_EXTRA = "pip install 'resnet-proto[precision]'"

_OPTIONS = (
    click.option(
        "--fp16",
        is_flag=True,
        help="Make a model in float16, but for its inputs, outputs, Softmax, normalization and "
        "detection, and compare it with that in float32.",
    ),
    click.option(
        "--int8",
        metavar="FOLDER",
        help="Make a model in int8 (QDQ), with the ranges that the images (or .npy) in a folder "
        "give, and compare it with that in float32 on them.",
    ),
    click.option(
        "--least-cosine",
        type=click.FloatRange(-1, 1),
        metavar="N",
        help="How near each output has to be to that in float32, else nothing is written. "
        "[default: 0.999 for --fp16, 0.9 for --int8]",
    ),
)
_WITHIN = (
    click.option(
        "--rtol",
        type=click.FloatRange(0),
        metavar="N",
        help="How much a value may differ, as a share of itself. [default: 0.001; for a model in "
        "float16 0.01; in int8 each blob has to have a cosine of 0.9 instead]",
    ),
    click.option(
        "--atol",
        type=click.FloatRange(0),
        metavar="N",
        help="How much a value may differ besides. [default: a share of the blob's greatest "
        "value: 0.00002; for a model in float16 0.01]",
    ),
)


def tolerance_options(command: F) -> F:
    """``--rtol`` and ``--atol``; the command gets them as ``within``."""

    @wraps(command)
    def with_tolerance(*args: Any, rtol: float | None, atol: float | None, **more: Any) -> Any:
        return command(*args, within={"rtol": rtol, "atol": atol}, **more)

    made: Any = with_tolerance
    for option in reversed(_WITHIN):
        made = option(made)
    return made  # type: ignore[no-any-return]


def precision_options(command: F) -> F:
    """``--fp16``, ``--int8`` and ``--least-cosine``; the command gets them as ``precision``."""

    @wraps(command)
    def with_precision(
        *args: Any, fp16: bool, int8: str | None, least_cosine: float | None, **more: Any
    ) -> Any:
        return command(*args, precision=_asked(fp16, int8, least_cosine), **more)

    made: Any = with_precision
    for option in reversed(_OPTIONS):
        made = option(made)
    return made  # type: ignore[no-any-return]


def taken_precision(options: dict[str, Any]) -> Asked | None:
    """The precision among the options of a fleet or of a row, which is taken out of them."""
    fp16, int8 = options.pop("fp16", False), options.pop("int8", None)
    return _asked(fp16, int8, options.pop("least_cosine", None))


def _asked(fp16: bool, int8: str | None, least: float | None) -> Asked | None:
    """The precision; None for float32. Raises UsageError for what cannot be done here."""
    if not fp16 and int8 is None:
        if least is not None:
            raise click.UsageError("--least-cosine goes with --fp16 or --int8")
        return None
    if fp16 and int8 is not None:
        raise click.UsageError("--fp16 and --int8: expected one of them")
    what = "--fp16" if fp16 else "--int8"
    if find_spec("onnxruntime") is None:
        raise click.UsageError(f"{what} needs onnxruntime: {_EXTRA}")
    images = _images(int8) if int8 is not None else []
    from prototxt_gen.precision import Asked

    return Asked("fp16" if fp16 else "int8", tuple(images), least)


def _images(folder: str) -> list[str]:
    """The images and npy files of a folder."""
    from prototxt_gen.cli.run_net import expanded

    if not os.path.isdir(folder):
        what = "is no folder" if os.path.exists(folder) else "does not exist"
        raise click.UsageError(f"--int8 {folder}: {what}; expected a folder of images")
    found = expanded([folder])
    if find_spec("PIL") is None and any(not path.lower().endswith(".npy") for path in found):
        raise click.UsageError(f"--int8 needs Pillow to read images: {_EXTRA}")
    return found
