"""The layout of a file that somebody wrote: the printer's, with the file's own spelling.

Numbers and words stay as they are, and strings keep their escapes; a string in single quotes
gets double ones where that takes no escape. Strings that are joined stay apart, each on a
line. A list becomes a statement for each item. One with a single item or none stays a list:
only a repeated field may have it, and without a schema nobody knows which fields are that.
A comment behind the brace that opens a block stays there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from prototxt_gen.document import Block, Field
from prototxt_gen.formats.text.printer import Printer, format_scalar
from prototxt_gen.formats.text.tokens import COMMENT, skip_space, string_end
from prototxt_gen.formats.text.tree import EMPTY_BLOCK_LIST, EMPTY_LIST, ListItem, readable

_CONTINUED = "  "
_OPENING = re.compile(rf"[ \t\r\v\f]*{COMMENT.pattern}")


def lay_out(root: Block, data: bytes) -> bytes:
    """The text of a tree that was read from ``data``, and upgraded or not; it loses comments.

    Lines end as the first one of ``data`` does: by a line feed, with or without a carriage
    return before it.
    """
    layout = Layout(data)
    layout.write_block(root)
    text = layout.text()
    if data[: data.find(b"\n") + 1].endswith(b"\r\n"):
        text = text.replace("\n", "\r\n")
    return text.encode("utf-8", "surrogateescape")


class Layout(Printer):
    """Prints the fields of one file."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._source = data.decode("latin-1")
        self._alone: set[int] = set()  #: offsets of fields that are the only item of a list

    def write_block(self, block: Block, indent: str = "") -> None:
        """Write the contents of a block."""
        items = Counter(f.start for f in block.fields if type(f) is ListItem)
        self._alone.update(start for start, count in items.items() if count == 1)
        super().write_block(block, indent)

    def statement(self, field: Field, indent: str) -> str:
        """The name and the value, as the value was written."""
        value = field.value
        if value is EMPTY_LIST or value is EMPTY_BLOCK_LIST:
            return f"{field.name}{':' if value is EMPTY_LIST else ''} []"
        alone = field.start in self._alone
        if isinstance(value, bytes) and field.start >= 0:
            parts = list(self._strings(field))
            if len(parts) > 1 and not alone:
                return "\n".join([f"{field.name}:", *(indent + _CONTINUED + p for p in parts)])
            words = " ".join(parts)
        else:
            words = format_scalar(value)  # type: ignore[arg-type]
        return f"{field.name}: [{words}]" if alone else f"{field.name}: {words}"

    def brackets(self, field: Field) -> tuple[str, str]:
        """Those of a list around the only block of it."""
        return (": [", "]") if field.start in self._alone else (" ", "")

    def opening(self, field: Field, block: Block) -> str:
        """The comment behind the brace, which is taken from what it would precede."""
        if field.value_start < 0 or self._source[field.value_start] not in "{<":
            return ""  # an upgrade made the block
        match = _OPENING.match(self._source, field.value_start + 1)
        holder = block.fields[0] if block.fields else block
        if match is None or holder.comments[:1] != (readable(match[1]),):
            return ""
        holder.comments = holder.comments[1:]
        return f" #{readable(match[1])}"

    def _strings(self, field: Field) -> Iterator[str]:
        """The strings that a value was written as, each in its quotes."""
        at = field.value_start
        while at < field.end:
            end = string_end(self._source, at)
            part = self._source[at:end]
            if part[0] == "'" and '"' not in part and "\\" not in part:
                part = f'"{part[1:-1]}"'
            yield part.encode("latin-1").decode("utf-8", "surrogateescape")
            at = skip_space(self._source, end)
