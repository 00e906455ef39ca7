"""The summary of a fleet: a page for people, and a table for programs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prototxt_gen._pages import environment
from prototxt_gen._words import plural
from prototxt_gen.draw.dot import printable
from prototxt_gen.fleet.plan import Left

COLUMNS = (
    "name", "status", "reason", "why", "verdict", "notes", "seconds", "peak_mib", "tries",
    "options", "inputs", "outputs", "sha256",
)  # fmt: skip
_PAGE = "fleet.html.j2"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """Failures of one reason, in words that fit all of them."""

    reason: str
    words: str
    rows: Sequence[Row]


def groups(rows: Iterable[Row]) -> list[Group]:
    """The failures by their reason, the most frequent first.

    What tells them apart, names in quotes, paths and numbers, is left out of the words.
    """
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row["status"] == "failed":
            key = (row.get("reason", ""), _alike(row.get("why", "")))
            found.setdefault(key, []).append(row)
    made = [Group(*key, some) for key, some in found.items()]
    return sorted(made, key=lambda one: (-len(one.rows), one.reason, one.words))


def as_csv(rows: Iterable[Row], left: Iterable[Left]) -> bytes:
    """A line for each model, and for each file that was left out."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(_cells(row))
    for one in left:
        status = "no weights" if one.failure else "left out"
        writer.writerow([one.path, status, "", one.why, *[""] * (len(COLUMNS) - 4)])
    return out.getvalue().encode("utf-8", "surrogateescape")


def as_html(task: str, rows: Sequence[Row], left: Sequence[Left]) -> bytes:
    """The page, which asks the network for nothing and runs no script."""
    made = environment(
        autoescape=True,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
        plural=plural,
    )
    text = made.get_template(_PAGE).render(
        task=task,
        rows=rows,
        done=[row for row in rows if row["status"] == "done"],
        groups=groups(rows),
        lacking=[one for one in left if one.failure],
        left=Counter(_alike(one.why) for one in left if not one.failure).most_common(),
        seconds=sum(row.get("seconds") or 0 for row in rows),
        peak=max((row.get("peak_mib") or 0 for row in rows), default=0),
    )
    return text.encode("utf-8", "backslashreplace")


def _alike(why: str) -> str:
    words = re.sub(r"(?:'[^']*'|\"[^\"]*\")", "'…'", why)
    words = re.sub(r"\S*[/\\]\S+?(?=:?(?:\s|$))", "…", words)
    words = re.sub(r"\S+\.(?:prototxt|caffemodel|onnx)\b", "…", words)
    return re.sub(r"\b\d[\d.x:]*", "N", words)


def _cells(row: Row) -> list[Any]:
    def paths(key: str) -> str:
        return " ".join(one["path"] for one in row.get(key) or ())

    return [
        row["name"], row["status"], row.get("reason", ""), row.get("why", ""),
        row.get("verdict", ""), len(row.get("notes") or ()), row.get("seconds", ""),
        row.get("peak_mib", ""), row.get("tries", ""), " ".join(row.get("options") or ()),
        paths("inputs"), paths("outputs"),
        " ".join(one["sha256"] for one in row.get("outputs") or ()),
    ]  # fmt: skip
