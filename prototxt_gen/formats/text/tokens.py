"""The tokens of protobuf's text format, split as C++'s ``io::Tokenizer`` splits them.

The text is the file decoded as latin-1: one character is one byte, so that an index is
a byte offset. Every pattern takes linear time on any input.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from prototxt_gen._words import cut

Kind = Literal["name", "number", "string", "symbol", "bad", "end"]

LONGEST_NUMBER = 4096  #: CPython's int() refuses more than 4300 digits

SPACE = re.compile(r"[ \t\n\r\v\f]*")
COMMENT = re.compile(r"#([^\n\0]*)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+"
    r"|0[0-7]+"
    r"|(?:(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fF]?"
)
_NUMBER_LIKE = re.compile(r"[A-Za-z0-9_.+-]+")
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]+")
_PIECE = {  # repeated in bounded steps: a repeated group costs memory for each turn
    '"': re.compile(r'(?:[^"\\\n\0]+|\\[^\n\0]){0,1000}'),
    "'": re.compile(r"(?:[^'\\\n\0]+|\\[^\n\0]){0,1000}"),
}

#: One statement of the ordinary kind, and at most one line end before it. Where no
#: group matches, something needs the exact tokenizer: a comment, a list,
#: an escape, an error. Group: 1 name, 2 string, 3 number, 4 word, 5 opening brace,
#: 6 closing brace, 7 blank lines.
STATEMENT = re.compile(
    r"""(?:[ \t\r]*\n)?[ \t]*
    (?: ([A-Za-z_][A-Za-z0-9_]*+) [ \t]*+
        (?: : [ \t]*+
            (?: "([^"\\\n\0]*)" (?!\s*["'\#])
              | (-?(?:0|[1-9][0-9]{0,99})(?:\.[0-9]{0,99})?(?:[eE][-+]?[0-9]{1,9})?) (?=[\s}\#])
              | ([A-Za-z_][A-Za-z0-9_]*+) (?=[ \t]*[\r\n}\#A-Za-z_]) )
          | :? [ \t]*+ (\{) )
      | (\})
      | (\r?\n[ \t\r\n]*) )?""",
    re.VERBOSE | re.ASCII,
)

_ESCAPE = re.compile(
    rb"\\(?:([0-7]{1,3})"
    rb"|[xX]([0-9a-fA-F]{1,2})"
    rb"|(?:u|U0000)([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|u([0-9a-fA-F]{4})"
    rb"|U(00[01][0-9a-fA-F]{5})"
    rb"|([abfnrtv\\?'\"])"
    rb"|)",
)
_SIMPLE = dict(zip(b"abfnrtv\\?'\"", (bytes([c]) for c in b"\a\b\f\n\r\t\v\\?'\""), strict=True))


class Token(NamedTuple):
    """One token: its kind, its place, and for a bad one what is wrong with it."""

    kind: Kind
    start: int
    end: int
    problem: str = ""
    help: str | None = None


def next_token(text: str, pos: int) -> Token:
    """The token that starts at ``pos``, where there is neither space nor comment."""
    if pos >= len(text):
        return Token("end", pos, pos)
    if match := _NAME.match(text, pos):
        return Token("name", pos, match.end())
    char = text[pos]
    if char.isdecimal() or (char == "." and text[pos + 1 : pos + 2].isdecimal()):
        return _number(text, pos)
    if char in "\"'":
        return _string(text, pos)
    if match := _CONTROL.match(text, pos):
        problem = f"the control character 0x{ord(char):02x} is not allowed here"
        return Token("bad", pos, match.end(), problem, "remove it; your editor may not show it")
    if char >= "\x80":
        return _foreign(text, pos)
    return Token("symbol", pos, pos + 1)


def skip_space(text: str, pos: int) -> int:
    """Where the next token starts: after space and comments."""
    while True:
        match = SPACE.match(text, pos)
        pos = match.end() if match else pos
        comment = COMMENT.match(text, pos)
        if comment is None:
            return pos
        pos = comment.end()


def string_end(text: str, pos: int) -> int:
    """The offset after the string that starts at ``pos``; -1 where its line ends first."""
    quote = text[pos]
    piece = _PIECE[quote]
    pos += 1
    while True:
        match = piece.match(text, pos)
        if match is None or match.end() == pos:
            break
        pos = match.end()
    return pos + 1 if text[pos : pos + 1] == quote else -1


def bad_escape(raw: bytes) -> int:
    """The offset of the first escape unknown to C++; -1 where there is none."""
    for match in _ESCAPE.finditer(raw):
        if match.lastindex is None:
            return match.start()
    return -1


def unescape(raw: bytes) -> bytes:
    """The bytes that the inside of a string stands for."""
    return _ESCAPE.sub(_escaped, raw) if b"\\" in raw else raw


def _escaped(match: re.Match[bytes]) -> bytes:
    octal, hexadecimal, head, tail, short, long, simple = match.groups()
    if simple is not None:
        return _SIMPLE[simple[0]]
    if octal is not None:
        return bytes([int(octal, 8) & 0xFF])
    if hexadecimal is not None:
        return bytes([int(hexadecimal, 16)])
    if head is not None:
        code = 0x10000 + ((int(head, 16) & 0x3FF) << 10) + (int(tail, 16) & 0x3FF)
    else:
        code = int(short or long or b"5c", 16)
    if code > 0x10FFFF:  # C++ writes such an escape out as text (AppendUTF8, tokenizer.cc)
        return b"\\U%08x" % code
    return chr(code).encode("utf-8", "surrogatepass")


def _number(text: str, pos: int) -> Token:
    match = _NUMBER.match(text, pos)
    end = match.end() if match else pos
    if end == pos or (end < len(text) and (text[end] in "._" or _is_word(text[end]))):
        whole = _NUMBER_LIKE.match(text, pos)
        end = whole.end() if whole else pos + 1
        return Token("bad", pos, end, *_why_no_number(shorten(text[pos:end])))
    return Token("number", pos, end)


def _is_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def _why_no_number(word: str) -> tuple[str, str | None]:
    problem = f"`{word}` is not a number"
    if re.fullmatch(r"0[0-9]+", word):
        return problem, "a number that starts with 0 is octal and has only the digits 0 to 7"
    if re.match(r"0[0-9]", word):
        return problem, "remove the leading zero"
    if re.match(r"0[xX]", word):
        return problem, "a number that starts with 0x has only the digits 0-9 and a-f"
    if re.fullmatch(r"[0-9.]+[eE][-+]?", word):
        return problem, "an exponent is missing after the `e`"
    if re.fullmatch(r"[0-9.]+", word):
        return problem, "a number has at most one decimal point"
    return problem, "put it in double quotes if it is a name; numbers have no unit and no `_`"


def _string(text: str, pos: int) -> Token:
    end = string_end(text, pos)
    if end >= 0:
        return Token("string", pos, end)
    line_end = text.find("\n", pos)
    end = line_end if line_end >= 0 else len(text)
    nul = text.find("\0", pos, end)
    end = nul if nul >= 0 else end
    # Braces at the end of the line most likely close blocks; the quote is missing before them.
    end = pos + 1 + len(text[pos + 1 : end].rstrip(" \t\r}"))
    where = "file" if line_end < 0 else "line"
    problem = f"the string that starts here is not closed before the end of the {where}"
    return Token("bad", pos, end, problem, f"add the closing {text[pos]}")


_LOOKALIKES = {
    "\u201c": 'a typographic quote; use "',
    "\u201d": 'a typographic quote; use "',
    "\u201e": 'a typographic quote; use "',
    "\u2018": "a typographic quote; use '",
    "\u2019": "a typographic quote; use '",
    "\uff1a": "a full-width colon; use :",
    "\uff0c": "a full-width comma; use ,",
    "\u00a0": "a no-break space, as found on web pages; use an ordinary space",
    "\u3000": "a full-width space; use an ordinary space",
    "\u200b": "a zero-width space, which is invisible; remove it",
    "\ufeff": "a byte order mark, which is invisible; remove it",
    "\u2013": "a dash; use the minus sign -",
    "\u2212": "a typographic minus; use -",
}


def _foreign(text: str, pos: int) -> Token:
    for size in (2, 3, 4):
        try:
            char = text[pos : pos + size].encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            continue
        shown = f"`{char}` (U+{ord(char):04X})" if char.isprintable() else f"U+{ord(char):04X}"
        problem = f"the character {shown} is allowed only in strings and comments"
        known = _LOOKALIKES.get(char)
        return Token("bad", pos, pos + size, problem, known and f"this is {known}")
    problem = f"the byte 0x{ord(text[pos]):02x} is allowed only in strings and comments"
    return Token("bad", pos, pos + 1, problem)


def shorten(word: str) -> str:
    """The token as a message shows it: not more than a line of it."""
    return cut(word.encode("latin-1").decode("utf-8", "replace"))
