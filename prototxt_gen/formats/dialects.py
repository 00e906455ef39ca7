"""The dialects, and the declarations of each.

A dialect is BVLC's caffe.proto overlaid with that of a fork: what the overlay declares is
added or replaces what had its name, a reserved name removes a field, and a message that
reserves every number is removed as a whole.
"""

from __future__ import annotations

from functools import cache

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from prototxt_gen._resources import data_dir

#: Every dialect, in the order of preference for a file that fits several.
DIALECTS = (
    "bvlc",
    "ssd",
    "mobilenet_ssd",
    "x2paddle",
    "intel",
    "nvcaffe",
    "caffe_priv",
    "rfcn",
    "fast_rcnn",
    "frcnn",
    "segnet",
    "pspnet",
    "sphereface",
    "tengine",
    "pvanet",
)
PACKAGE = ".caffe."
_HIGHEST = 1 << 29  #: one more than the highest field number of protobuf


@cache
def declarations(dialect: str) -> FileDescriptorProto:
    """The merged caffe.proto of a dialect; raises KeyError for an unknown name."""
    if dialect not in DIALECTS:
        raise KeyError(dialect)
    if dialect == "bvlc":
        return _compiled("caffe.binpb")
    merged = FileDescriptorProto()
    merged.CopyFrom(declarations("bvlc"))
    _lay_over(merged, _compiled(f"dialects/{dialect}.binpb"))
    merged.name = f"caffe_{dialect}.proto"
    return merged


def _compiled(name: str) -> FileDescriptorProto:
    """The only file of a compiled descriptor set."""
    data = data_dir("proto").joinpath(*name.split("/")).read_bytes()
    return FileDescriptorSet.FromString(data).file[0]


def _lay_over(base: FileDescriptorProto, overlay: FileDescriptorProto) -> None:
    prefix = f".{overlay.package}."
    messages = {message.name: message for message in base.message_type}
    for change in overlay.message_type:
        _strip(change, prefix)
        if any(r.start == 1 and r.end == _HIGHEST for r in change.reserved_range):
            base.message_type.remove(messages[change.name])
        elif change.name in messages:
            _change(messages[change.name], change)
        else:
            base.message_type.add().CopyFrom(change)
    base.enum_type.extend(overlay.enum_type)


def _change(message: DescriptorProto, change: DescriptorProto) -> None:
    gone = {*change.reserved_name, *(field.name for field in change.field)}
    kept = [field for field in message.field if field.name not in gone]
    replaced = {enum.name for enum in change.enum_type}
    enums = [enum for enum in message.enum_type if enum.name not in replaced]
    del message.field[:], message.enum_type[:]
    message.field.extend([*kept, *change.field])
    message.enum_type.extend([*enums, *change.enum_type])
    message.nested_type.extend(change.nested_type)


def _strip(message: DescriptorProto, prefix: str) -> None:
    """Move the types that a message names from the overlay's package to the base's."""
    for field in message.field:
        if field.type_name.startswith(prefix):
            field.type_name = PACKAGE + field.type_name.removeprefix(prefix)
    for nested in message.nested_type:
        _strip(nested, prefix)
