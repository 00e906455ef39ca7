"""What a merge or a template left in a text: conflict markers, and holes nobody filled in.

Each breaks the lines around it in its own way, so that one of them gives several errors of
syntax. So it is asked about a text that has such errors, and blanks what it names, so that
only the other errors are found when the text is read again.
"""

from __future__ import annotations

import re

from prototxt_gen._words import plural
from prototxt_gen.diagnostics import Diagnostic, Severity, Span

MERGE = "merge-conflict"
HOLE = "placeholder"

#: A conflict: our side, in diff3 form the base, and their side. The first is kept.
_CONFLICT = re.compile(
    r"^<{7}(?: [^\n]*)?\r?\n"
    r"(?P<ours>(?:(?!<{7}|\|{7}|={7}|>{7})[^\n]*\n)*)"
    r"(?:\|{7}[^\n]*\n(?:(?!<{7}|={7}|>{7})[^\n]*\n)*)?"
    r"={7}\r?\n(?:(?!<{7}|={7}|>{7})[^\n]*\n)*>{7}[^\n]*",
    re.MULTILINE,
)
_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: [^\n]*|\r?)$|^={7}\r?$", re.MULTILINE)

#: What is never looked into, and then the kinds of holes.
_HOLES = re.compile(
    r"""(?P<skip>"(?:\\.|[^"\\\n])*+"?|'(?:\\.|[^'\\\n])*+'?|\#[^\n]*)
    | (?P<braces>\{\{[^{}\n]*\}\}|\{%[^{}\n]*%\})
    | (?P<dollar>\$\{[^{}\n]*\}|\$\([^()\n]*\)|\$[A-Za-z_]\w*|\$[0-9])
    | (?P<angles><<\s*\w+\s*>>|(?<=[:,\[])\s*<[ \t]*\w[\w.-]*[ \t]*>)
    | (?P<brace>(?<=[:,\[])\s*\{[ \t]*[A-Za-z_][\w.]*[ \t]*\})
    | (?P<at>@[A-Za-z_]\w*@)
    | (?P<percent>%\(\w+\)[sdifg]|%[sdifg]\b)""",
    re.VERBOSE,
)
#: The rest of the statement before and after a hole.
_BEFORE = re.compile(r"(?:[A-Za-z_]\w*[ \t]*:[ \t]*)?[^\s:;,{}\[\]<>\"'#]*\Z")
_AFTER = re.compile(r"""[^\s:;,{}\[\]<>"'#]*(?:[ \t]*(?:"[^"\n]*"|'[^'\n]*'))?""")
_NEAR = 100  #: how far a statement reaches that a hole is part of


def leftovers(text: str) -> tuple[list[Diagnostic], str]:
    """What is left in a text, each kind once, and the text without it, of the same length."""
    conflicts, text = _conflicts(text)
    holes, text = _holes(text)
    return [*conflicts, *holes], text


def _conflicts(text: str) -> tuple[list[Diagnostic], str]:
    places = [match.start() for match in _MARKER.finditer(text)]
    opened = [at for at in places if text[at] == "<"]
    if not opened and not any(text[at] == ">" for at in places):
        return [], text  # a line of = alone may be a heading
    number = len(opened) or 1
    message = f"the text has {plural(number, 'merge conflict')} that nobody resolved"
    help = "keep one of the two sides, and remove the lines with <<<<<<<, ======= and >>>>>>>"
    span = Span(places[0], places[0] + 7)
    found = [Diagnostic(MERGE, Severity.ERROR, message, span, help=help)]
    text = _CONFLICT.sub(_ours, text)
    return found, _MARKER.sub(lambda match: _blank(match[0]), text)


def _ours(match: re.Match[str]) -> str:
    start, end = match.span("ours")
    start, end = start - match.start(), end - match.start()
    whole = match[0]
    return _blank(whole[:start]) + whole[start:end] + _blank(whole[end:])


def _holes(text: str) -> tuple[list[Diagnostic], str]:
    kinds: dict[str, list[tuple[int, str]]] = {}
    parts, done = [], 0
    for match in _HOLES.finditer(text):
        kind = match.lastgroup or "skip"
        if kind == "skip":
            continue
        word = match[0].strip()
        start, end = match.end() - len(match[0].lstrip()), match.end()
        kinds.setdefault(kind, []).append((start, word))
        if start < done:
            continue
        left, right, value = _statement(text, start, end, done)
        parts += [text[done:left], value.ljust(right - left)]
        done = right
    parts.append(text[done:])
    return [_hole(places) for places in kinds.values()], "".join(parts)


def _statement(text: str, start: int, end: int, done: int) -> tuple[int, int, str]:
    """The statement that a hole is part of, and what can stand there instead."""
    line = max(text.rfind("\n", 0, start) + 1, start - _NEAR, done)
    before = _BEFORE.search(text, line, start)
    after = _AFTER.match(text, end)
    left = before.start() if before else start
    right = after.end() if after else end
    next_to = (
        text[max(0, left - _NEAR) : left].rstrip()[-1:],
        text[right : right + _NEAR].lstrip()[:1],
    )
    in_list = next_to[0] in ("[", ",") and next_to[1] in ("]", ",")
    return left, right, "0" if in_list else ""


def _hole(places: list[tuple[int, str]]) -> Diagnostic:
    start, word = places[0]
    more = f" (and {plural(len(places) - 1, 'more place')})" if len(places) > 1 else ""
    message = f"`{word}` is a hole of a template that nobody filled in{more}"
    help = "write the value, or run what fills it in"
    return Diagnostic(HOLE, Severity.ERROR, message, Span(start, start + len(word)), help=help)


def _blank(part: str) -> str:
    return re.sub(r"[^\n]", " ", part)
