"""``resnet-proto fmt``: one layout for prototxt files."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import click

from prototxt_gen._words import plural
from prototxt_gen.cli.options import write_output
from prototxt_gen.cli.output import (
    print_data,
    print_error,
    print_line,
    print_note,
    print_report,
    print_summary,
    printable,
)

if TYPE_CHECKING:
    from prototxt_gen.diagnostics import Source

Verdict = Literal["unchanged", "changed", "refused"]


@click.command("fmt", short_help="Bring prototxt files into one layout.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="As --check, and print what would change.")
def command(paths: tuple[str, ...], check: bool, diff: bool) -> int:
    """Reformat prototxt files in place; - formats standard input to standard output.

    The layout is that of `gen`: two spaces a level, one statement a line, a shape on one line, at
    most one blank line. Comments stay before the field, or at the end of the line, where they
    were. Numbers stay as written. No field and no value changes, so that any Caffe reads the same
    net, and no schema is needed: files of private forks and solvers can be formatted too. Lines
    end as the first one of the file does (LF or CRLF).

    PATH is a file, a folder, of which all *.prototxt files are formatted but for those in hidden
    folders, or a pattern. A file with syntax errors is left alone.

    Exit code 0: all files have this layout now. 1: with --check or --diff, some would change. 2: a
    file has syntax errors, or cannot be read or written.
    """
    from prototxt_gen.lint.find import find

    verdicts: Counter[Verdict] = Counter()

    def failed(error: OSError) -> None:
        verdicts["refused"] += 1
        print_error(f"{error.filename}: {error.strerror}")

    for path in find(paths, failed):
        verdicts[_format(path, check=check or diff, diff=diff)] += 1
    if paths != ("-",) and verdicts:
        print_summary(_summary(verdicts, check=check or diff))
    if verdicts["refused"]:
        return 2
    return int((check or diff) and verdicts["changed"] > 0)


def _format(path: str, *, check: bool, diff: bool) -> Verdict:
    """Format one file, or only say whether it would change."""
    from prototxt_gen import api
    from prototxt_gen.errors import ParseError

    try:
        source = api.read_source(path)
        new = api.reformat(source)
        changed = new != source.data
        if not check and (changed or path == "-"):
            write_output(path, new)
    except ParseError as error:
        print_report(error.diagnostics, error.source, sys.stderr)
        return "refused"
    except BrokenPipeError:
        raise
    except OSError as error:
        print_error(f"{error.filename or path}: {error.strerror or error}")
        return "refused"
    if not changed:
        return "unchanged"
    if diff:
        print_data(_difference(source, new))
    elif check:
        print_line(f"{source.path}: would be reformatted")
    elif path != "-":
        print_note(f"{path}: reformatted")
    return "changed"


def _difference(source: Source, new: bytes) -> Iterator[bytes]:
    """The lines of a unified diff, each with its end."""
    from difflib import diff_bytes, unified_diff

    name = printable(source.path, sys.stdout).encode("utf-8", "surrogateescape")
    old_lines, new_lines = (re.findall(rb"[^\n]*\n|[^\n]+", data) for data in (source.data, new))
    for line in diff_bytes(unified_diff, old_lines, new_lines, name, name):
        yield line
        if not line.endswith(b"\n"):
            yield b"\n"
            yield b"\\ No newline at end of file\n"


def _summary(verdicts: Counter[Verdict], *, check: bool) -> str:
    verb = "would be " if check else ""
    left = "left as it was" if verdicts["unchanged"] == 1 else "left as they were"
    counts = [
        f"{plural(count, 'file')} {words}"
        for count, words in (
            (verdicts["changed"], f"{verb}reformatted"),
            (verdicts["unchanged"], left),
            (verdicts["refused"], "refused"),
        )
        if count
    ]
    return ", ".join(counts)
