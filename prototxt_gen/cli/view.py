"""``resnet-proto view``: the page about a net, in the browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import click

from prototxt_gen.cli.options import InputShape, need_files
from prototxt_gen.cli.output import print_error, print_note
from prototxt_gen.cli.report import page, page_options

if TYPE_CHECKING:
    from prototxt_gen.graph.phase import State


@click.command("view", short_help="Show a net in the browser.")
@click.argument("net", metavar="NET")
@click.argument("weights", metavar="[WEIGHTS]", required=False)
@page_options
def command(
    net: str,
    weights: str | None,
    blocks: bool | None,
    state: State,
    input_shapes: Sequence[InputShape],
    dialect: str | None,
) -> int:
    """Open the page that report writes about NET, with its WEIGHTS, in the browser.

    The page is a temporary file, which stays until the system clears such files away.

    \b
    resnet-proto view resnet50.prototxt
    resnet-proto gen resnet152 | resnet-proto view - --no-blocks
    """
    need_files(net, weights)
    made = page(net, weights, blocks, state, input_shapes, dialect)
    # A folder that nobody else may write to: the browser reads the file after this has ended.
    path = Path(mkdtemp(prefix="resnet-proto-")) / "net.html"
    path.write_bytes(made)
    if not webbrowser.open(path.as_uri()):
        print_error(f"there is no browser that could be opened; the page is {path}")
        return 2
    print_note(f"opened {path}")
    return 0
