"""A user's own caffe.proto as a dialect: compiled, and made one file in the package caffe."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool

from prototxt_gen.errors import ParseError
from prototxt_gen.formats.dialects import PACKAGE, add_own, declarations
from prototxt_gen.formats.protoc import compile_proto

_F = FieldDescriptorProto
#: Fields that ``binary.caffemodel`` finds by number, as every known Caffe has them.
_BY_NUMBER = {
    "NetParameter": ("name", "layers", "layer"),
    "LayerParameter": ("name", "blobs"),
    "V1LayerParameter": ("layer", "name", "blobs"),
    "BlobProto": ("num", "channels", "height", "width", "data", "diff", "shape", "double_data"),
    "BlobShape": ("dim",),
}


def load_proto(path: str | os.PathLike[str]) -> str:
    """Add the dialect of a .proto file; return its name, which is the file's.

    Raises ParseError, PrototxtError and OSError as ``read_proto`` does, and ParseError where
    weights would not be where they are in every Caffe.
    """
    file = read_proto(path)
    _need_numbers(path, file)
    # In a request a comma separates names.
    return add_own(os.path.basename(path).replace(",", "_"), file)


def read_proto(path: str | os.PathLike[str]) -> FileDescriptorProto:
    """What a .proto file and its imports declare, as one file in the package caffe.

    Raises ParseError if it is not a Caffe's, else what ``protoc.compile_proto`` raises.
    """
    compiled = compile_proto(path)
    try:
        file = _joined(compiled)
        DescriptorPool().AddSerializedFile(file.SerializeToString())
    except ParseError as error:
        raise ParseError(f"{os.fspath(path)}: {error.message}") from None
    except TypeError as error:
        text = f"{os.fspath(path)}: the declarations do not go together: {error}"
        raise ParseError(text) from None
    return file


def _joined(compiled: FileDescriptorSet) -> FileDescriptorProto:
    """All files as one; a name of another package goes without it where it is free."""
    latest = compiled.file[::-1]  # what imports before what is imported
    roots = [
        file
        for file in latest
        if any(message.name == "NetParameter" for message in file.message_type)
    ]
    if not roots:
        raise ParseError(
            "has no message NetParameter; expected the caffe.proto of a Caffe, or a file that "
            "imports it"
        )
    home = roots[0].package
    files = sorted(latest, key=lambda file: file.package != home)
    names = _short_names(files)
    made = FileDescriptorProto(name=latest[0].name, package=PACKAGE.strip("."), syntax="proto2")
    for file in files:
        if (file.syntax or "proto2") not in ("proto2", "proto3"):
            raise ParseError(f"{file.name} has an edition; expected syntax proto2 or proto3")
        prefix = f".{file.package}." if file.package else "."
        for message in file.message_type:
            short = names[prefix + message.name].removeprefix(PACKAGE)
            _take(made.message_type.add(name=short), message, names, file.syntax == "proto3")
        for enum in file.enum_type:
            _take_enum(made.enum_type.add(), enum).name = names[prefix + enum.name].removeprefix(
                PACKAGE
            )
    return made


def _short_names(files: Iterable[FileDescriptorProto]) -> dict[str, str]:
    """The new full name of every message and enum by its old one."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for file in files:
        prefix = f".{file.package}." if file.package else "."
        inside = {message.name: list(_inside(message, "")) for message in file.message_type}
        inside.update({enum.name: [] for enum in file.enum_type})
        for name, inner in inside.items():
            short = f"{file.package.replace('.', '_')}_{name}" if name in taken else name
            taken.add(short)
            names.update({f"{prefix}{name}{i}": f"{PACKAGE}{short}{i}" for i in ("", *inner)})
    return names


def _inside(message: DescriptorProto, outer: str) -> Iterator[str]:
    yield from (f"{outer}.{enum.name}" for enum in message.enum_type)
    for nested in message.nested_type:
        yield f"{outer}.{nested.name}"
        yield from _inside(nested, f"{outer}.{nested.name}")


def _take(
    made: DescriptorProto, message: DescriptorProto, names: Mapping[str, str], proto3: bool
) -> None:
    """Copy what text and binary depend on: a map is what it is on the wire, a list of pairs."""
    for field in message.field:
        if field.type == _F.TYPE_GROUP:
            raise ParseError(f"{message.name}.{field.name} is a group, which is not supported")
        copy = made.field.add(
            name=field.name, number=field.number, label=field.label, type=field.type
        )
        if field.type_name:
            copy.type_name = names[field.type_name]
        if field.HasField("default_value"):
            copy.default_value = field.default_value
        scalar = field.type not in (_F.TYPE_STRING, _F.TYPE_BYTES, _F.TYPE_MESSAGE)
        if field.options.HasField("packed"):
            copy.options.packed = field.options.packed
        elif proto3 and scalar and field.label == _F.LABEL_REPEATED:
            copy.options.packed = True
        if field.options.deprecated:
            copy.options.deprecated = True
    for enum in message.enum_type:
        _take_enum(made.enum_type.add(), enum)
    for nested in message.nested_type:
        _take(made.nested_type.add(name=nested.name), nested, names, proto3)


def _take_enum(made: EnumDescriptorProto, enum: EnumDescriptorProto) -> EnumDescriptorProto:
    made.name = enum.name
    for value in enum.value:
        made.value.add(name=value.name, number=value.number)
    if enum.options.allow_alias:
        made.options.allow_alias = True
    return made


def _need_numbers(path: str | os.PathLike[str], file: FileDescriptorProto) -> None:
    """Raise ParseError where a field that holds the weights is elsewhere than in every Caffe."""
    known = {message.name: message for message in declarations("bvlc").message_type}
    for message in file.message_type:
        wanted = _BY_NUMBER.get(message.name)
        if wanted is None:
            continue
        numbers = {field.name: field.number for field in known[message.name].field}
        for field in message.field:
            if field.name in wanted and field.number != numbers[field.name]:
                raise ParseError(
                    f"{os.fspath(path)}: {message.name}.{field.name} has the number "
                    f"{field.number}; expected {numbers[field.name]}, as in every Caffe, where "
                    "weights are looked for"
                )
