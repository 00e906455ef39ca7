"""The columns of a summary's table, and its totals in lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

from prototxt_gen._tables import Table
from prototxt_gen._words import plural
from prototxt_gen.graph.field import Extent, Window
from prototxt_gen.layers.parts.shapes import Shape, show
from prototxt_gen.summary.memory import Memory
from prototxt_gen.summary.net import Row, Summary

_LETTERS = "kMGTPEZY"


class Column(NamedTuple):
    """A column: its head, its text for people, and for programs where that differs."""

    head: str
    text: Callable[[Row, Summary], str]
    number: bool = False
    plain: Callable[[Row, Summary], str] | None = None


def _counted(head: str, name: str) -> Column:
    def text(row: Row, _: Summary) -> str:
        value = getattr(row, name)
        return "?" if value is None else f"{value:,}" if value else ""

    def plain(row: Row, _: Summary) -> str:
        value = getattr(row, name)
        return "" if value is None else str(value)

    return Column(head, text, True, plain)


#: By the names that ``--columns`` takes.
COLUMNS: dict[str, Column] = {
    "name": Column("layer", lambda row, _: row.name),
    "type": Column("type", lambda row, _: row.type),
    "bottoms": Column("bottoms", lambda row, _: ", ".join(row.bottoms)),
    "tops": Column("tops", lambda row, _: ", ".join(row.tops)),
    "window": Column("window", lambda row, _: _window(row)),
    "weights": Column("weights", lambda row, _: ", ".join(map(show, row.weights or ()))),
    "shape": Column("shape", lambda row, _: _shapes(row.shapes)),
    "parameters": _counted("parameters", "parameters"),
    "statistics": _counted("statistics", "statistics"),
    "multiply-adds": _counted("multiply-adds", "multiply_adds"),
    "share": Column(
        "share",
        lambda row, whole: _share(row, whole, " %"),
        True,
        lambda row, whole: _share(row, whole, ""),
    ),
    "activations": Column(
        "activations",
        lambda row, _: as_bytes(row.activations) if row.activations else "",
        True,
        lambda row, _: str(row.activations),
    ),
    "field": Column("field", lambda row, _: _field(row), True),
    "stride": Column("stride", lambda row, _: _along(row, "stride"), True),
    "offset": Column("offset", lambda row, _: _along(row, "offset"), True),
}
DEFAULT = (
    "name",
    "type",
    "bottoms",
    "tops",
    "window",
    "shape",
    "parameters",
    "multiply-adds",
    "field",
)
#: The default columns that a narrow terminal has no room for, the first to go first.
SPARE = ("bottoms", "tops", "field", "window")
#: Those that go next, where names of layers could not be read otherwise.
LATE = ("type", "multiply-adds")


def table(
    summary: Summary, names: Sequence[str], depth: int | None = None, *, plain: bool = False
) -> Table:
    """The chosen columns; ``plain`` cells are for programs: numbers without commas or units."""
    columns = [COLUMNS[name] for name in names]
    rows = [
        tuple(((plain and one.plain) or one.text)(row, summary) for one in columns)
        for row in summary.grouped(depth)
    ]
    heads = names if plain else [one.head for one in columns]
    return Table(heads, rows, [i for i, one in enumerate(columns) if one.number])


def totals(summary: Summary) -> list[str]:
    """The sums of a net, its inputs, and the memory that it needs."""
    inputs = ", ".join(f"{name} {show(shape)}" for name, shape in summary.inputs.items())
    batch, image = summary.batch, summary.image
    lines = [
        f"{summary.name or 'net'}: {plural(len(summary.rows), 'layer')}, "
        f"{plural(summary.parameters, 'parameter', ',')}, "
        f"{plural(summary.statistics, 'statistic', ',')}",
        f"multiply-adds: {_multiply_adds(summary)}",
        f"input: {inputs or 'none'}, {as_bytes(summary.input_bytes)}",
        f"weights: {as_bytes(summary.weight_bytes)}",
    ]
    if batch in (None, 1):
        lines += _memory(summary.memory, summary, "")
    else:
        if image is not None:
            lines += _memory(image[1], summary, " of one image")
        lines += _memory(summary.memory, summary, f" of the batch of {batch}")
    if not summary.complete:
        lines.append("all at least: what is not known, shown as ?, does not count")
    return lines


def scaled(value: int) -> str:
    """A number in thousands, millions and so on: ``3.86 G``; ``12 `` if it is small."""
    if value < 1000:
        return f"{value} "
    power = min((len(str(value)) - 1) // 3, len(_LETTERS))
    return f"{value / 1000**power:.2f} {_LETTERS[power - 1]}"


def as_bytes(value: int) -> str:
    """A number of bytes: ``9.63 MB``."""
    return f"{scaled(value)}B"


def _multiply_adds(summary: Summary) -> str:
    found, batch = scaled(summary.multiply_adds).strip(), summary.batch
    if batch is None:
        return found
    if batch == 1:
        return f"{found} per image, and the batch is 1"
    whole = f"{found} for the batch of {batch}"
    return f"{scaled(summary.image[0]).strip()} per image, {whole}" if summary.image else whole


def _memory(found: Memory, summary: Summary, whose: str) -> list[str]:
    kept = "if all are kept"
    peak, total = found.peak, found.total
    with_weights = as_bytes(peak + summary.weight_bytes), as_bytes(total + summary.weight_bytes)
    return [
        f"activations{whose}: {as_bytes(peak)} at their peak, in {found.peak_layer}; "
        f"{as_bytes(total)} {kept}",
        f"with weights: {with_weights[0]} at the peak; {with_weights[1]} {kept}",
    ]


def _shapes(shapes: Sequence[Shape | None]) -> str:
    """The shape of the tops, given once if all have the same."""
    shown = ["?" if shape is None else show(shape) for shape in shapes]
    return shown[0] if len(set(shown)) == 1 else ", ".join(shown)


def _window(row: Row) -> str:
    """``7x7 s2 p3``: the kernel, and what is not as usual."""
    if not row.windows:
        return ""
    kernel = row.windows["kernel"]
    words = ["x".join(map(str, kernel * 2 if len(kernel) == 1 else kernel))]
    for name, usual in (("stride", 1), ("pad", 0), ("dilation", 1)):
        values = row.windows.get(name, ())
        if any(value != usual for value in values):
            words.append(name[0] + "x".join(map(str, values)))
    return " ".join(words)


def _share(row: Row, whole: Summary, unit: str) -> str:
    value = row.multiply_adds
    if value is None:
        return "?" if unit else ""
    return f"{100 * value / whole.multiply_adds:.1f}{unit}" if value else ""


def _field(row: Row) -> str:
    if isinstance(row.field, Window):
        return _alike([str(size) for size in row.field.size])
    return {None: "", Extent.WHOLE: "whole", Extent.UNKNOWN: "?"}[row.field]


def _along(row: Row, name: str) -> str:
    values: Sequence[Fraction] | None = getattr(row.field, name, None)
    return _alike([f"{float(value):.10g}" for value in values]) if values else ""


def _alike(values: Sequence[str]) -> str:
    """The values of all axes, once if they are the same."""
    return values[0] if len(set(values)) == 1 else "x".join(values)
