"""``resnet-proto view``: the page about a net, in the browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import click

from prototxt_gen.cli.options import need_files
from prototxt_gen.cli.output import print_error, print_note
from prototxt_gen.cli.report import page, page_options


@click.command("view", short_help="Show a net, or two side by side, in the browser.")
@click.argument("net", metavar="NET")
@click.argument("second", metavar="[WEIGHTS|OTHER]", required=False)
@page_options
def command(net: str, second: str | None, **options: Any) -> int:
    """Open the page that report writes about NET, with its WEIGHTS or beside an OTHER net.

    The page is a temporary file, which stays until the system clears such files away.

    \b
    resnet-proto view resnet50.prototxt
    resnet-proto view plain34.prototxt resnet34.prototxt
    resnet-proto gen resnet152 | resnet-proto view - --no-blocks
    """
    need_files(net, second)
    made = page(net, second, **options)
    # A folder that nobody else may write to: the browser reads the file after this has ended.
    path = Path(mkdtemp(prefix="resnet-proto-")) / "net.html"
    path.write_bytes(made)
    if not webbrowser.open(path.as_uri()):
        print_error(f"there is no browser that could be opened; the page is {path}")
        return 2
    print_note(f"opened {path}")
    return 0
