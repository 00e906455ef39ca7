"""The grammar of protobuf's text format, as C++'s ``TextFormat`` accepts it.

The parser is not recursive: open blocks are kept on a stack. Nearly all of a real file is
read by one regular expression that matches a whole statement (``Tree.ordinary``);
whatever it does not match goes through the exact tokenizer. Both give the same fields.
"""

from __future__ import annotations

import re

from prototxt_gen.document import Number, Symbol
from prototxt_gen.formats.text.recovery import Reporter, Stop, report_unclosed
from prototxt_gen.formats.text.tokens import (
    LONGEST_NUMBER,
    Token,
    bad_escape,
    next_token,
    skip_space,
    unescape,
)
from prototxt_gen.formats.text.tree import DEEPEST, EMPTY_BLOCK_LIST, EMPTY_LIST, Target, Tree

_CLOSER = {"{": "}", "<": ">"}
_FIELD_FOLLOWS = re.compile(r"[ \t]*[:{<]")
_EXTENSION = re.compile(r"\[[^\]\n{}]*\]?")
_LIST_END = re.compile(r"[^\]\n]{0,1000}\]")


class Parser(Tree):
    """Reads one text into ``root``; every ``_method`` returns the offset to continue at."""

    def __init__(self, data: bytes, text: str, reporter: Reporter, *, fast: bool) -> None:
        super().__init__(data, text, reporter)
        self._fast = fast

    def run(self, pos: int) -> None:
        """Read everything from an offset on."""
        try:
            while pos < len(self.text):
                before = pos
                pos = self.skip(self.ordinary(pos) if self._fast else pos)
                if (pos == before or not self._fast) and pos < len(self.text):
                    pos = self._statement(self._token(pos))
            self.end_comments(self.take_comments())
            if self.stack:
                report_unclosed(self.report, self.text, self.stack, self.blocks)
        except Stop:
            pass

    def _token(self, pos: int) -> Token:
        return next_token(self.text, pos)

    def _char(self, token: Token) -> str:
        """The character of a symbol; empty for any other token."""
        return self.text[token.start : token.end] if token.kind == "symbol" else ""

    def _statement(self, token: Token) -> int:
        char = self._char(token)
        if token.kind == "name":
            name = self.text[token.start : token.end]
            fields = self.blocks[-1].fields
            return self._field(Target(name, token.start, fields, self.take_comments()), token)
        if char in (",", ";") and self.may_separate:
            self.may_separate = False
            return token.end
        self.may_separate = False
        if char in ("}", ">"):
            return self._close(token)
        if char == "[":
            return self._extension(token)
        return self._no_name(token)

    def _no_name(self, token: Token) -> int:
        help = None
        if token.kind == "string":
            help = "a value needs a name before it: `name: value`"
        elif self.text.startswith(("//", "/*"), token.start):
            help = "a comment starts with `#`"
        self.report.unexpected("the name of a field", token, help=help)
        return token.end if self._char(token) in (",", ";") else self._go_on(token)

    def _go_on(self, token: Token) -> int:
        """Skip what is wrong, up to what looks like a field; a brace still opens a block."""
        pos = token.start
        if token.kind != "end" and self._char(token) not in ("{", "}", "<", ">"):
            pos = token.end
        pos = self.report.resume(pos)
        if self.text[pos : pos + 1] in ("{", "<"):
            return self._open(Target("", pos, []), Token("symbol", pos, pos + 1))
        return pos

    def _extension(self, token: Token) -> int:
        match = _EXTENSION.match(self.text, token.start)
        end = match.end() if match else token.end
        name = self.text[token.start : end]
        message = f"`{name}` names an extension; Caffe's messages have none"
        help = "write the plain name of the field; a list of values needs one too: `dim: [1, 3]`"
        self.report.error(message, token.start, end, help=help, rule="extension")
        return self._field(Target(name, token.start, []), Token("name", token.start, end))

    def _field(self, target: Target, name: Token) -> int:
        """Read what follows a name."""
        self.last, self.may_separate = None, False
        token = self._token(self.skip(name.end, inside=True))
        char = self._char(token)
        if char == ":":
            return self._value(target, self.skip(token.end, inside=True))
        if char in ("{", "<"):
            return self._open(target, token)
        if char == "[":
            return self._list(target, token.end, colon=False)
        if token.kind == "end" and self.stack:
            return token.end  # the error to report is the block that is not closed
        return self._no_colon(target, name, token)

    def _no_colon(self, target: Target, name: Token, token: Token) -> int:
        wanted = f"`:` or `{{` after `{target.name}`"
        same_line = "\n" not in self.text[name.end : token.start]
        is_name = token.kind == "name"
        if self._char(token) == "=":
            self.report.unexpected(wanted, token, help="a name and its value are joined by `:`")
            return self._value(target, self.skip(token.end, inside=True))
        if is_name and _FIELD_FOLLOWS.match(self.text, token.end):
            if same_line or not self._deeper(name.start, token.start):
                self.report.unexpected(wanted, token)
                return token.start
            help = f"write `{target.name} {{` if a block starts here"
            self.report.unexpected(wanted, token, help=help)
            return self._open(target, Token("symbol", token.start, token.start))
        if token.kind == "symbol" and token.start == name.end and self._char(token) in "-./":
            self.report.unexpected(wanted, token, help="a name consists of letters, digits and `_`")
            return self._go_on(token)
        is_value = is_name or token.kind in ("number", "string") or self._char(token) == "-"
        if is_value and same_line:
            shown = self.report.describe(token).strip("`")
            help = f"a colon is missing: `{target.name}: {shown}`"
            self.report.unexpected(f"`:` after `{target.name}`", token, help=help)
            return self._value(target, token.start)
        self.report.unexpected(wanted, token)
        return token.start if is_name else self._go_on(token)

    def _deeper(self, name: int, other: int) -> bool:
        """Whether the text at ``other`` is indented further than the name."""
        text = self.text
        return other - text.rfind("\n", 0, other) > name - text.rfind("\n", 0, name)

    def _value(self, target: Target, pos: int, *, again: bool = False) -> int:
        """Read a value, or report that there is none."""
        token = self._token(pos)
        char = self._char(token)
        if char in ("{", "<"):
            return self._open(target, token)
        if char == "[":
            return self._list(target, token.end)
        end = self._scalar(target, token)
        if end >= 0:
            return end
        if token.kind == "end" and self.stack:
            return token.end
        token = self._no_value(target, token)
        if char in (":", "=") and not again:
            return self._value(target, self.skip(token.end, inside=True), again=True)
        if token.kind == "name":
            return token.start
        cut = token.kind == "bad" and self.text[token.start] in "\"'0123456789."
        return token.end if cut else self._go_on(token)

    def _no_value(self, target: Target, token: Token) -> Token:
        """Report what is in place of a value; return the token to continue at."""
        if self._char(token) == "-":
            number = self._token(skip_space(self.text, token.end))
            token = number if number.kind == "bad" else token
        help = None
        if token.kind == "name":
            help = f"`{target.name}` has no value, or a line break is missing"
        cut_off = token.kind == "bad" and token.end >= len(self.text) and self.stack
        if not cut_off:  # else the error to report is the block that is not closed
            self.report.unexpected(f"a value after `{target.name}:`", token, help=help)
        return token

    def _scalar(self, target: Target, token: Token) -> int:
        """Read a scalar value; the offset after it, -1 where there is none."""
        text, start = self.text, token.start
        if token.kind == "string":
            return self._string(target, token)
        sign = ""
        if self._char(token) == "-":  # C++ allows space and comments after it
            sign, token = "-", self._token(skip_space(text, token.end))
            if token.kind in ("name", "number"):
                self.skip(start + 1, inside=True)
        word = text[token.start : token.end]
        if token.kind == "name" and not _FIELD_FOLLOWS.match(text, token.end):
            return self.add(target, Symbol(sign + word), start, token.end)
        if token.kind != "number":
            return -1
        if len(word) > LONGEST_NUMBER:
            message = f"a number has {len(word)} characters; expected at most {LONGEST_NUMBER}"
            self.report.error(message, start, token.end, rule="number-too-long")
            word = "0"
        return self.add(target, Number(sign + word), start, token.end)

    def _string(self, target: Target, token: Token) -> int:
        """Read a string and those that follow it, which C++ concatenates."""
        start, parts = token.start, list[bytes]()
        while True:
            raw = self.data[token.start + 1 : token.end - 1]
            if b"\\" in raw and (wrong := bad_escape(raw)) >= 0:
                self._bad_escape(token.start + 1 + wrong)
            parts.append(unescape(raw))
            follows = self._token(skip_space(self.text, token.end))
            if self.text[follows.start : follows.start + 1] not in ('"', "'"):
                return self.add(target, b"".join(parts), start, token.end)
            self.skip(token.end, inside=True)
            if follows.kind == "bad":
                self._no_value(target, follows)
                return self.add(target, b"".join(parts), start, follows.end)
            token = follows

    def _bad_escape(self, pos: int) -> None:
        word = self.text[pos : pos + 2]
        help = "a backslash itself is written `\\\\`"
        if word[1:] in ("x", "X", "u", "U"):
            help = "`\\x` is followed by 1 or 2 hex digits, `\\u` by 4, `\\U` by 8 up to 0010ffff"
        message = f"a string may not have the escape `{word}`"
        self.report.error(message, pos, pos + len(word), help=help)

    def _list(self, target: Target, pos: int, *, colon: bool = True, first: bool = True) -> int:
        """Read ``[1, 2]`` after its bracket or after one of its commas."""
        target = target._replace(in_list=True)
        while True:
            token = self._token(self.skip(pos, inside=True))
            char = self._char(token)
            if char == "]" and first:
                value = EMPTY_LIST if colon else EMPTY_BLOCK_LIST
                return self.add(target._replace(in_list=False), value, token.start, token.end)
            if char in ("{", "<"):
                return self._open(target, token)  # _close continues with the list
            if not colon and token.kind != "end":
                help = f"a colon is missing: `{target.name}: [`"
                self.report.unexpected(f"`{{` in the list of `{target.name}`", token, help=help)
                colon = True
            pos = self._scalar(target, token)
            if pos < 0:
                wanted = f"a value in the list of `{target.name}`"
                comma = "no comma may follow the last value" if char == "]" else None
                return self._broken_list(wanted, token, comma)
            goes_on, pos = self._after_item(target, pos)
            if not goes_on:
                return pos
            first, target = False, target._replace(comments=())

    def _after_item(self, target: Target, pos: int) -> tuple[bool, int]:
        """Whether the list continues with another item, and where to read on."""
        token = self._token(self.skip(pos, inside=True))
        if self._char(token) in (",", "]"):
            self.may_separate = self._char(token) == "]"
            return self._char(token) == ",", token.end
        return False, self._broken_list(f"`,` or `]` in the list of `{target.name}`", token, None)

    def _broken_list(self, wanted: str, token: Token, help: str | None) -> int:
        """Report an error in a list; the list ends at the end of its line, if not before."""
        if token.kind == "end" and self.stack:
            return token.end
        self.report.unexpected(wanted, token, help=help)
        match = _LIST_END.match(self.text, token.start)
        self.may_separate = match is not None
        return match.end() if match else self._go_on(token)

    def _open(self, target: Target, token: Token) -> int:
        if len(self.stack) >= DEEPEST:
            message = f"blocks are nested deeper than {DEEPEST} levels"
            self.report.fatal("nesting-too-deep", message, token.start, token.end)
        self.push(target, token.start, _CLOSER.get(self._char(token), "}"))
        return token.end

    def _close(self, token: Token) -> int:
        found = self._char(token)
        if not self.stack:
            message = f"`{found}` closes nothing: no block is open here"
            help = f"remove it, or an extra `{found}` in a block above"
            self.report.error(message, token.start, token.end, help=help, rule="unexpected-close")
            return token.end
        closer, target = self.odd.get(len(self.stack), ("}", None))
        if found != closer:
            opener = "<" if closer == ">" else "{"
            wanted = f"`{closer}`, since the block was opened by `{opener}`"
            self.report.unexpected(wanted, token)
        self.pop(token.end)
        if target is None or not target.in_list:
            return token.end
        goes_on, pos = self._after_item(target, token.end)
        return self._list(target._replace(comments=()), pos, first=False) if goes_on else pos
