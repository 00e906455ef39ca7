"""``resnet-proto convert``: a Caffe net as an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    plugin_option,
    state_options,
)
from prototxt_gen.errors import UnsupportedError

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State


class BatchSize(click.ParamType):  # type: ignore[type-arg]
    """A number, or ``dynamic``."""

    name = "batch"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | str:
        """The number, or ``dynamic``."""
        if value == "dynamic" or isinstance(value, int):
            return value
        text = str(value)
        if not (text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31):
            self.fail(f"{text!r}: expected a number of 1 or more, or dynamic", param, ctx)
        return int(text)


@click.command("convert", short_help="Convert a Caffe net to ONNX.")
@click.argument("net", metavar="NET")
@click.argument("weights", required=False, metavar="[WEIGHTS]")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="The ONNX file to write; for a folder of nets, the folder to write to.",
)
@click.option("--opset", type=int, default=17, metavar="N", help="11 or later. [default: 17]")
@click.option(
    "--batch",
    type=BatchSize(),
    metavar="N|dynamic",
    help="The batch size, or dynamic to leave it free. [default: that of the net]",
)
@input_shape_option
@click.option(
    "--outputs",
    metavar="BLOB,...",
    help="The blobs to compute; layers that they do not need are left out. [default: all outputs]",
)
@click.option("--until", metavar="BLOB", help="The same as --outputs, for one blob.")
@state_options
@click.option(
    "--losses",
    type=click.Choice(["auto", "keep", "head", "drop"]),
    default="auto",
    help="Losses: auto computes them if their labels are inputs, else their head. [default: auto]",
)
@click.option("--fold/--no-fold", default=True, help="Fold BatchNorm and Scale. [default: fold]")
@click.option(
    "--weights-init",
    type=click.Choice(["fillers", "zeros", "random"]),
    help="Create weights that no file has: by the net's fillers, as zeros, or at random.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="The seed of --weights-init. [default: 0]",
)
@click.option("--external-data", is_flag=True, help="Write the weights to FILE.data.")
@click.option("--verify", is_flag=True, help="Compare the model with numpy before writing it.")
@click.option(
    "--report",
    metavar="FILE",
    help="Write a JSON report on each layer, or on each net of a folder.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    metavar="N",
    help="For a folder: how many nets to convert in parallel. [default: 1]",
)
@dialect_option
@plugin_option
def command(
    net: str,
    weights: str | None,
    output: str,
    report: str | None,
    jobs: int,
    input_shapes: Sequence[InputShape],
    outputs: str | None,
    until: str | None,
    state: State,
    dialect: str | None,
    verify: bool,
    external_data: bool,
    **options: Any,
) -> int:
    """Convert a Caffe net, NET (prototxt) and WEIGHTS (caffemodel), to an ONNX model.

    NET may be a caffemodel alone, which contains the net too. The model computes what Caffe
    computes. If any part of a net cannot be converted, it is refused with all reasons.

    If NET is a folder, FILE is a folder too: all nets in NET are converted, each with the
    caffemodel in its own folder. Models that are up to date are skipped.

    Exit code 0: converted. 1: the net, or one of the folder, cannot be converted, or --verify
    found a difference. 2: wrong usage, or a file that cannot be used.

    \b
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx --batch dynamic
    resnet-proto convert models -o onnx --jobs 4
    """
    from prototxt_gen.cli.conversion import convert_folder, convert_net
    from prototxt_gen.fleet.batch import Way

    _need_usable(options["opset"], verify)
    way = Way(options, state, dialect, verify, external_data)
    if Path(net).is_dir():
        alone = {"WEIGHTS": weights, "--outputs": outputs, "--until": until}
        for name, value in {**alone, "--input-shape": input_shapes}.items():
            if value:
                raise click.UsageError(f"{name} is for one net, and {net} is a folder")
        return convert_folder(Path(net), Path(output), report, way, jobs)
    asked_for = [*(outputs.split(",") if outputs else ()), *([until] if until else ())]
    names = tuple(dict.fromkeys(asked_for))
    more = {"outputs": names, "input_shapes": dict(input_shapes)}
    return convert_net(net, weights, output, report, replace(way, options={**options, **more}))


def _need_usable(opset: int, verify: bool) -> None:
    """Raise UsageError for options that no net can be converted with on this machine."""
    from prototxt_gen.to_onnx.convert import need_opset

    try:
        need_opset(opset)
    except UnsupportedError as error:
        raise click.UsageError(error.message) from error
    if verify and find_spec("onnxruntime") is None:
        raise click.UsageError("--verify needs onnxruntime: pip install 'resnet-proto[verify]'")
