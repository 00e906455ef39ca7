"""``resnet-proto report``: one page about a net, or about what is different between two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from prototxt_gen.cli.layer_names import map_option, use_names
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
from prototxt_gen.reading import is_onnx, is_text

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State

F = TypeVar("F", bound=Callable[..., object])
Shapes = Mapping[str, tuple[int, ...]]
_CAFFES = {"phase", "stages", "level", "dialect"}  #: options that an ONNX model has no use for


def page_options(command: F) -> F:
    """The options of a command that makes a page."""
    blocks = click.option(
        "--blocks/--no-blocks",
        default=None,
        help="Draw equal units that follow each other once, or each. [default: once, if the net "
        "has more than 400 layers]",
    )
    structure = click.option(
        "--structure",
        is_flag=True,
        help="Compare two nets but for the names of layers and blobs.",
    )
    compare = click.option(
        "--compare",
        is_flag=True,
        help="Compare with the net of the second file also if it is a caffemodel.",
    )
    for option in (
        plugin_option,
        dialect_option,
        input_shape_option,
        state_options,
        map_option,
        blocks,
        structure,
        compare,
    ):
        command = option(command)
    return command


@click.command("report", short_help="Write one page about a net, or two side by side: HTML.")
@click.argument("net", metavar="NET")
@click.argument("second", metavar="[WEIGHTS|OTHER]", required=False)
@output_option
@page_options
def command(net: str, second: str | None, output: str, **options: Any) -> int:
    """Write a page about NET, a prototxt, a caffemodel or an ONNX model, with its WEIGHTS.

    The page is one HTML file that needs no network: the net as a picture to move, zoom and search,
    its layers with parameters, shapes, cost and text, what validate finds, the spread of the
    weights, and what becomes of each layer in a conversion to ONNX, or became of it if NET is an
    ONNX model. Without Graphviz (pip install 'resnet-proto[draw]') it has no picture.

    If the second file is a prototxt or an ONNX model, the page is about NET and this OTHER net
    side by side: what diff finds, marked in both pictures and listed with the values of both, and
    the totals of both.

    \b
    resnet-proto report deploy.prototxt net.caffemodel -o report.html
    resnet-proto gen resnet50 | resnet-proto report - -o resnet50.html
    resnet-proto report plain34.prototxt resnet34.prototxt -o both.html
    """
    need_own_files([net, second], [output])
    write_output(output, page(net, second, **options))
    return 0


def page(
    net: str,
    second: str | None,
    *,
    compare: bool,
    structure: bool,
    blocks: bool | None,
    names: tuple[str, ...],
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> bytes:
    """The page about a net, with its weights, or about two nets."""
    given = dict(input_shapes)
    if compare and second is None:
        raise click.UsageError("--compare needs a second file")
    if second is not None and (compare or is_onnx(second) or is_text(second)):
        refuse({"names"}, "is for a net and its WEIGHTS, and these are two nets")
        return _page_of_two((net, second), structure, blocks, state, given, dialect)
    refuse({"structure"}, "is for two nets; expected a second prototxt or ONNX model, or --compare")
    return _page_of_one(net, second, names, blocks, state, given, dialect)


def _page_of_one(
    net: str,
    weights: str | None,
    names: tuple[str, ...],
    blocks: bool | None,
    state: State,
    given: Shapes,
    dialect: str | None,
) -> bytes:
    from prototxt_gen import api
    from prototxt_gen.lint.settings import Configured, Settings
    from prototxt_gen.report.data import Asked, report
    from prototxt_gen.report.page import as_html

    if is_onnx(net):
        if weights is not None:
            raise click.UsageError(f"WEIGHTS is for a Caffe net, and {net} is none")
        refuse({*_CAFFES, "names"}, f"is for a Caffe net, and {net} is none")
        lifted = api.from_onnx(net, input_shapes=given)
        asked = Asked(net, changes=lifted.changes, blocks=blocks)
        return as_html(report(lifted.graph, asked))
    graph = api.read_caffe(net, weights, state=state, dialect=dialect)
    use_names(graph, names, given)
    if graph.source is not None:
        settings = Configured({} if dialect is None else {"dialect": dialect}).of(net)
    else:
        settings = Settings(dialect=dialect)
    asked = Asked(_named(net), weights, state.phase, given, settings, None, blocks)
    return as_html(report(graph, asked))


def _page_of_two(
    files: tuple[str, str],
    structure: bool,
    blocks: bool | None,
    state: State,
    given: Shapes,
    dialect: str | None,
) -> bytes:
    from prototxt_gen import api
    from prototxt_gen.report.page import as_pair_html
    from prototxt_gen.report.pair import Asked, pair

    if files == ("-", "-"):
        raise click.UsageError("both nets are standard input; expected a file")
    models = [is_onnx(file) for file in files]
    if all(models):
        refuse(_CAFFES, f"is for a Caffe net, and neither {files[0]} nor {files[1]} is one")
    graphs = [
        api.from_onnx(file, input_shapes=given).graph
        if model
        else api.read_caffe(file, state=state, dialect=dialect)
        for file, model in zip(files, models, strict=True)
    ]
    used = None if all(models) else state
    asked = Asked(
        (_named(files[0]), _named(files[1])), used, {} if all(models) else given, structure, blocks
    )
    return as_pair_html(pair(graphs[0], graphs[1], asked))


def _named(file: str) -> str:
    return "standard input" if file == "-" else file
