"""Pages of documentation as what a reader does with them: files to save, commands to type.

Of a page these count, in their order:

- a block ``console``: a line that starts with ``$`` is a command, which may go on after a ``\\``;
  the lines below it, if any, are what it prints, where … stands for anything;
- a block with a title, such as ``python title="classify.py"``: a file;
- another block ``python``: a program that goes on where the page's last one ended;
- a comment ``<!-- run``, for what a reader has already: commands, one a line, up to ``-->``.

In front of a block ``<!-- exit 1 -->`` tells how its last command ends, and
``<!-- not run: a GPU -->`` what it needs that a test does not have.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What a block may need that a test does not have.
NEEDS = ("a GPU", "Docker", "a network", "Caffe", "a browser", "a trained net", "an empty machine")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w+)?(?P<rest>.*)$")
_NOTE = re.compile(r"^ *<!-- (?P<text>(?:not run: |exit ).*) -->$")


@dataclass(frozen=True)
class Command:
    """A command, what it prints (None: not told), its exit code, and the line of the page."""

    words: str
    output: str | None
    code: int
    line: int


@dataclass(frozen=True)
class File:
    """A file that the reader saves."""

    name: str
    text: str


@dataclass(frozen=True)
class Program:
    """Python that the reader runs."""

    text: str
    line: int


Step = Command | File | Program


def pages() -> list[Path]:
    """README and the pages that people wrote."""
    made = ("cli.md", "layers.md", "rules.md", "onnx-ops.md", "residual.md", "published.md")
    found = [
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if path.name not in (*made, "roundtrip.md") or path.parent.name != "docs"
    ]
    return [ROOT / "README.md", *found]


def steps(text: str) -> Iterator[Step]:
    """What a reader of a page does; raises ValueError for a note that is none."""
    lines = text.split("\n")
    at, note = 0, ""
    while at < len(lines):
        line = lines[at]
        at += 1
        if found := _NOTE.match(line):
            note = found["text"]
        elif line.strip() == "<!-- run":
            end = lines.index("-->", at)
            yield from (Command(lines[i], None, 0, i + 1) for i in range(at, end))
            at = end + 1
        elif found := _FENCE.match(line):
            end = next(i for i in range(at, len(lines)) if lines[i].strip() == "```")
            body = textwrap.dedent("\n".join(lines[at:end]))
            yield from _block(found["language"] or "", found["rest"], body, at, note)
            at, note = end + 1, ""
        elif line.strip() and note:
            raise ValueError(f"line {at}: no block after the note {note!r}")


def _block(language: str, rest: str, body: str, line: int, note: str) -> Iterator[Step]:
    title = re.search(r'title="([^"]+)"', rest)
    if title:
        yield File(title[1], body + "\n")
        return
    if note.startswith("not run: "):
        if note.removeprefix("not run: ") not in NEEDS:
            raise ValueError(f"line {line}: {note}: expected one of {', '.join(NEEDS)}")
        return
    if language in ("sh", "bash", "shell"):
        raise ValueError(f"line {line}: expected a block console")
    if language == "python":
        yield Program(body, line)
    elif language == "console":
        yield from _commands(body, line, int(note.removeprefix("exit ") or 0))


def _commands(body: str, line: int, code: int) -> Iterator[Command]:
    found = list(re.finditer(r"^\$ ((?:.*\\\n)*.*)$", body, re.M))
    if not found:
        raise ValueError(f"line {line}: a block console without a command")
    ends = [one.start() for one in found[1:]] + [len(body)]
    for index, (one, end) in enumerate(zip(found, ends, strict=True)):
        printed = body[one.end() : end].strip("\n")
        last = index == len(found) - 1
        where = line + body[: one.start()].count("\n") + 1
        yield Command(one[1], printed or None, code if last else 0, where)


def matches(wanted: str, found: str) -> bool:
    """Whether an output is what a page shows: … is any text, on a line of its own any lines."""
    parts = []
    for line in wanted.split("\n"):
        if line.strip() == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*?".join(map(re.escape, line.rstrip().split("…"))) + r" *\n")
    return re.fullmatch("".join(parts), found.rstrip("\n") + "\n") is not None
