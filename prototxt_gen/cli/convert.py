"""``resnet-proto convert``: a Caffe net as an ONNX model, or the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prototxt_gen.cli.idle import need_others
from prototxt_gen.cli.layer_names import weights_options
from prototxt_gen.cli.options import (
    FreeShape,
    InputShape,
    dialect_option,
    input_shape_option,
    plugin_option,
    refuse,
    state_options,
)
from prototxt_gen.cli.precision import precision_options
from prototxt_gen.cli.preprocess import need_sense, preprocess_options
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.from_onnx import TARGETS

#: The options for both directions, and those for an ONNX model alone.
_FOR_BOTH = {"net", "output", "to", "input_shapes", "outputs", "until", "verify", "report", "jobs"}
_FOR_BOTH |= {"proto"}  # a net in the model may be by it
#: What is said of one net, and not of a folder.
_ALONE = {"weights", "names", "weights_out", "input_shapes", "outputs", "until"}
_ALONE |= {"triton", "served"}
#: What changes nothing alone, and what it needs.
GOES_WITH = {"seed": "weights_init", "least_cosine": "fp16 int8"}
_FOR_ONNX = {"target", "weights_out", "restore"}

if TYPE_CHECKING:
    from prototxt_gen.cli.serving import Served
    from prototxt_gen.graph.phase import State
    from prototxt_gen.precision import Asked


_MOST = 2**31 - 1  #: of a size


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
        known = text.isascii() and text.isdigit() and len(text) <= len(str(_MOST))
        if not (known and 0 < int(text) <= _MOST):
            self.fail(f"{text!r}: expected 1 to {_MOST}, or dynamic", param, ctx)
        return int(text)


@click.command("convert", short_help="Convert a Caffe net to ONNX, or ONNX to Caffe.")
@click.argument("net", metavar="NET")
@click.argument("weights", required=False, metavar="[WEIGHTS]")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The ONNX file, or from ONNX the prototxt, to write; for a folder, the folder. Required "
    "without --triton.",
)
@click.option(
    "--triton",
    metavar="REPO",
    help="Instead of FILE: write the model into a repository of the Triton inference server, as "
    "the command triton does, which has options for more.",
)
@click.option("--name", "served", metavar="N", help="With --triton: the model's name there.")
@click.option(
    "--to",
    type=click.Choice(["onnx", "caffe"]),
    help="What to convert to. [default: what NET is not; for a folder with both, onnx]",
)
@click.option("--opset", type=int, default=17, metavar="N", help="11 or later. [default: 17]")
@click.option(
    "--batch",
    type=BatchSize(),
    metavar="N|dynamic",
    help="The batch size, or dynamic to leave it free. [default: that of the net]",
)
@click.option(
    "--dynamic",
    "dynamic",
    type=FreeShape(),
    multiple=True,
    metavar="NAME=N,3,H,W",
    help="Leave the named sizes of an input free, in the net's own order; numbers stay. May be "
    "repeated. A size that a layer pins is refused; which sizes the model takes is said. In a "
    "folder it is for each net that has the input; one that has none of those named is refused.",
)
@input_shape_option
@click.option(
    "--outputs",
    metavar="BLOB,...",
    help="The blobs, or from ONNX the values, to compute; what they do not need is left out. "
    "[default: all outputs]",
)
@click.option("--until", metavar="BLOB", help="The same as --outputs, for one blob.")
@state_options
@click.option(
    "--losses",
    type=click.Choice(["auto", "keep", "head", "drop"]),
    default="auto",
    help="Losses: auto computes them if their labels are inputs, else their head. [default: auto]",
)
@click.option(
    "--detection",
    type=click.Choice(["full", "stop", "trt"]),
    default="full",
    help="Detections: full has their choice in the model, stop ends it before, trt has it as "
    "TensorRT's EfficientNMS_TRT. [default: full]",
)
@click.option("--fold/--no-fold", default=True, help="Fold BatchNorm and Scale. [default: fold]")
@weights_options
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    help="From ONNX: the Caffe that will read the net. [default: that of the net that the model "
    "was made from, else bvlc]",
)
@click.option(
    "--weights-out",
    metavar="FILE",
    help="From ONNX: the caffemodel. [default: that of -o with the suffix .caffemodel]",
)
@click.option(
    "--restore/--no-restore",
    default=True,
    help="From ONNX: take the Caffe net that a model was made from, if it still fits. "
    "[default: restore]",
)
@click.option(
    "--metadata/--no-metadata",
    default=True,
    help="Keep the net in the model, for the way back. [default: metadata]",
)
@preprocess_options
@precision_options
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
    output: str | None,
    triton: str | None,
    served: str | None,
    report: str | None,
    to: str | None,
    jobs: int,
    input_shapes: Sequence[InputShape],
    dynamic: Sequence[tuple[str, tuple[int | str, ...]]],
    outputs: str | None,
    until: str | None,
    state: State,
    dialect: str | None,
    verify: bool,
    external_data: bool,
    target: str | None,
    weights_out: str | None,
    restore: bool,
    names: tuple[str, ...],
    precision: Asked | None,
    **options: Any,
) -> int:
    """Convert a Caffe net, NET (prototxt) and WEIGHTS (caffemodel), to an ONNX model.

    NET may be a caffemodel alone, which contains the net too. The model computes what Caffe
    computes. If any part of a net cannot be converted, it is refused with all reasons.

    If NET is an ONNX model, it is converted to a prototxt and a caffemodel.

    If NET is a folder, FILE is a folder too: all nets in NET are converted, each with the
    caffemodel in its own folder, or all ONNX models. What is up to date is skipped.

    With --triton REPO --name N it writes REPO/N/1/model.onnx, REPO/N/config.pbtxt and, of --labels,
    REPO/N/labels.txt; all of them or none.

    Exit code 0: converted. 1: the net, or one of the folder, cannot be converted, or --verify
    found a difference. 2: wrong usage, or a file that cannot be used.

    \b
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx
    resnet-proto convert deploy.prototxt net.caffemodel -o net.onnx --batch dynamic
    resnet-proto convert pnet.prototxt pnet.caffemodel -o pnet.onnx --dynamic data=1,3,H,W
    resnet-proto convert train_val.prototxt net.caffemodel -o net.onnx --preprocess auto
    resnet-proto convert deploy.prototxt net.caffemodel --triton models --name net --batch dynamic
    resnet-proto convert models -o onnx --jobs 4
    resnet-proto convert net.onnx -o net.prototxt
    """
    from prototxt_gen.cli.conversion import convert_folder, convert_net
    from prototxt_gen.cli.lift import lift_model
    from prototxt_gen.fleet.ways import FromOnnx, ToOnnx

    asked_for = [*(outputs.split(",") if outputs else ()), *([until] if until else ())]
    wanted = tuple(dict.fromkeys(asked_for))
    output, into = _target(output, triton, served)

    if _is_from_onnx(net, output, to):
        params = set(click.get_current_context().params)
        refuse(params - _FOR_BOTH - _FOR_ONNX, f"is for a Caffe net, and {net} is none")
        if verify:
            _need_onnxruntime()
        lifting = FromOnnx(target, restore, verify)
        if Path(net).is_dir():
            refuse(_ALONE, f"is for one net, and {net} is a folder")
            return convert_folder(Path(net), Path(output), report, lifting, jobs)
        refuse({"jobs"}, f"is for a folder, and {net} is one model")
        shapes = dict(input_shapes)
        return lift_model(net, output, weights_out, report, lifting, shapes, wanted)
    refuse(_FOR_ONNX, f"is for an ONNX model, and {net} is none")
    need_others(click.get_current_context(), GOES_WITH)
    if dynamic and options["batch"] is not None:
        raise click.UsageError("--batch and --dynamic: name the batch too, as --dynamic x=N,3,H,W")
    _need_usable(options["opset"], verify)
    need_sense(options)
    way = ToOnnx(options, state, dialect, verify, external_data, precision)
    if Path(net).is_dir():
        refuse(_ALONE, f"is for one net, and {net} is a folder")
        way = replace(way, dynamic=dict(dynamic))
        return convert_folder(Path(net), Path(output), report, way, jobs)
    refuse({"jobs"}, f"is for a folder, and {net} is one net")
    more = {"outputs": wanted, "input_shapes": dict(input_shapes), "dynamic": dict(dynamic)}
    way = replace(way, options={**options, **more})
    return convert_net(net, weights, output, report, way, names, into)


def _target(output: str | None, triton: str | None, name: str | None) -> tuple[str, Served | None]:
    """The file to write, and the repository that it is in, if it is in one."""
    if triton is None:
        if name is not None:
            raise click.UsageError("--name goes with --triton REPO")
        if output is None:
            raise click.UsageError("Missing option '-o' / '--output', or --triton REPO --name N.")
        return output, None
    from prototxt_gen.cli.serving import Served

    if output is not None:
        raise click.UsageError("-o and --triton: expected one of them")
    into = Served.of(triton, name)
    return into.places[0], into


def _is_from_onnx(net: str, output: str, to: str | None) -> bool:
    """Whether the conversion is one from ONNX; a folder is by its files, nets before models."""
    from prototxt_gen.fleet.jobs import holds_models_alone
    from prototxt_gen.reading import is_onnx

    folder = Path(net)
    if to is not None:
        if not folder.is_dir() and is_onnx(net) is (to == "onnx"):
            what = "is an ONNX model" if to == "onnx" else "is no ONNX model"
            raise click.UsageError(f"--to {to}: {net} {what}")
        return to == "caffe"
    if not folder.is_dir():
        return is_onnx(net)
    return holds_models_alone(folder, Path(output))


def _need_usable(opset: int, verify: bool) -> None:
    """Raise UsageError for options that no net can be converted with on this machine."""
    from prototxt_gen.to_onnx.convert import need_opset

    try:
        need_opset(opset)
    except UnsupportedError as error:
        raise click.UsageError(error.message) from error
    if verify:
        _need_onnxruntime()


def _need_onnxruntime() -> None:
    if find_spec("onnxruntime") is None:
        raise click.UsageError("--verify needs onnxruntime: pip install 'resnet-proto[verify]'")
