"""``resnet-proto summary``: the layers of a net, and its cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from prototxt_gen.cli.idle import idle_with
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    plugin_option,
    refuse,
    state_options,
)
from prototxt_gen.cli.output import print_line, print_report
from prototxt_gen.cli.tables import form_option, print_form, print_table
from prototxt_gen.diagnostics import Severity
from prototxt_gen.reading import is_onnx

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State
    from prototxt_gen.summary import Summary

_NAMES = ("name", "type", "bottoms", "tops")  #: columns that a narrow terminal shortens
_COLUMNS = (
    "name, type, bottoms, tops, window, weights, shape, parameters, statistics, multiply-adds, "
    "share, activations, field, stride, offset"
)


class Columns(click.ParamType):  # type: ignore[type-arg]
    """Names of columns separated by commas; ``all`` stands for all of them."""

    name = "columns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """The names, each once."""
        from prototxt_gen.generate.checks import unknown
        from prototxt_gen.summary.columns import COLUMNS

        if isinstance(value, tuple):
            return value
        if value == "all":
            return tuple(COLUMNS)
        names = [name.strip() for name in str(value).split(",")]
        for name in names:
            if name not in COLUMNS:
                self.fail(unknown("column", name, list(COLUMNS)), param, ctx)
        return tuple(dict.fromkeys(names))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The columns that begin with what follows the last comma."""
        from prototxt_gen.summary.columns import COLUMNS

        done, comma, last = incomplete.rpartition(",")
        return [CompletionItem(done + comma + name) for name in COLUMNS if name.startswith(last)]


@click.command("summary", short_help="Print a net's layers, shapes, parameters and cost.")
@click.argument("net", metavar="NET")
@click.option(
    "--columns",
    type=Columns(),
    metavar="NAME,...",
    help=f"What to show of each layer: {_COLUMNS}; or all. [default: name, type, bottoms, tops, "
    "window, shape, parameters, multiply-adds, field]",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="1: a row for each stage. 2: for each unit, such as a residual block. "
    "[default: for each layer]",
)
@form_option
@state_options
@input_shape_option
@dialect_option
@plugin_option
@idle_with(columns="form=json")
def command(
    net: str,
    columns: tuple[str, ...] | None,
    depth: int | None,
    form: str | None,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> int:
    """Print NET, a prototxt, a caffemodel or an ONNX model, layer by layer, and the totals.

    Parameters are what training changes; the statistics of BatchNorm are counted separately.
    A multiply-add is a weight times a value, in convolutions, inner products and recurrent
    layers; FLOPs are twice as many. The share is that of all multiply-adds. Activations are the
    bytes of the blobs that a layer makes, as float32; at their peak only those count that a layer
    to come needs. Anything that cannot be known is shown as ? with the reason.

    The field is the receptive field: how many pixels of the input a value depends on, along the
    longest path; whole behind a global pooling or an inner product. Its stride is the distance of
    two neighbours' fields, its offset the middle of the first one, counted from the middle of the
    first pixel.

    \b
    resnet-proto summary resnet50.prototxt --depth 1
    resnet-proto summary net.caffemodel --columns name,shape,field,stride,offset
    resnet-proto summary net.onnx --columns all --format csv
    """
    from prototxt_gen import api

    model = is_onnx(net)
    if model:
        refuse({"phase", "stages", "level", "dialect"}, f"is for a Caffe net, and {net} is none")
    summary = api.summarize(
        net,
        state=None if model else state,
        input_shapes=dict(input_shapes),
        dialect=dialect,
    )
    if form == "json":
        print(json.dumps(summary.to_dict(depth), indent=2))
    else:
        _print(summary, columns, depth, form or "table")
    sys.stdout.flush()
    found = [d for d in summary.diagnostics if d.severity is not Severity.NOTE]
    print_report(found, summary.source, sys.stderr)
    return 2 if any(d.severity is Severity.ERROR for d in found) else 0


def _print(summary: Summary, columns: tuple[str, ...] | None, depth: int | None, form: str) -> None:
    from prototxt_gen.summary.columns import DEFAULT, LATE, SPARE, table, totals

    chosen = columns or DEFAULT
    made = table(summary, chosen, depth, plain=form in ("csv", "tsv"))
    if form == "table":
        spare, late = ([] if columns else [chosen.index(n) for n in some] for some in (SPARE, LATE))
        names = [index for index, name in enumerate(chosen) if name in _NAMES]
        print_table(made.heads, made.rows, made.numbers, spare, names=names, late=late)
    else:
        print_form(made, form)
        if form != "markdown":
            return
    print()
    mark = "- " if form == "markdown" else ""
    for line in totals(summary):
        print_line(mark + line)
    for row in summary.rows:
        if row.reason is not None:
            print_line(f"{mark}? {row.name}: {row.reason}")
