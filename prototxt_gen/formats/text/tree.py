"""The tree that the text reader builds: open blocks, their fields, their comments.

Where a comment goes: after a field, on the line where it ends, it is the field's
``trailing`` comment. Any other belongs to the field that follows, one inside a field to
that field, and those after a block's last field to the block. A run of blank lines
becomes one ``None`` before what follows it; at the start and at the end of a
block it is dropped, since it means nothing there.
"""

from __future__ import annotations

from typing import NamedTuple

from prototxt_gen.document import Block, Field, Number, Symbol, Value
from prototxt_gen.formats.text.recovery import Reporter
from prototxt_gen.formats.text.tokens import COMMENT, SPACE, STATEMENT

DEEPEST = 100

#: The value of ``name: []``, which only a repeated field may have.
EMPTY_LIST = Symbol("[]")
#: The value of ``name []``, which only a repeated field of messages may have.
EMPTY_BLOCK_LIST = Symbol("[ ]")


class ListItem(Field):
    """An item of ``name: [1, 2]``, a form that only a repeated field may have."""

    __slots__ = ()


class Target(NamedTuple):
    """The field whose value is being read."""

    name: str
    start: int
    fields: list[Field]  #: where the field goes; a list outside any block if it is discarded
    comments: tuple[str | None, ...] = ()
    in_list: bool = False


class Tree:
    """The blocks read so far; ``root`` is the whole file."""

    def __init__(self, data: bytes, text: str, reporter: Reporter) -> None:
        self.root = Block()
        self.data = data
        self.text = text
        self.report = reporter
        self.stack: list[Field] = []  #: the fields whose blocks are open
        self.blocks = [self.root]  #: the root, and their blocks
        #: Depth of each open block that ``<`` opened or that is in a list: how it closes.
        self.odd: dict[int, tuple[str, Target]] = {}
        self.pending: list[str | None] = []  #: comments before the next field
        self.last: Field | None = None  #: the field that a comment on this line belongs to
        self.may_separate = False  #: whether a comma is allowed here

    def ordinary(self, pos: int) -> int:
        """Read ordinary statements as long as they match; return the offset after them."""
        # The reader spends most of its time here, hence locals and few calls.
        data, stack, blocks = self.data, self.stack, self.blocks
        append = blocks[-1].fields.append
        odd, comments, last = self.odd, tuple(self.pending), self.last
        for match in STATEMENT.finditer(self.text, pos):
            kind = match.lastindex
            if kind == 2:
                start, end = match.span(2)
                string = data[start:end]
                last = Field(match[1], string, match.start(1), start - 1, end + 1, comments)
                append(last)
            elif kind == 3 or kind == 4:
                start, end = match.span(kind)
                word = Number(match[3]) if kind == 3 else Symbol(match[4])
                last = Field(match[1], word, match.start(1), start, end, comments)
                append(last)
            elif kind == 5 and len(stack) < DEEPEST:
                block, last = Block(), None
                field = Field(match[1], block, match.start(1), match.start(5), -1, comments)
                append(field)
                stack.append(field)
                blocks.append(block)
                append = block.fields.append
            elif kind == 6 and stack and len(stack) not in odd:
                if comments:
                    self.end_comments(comments)
                last = stack.pop()
                last.end = match.end()
                blocks.pop()
                append = blocks[-1].fields.append
            elif kind == 7:
                if (comments or blocks[-1].fields) and comments[-1:] != (None,):
                    comments += (None,)
                continue
            else:
                pos = match.start()  # each match starts where the previous one ends
                break
            comments = ()
        self.pending[:] = comments
        if last is not self.last:
            self.last, self.may_separate = last, last is not None
            self.report.good()
        return pos

    def skip(self, pos: int, *, inside: bool = False) -> int:
        """Skip space and comments, and keep the comments; ``inside``: of a field."""
        text, pending = self.text, self.pending
        while True:
            match = SPACE.match(text, pos)
            end = match.end() if match else pos
            lines = text.count("\n", pos, end)
            comment, last = COMMENT.match(text, end), self.last
            if (
                comment
                and not lines
                and last is not None
                and last.trailing is None
                and "\n" not in text[last.end : end]
            ):
                last.trailing = readable(comment[1])
                pos = comment.end()
                continue
            something = pending or self.blocks[-1].fields
            if lines > 1 and not inside and something and pending[-1:] != [None]:
                pending.append(None)
            if comment is None:
                return end
            pending.append(readable(comment[1]))
            pos = comment.end()

    def take_comments(self) -> tuple[str | None, ...]:
        """The comments that wait for a field."""
        comments = tuple(self.pending)
        self.pending.clear()
        return comments

    def end_comments(self, comments: tuple[str | None, ...]) -> None:
        """Give the comments after a block's last field to the block."""
        while comments and comments[-1] is None:
            comments = comments[:-1]
        self.blocks[-1].comments += comments

    def add(self, target: Target, value: Value, start: int, end: int) -> int:
        """Add a field with a scalar value; return the offset after it."""
        comments = target.comments + self.take_comments()
        kind = ListItem if target.in_list else Field
        self.last = kind(target.name, value, target.start, start, end, comments)
        target.fields.append(self.last)
        self.may_separate = True
        return end

    def push(self, target: Target, start: int, closer: str) -> None:
        """Open the block of a field."""
        comments, block = target.comments + self.take_comments(), Block()
        kind = ListItem if target.in_list else Field
        field = kind(target.name, block, target.start, start, -1, comments)
        target.fields.append(field)
        self.stack.append(field)
        self.blocks.append(block)
        self.last, self.may_separate = None, False
        if closer != "}" or target.in_list:
            self.odd[len(self.stack)] = closer, target

    def pop(self, end: int) -> None:
        """Close the innermost block."""
        self.end_comments(self.take_comments())
        self.odd.pop(len(self.stack), None)
        self.last, self.may_separate = self.stack.pop(), True
        self.last.end = end
        self.blocks.pop()


def readable(comment: str) -> str:
    """A comment as text; bytes that are not UTF-8 become surrogates."""
    comment = comment.rstrip(" \t\r\v\f")
    if comment.isascii():
        return comment
    return comment.encode("latin-1").decode("utf-8", "surrogateescape")
