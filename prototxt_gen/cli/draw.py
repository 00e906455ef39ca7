"""``resnet-proto draw``: a picture of a net."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prototxt_gen.cli.idle import idle_with
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
    from prototxt_gen.graph.graph import Graph
    from prototxt_gen.graph.phase import State

FORMS = ("svg", "png", "pdf", "dot", "mermaid", "html")


@click.command("draw", short_help="Draw a net: svg, png, pdf, dot, mermaid or html.")
@click.argument("net", metavar="NET")
@output_option
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMS),
    help="What to write. [default: by the name of FILE, else svg]",
)
@click.option("--expand", is_flag=True, help="Give each layer a box of its own.")
@click.option("--blocks", is_flag=True, help="Draw equal units that follow each other once.")
@click.option(
    "--compact",
    is_flag=True,
    help="The same with each unit as a single box, so that a deep net fits on a page.",
)
@click.option("--cost", is_flag=True, help="Show parameters and multiply-adds.")
@click.option(
    "--direction",
    type=click.Choice(["TB", "LR"]),
    default="TB",
    help="From top to bottom, or from left to right. [default: TB]",
)
@state_options
@input_shape_option
@dialect_option
@plugin_option
@idle_with(blocks="compact")
def command(
    net: str,
    output: str,
    form: str | None,
    expand: bool,
    blocks: bool,
    compact: bool,
    cost: bool,
    direction: str,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> int:
    """Draw NET, a prototxt, a caffemodel or an ONNX model.

    A layer and those that only change its values (BatchNorm, Scale, ReLU) are one box. Where
    branches part and meet again, as in a residual block, there is a frame. Edges have the shapes
    of blobs, without the batch.

    \b
    resnet-proto draw resnet50.prototxt -o resnet50.svg
    resnet-proto draw resnet152.prototxt --compact --cost -o resnet152.pdf
    resnet-proto gen resnet18 | resnet-proto draw - --format mermaid
    """
    from prototxt_gen.diagnostics import Sink
    from prototxt_gen.draw.forms import SUFFIXES, drawn
    from prototxt_gen.draw.picture import Drawing, picture
    from prototxt_gen.graph.check import check

    need_own_files([net], [output])
    known = SUFFIXES.get(Path(output).suffix.lower())
    if form is None and output != "-" and known is None:
        raise click.UsageError(
            f"-o {output}: expected a name that ends with {', '.join(SUFFIXES)}, or --format"
        )
    graph = _read(net, state, input_shapes, dialect)
    shapes = check(graph, Sink(), dict(input_shapes) if not is_onnx(net) else None)
    made = picture(graph, shapes, Drawing(expand, blocks, compact, cost, direction))
    write_output(output, drawn(made, form or known or "svg"))
    return 0


def _read(net: str, state: State, shapes: Sequence[InputShape], dialect: str | None) -> Graph:
    from prototxt_gen import api

    if is_onnx(net):
        refuse({"phase", "stages", "level", "dialect"}, f"is for a Caffe net, and {net} is none")
        return api.from_onnx(net, input_shapes=dict(shapes)).graph
    return api.read_caffe(net, state=state, dialect=dialect)
