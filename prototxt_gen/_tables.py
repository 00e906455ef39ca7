"""A table as text for programs, pages and notebooks."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple


class Table(NamedTuple):
    """Heads and rows; the columns of ``numbers`` are right-aligned."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Collection[int] = ()


def delimited(table: Table, delimiter: str) -> str:
    """CSV, or with a tab TSV; a cell with the delimiter or a quote is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(table.heads)
    writer.writerows(table.rows)
    return text.getvalue()


def markdown(table: Table) -> str:
    """A table of GitHub's Markdown."""
    marks = ["--:" if index in table.numbers else "---" for index in range(len(table.heads))]
    return "".join(
        f"| {' | '.join(cells)} |\n"
        for cells in (
            [_marked(head) for head in table.heads],
            marks,
            *([_marked(cell) for cell in row] for row in table.rows),
        )
    )


def as_html(table: Table, foot: Iterable[str] = ()) -> str:
    """A plain table of HTML, and lines below it."""
    parts = ["<table>", f"<thead>{_row('th', table.heads, table.numbers)}</thead>", "<tbody>"]
    parts += [_row("td", row, table.numbers) for row in table.rows]
    parts += ["</tbody>", "</table>", *(f"<p>{html.escape(line)}</p>" for line in foot)]
    return "\n".join(parts)


def _row(tag: str, cells: Sequence[str], numbers: Collection[int]) -> str:
    made = (
        f'<{tag} style="text-align: {"right" if index in numbers else "left"}">'
        f"{html.escape(cell)}</{tag}>"
        for index, cell in enumerate(cells)
    )
    return f"<tr>{''.join(made)}</tr>"


def _marked(cell: str) -> str:
    """A cell whose characters mean nothing to Markdown."""
    escaped = html.escape(cell, quote=False)
    return "".join(f"\\{c}" if c in "\\`*_[]|~" else c for c in escaped)
