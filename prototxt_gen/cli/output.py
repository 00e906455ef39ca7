"""What commands print: plain lines in a pipe; colours and source lines on a terminal.

Names, paths and messages come from files that anyone may have made. All of them pass
``printable`` before they reach a screen or a log, so none of them controls a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from prototxt_gen.diagnostics import Diagnostic, Severity, Source, render

if TYPE_CHECKING:
    from rich.text import Text

    from prototxt_gen.passes.deploy import Change

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold blue"}

_LEAST, _MOST = 20, 100  #: characters of a line of the source
_SIGNS = {"+": "green", "-": "red", "~": "yellow"}


def printable(line: str, stream: TextIO) -> str:
    """The line as the stream's encoding can hold it, without control characters.

    Line breaks, escapes and what turns the direction of writing are shown as ``\\x1b`` or
    ``\\u202e``.
    """
    if not line.isprintable():
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
    encoding = stream.encoding or "utf-8"
    return line.encode(encoding, "backslashreplace").decode(encoding)


def print_line(line: str) -> None:
    """One line on stdout."""
    print(printable(line, sys.stdout))


def print_data(lines: Iterable[bytes]) -> None:
    """Lines of a user's file on stdout: as they are in a pipe, harmless on a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.flush()
        sys.stdout.buffer.writelines(lines)
        return
    for line in lines:
        print_line(line.decode("utf-8", "replace").rstrip("\r\n").expandtabs())


def print_note(line: str) -> None:
    """One line on stderr about what was done."""
    print(printable(line, sys.stderr), file=sys.stderr)


def print_summary(line: str) -> None:
    """A note about all that is on stdout, which is written before it, in a log of both too."""
    sys.stdout.flush()
    print_note(line)


def print_error(message: str) -> None:
    """One line on stderr: why the command failed."""
    message = printable(message, sys.stderr)
    if sys.stderr.isatty():
        _print_rich([_styled(("error", "bold red"), (": " + message, ""))], sys.stderr)
    else:
        print(f"error: {message}", file=sys.stderr)


def print_report(diagnostics: Iterable[Diagnostic], source: Source | None, stream: TextIO) -> None:
    """Each diagnostic with its place; on a terminal also the source line."""
    if stream.isatty():
        width = _width(stream)
        _print_rich((_pretty(one, source, stream, width) for one in diagnostics), stream)
        return
    for diagnostic in diagnostics:
        stream.write(printable(render(diagnostic, source), stream) + "\n")


def print_signed(lines: Iterable[str]) -> None:
    """Lines on stdout that begin with + , - or ~; on a terminal in the colours of these."""
    if not sys.stdout.isatty():
        for line in lines:
            print_line(line)
        return
    shown = (printable(line, sys.stdout) for line in lines)
    _print_rich((_styled((line, _SIGNS.get(line[:1], ""))) for line in shown), sys.stdout)


def print_changes(changes: Iterable[Change]) -> None:
    """The changes to layers on stderr."""
    from prototxt_gen.passes.deploy import as_lines

    for line in as_lines(changes):
        print_note(line)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal, else a line for each step; call the result at each step."""
    if not sys.stderr.isatty():
        yield print_note
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda text: bar.update(
            task, advance=1, description=escape(printable(text, sys.stderr))
        )


def _print_rich(texts: Iterable[Text], stream: TextIO) -> None:
    from rich.console import Console

    console = Console(file=stream, highlight=False, soft_wrap=True)
    for text in texts:
        console.print(text)


def _width(stream: TextIO) -> int:
    """How many characters a line of a terminal has."""
    from rich.console import Console

    return Console(file=stream).width


def _pretty(diagnostic: Diagnostic, source: Source | None, stream: TextIO, columns: int) -> Text:
    severity = diagnostic.severity
    whole = printable(render(replace(diagnostic, help=None), source), stream)
    place, _, rest = whole.partition(f"{severity.value}: ")
    text = _styled(
        (place, "bold"),
        (severity.value, _COLOURS[severity]),
        (f": {rest.removesuffix(f' [{diagnostic.rule}]')}", ""),
        (f" [{diagnostic.rule}]", "dim"),
    )
    if source is not None and diagnostic.span is not None:
        line, column = source.position(diagnostic.span.start)
        shown = source.line(line).replace("\t", " ")
        last = source.position(max(diagnostic.span.end, diagnostic.span.start + 1))
        width = last[1] - column if last[0] == line else len(shown) - column + 1
        margin = " " * len(str(line))
        # A long line is cut to the text around the place, so that the mark stands below it.
        room = max(_LEAST, min(_MOST, columns - len(margin) - 5))
        start = max(0, min(column - 2 * room // 5, len(shown) - room))
        shown = shown[start : start + room]
        width = max(1, min(width, len(shown) - (column - 1 - start)))
        text.append_text(
            _styled(
                (f"\n {line} | ", "blue"),
                (printable(shown, stream), ""),
                (f"\n {margin} | ", "blue"),
                (" " * (column - 1 - start) + "^" * width, _COLOURS[severity]),
            )
        )
    if diagnostic.help:
        text.append_text(
            _styled(("\n help: ", "bold cyan"), (printable(diagnostic.help, stream), ""))
        )
    return text


def _styled(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)
