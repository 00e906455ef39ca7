"""Type the values of a text, and find the dialect that explains them.

:func:`resolve` does this in place. BVLC's schema comes first; what it cannot explain is
read by the union of all dialects, which tells which dialects have every field of the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from prototxt_gen.diagnostics import Severity, Sink
from prototxt_gen.document import Block, Field, Scalar, Value
from prototxt_gen.formats.dialects import in_mask
from prototxt_gen.formats.schema import UNION, FieldType, Message, schema
from prototxt_gen.formats.text.hints import join, known_to, listed, remedy
from prototxt_gen.formats.text.scalars import Mismatch, wrong_type
from prototxt_gen.formats.text.tree import EMPTY_BLOCK_LIST, EMPTY_LIST, ListItem

__all__ = ["UnknownFields", "resolve"]

#: How to report a field that no known Caffe has.
UnknownFields = Literal["error", "warning", "ignore"]


def resolve(
    root: Block,
    message: str,
    sink: Sink,
    dialect: str | None = None,
    unknown: UnknownFields = "error",
) -> str:
    """Type a block in place as a message of Caffe's; return the dialect it was read by.

    ``dialect=None`` takes the first one that has every field, or ``union`` where none does,
    which is an error; several with commas are a choice of these alone. What does not fit stays
    untyped and is reported to the sink, a field that no known Caffe has as ``unknown`` says.
    Raises KeyError where the dialect does not exist or has no such message.
    """
    if dialect is None:
        if schema("bvlc").dialects(message):
            typing = _Typing(Sink())
            typing.block(root, schema("bvlc").message(message))
            if not typing.sink.diagnostics:
                typing.commit()
                return "bvlc"
        dialect = _explain(root, message, sink, UNION)
    elif len(schema(dialect).names) > 1:
        dialect = _explain(root, message, sink, dialect)
    typing = _Typing(sink, unknown)
    typing.block(root, schema(dialect).message(message))
    typing.commit()
    return dialect


class _Typing:
    """The types found so far: nothing is changed before ``commit``."""

    def __init__(self, sink: Sink, unknown: UnknownFields = "error") -> None:
        self.sink = sink
        self.unknown = unknown
        self.values: list[tuple[Field, Scalar]] = []
        self.types: list[tuple[Block, Message]] = []
        self.emptied: list[tuple[Block, set[int]]] = []

    def commit(self) -> None:
        for field, value in self.values:
            field.value = value
        for block, message in self.types:
            block.type = message
        for block, places in self.emptied:
            _take_out(block, places)

    def block(self, block: Block, message: Message, owner: Field | None = None) -> None:
        """Type the fields of a block; ``owner`` is the field whose value it is."""
        self.types.append((block, message))
        seen: dict[str, Field] = {}
        emptied: set[int] = set()
        fields, single, found = message.fields, message.single, self.values.append
        for place, field in enumerate(block.fields):
            name, value = field.name, field.value
            declared = fields.get(name)
            if declared is None:
                self._unknown(field, message)
                continue
            one = declared[0]
            convert = one.convert
            try:
                if convert is not None:
                    found((field, convert(value) if single else _first_fit(declared, value)))
                elif type(value) is Block:
                    one = _knowing(declared, value, message)[0]
                    self.block(value, message.type_of(one), field)
                else:
                    raise wrong_type("a block: `{ ... }`", value)
            except Mismatch as mismatch:
                if _is_empty_list(field, declared):
                    emptied.add(place)
                else:
                    self._mismatch(field, mismatch)
            if not (one.repeated if single else any(d.repeated for d in declared)):
                first = seen.setdefault(name, field)
                if first is not field:
                    self._duplicate(first, field)
                elif type(field) is ListItem:
                    self._list(field)
        if emptied:
            self.emptied.append((block, emptied))
        for name in message.required:
            if not block.has(name):
                self._missing(name, message, owner)

    def _unknown(self, field: Field, message: Message) -> None:
        known = known_to(field.name, message)
        if self.unknown == "ignore" and not known:
            return
        hard = self.unknown == "error" or bool(known)
        rule = "unknown-field"
        help = None
        if self.sink.takes(rule, Severity.ERROR if hard else Severity.WARNING):
            theirs = f"known to {listed(known)}: see --dialect"
            help = theirs if known else remedy(field.name, message)
        report = self.sink.error if hard else self.sink.warning
        text = f"{message.name} has no field `{field.name}`"
        report(rule, text, span=field.name_span, help=help)

    def _mismatch(self, field: Field, mismatch: Mismatch) -> None:
        self.sink.error(
            mismatch.rule,
            f"`{field.name}`: {mismatch.message}",
            span=field.value_span,
            help=mismatch.help,
        )

    def _duplicate(self, first: Field, field: Field) -> None:
        place = ""
        if self.sink.source and first.span:
            place = f"; the first is on line {self.sink.source.row(first.start)}"
        self.sink.error(
            "duplicate-field",
            f"`{field.name}` may be given only once in a block{place}",
            span=field.name_span,
        )

    def _list(self, field: Field) -> None:
        self.sink.error(
            "wrong-type",
            f"`{field.name}`: expected one value, found a list",
            span=field.value_span,
        )

    def _missing(self, name: str, message: Message, owner: Field | None) -> None:
        self.sink.error(
            "missing-required",
            f"{message.name} needs the field `{name}`, which is missing",
            span=owner.name_span if owner else None,
        )


class _Explanation:
    """Finds the dialects that have every field, and the fields that narrow them down.

    ``all`` is the mask of the dialects that are asked about.
    """

    def __init__(self, all: int) -> None:
        self.all = all
        self.narrowing: list[tuple[int, Field]] = []

    def block(self, block: Block, message: Message) -> int:
        """The dialects that explain a block; a field that none explains is skipped."""
        mask = self.all
        several = {f.name for f in block.fields if type(f) is ListItem}
        seen: set[str] = set()
        for field in block.fields:
            (several if field.name in seen else seen).add(field.name)
        for field in block.fields:
            declared = message.fields.get(field.name, ())
            fitting = [d for d in declared if d.repeated or field.name not in several]
            fitting = [d for d in fitting or declared if _fits(d, field)]
            value = field.value
            if isinstance(value, Block):
                fitting = _knowing(fitting, value, message)
            found = join(d.dialects for d in fitting)
            if not found:
                continue  # no dialect explains it: an error in the file
            if found != self.all:
                self.narrowing.append((found, field))
            if isinstance(value, Block):
                found = join(d.dialects & self.block(value, message.type_of(d)) for d in fitting)
            mask &= found
        return mask


def _explain(root: Block, message: str, sink: Sink, among: str) -> str:
    """The first of some dialects that explains a block; all of them and an error if none does."""
    union = schema(among)
    explanation = _Explanation(union.all)
    mask = explanation.block(root, union.message(message)) & union.dialects(message)
    chosen = next(in_mask(mask), None)
    if chosen is not None:
        return chosen
    left = union.dialects(message)
    for found, field in sorted(explanation.narrowing, key=lambda n: n[1].start):
        if not left & found:
            sink.error(
                "mixed-dialects",
                f"no dialect of Caffe has `{field.name}` (known to {listed(found)}) and the "
                f"fields before it (known to {listed(left)})",
                span=field.name_span,
                help="choose one with --dialect to see which fields it does not have",
            )
            break
        left &= found
    return among


def _first_fit(declared: Iterable[FieldType], value: Value) -> Scalar:
    """The value by the first declaration that it fits; raises the Mismatch of the first."""
    first = None
    for one in declared:
        if one.convert is not None:
            try:
                return one.convert(value)
            except Mismatch as mismatch:
                first = first or mismatch
    raise first or wrong_type("a block: `{ ... }`", value)


def _fits(declared: FieldType, field: Field) -> bool:
    if _is_empty_list(field, [declared]):
        return True
    if declared.convert is None:
        return isinstance(field.value, Block)
    try:
        declared.convert(field.value)
    except Mismatch:
        return False
    return True


def _knowing(declared: list[FieldType], block: Block, message: Message) -> list[FieldType]:
    """Of the declarations of a message field, those whose message knows most of a block."""
    if len(declared) < 2:
        return declared

    def known(one: FieldType) -> int:
        fields = message.type_of(one).fields if one.message else ()
        return sum(field.name in fields for field in block.fields)

    most = max(map(known, declared))
    return [one for one in declared if known(one) == most]


def _is_empty_list(field: Field, declared: Iterable[FieldType]) -> bool:
    """``name: []`` of a repeated field, or ``name []`` of repeated messages."""
    if field.value is EMPTY_LIST:
        return any(d.repeated for d in declared)
    if field.value is EMPTY_BLOCK_LIST:
        return any(d.repeated and d.convert is None for d in declared)
    return False


def _take_out(block: Block, places: set[int]) -> None:
    """Remove fields without a value; their comments go to what follows them."""
    kept: list[Field] = []
    comments: list[str | None] = []
    for place, field in enumerate(block.fields):
        if place in places:
            comments += field.comments
            comments += [field.trailing] if field.trailing is not None else []
            continue
        if comments:
            field.comments = (*comments, *field.comments)
            comments = []
        kept.append(field)
    block.fields = kept
    block.comments = (*comments, *block.comments)
