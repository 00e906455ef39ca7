"""``resnet-proto templates``: the shipped templates, to look at and to change."""

from __future__ import annotations

from pathlib import Path

import click

from prototxt_gen.cli.options import write_output
from prototxt_gen.cli.output import print_line, print_note
from prototxt_gen.cli.tables import print_table


@click.group("templates", short_help="List, show or copy the shipped templates.")
def command() -> None:
    """List, show or copy the templates that gen prints nets with."""


@command.command("list", short_help="List the shipped sets of templates.")
def list_() -> None:
    """List the shipped sets of templates, with their files and what they print."""
    from prototxt_gen.generate.templates import SETS

    rows = [(name, ", ".join(one.files), one.what) for name, one in SETS.items()]
    print_table(("set", "files", "prints"), rows, (), (1, 2))


@command.command("show", short_help="Print a shipped template.")
@click.argument("name", metavar="[SET]", default="prototxt")
@click.argument("file", metavar="[FILE]", required=False)
def show(name: str, file: str | None) -> None:
    """Print the templates of a shipped set, each with its name in front, or one FILE alone."""
    from prototxt_gen.generate.templates import shipped

    found = shipped(name)
    if file is not None:
        if file not in found.files:
            raise click.UsageError(f"{name} has no {file}; expected {' or '.join(found.files)}")
        write_output("-", found.text(file).encode())
        return
    for one in found.files:
        print_line(f"==> {one} <==")
        print_line(found.text(one))


@command.command("copy", short_help="Copy a shipped set into a folder.")
@click.argument("name", metavar="SET")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False))
def copy(name: str, folder: str) -> None:
    """Copy the templates of a shipped set into a folder, to be changed and used from there.

    \b
    resnet-proto templates copy prototxt mine
    resnet-proto gen resnet50 --templates mine

    No file is overwritten.
    """
    from prototxt_gen.generate.templates import shipped

    found, target = shipped(name), Path(folder)
    for one in found.files:
        if (target / one).exists():
            raise click.UsageError(f"{target / one} exists; nothing is copied")
    target.mkdir(parents=True, exist_ok=True)
    for one in found.files:
        write_output(str(target / one), found.text(one).encode())
    print_note(f"{target}: {', '.join(found.files)}; gen --templates {target} uses them")
