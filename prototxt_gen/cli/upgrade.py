"""``resnet-proto upgrade``: an old net, solver or caffemodel in today's form."""

from __future__ import annotations

import sys

import click

from prototxt_gen.cli.options import dialect_option, need_own_files, refuse, write_parts
from prototxt_gen.cli.output import print_line, print_note, print_report


@click.command("upgrade", short_help="Bring old nets, solvers and caffemodels into today's form.")
@click.argument("file", metavar="IN")
@click.argument("out", required=False, type=click.Path(dir_okay=False), metavar="[OUT]")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The same as OUT. [default: standard output]",
)
@click.option("--in-place", is_flag=True, help="Replace IN, whole or not at all.")
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 if something would be upgraded."
)
@dialect_option
def command(
    file: str,
    out: str | None,
    output: str | None,
    in_place: bool,
    check: bool,
    dialect: str | None,
) -> int:
    """Upgrade a file as Caffe does when it reads it; - reads standard input.

    V0 and V1 layers become `layer`, `input` an Input layer, transformations of data layers
    transform_param, and the solver_type of a solver its type; BatchNorm gets its learning rates of
    0. A caffemodel keeps its weights as they are. Standard error says what was upgraded. A file
    in which nothing is old is written as it is.

    Comments stay before the field that they precede, under its new name. A text that is upgraded
    comes in the layout of `fmt`, its numbers in their shortest form. A net with both `layer` and
    `layers` is refused: Caffe would drop every `layer` of it.

    Exit code 1: with --check, something would be upgraded. 2: the file cannot be used.
    """
    from prototxt_gen import api

    if out is not None and output is not None:
        raise click.UsageError("OUT and -o are the same; give one of them")
    if check:
        refuse(("out", "output", "in_place"), "writes, and --check does not")
    if in_place:
        refuse(("out", "output"), "and --in-place: give one of them")
        if file == "-":
            raise click.UsageError("--in-place: standard input cannot be replaced")
    target = file if in_place else out or output or "-"
    if not in_place:
        need_own_files([file], [target])
    made = api.upgrade(file, dialect)
    print_report(made.warnings, made.source, sys.stderr)
    name = "<stdin>" if file == "-" else file
    if check:
        for line in made.changes:
            print_line(f"{name}: would be upgraded: {line}")
        return int(bool(made.changes))
    if target == "-" and made.source is None and sys.stdout.isatty():
        raise click.UsageError("a caffemodel is not for a terminal; give OUT, or -o FILE")
    if made.changes or not in_place:
        write_parts(target, made.parts())
    for line in made.changes or ["nothing to upgrade"]:
        print_note(f"{name}: {line}")
    return 0
