"""proto/ against the facts of caffe.proto and of its forks, and against its own compilation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)

from prototxt_gen._resources import data_dir
from prototxt_gen.formats import declared
from prototxt_gen.formats.dialects import DIALECTS, KNOWN, declarations, serialized

FACTS = Path(__file__).parent / "facts"
_F = FieldDescriptorProto
_TYPES = {
    value.number: name.removeprefix("TYPE_").lower()
    for name, value in _F.Type.DESCRIPTOR.values_by_name.items()
}
_LABELS = {1: "optional", 2: "required", 3: "repeated"}


def facts(dialect: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FACTS / f"{dialect}.json").read_text("utf-8"))
    return found


def field_facts(field: FieldDescriptorProto) -> dict[str, Any]:
    type_name = field.type_name.removeprefix(".caffe.")
    found: dict[str, Any] = {
        "number": field.number,
        "label": _LABELS[field.label],
        "type": type_name or _TYPES[field.type],
    }
    if field.HasField("default_value"):
        found["default"] = field.default_value
    if field.options.packed:
        found["packed"] = True
    if field.options.deprecated:
        found["deprecated"] = True
    return found


def fork_facts(dialect: str) -> dict[str, dict[str, Any]]:
    """The messages of a fork, with its changes laid over those of BVLC."""
    base, fork = facts("bvlc")["messages"], facts(dialect)
    found = {name: m for name, m in base.items() if name not in fork["missing_messages"]}
    found.update(_flat(fork["new_messages"]))
    for name, change in fork["messages"].items():
        fields = {
            **{
                k: v for k, v in found[name]["fields"].items() if k not in change.get("missing", ())
            },
            **change.get("added", {}),
            **{k: v["here"] for k, v in change.get("changed", {}).items()},
        }
        enums = {**found[name].get("enums", {}), **change.get("enums", {})}
        found[name] = {"fields": fields, "enums": enums}
    return found


def _flat(messages: dict[str, Any], outer: str = "") -> dict[str, Any]:
    found = {}
    for name, message in messages.items():
        found[outer + name] = message
        found.update(_flat(message.get("messages", {}), f"{outer}{name}."))
    return found


def enums(found: list[EnumDescriptorProto]) -> dict[str, dict[str, int]]:
    return {enum.name: {value.name: value.number for value in enum.value} for enum in found}


def messages(
    found: Iterator[DescriptorProto] | list[DescriptorProto], outer: str = ""
) -> Iterator[tuple[str, DescriptorProto]]:
    for message in found:
        yield outer + message.name, message
        yield from messages(list(message.nested_type), f"{outer}{message.name}.")


def test_every_message_field_and_enum_of_bvlc() -> None:
    wanted = facts("bvlc")
    file = declarations("bvlc")
    assert (file.package, file.syntax or "proto2") == (wanted["package"], wanted["syntax"])
    assert enums(list(file.enum_type)) == wanted["enums"]
    found = dict(messages(list(file.message_type)))
    assert list(found) == list(wanted["messages"])
    assert len(found) == 63
    fields = 0
    for name, facts_of in wanted["messages"].items():
        message = found[name]
        assert enums(list(message.enum_type)) == facts_of.get("enums", {}), name
        made = {field.name: field_facts(field) for field in message.field}
        assert made == facts_of["fields"], name
        fields += len(made)
    assert fields == 423


@pytest.mark.parametrize("dialect", DIALECTS[1:])
def test_every_message_field_and_enum_of_a_fork(dialect: str) -> None:
    wanted = fork_facts(dialect)
    file = declarations(dialect)
    found = dict(messages(list(file.message_type)))
    assert set(found) == set(wanted)
    for name, facts_of in wanted.items():
        made = {field.name: field_facts(field) for field in found[name].field}
        assert made == facts_of["fields"], name
        assert enums(list(found[name].enum_type)) == facts_of.get("enums", {}), name
    assert enums(list(file.enum_type)) == {**facts("bvlc")["enums"], **facts(dialect)["enums"]}


@pytest.mark.parametrize("file", ["caffe", *(f"dialects/{name}" for name in DIALECTS[1:])])
def test_what_is_compiled_is_what_is_written(file: str, tmp_path: Path) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")
    proto = Path(str(data_dir("proto")))
    out = tmp_path / "out.binpb"
    arguments = [f"-I{proto}", f"--descriptor_set_out={out}", str(proto / f"{file}.proto")]
    assert protoc.main(["protoc", *arguments]) == 0
    made = FileDescriptorSet.FromString(out.read_bytes())
    assert made == FileDescriptorSet.FromString((proto / f"{file}.binpb").read_bytes())


@pytest.mark.parametrize("dialect", KNOWN)
def test_the_schema_reads_what_protobuf_reads(dialect: str) -> None:
    made, wanted = declared.File(serialized(dialect)), declarations(dialect)

    def of_ours(found: list[declared.Message], outer: str = "") -> Iterator[tuple[str, Any]]:
        for one in found:
            yield outer + one.name, one
            yield from of_ours(one.nested, f"{outer}{one.name}.")

    ours, theirs = dict(of_ours(made.messages)), dict(messages(list(wanted.message_type)))
    assert list(ours) == list(theirs)
    for name, message in theirs.items():
        assert ours[name].fields == [
            declared.Field(
                f.name,
                f.label,
                f.type,
                f.type_name,
                f.default_value if f.HasField("default_value") else None,
            )
            for f in message.field
        ], name
        assert _values(ours[name].enums) == enums(list(message.enum_type)), name
    assert _values(made.enums) == enums(list(wanted.enum_type))


def _values(found: list[declared.Enum]) -> dict[str, Any]:
    return {one.name: one.values for one in found}


def test_a_value_of_an_enum_may_be_below_zero() -> None:
    wanted = EnumDescriptorProto(name="E")
    for name, number in (("LOW", -3), ("HIGH", 2**31 - 1)):
        wanted.value.add(name=name, number=number)
    assert declared.Enum(wanted.SerializeToString()).values == {"LOW": -3, "HIGH": 2**31 - 1}
