"""``resnet-proto summary``: the layers of a net, and its cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    plugin_option,
    state_options,
)
from prototxt_gen.cli.output import print_line, print_report, print_table
from prototxt_gen.diagnostics import Severity
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.summary import Row, Summary

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State

_HEADS = ("layer", "type", "bottoms", "tops", "shape", "parameters", "multiply-adds")
_LETTERS = "kMGTPEZY"
_NUMBERS = (5, 6)  #: the right-aligned columns
_SPARE = (2, 3)  #: the columns that a narrow terminal has no room for


@click.command("summary", short_help="Print a net's layers, shapes, parameters and cost.")
@click.argument("net", metavar="NET")
@state_options
@input_shape_option
@dialect_option
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    net: str,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
    as_json: bool,
) -> int:
    """Print a net layer by layer: shapes of tops, parameters, multiply-adds, and the totals.

    Parameters are what training changes; the statistics of BatchNorm are counted separately.
    A multiply-add is a weight times a value, in convolutions, inner products and recurrent
    layers. Anything that cannot be known is shown as ? with the reason.
    """
    from prototxt_gen import api

    summary = api.summarize(
        net,
        state=state,
        input_shapes=dict(input_shapes),
        dialect=dialect,
    )
    if as_json:
        print(json.dumps(summary.to_dict(), indent=2))
    else:
        _print(summary)
    sys.stdout.flush()
    found = [d for d in summary.diagnostics if d.severity is not Severity.NOTE]
    print_report(found, summary.source, sys.stderr)
    return 2 if any(d.severity is Severity.ERROR for d in found) else 0


def _print(summary: Summary) -> None:
    print_table(_HEADS, [_cells(row) for row in summary.rows], _NUMBERS, _SPARE)
    more = "" if summary.complete else " at least, without the unknown layers"
    print()
    print_line(
        f"{summary.name or 'net'}: {plural(len(summary.rows), 'layer')}, "
        f"{plural(summary.parameters, 'parameter', ',')}, "
        f"{plural(summary.statistics, 'statistic', ',')}, "
        f"{_scaled(summary.multiply_adds).strip()} multiply-adds, "
        f"{_scaled(summary.activations)}B of activations{more}"
    )
    for row in summary.rows:
        if row.reason is not None:
            print_line(f"? {row.name}: {row.reason}")


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        row.type,
        ", ".join(row.bottoms),
        ", ".join(row.tops),
        _shapes(row.shapes),
        _number(row.cost and row.cost.parameters, known=_are_known(row.weights)),
        _number(row.cost and row.cost.multiply_adds, known=_are_multiplied(row)),
    )


def _shapes(shapes: Sequence[Shape | None]) -> str:
    """The shape of the tops, given once if all have the same."""
    shown = ["?" if shape is None else show(shape) for shape in shapes]
    return shown[0] if len(set(shown)) == 1 else ", ".join(shown)


def _number(value: int | None, *, known: bool) -> str:
    if value is None or not known:
        return "?"
    return f"{value:,}" if value else ""


def _are_multiplied(row: Row) -> bool:
    """Whether the multiply-adds are known; vectors, such as those of Scale, do not count."""
    matrices = any(len(shape) > 1 for shape in row.weights or ())
    return _are_known(row.weights) and (not matrices or _are_known(row.shapes))


def _are_known(shapes: Sequence[Shape | None] | None) -> bool:
    return shapes is not None and all(s is not None and None not in s for s in shapes)


def _scaled(value: int) -> str:
    """A number in thousands, millions and so on: ``3.86 G``; ``12 `` if it is small."""
    if value < 1000:
        return f"{value} "
    power = min((len(str(value)) - 1) // 3, len(_LETTERS))
    return f"{value / 1000**power:.2f} {_LETTERS[power - 1]}"
