"""``resnet-proto report``: one page about a net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    output_option,
    plugin_option,
    refuse,
    state_options,
    write_output,
)
from prototxt_gen.reading import is_onnx

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State

F = TypeVar("F", bound=Callable[..., object])


def page_options(command: F) -> F:
    """The options of a command that makes a page."""
    blocks = click.option(
        "--blocks/--no-blocks",
        default=None,
        help="Draw equal units that follow each other once, or each. [default: once, if the net "
        "has more than 400 layers]",
    )
    for option in (plugin_option, dialect_option, input_shape_option, state_options, blocks):
        command = option(command)
    return command


@click.command("report", short_help="Write one page about a net, with its picture: HTML.")
@click.argument("net", metavar="NET")
@click.argument("weights", metavar="[WEIGHTS]", required=False)
@output_option
@page_options
def command(
    net: str,
    weights: str | None,
    output: str,
    blocks: bool | None,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> int:
    """Write a page about NET, a prototxt, a caffemodel or an ONNX model, with its WEIGHTS.

    The page is one HTML file that needs no network: the net as a picture to move, zoom and search,
    its layers with parameters, shapes, cost and text, what validate finds, the spread of the
    weights, and what becomes of each layer in a conversion to ONNX, or became of it if NET is an
    ONNX model. Without Graphviz (pip install 'resnet-proto[draw]') it has no picture.

    \b
    resnet-proto report deploy.prototxt net.caffemodel -o report.html
    resnet-proto gen resnet50 | resnet-proto report - -o resnet50.html
    """
    need_own_files([net, weights], [output])
    write_output(output, page(net, weights, blocks, state, input_shapes, dialect))
    return 0


def page(
    net: str,
    weights: str | None,
    blocks: bool | None,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> bytes:
    """The page about a net."""
    from prototxt_gen import api
    from prototxt_gen.lint.settings import Configured, Settings
    from prototxt_gen.report.data import Asked, report
    from prototxt_gen.report.page import as_html

    given = dict(input_shapes)
    if is_onnx(net):
        refuse(
            {"weights", "phase", "stages", "level", "dialect"},
            f"is for a Caffe net, and {net} is none",
        )
        lifted = api.from_onnx(net, input_shapes=given)
        asked = Asked(net, changes=lifted.changes, blocks=blocks)
        return as_html(report(lifted.graph, asked))
    graph = api.read_caffe(net, weights, state=state, dialect=dialect)
    if graph.source is not None:
        settings = Configured({} if dialect is None else {"dialect": dialect}).of(net)
    else:
        settings = Settings(dialect=dialect)
    return as_html(report(graph, Asked(net, weights, state.phase, given, settings, None, blocks)))
