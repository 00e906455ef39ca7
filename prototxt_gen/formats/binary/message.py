"""Binary protobuf to Blocks and back; the only place where messages are built.

Each dialect has a private ``DescriptorPool``, so that it does not collide with another
``caffe_pb2`` in the same process.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.unknown_fields import UnknownFieldSet

from prototxt_gen.diagnostics import Sink, Source
from prototxt_gen.document import Block, Document, Field, Number, Symbol, Value
from prototxt_gen.errors import ParseError
from prototxt_gen.formats.binary.told import telling, told
from prototxt_gen.formats.binary.wire import encoded
from prototxt_gen.formats.dialects import (
    DIALECTS,
    KNOWN,
    PACKAGE,
    RELEASES,
    declarations,
    names_of,
)
from prototxt_gen.formats.schema import Message, schema
from prototxt_gen.formats.text.scalars import shortest

_Type = FieldDescriptor
_SKIPPED = frozenset({"data", "diff", "double_data", "double_diff", "raw_data", "raw_diff"})


def message_class(message: str, dialect: str = "bvlc") -> type[ProtobufMessage]:
    """The protobuf class of a message; raises KeyError if the dialect has none."""
    descriptor = _pool(dialect).FindMessageTypeByName(PACKAGE[1:] + message)
    return message_factory.GetMessageClass(descriptor)


def to_message(root: Block, message: str, dialect: str = "bvlc") -> ProtobufMessage:
    """A typed block as a protobuf message.

    Raises ParseError if the dialect does not have a field or a value of the block.
    """
    built = message_class(message, dialect)()
    _fill(built, root, schema(dialect).message(message))
    return built


def serialize(document: Document, message: str) -> bytes:
    """The binary form of a document, in its dialect.

    Raises ParseError as to_message does, and if a required field is missing.
    """
    built: Any = to_message(document.root, message, document.dialect)
    missing = built.FindInitializationErrors()
    if missing:
        raise ParseError(f"the {message} is missing required fields: {', '.join(missing)}")
    data: bytes = built.SerializeToString()
    return data


def from_message(
    built: ProtobufMessage,
    dialect: str = "bvlc",
    *,
    skip_weights: bool = False,
    drop_unknown: bool = False,
    explain: bool = True,
) -> Block:
    """A typed block from a protobuf message, its fields in the order of their numbers.

    ``skip_weights`` leaves out the numbers of every BlobProto, ``drop_unknown`` the fields
    that the dialect does not know, which otherwise raise ParseError; ``explain`` has it
    name the first of them, for which they are all looked at.
    """
    type = schema(dialect).message(built.DESCRIPTOR.full_name.removeprefix(PACKAGE[1:]))
    # To look for unknown fields one by one costs an object for each, in every message.
    known: Any = built.__class__()
    known.CopyFrom(built)
    known.DiscardUnknownFields()
    if not drop_unknown and known.ByteSize() != built.ByteSize():
        words = _first_unknown(built, type) if explain else None
        raise ParseError(words or f"{type.name} has fields that {dialect} does not know")
    return _block(known, type, skip_weights)


def read_binary(
    source: Source,
    sink: Sink,
    message: str = "NetParameter",
    dialect: str | None = None,
    *,
    skip_weights: bool = True,
    drop_unknown: bool = False,
) -> Document:
    """The document of a binary file; raises ParseError if it cannot be read.

    A binary has numbers instead of names, and forks use one number for different fields.
    BVLC's reading is taken if it is complete: no field and no enum value is unknown. Otherwise
    the dialects that can read the file have to agree, or it is refused; ``dialect`` then says
    which one is meant, or with commas which ones may be; otherwise it is what the file itself
    tells, if it does. With ``drop_unknown`` a file with fields that no dialect knows is read by
    BVLC's schema, without them.
    """
    if message == "NetParameter":
        source, dialect = _by_itself(source, dialect, sink)
    names = DIALECTS if dialect is None else names_of(dialect)
    if len(names) == 1:
        return _read_by(names[0], source, sink, message, skip_weights)
    drop_unknown = drop_unknown and dialect is None
    readings: dict[str, Block] = {}
    first: ParseError | None = None
    for name in names:
        if message not in schema(name):
            continue
        try:
            explain = first is None and not drop_unknown
            readings[name] = _parsed(source, message, name, skip_weights, explain=explain)
        except ParseError as error:
            first = first or error
        if name == DIALECTS[0] and name in readings:
            break
    if not readings and drop_unknown:
        root = _parsed(source, message, DIALECTS[0], skip_weights, drop_unknown=True)
        return Document(root, source, DIALECTS[0])
    if not readings:
        which = "no dialect" if dialect is None else f"none of {', '.join(names)}"
        text = first.message if first else f"{which} has {message}"
        sink.error("not-binary", text)
        sink.fail(ParseError)
    _need_one_reading(readings, sink)
    chosen = next(iter(readings))
    return Document(readings[chosen], source, RELEASES.get(chosen, chosen))


def _by_itself(source: Source, dialect: str | None, sink: Sink) -> tuple[Source, str | None]:
    """The source without what it tells of its dialect, and the dialect."""
    own, data = told(source.data)
    if own is not None:
        source = Source(data, source.path)
        if dialect is None and own not in KNOWN:
            sink.error("not-binary", f"it tells a dialect that is not known, {own!r:.40}")
            sink.fail(ParseError)
    return source, own if dialect is None else dialect


def _read_by(
    dialect: str, source: Source, sink: Sink, message: str, skip_weights: bool
) -> Document:
    """The document by one dialect's reading."""
    if message not in schema(dialect):
        raise ParseError(f"{dialect} has no message {message}")
    try:
        root = _parsed(source, message, dialect, skip_weights)
    except ParseError as error:
        sink.error("not-binary", f"by the schema of {dialect}, {error.message}")
        sink.fail(ParseError)
    return Document(root, source, RELEASES.get(dialect, dialect))


