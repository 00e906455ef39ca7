"""``resnet-proto run``: a net on images."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.idle import need_others
from prototxt_gen.cli.layer_names import use_names, weights_options
from prototxt_gen.cli.options import (
    Decimals,
    InputShape,
    dialect_option,
    input_shape_option,
    labels_option,
    need_files,
    plugin_option,
    refuse,
    state_options,
)
from prototxt_gen.cli.output import print_changes, print_note
from prototxt_gen.reading import is_onnx

if TYPE_CHECKING:
    from prototxt_gen.graph.fillers import Init
    from prototxt_gen.graph.phase import State
    from prototxt_gen.inference.computers import Computer

#: What is taken of a folder, and what cannot be weights.
IMAGES = {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"}
IMAGES |= {".ppm", ".tif", ".tiff", ".webp"}
_OF_NETS = {"phase", "stages", "level", "dialect", "input_shapes", "names"}
_OF_NETS |= {"weights_init", "seed", "proto"}
INPUTS = IMAGES | {".npy"}


@click.command("run", short_help="Run a net on images: classes, boxes, segments.")
@click.argument("net", metavar="NET")
@click.argument("files", metavar="[WEIGHTS] INPUT...", nargs=-1, required=True)
@labels_option
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    metavar="N",
    help="How many classes. [default: 5]",
)
@click.option(
    "--threshold",
    type=float,
    default=0.5,
    metavar="SCORE",
    help="The least score of a box that is shown. [default: 0.5]",
)
@click.option(
    "--mean",
    metavar="B,G,R|FILE",
    help="What to subtract of images: a number for each channel of the input, a .binaryproto or "
    "a .npy.",
)
@click.option(
    "--scale",
    type=float,
    default=1.0,
    metavar="FACTOR",
    help="What to multiply images with, after the mean. [default: 1]",
)
@click.option(
    "--channel-order",
    "order",
    type=click.Choice(["bgr", "rgb"]),
    help="The order of the channels of images. [default: what the model says, else bgr]",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="How many images to compute at once. [default: that of NET if it is fixed, else 1]",
)
@click.option(
    "--input",
    "given",
    multiple=True,
    metavar="NAME=FILE",
    help="The values of another input, a .npy; may be repeated.",
)
@click.option(
    "--draw",
    metavar="DIR",
    help="Write pictures: boxes on each image, and the classes of pixels in colours.",
)
@click.option("--save-blobs", "blobs", metavar="DIR", help="Write each blob as a .npy file.")
@click.option(
    "--provider",
    default="CPUExecutionProvider",
    metavar="NAME",
    help="The execution provider of onnxruntime, such as CUDAExecutionProvider.",
)
@weights_options
@input_shape_option
@state_options
@dialect_option
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    net: str,
    files: tuple[str, ...],
    labels: str | None,
    top: int,
    threshold: float,
    mean: str | None,
    scale: float,
    order: Literal["bgr", "rgb"] | None,
    batch: int | None,
    given: tuple[str, ...],
    draw: str | None,
    blobs: str | None,
    provider: str,
    names: tuple[str, ...],
    weights_init: Init | None,
    seed: int,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
    as_json: bool,
) -> int:
    """Run a net on images, .npy files, or folders of them, and show what it answers.

    NET is a prototxt with WEIGHTS, or a caffemodel that holds its net, which numpy computes; or
    an ONNX model, which onnxruntime computes. An image is scaled to the size of the input. A
    .npy goes in as it is.

    A list of scores is shown as the classes with the highest, detections as boxes, a score or a
    class for each pixel as the parts of the classes, anything else as numbers.

    Exit code 0: done. 2: wrong usage, or a file that cannot be used; other images are still run.

    \b
    resnet-proto run deploy.prototxt net.caffemodel cat.jpg --mean 104,117,123 --labels words.txt
    resnet-proto run net.onnx photos --draw found --json
    """
    from prototxt_gen import api
    from prototxt_gen.cli.run_images import Session, show_all
    from prototxt_gen.formats.labels import read_labels
    from prototxt_gen.inference.computers import ModelComputer, NetComputer
    from prototxt_gen.inference.images import Preparation
    from prototxt_gen.inference.labels import labels_in

    weights, inputs = _split(net, files)
    need_files(net, weights, labels, *inputs)
    for option, number in (("--scale", scale), ("--threshold", threshold)):
        if not math.isfinite(number) or (option == "--scale" and not number):
            besides = ", not 0" if option == "--scale" else ""
            raise click.UsageError(f"{option} {number:g}: expected a finite number{besides}")
    paths = expanded(inputs)
    if all(path.lower().endswith(".npy") for path in paths):
        refuse({"mean", "scale", "order"}, "is for images; a .npy goes in as it is")
    for option, folder in (("--draw", draw), ("--save-blobs", blobs)):
        _need_folder(option, folder, paths)
    own_labels = read_labels(labels) if labels is not None else ()
    subtracted = _mean(mean)
    every = blobs is not None
    if is_onnx(net):
        refuse(_OF_NETS, f"is for a Caffe net, and {net} is none")
        computer: Computer = ModelComputer(net, provider, every=every)
    else:
        refuse({"provider"}, f"is for an ONNX model, and {net} is none")
        need_others(click.get_current_context(), {"seed": "weights_init"})
        graph = api.read_caffe(net, weights, state=state, dialect=dialect)
        use_names(graph, names, dict(input_shapes))
        made = NetComputer(graph, dict(input_shapes), every=every)
        computer = made
        if weights_init is not None:
            made.complete(weights_init, seed)
    print_changes(computer.changes)
    if computer.prepares and (mean is not None or scale != 1):
        print_note(f"{net} prepares its images itself; --mean and --scale come before that")
    session = Session(
        computer,
        Preparation(order or computer.order, subtracted, scale),
        _given(given, computer),
        own_labels or labels_in(computer.labels),
        top,
        threshold,
        Path(draw) if draw is not None else None,
        Path(blobs) if blobs is not None else None,
    )
    return show_all(session, paths, session.batch(batch), as_json=as_json)


def _split(net: str, files: Sequence[str]) -> tuple[str | None, list[str]]:
    """The weights, if there are any, and the inputs."""
    first, rest = files[0], list(files[1:])
    alone = is_onnx(net) or net.lower().endswith(".caffemodel")
    if alone or Path(first).suffix.lower() in INPUTS or os.path.isdir(first):
        return None, list(files)
    if not rest:
        raise click.UsageError(f"{net} and {first}, but no INPUT; expected an image or a .npy")
    return first, rest


def expanded(inputs: Sequence[str]) -> list[str]:
    """The files, and those of each folder that are images or .npy, by name; the rest is noted."""
    found: list[str] = []
    for path in inputs:
        if not os.path.isdir(path):
            found.append(path)
            continue
        entries = list(os.scandir(path))
        own = sorted(
            entry.path
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in INPUTS and not entry.is_dir()
        )
        if not own:
            raise click.UsageError(f"{path}: no image and no .npy in this folder")
        others = len(entries) - len(own)
        if others:
            print_note(
                f"{path}: {plural(others, 'entry')} left out, without the suffix of an image"
            )
        found += own
    return found


def _need_folder(option: str, folder: str | None, inputs: Sequence[str]) -> None:
    """Refuse a folder to write into that is a file, or holds what is read."""
    if folder is None:
        return
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise click.UsageError(f"{option} {folder}: is no folder")
    if os.path.realpath(folder) in {os.path.dirname(os.path.realpath(path)) for path in inputs}:
        raise click.UsageError(f"{option} {folder}: holds inputs; expected another folder")


def _mean(text: str | None) -> Any:
    """The mean as an array; None if there is none."""
    import numpy as np

    from prototxt_gen.formats.binary.mean import read_mean

    if text is None:
        return None
    try:
        numbers = Decimals().convert(text, None, None)
    except click.BadParameter:
        need_files(text)
        return read_mean(text)
    if not all(map(math.isfinite, numbers)):
        raise click.UsageError(f"--mean {text}: expected finite numbers")
    return np.array(numbers, np.float32)


def _given(items: Sequence[str], computer: Computer) -> dict[str, Any]:
    """The values of the inputs that do not take the images."""
    from prototxt_gen.inference.images import read_array

    found: dict[str, Any] = {}
    for item in items:
        name, equals, path = item.rpartition("=")
        if not equals or not path.lower().endswith(".npy"):
            raise click.UsageError(f"--input {item}: expected NAME=FILE.npy")
        if name not in computer.inputs:
            known = ", ".join(computer.inputs)
            raise click.UsageError(f"there is no input {name!r}; there is {known}")
        found[name] = read_array(path)
    return found
