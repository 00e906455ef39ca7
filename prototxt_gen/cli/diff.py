"""``resnet-proto diff``: what is different between two nets."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from prototxt_gen.cli.idle import idle_with
from prototxt_gen.cli.options import any_state_options, dialect_option, need_files, plugin_option
from prototxt_gen.cli.output import print_note, print_signed

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State


@click.command("diff", short_help="Compare two nets by their graphs, or two solvers.")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@any_state_options
@click.option(
    "--structure",
    is_flag=True,
    help="Whether they are equal but for the names of layers and blobs, and where not.",
)
@click.option(
    "--all", "every", is_flag=True, help="A line for each layer, also where many changed alike."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@dialect_option
@plugin_option
@idle_with(every="as_json")
def command(
    first: str,
    second: str,
    state: State | None,
    structure: bool,
    every: bool,
    as_json: bool,
    dialect: str | None,
) -> int:
    """Compare two nets by their graphs: prototxts in any form, or the nets of caffemodels.

    Both are upgraded, and a default that is written out, another spelling of a kernel or the
    order of fields is no difference. A line is a layer or an input that was added (+), removed
    (-) or changed (~): a field with both values, another bottom or top, another name, or, where
    it matters, another place. Solvers are compared field by field. - reads standard input.

    The whole files are compared, with the layers of all phases and their rules; --phase, --stage
    or --level compare the nets of one state, of TEST if no phase is given. A caffemodel has one
    phase alone, in which the other net is then taken. Weights are compared by weights diff.

    \b
    resnet-proto diff train_val.prototxt new.prototxt
    resnet-proto diff deploy.prototxt net.caffemodel --phase TEST
    resnet-proto diff a.prototxt b.prototxt --structure

    Exit code 0: they are the same. 1: they differ. 2: they cannot be read or compared.
    """
    from prototxt_gen import api

    if first == second == "-":
        raise click.UsageError("A and B are both standard input; expected a file")
    need_files(first, second)
    found = api.diff(
        first,
        second,
        state=state,
        structure=structure,
        dialect=dialect,
    )
    if as_json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        print_signed(found.lines(every))
        sys.stdout.flush()
        for note in found.notes:
            print_note(note)
        print_note(found.summary)
    return int(not found.same)
