"""The dialects, and the declarations of each.

A dialect is BVLC's caffe.proto overlaid with that of a fork: what the overlay declares is
added or replaces what had its name, a reserved name removes a field, and a message that
reserves every number is removed as a whole. A release is BVLC's without what came after it.
A user's own caffe.proto is one more dialect, once ``formats.own`` has added it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from prototxt_gen._resources import data_dir
from prototxt_gen.formats.declared import first_file

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

#: Where the schema of each dialect is from, in the order of preference for a file that fits
#: several.
ORIGINS = {
    "bvlc": "BVLC/caffe",
    "ssd": "the SSD branch, as in Tencent/ncnn tools",
    "mobilenet_ssd": "chuanqi305/ssd",
    "x2paddle": "PaddlePaddle/X2Paddle",
    "intel": "intel/caffe",
    "nvcaffe": "NVIDIA/caffe",
    "caffe_priv": "soeaver/py-RFCN-priv",
    "rfcn": "daijifeng001/caffe-rfcn",
    "fast_rcnn": "rbgirshick/caffe-fast-rcnn",
    "frcnn": "makefile/frcnn",
    "segnet": "alexgkendall/caffe-segnet",
    "pspnet": "hszhao/PSPNet",
    "sphereface": "wy1iu/sphereface",
    "tengine": "OAID/Tengine",
    "pvanet": "sanghoon/caffe, for PVANET",
}
#: Every dialect that a file may be found to be in.
DIALECTS = tuple(ORIGINS)
#: Releases, each with the dialect that it is one of: a file is read by one only on request.
RELEASES = {"bvlc-1.0": "bvlc"}
#: What can be asked for by name, in the order of preference.
KNOWN = ("bvlc", *RELEASES, *DIALECTS[1:])
#: What BVLC added after its release 1.0 of April 2017.
_AFTER_1_0: dict[str, tuple[str, ...] | None] = {
    "LayerParameter": ("clip_param", "swish_param"),
    "PoolingParameter": ("round_mode",),
    "ClipParameter": None,
    "SwishParameter": None,
}
PACKAGE = ".caffe."
_HIGHEST = 1 << 29  #: one more than the highest field number of protobuf


_BVLC = "caffe.binpb"
_own: dict[str, FileDescriptorProto] = {}


@cache
def declarations(dialect: str) -> FileDescriptorProto:
    """The merged caffe.proto of a dialect; raises KeyError for an unknown name."""
    if dialect in _own:
        return _own[dialect]
    if dialect not in KNOWN:
        raise KeyError(dialect)
    if dialect == "bvlc":
        return _compiled(_BVLC)
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    merged = FileDescriptorProto()
    merged.CopyFrom(declarations("bvlc"))
    if dialect in RELEASES:
        _lay_over(merged, _before(_AFTER_1_0))
    else:
        _lay_over(merged, _compiled(f"dialects/{dialect}.binpb"))
    merged.name = f"caffe_{dialect}.proto"
    return merged


def serialized(dialect: str) -> bytes:
    """The same in protobuf's binary form; for BVLC's without a need for protobuf."""
    if dialect == "bvlc" and dialect not in _own:
        return first_file(_data(_BVLC))
    return declarations(dialect).SerializeToString()


def add_own(name: str, file: FileDescriptorProto) -> str:
    """Make a dialect of a user's own declarations, in the package of ``PACKAGE``.

    Returns its name, which has a number where another one has the name already.
    """
    free, number = name, 1
    while free in KNOWN or _own.get(free, file) != file:
        number += 1
        free = f"{name} ({number})"
    _own[free] = file
    return free


def own() -> tuple[tuple[str, bytes], ...]:
    """The users' own dialects, to be added in another process in this order."""
    return tuple((name, file.SerializeToString(deterministic=True)) for name, file in _own.items())


def add_all(dialects: Iterable[tuple[str, bytes]]) -> None:
    """Add what ``own`` gave in another process."""
    if given := dict(dialects):
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        _own.update({name: FileDescriptorProto.FromString(data) for name, data in given.items()})


def is_own(dialect: str) -> bool:
    """Whether a dialect is a user's own."""
    return dialect in _own


def names_of(dialect: str) -> tuple[str, ...]:
    """The names in a request, which is one or several with commas; each once, by preference.

    Raises KeyError for the first that does not exist.
    """
    if dialect in _own:
        return (dialect,)
    found = {name.strip() for name in dialect.split(",")}
    for name in found:
        if name not in KNOWN:
            raise KeyError(name)
    return tuple(name for name in KNOWN if name in found)


def is_bvlc(dialect: str | None) -> bool:
    """Whether a request is for BVLC's Caffe, of any release, and for no other."""
    return dialect is not None and all(
        RELEASES.get(name, name) == "bvlc" for name in names_of(dialect)
    )


def option(dialect: str) -> str:
    """How a dialect is asked for on the command line."""
    return "--proto FILE" if dialect in _own else f"--dialect {dialect}"


def bit(dialect: str) -> int:
    """The place of a dialect in a bit mask; a user's own are never in one with others."""
    return 1 << (KNOWN.index(dialect) if dialect in KNOWN else len(KNOWN))


def in_mask(mask: int) -> Iterator[str]:
    """The dialects of a bit mask."""
    return (name for name in KNOWN if mask & bit(name))


def _before(later: dict[str, tuple[str, ...] | None]) -> FileDescriptorProto:
    """An overlay that removes fields of messages, or whole messages."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    overlay = FileDescriptorProto(package=PACKAGE.strip("."))
    for name, fields in later.items():
        message = overlay.message_type.add(name=name, reserved_name=fields or ())
        if fields is None:
            message.reserved_range.add(start=1, end=_HIGHEST)
    return overlay


def _compiled(name: str) -> FileDescriptorProto:
    """The only file of a compiled descriptor set."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    return FileDescriptorSet.FromString(_data(name)).file[0]


def _data(name: str) -> bytes:
    return data_dir("proto").joinpath(*name.split("/")).read_bytes()


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
