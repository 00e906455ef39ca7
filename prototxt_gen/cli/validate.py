"""``resnet-proto validate``: what Caffe would refuse in a prototxt."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.options import dialect_option, plugin_option
from prototxt_gen.cli.output import print_error, print_note, print_report
from prototxt_gen.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from prototxt_gen.graph.type_check import UnknownTypes


@click.command("validate", short_help="Report what Caffe would refuse in prototxt files.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@dialect_option
@plugin_option
@click.option(
    "--unknown-types",
    type=click.Choice(["error", "warning", "ignore"]),
    default="warning",
    help="How to report a layer type that no known Caffe has. [default: warning]",
)
def command(files: tuple[str, ...], dialect: str | None, unknown_types: UnknownTypes) -> int:
    """Report everything that Caffe would refuse in nets and solvers; - reads standard input.

    That is syntax errors, fields that no Caffe knows, layers and shapes that do not fit.
    Exit code 0: Caffe would load every file. 1: it would not. 2: a file cannot be read.
    """
    from prototxt_gen import api

    found: list[Diagnostic] = []
    unreadable = 0
    for path in files:
        try:
            source = api.read_source(path)
        except OSError as error:
            print_error(f"{error.filename or path}: {error.strerror or error}")
            unreadable += 1
            continue
        diagnostics = api.validate(source, dialect, unknown_types)
        print_report(diagnostics, source, sys.stdout)
        found.extend(diagnostics)
    if unreadable < len(files):
        print_note(_summary(found, len(files) - unreadable))
    errors = any(diagnostic.severity is Severity.ERROR for diagnostic in found)
    return 2 if unreadable else int(errors)


def _summary(found: list[Diagnostic], files: int) -> str:
    counts = [
        _count(sum(d.severity is severity for d in found), severity.value)
        for severity in Severity
        if severity is Severity.ERROR or any(d.severity is severity for d in found)
    ]
    return f"{_count(files, 'file')}: {', '.join(counts)}"


def _count(number: int, what: str) -> str:
    return plural(number, what) if number else f"no {what}s"
