"""``resnet-proto deploy``: turn a net for training into one for inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from prototxt_gen.cli.options import (
    InputShape,
    dialect_option,
    input_shape_option,
    need_own_files,
    output_option,
    plugin_option,
    state_options,
    write_output,
)
from prototxt_gen.cli.output import print_changes

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State


@click.command("deploy", short_help="Turn a net for training into one for inference.")
@click.argument("net", metavar="NET")
@input_shape_option
@click.option(
    "--batch",
    type=click.IntRange(1, 2**31 - 1),
    metavar="N",
    help="The batch size. [default: that of the net]",
)
@click.option(
    "--losses",
    type=click.Choice(["auto", "head", "drop"]),
    default="auto",
    help="Losses: replace them by their head, or drop them. [default: their head]",
)
@state_options
@dialect_option
@plugin_option
@output_option
def command(
    net: str,
    input_shapes: Sequence[InputShape],
    batch: int | None,
    losses: Literal["auto", "head", "drop"],
    state: State,
    dialect: str | None,
    output: str,
) -> None:
    """Write a net for inference: data layers become inputs, and losses their head.

    What only training needs is removed: labels, accuracy, fillers, learning rates, rules.
    """
    from prototxt_gen import api

    need_own_files([net], [output])
    graph = api.load(net, state, dialect)
    made, changes = api.deploy(graph, dict(input_shapes), batch=batch, losses=losses)
    write_output(output, api.dump(made).encode("utf-8", "surrogateescape"))
    print_changes(changes)
