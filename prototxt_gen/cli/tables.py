"""Tables on a terminal, in a pipe, and in forms for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from prototxt_gen.cli.output import print_note, printable

if TYPE_CHECKING:
    from prototxt_gen._tables import Table

_GAP = 2  #: the spaces between two columns
_LEAST = 8  #: characters that remain of a name
_READABLE = 16  #: and those that tell most names of a net apart
_LINE = 24  #: characters of a line of prose, if there is room
FORMS = ("table", "json", "csv", "tsv", "markdown")
F = TypeVar("F", bound=Callable[..., Any])


def form_option(command: F) -> F:
    """``--format`` and ``--json``, as one argument ``form``; None where neither is given."""

    def asked(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and ctx.params.setdefault("form", "json") not in (None, "json"):
            raise click.UsageError("--json and --format do not go together")
        ctx.params["form"] = "json" if value else ctx.params.get("form")

    command = click.option(
        "--json", is_flag=True, expose_value=False, callback=asked, help="Same as --format json."
    )(command)
    return click.option(
        "--format",
        "form",
        type=click.Choice(FORMS),
        is_eager=True,
        help="What to print. [default: table]",
    )(command)


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int] = (),
    spare: Sequence[int] = (),
    *,
    names: Collection[int] | None = None,
    prose: Collection[int] = (),
    late: Sequence[int] = (),
) -> None:
    """A table on stdout; the columns of ``numbers`` are right-aligned.

    On a terminal that is too narrow the columns of ``spare`` are left out, in their order, as
    many as need be; then those of ``late``, where names could not be read otherwise. Then those
    of ``prose`` are broken between words, and those of ``names``,
    by default all that are neither, shortened in the middle. If that is not enough, the last
    columns are left out, but for those without a head: they are marks. stderr says what is missing.
    """
    clean = [[printable(cell, sys.stdout) for cell in row] for row in rows]
    if sys.stdout.isatty():
        others = set(range(len(heads))) - set(numbers) - set(prose)
        short = others if names is None else names
        _print_rich_table(heads, clean, numbers, (spare, late), short, prose)
        return
    widths = [max(map(len, column)) for column in zip(heads, *clean, strict=True)]
    for row in (heads, *clean):
        cells = (
            cell.rjust(width) if index in numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def print_form(table: Table, form: str) -> None:
    """A table as ``csv``, ``tsv`` or ``markdown``."""
    from prototxt_gen._tables import delimited, markdown

    rows = [[printable(cell, sys.stdout) for cell in row] for row in table.rows]
    clean = table._replace(rows=rows)
    if form == "markdown":
        text = markdown(clean)
    else:
        text = delimited(clean, "," if form == "csv" else "\t")
    sys.stdout.write(text)


def fitted(
    widths: Sequence[int],
    room: int,
    spare: Sequence[int],
    names: Collection[int],
    prose: Collection[int],
    marks: Collection[int] = (),
    late: Sequence[int] = (),
) -> dict[int, int]:
    """The columns that are kept, and how wide each becomes; empty ones are not."""
    kept = {index: width for index, width in enumerate(widths) if width}
    least = {i: min(w, _LINE if i in prose else _LEAST) for i, w in kept.items()}
    least.update({i: w for i, w in kept.items() if i not in prose and i not in names})

    def excess(sizes: dict[int, int]) -> int:
        return sum(sizes.values()) + _GAP * (len(sizes) - 1) - room

    for index in spare:
        if excess({i: least[i] if i in prose else w for i, w in kept.items()}) > 0:
            del kept[index]
    for index in late:
        read = {i: min(w, _READABLE) if i in names else least[i] for i, w in kept.items()}
        if index in kept and excess(read) > 0:
            del kept[index]
    while len(kept) > 1 and excess({i: least[i] for i in kept}) > 0:
        del kept[max(kept, key=lambda i: (i not in marks, i))]
    for some in (prose, names):
        while (over := excess(kept)) > 0:
            loose = [i for i in kept if i in some and kept[i] > least[i]]
            if not loose:
                break
            widest = max(loose, key=lambda i: kept[i])
            others = [kept[i] for i in loose if i != widest]
            down = max([least[widest], kept[widest] - over, *(w - 1 for w in others)])
            kept[widest] = min(down, kept[widest] - 1)
    return kept


def shortened(text: str, width: int, mark: str = "…") -> str:
    """A text of at most that width on a screen: what is too much is left out in the middle."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    left, right = (width - len(mark) + 1) // 2, (width - len(mark)) // 2
    start, end = text[: max(0, left)], text[len(text) - right :] if right > 0 else ""
    while start and cell_len(start) > left:
        start = start[:-1]
    while end and cell_len(end) > right:
        end = end[1:]
    return start + mark + end


def _print_rich_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[int],
    left_out: tuple[Sequence[int], Sequence[int]],
    names: Collection[int],
    prose: Collection[int],
) -> None:
    from rich import box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table as Rich
    from rich.text import Text

    console = Console(highlight=False)
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    marks = [index for index, head in enumerate(heads) if not head]
    spare, late = left_out
    kept = fitted(widths, console.width, spare, names, prose, marks, late)
    mark = "…" if printable("…", sys.stdout) == "…" else "~"
    table = Rich(box=box.HORIZONTALS, pad_edge=False, padding=(0, _GAP - 1, 0, 0), show_edge=False)
    for index, width in kept.items():
        justify: Literal["right", "left"] = "right" if index in numbers else "left"
        table.add_column(
            shortened(heads[index], width, mark),
            justify=justify,
            overflow="fold",
            no_wrap=index not in prose,
            width=width,
        )
    for row in rows:
        cells = (
            row[index] if index in prose else shortened(row[index], width, mark)
            for index, width in kept.items()
        )
        table.add_row(*map(Text, cells))
    # Columns that do not even fit shortened are the terminal's to wrap.
    console.print(table, soft_wrap=sum(kept.values()) + _GAP * (len(kept) - 1) > console.width)
    gone = [head for index, head in enumerate(heads) if head and index not in kept]
    if gone:
        words = " and ".join([", ".join(gone[:-1]), gone[-1]] if gone[1:] else gone)
        print_note(f"the terminal is too narrow for {words}; a wider one or a pipe has them")
