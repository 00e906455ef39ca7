"""``resnet-proto doctor``: whether a runtime will load a net's model, op by op."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from prototxt_gen._tables import Table
from prototxt_gen._words import plural
from prototxt_gen.cli.idle import idle_with
from prototxt_gen.cli.layer_names import map_option, use_names
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_files,
    plugin_option,
    refuse,
    state_options,
)
from prototxt_gen.cli.output import print_note
from prototxt_gen.cli.tables import form_option, print_form, print_table
from prototxt_gen.errors import UnsupportedError
from prototxt_gen.targets import NAMES

if TYPE_CHECKING:
    from onnx import ModelProto

    from prototxt_gen.graph.phase import State
    from prototxt_gen.targets.look import Finding, Report

_WORDS = {"no": "NO", "differs": "DIFFERS", "may": "may differ", "elsewhere": "on the CPU"}
_SHOWN = 3  #: layers that are named
_FOR_NETS = {
    "opset",
    "input_shapes",
    "state",
    "dialect",
    "phase",
    "stages",
    "level",
    "proto",
    "names",
}


@click.command("doctor", short_help="Tell whether a runtime will load a net, op by op.")
@click.argument("net", metavar="NET")
@click.argument("weights", required=False, metavar="[WEIGHTS]")
@click.option(
    "--target",
    "targets",
    type=click.Choice(NAMES),
    multiple=True,
    help="The runtime; may be repeated. [default: all]",
)
@click.option(
    "--opset",
    type=int,
    default=17,
    metavar="N",
    help="The opset that a Caffe net would be converted to. [default: 17]",
)
@click.option("--all", "show_all", is_flag=True, help="Show also the ops that are taken.")
@form_option
@map_option
@input_shape_option
@state_options
@dialect_option
@plugin_option
@idle_with(show_all="form=json")
def command(
    net: str,
    weights: str | None,
    targets: tuple[str, ...],
    opset: int,
    show_all: bool,
    form: str | None,
    names: tuple[str, ...],
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
) -> int:
    """Tell whether runtimes will load NET, an ONNX model or the model of a Caffe net.

    NO: the model will not load. DIFFERS: it loads, and computes something else. "may differ"
    depends on the values, or nobody has tried. WEIGHTS are not needed; without them a net is
    converted with zeros. What is said of onnxruntime, OpenVINO and OpenCV 5 is from running them;
    what is said of TensorRT and Core ML is from their documents, and was not run.

    Exit code 0: the model loads, and computes the same. 1: it does not, or the net cannot be
    converted. 2: a file that cannot be used.

    \b
    resnet-proto doctor deploy.prototxt --target tensorrt-10
    resnet-proto doctor net.onnx --target opencv-5 --target openvino --format json
    """
    from prototxt_gen.targets.facts import target
    from prototxt_gen.targets.look import look

    need_files(net, weights)
    model = _model(net, weights, names, opset, input_shapes, state, dialect)
    reports = [look(model, target(name)) for name in dict.fromkeys(targets or NAMES)]
    if form == "json":
        print(json.dumps([report.to_dict() for report in reports], indent=2))
    else:
        _print(reports, form, show_all=show_all)
    return 0 if all(report.right for report in reports) else 1


def _model(
    net: str,
    weights: str | None,
    names: tuple[str, ...],
    opset: int,
    input_shapes: Sequence[InputShape],
    state: State,
    dialect: str | None,
) -> ModelProto:
    """The model of a file, or that which a net would become."""
    from prototxt_gen import api
    from prototxt_gen.reading import is_onnx

    if is_onnx(net):
        refuse(_FOR_NETS | {"weights"}, f"is for a Caffe net, and {net} is none")
        from prototxt_gen.engines import load

        return load(net)
    from prototxt_gen.to_onnx.convert import need_opset

    try:
        need_opset(opset)
    except UnsupportedError as error:
        raise click.UsageError(error.message) from error
    graph = api.read_caffe(net, weights, state=state, dialect=dialect)
    shapes = dict(input_shapes)
    use_names(graph, names, shapes)
    made = api.convert(graph, opset=opset, input_shapes=shapes, weights_init="zeros")
    return made.skeleton


def _print(reports: Sequence[Report], form: str | None, *, show_all: bool) -> None:
    heads = ("target", "op", "nodes", "verdict", "layers", "why")
    rows = [
        (report.target.name, *_row(one))
        for report in reports
        for one in report.findings
        if show_all or one.verdict != "yes"
    ]
    if form not in (None, "table"):
        print_form(Table(heads, rows, (2,)), form or "table")
    elif rows:
        print_table(heads, rows, (2,), prose=(5,))
    for report in reports:
        print_note(_verdict(report))


def _row(one: Finding) -> tuple[str, ...]:
    layers = list(dict.fromkeys(name.rpartition("/")[0] or name for name in one.nodes))
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    why = f"{one.why}; {one.change}" if one.change else one.why
    number = str(len(one.nodes)) if one.nodes else ""
    shown = ", ".join(layers[:_SHOWN]) + more
    return (one.op, number, _WORDS.get(one.verdict, one.verdict), shown, why)


def _verdict(report: Report) -> str:
    """A line about a target as a whole."""
    target, ops = report.target, {one.op for one in report.findings if one.nodes}
    basis = f"tried with {target.tried}" if target.tried else "from its documents, not run"
    if not report.loads:
        said = "will not load it"
    elif not report.right:
        said = "loads it, and computes something else"
    elif report.sure:
        said = "loads it"
    elif report.tried:
        said = "loads it; a part may differ, by the values"
    else:
        said = "may load it: nobody has tried a part of it"
    return f"{target.title} {said} ({plural(len(ops), 'op')}, opset {report.opset}; {basis})"