def _need_one_reading(readings: dict[str, Block], sink: Sink) -> None:
    """Report and raise ParseError if dialects read a file differently."""
    chosen, *others = readings
    for other in others:
        difference = _difference(readings[chosen], readings[other])
        if difference:
            text = f"{chosen} and {other} read this file differently: {difference}"
            names = " or ".join(f"--dialect {name}" for name in readings)
            sink.error("mixed-dialects", text, help=f"give the dialect: {names}")
            sink.fail(ParseError)


def mark_of(document: Document) -> bytes:
    """What has to stand after a net so that it reads back the same; empty if nothing has to."""
    return (
        b"" if reads_back(document) or document.dialect not in KNOWN else telling(document.dialect)
    )


def reads_back(document: Document, message: str = "NetParameter") -> bool:
    """Whether the binary form of a document reads back the same if no dialect is given."""
    if document.dialect == DIALECTS[0]:
        return True
    source = Source(serialize(document, message))
    own = read_binary(source, Sink(source), message, document.dialect)
    try:
        found = read_binary(source, Sink(source), message)
    except ParseError:
        return False
    return not _difference(found.root, own.root)


@cache
def _pool(dialect: str) -> DescriptorPool:
    pool = DescriptorPool()
    pool.AddSerializedFile(declarations(dialect).SerializeToString())
    return pool


def _parsed(
    source: Source,
    message: str,
    dialect: str,
    skip_weights: bool,
    *,
    drop_unknown: bool = False,
    explain: bool = True,
) -> Block:
    built: Any = message_class(message, dialect)()
    try:
        built.ParseFromString(source.data)
    except DecodeError:
        raise ParseError(f"this is not a binary {message}, or it is cut off") from None
    missing = built.FindInitializationErrors()
    if missing:
        raise ParseError(f"the binary {message} is missing required fields: {', '.join(missing)}")
    return from_message(
        built, dialect, skip_weights=skip_weights, drop_unknown=drop_unknown, explain=explain
    )


def _fill(built: Any, block: Block, type: Message) -> None:
    for field in block:
        if field.name not in type.fields:
            raise ParseError(f"{type.name} has no field `{field.name}`")
        try:
            _set(built, type, field)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise ParseError(f"{type.name}.{field.name}: {error}") from error


def _set(built: Any, type: Message, field: Field) -> None:
    known = built.DESCRIPTOR.fields_by_name[field.name]
    declared, value = type.fields[field.name][0], field.value
    if isinstance(value, Block):
        inner = getattr(built, field.name)
        if declared.repeated:
            inner = inner.add()
        else:
            inner.SetInParent()
        _fill(inner, value, type.type_of(declared))
        return
    native: Any = value
    if isinstance(value, Number):
        raise TypeError(f"the value {value} has no type")
    if isinstance(value, Symbol):
        native = known.enum_type.values_by_name[value].number
    elif known.type == _Type.TYPE_STRING and isinstance(value, str) and not value.isascii():
        data = value.encode("utf-8", "surrogateescape")
        try:
            native = data.decode("utf-8")
        except UnicodeDecodeError:
            # Legal in Caffe's binaries, but Python's protobuf only accepts UTF-8 strings.
            built.MergeFromString(encoded(known.number << 3 | 2) + encoded(len(data)) + data)
            return
    if declared.repeated:
        getattr(built, field.name).append(native)
    else:
        setattr(built, field.name, native)


def _first_unknown(built: Any, type: Message) -> str | None:
    """What is said of the first field of a message that its type does not have."""
    unknown = UnknownFieldSet(built)
    if len(unknown):
        return f"{type.name} has no field number {unknown[0].field_number}"
    for known, content in built.ListFields():
        inner = type.message(known.name)
        for item in content if type.fields[known.name][0].repeated else (content,):
            found = _first_unknown(item, inner) if inner else None
            if found:
                return found
    return None


def _block(built: Any, type: Message, skip_weights: bool) -> Block:
    block = Block(type=type)
    for known, content in built.ListFields():
        if skip_weights and known.name in _SKIPPED and type.name == "BlobProto":
            continue
        inner = type.message(known.name)
        for item in content if type.fields[known.name][0].repeated else (content,):
            value = _block(item, inner, skip_weights) if inner else _value(known, item)
            block.fields.append(Field(known.name, value))
    return block


def _value(known: Any, value: Any) -> Value:
    if known.type == _Type.TYPE_ENUM:
        return Symbol(known.enum_type.values_by_number[value].name)
    if known.type == _Type.TYPE_FLOAT:
        return shortest(value)
    if known.type == _Type.TYPE_STRING and isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    plain: Value = value
    return plain


def _difference(a: Block, b: Block, path: str = "") -> str | None:
    """Where two readings of a message differ; None if they are equal."""
    for left, right in zip(a, b, strict=False):
        here = f"{path}{left.name}"
        if isinstance(left.value, Block) and isinstance(right.value, Block):
            inner = _difference(left.value, right.value, f"{here}.")
            if inner:
                return inner
        if left.name != right.name or type(left.value) is not type(right.value):
            return f"`{here}` is `{path}{right.name}` in the other"
        if left.value != right.value:
            return f"`{here}` is {left.value!r} in one and {right.value!r} in the other"
    return None if len(a) == len(b) else f"`{path or 'the file'}` has fields in only one"
