"""How two caffe.proto files differ: what a binary reads wrongly first, then all the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from prototxt_gen.formats.dialects import DIALECTS, PACKAGE, declarations

_F = FieldDescriptorProto
_TYPES = {
    number: name.removeprefix("TYPE_").lower() for name, number in FieldDescriptorProto.Type.items()
}
_LABELS = {_F.LABEL_OPTIONAL: "optional", _F.LABEL_REQUIRED: "required"}


VALUE = "value"


@dataclass(frozen=True, slots=True)
class Declared:
    """A field as it is declared; ``type`` is a scalar's, or the name of a message or enum.

    A value of an enum has the label ``value``.
    """

    name: str
    number: int
    label: str
    type: str
    default: str | None = None
    packed: bool = False
    deprecated: bool = False

    @property
    def text(self) -> str:
        """The declaration, as a .proto has it."""
        options = [
            *([f"default = {self.default}"] if self.default is not None else ()),
            *(["packed = true"] if self.packed else ()),
            *(["deprecated = true"] if self.deprecated else ()),
        ]
        more = f" [{', '.join(options)}]" if options else ""
        if self.label == VALUE:
            return f"{self.name} = {self.number}"
        return f"{self.label} {self.type} {self.name} = {self.number}{more}"


@dataclass(frozen=True, slots=True)
class Collision:
    """A number that two files give to different fields, or values, and whose the other is.

    ``owner`` is the message or the enum.
    """

    owner: str
    here: Declared
    there: Declared
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A field of a message, or a value of an enum, that is not the same; None: absent."""

    owner: str
    name: str
    here: Declared | None
    there: Declared | None


class Declarations:
    """What a file declares: the fields of each message and the values of each enum, by name."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.messages: dict[str, dict[str, Declared]] = {}
        self.enums: dict[str, dict[str, Declared]] = {}
        self._add_enums(file.enum_type, "")
        for message in file.message_type:
            self._add(message, "")

    def _add(self, message: DescriptorProto, outer: str) -> None:
        name = outer + message.name
        self.messages[name] = {field.name: _declared(field) for field in message.field}
        self._add_enums(message.enum_type, f"{name}.")
        for nested in message.nested_type:
            self._add(nested, f"{name}.")

    def _add_enums(self, enums: Iterable[EnumDescriptorProto], outer: str) -> None:
        for enum in enums:
            self.enums[outer + enum.name] = {
                value.name: Declared(value.name, value.number, VALUE, "enum")
                for value in enum.value
            }


@dataclass(frozen=True)
class Difference:
    """How the declarations ``here`` differ from those ``there``."""

    here: Declarations
    there: Declarations

    @property
    def added(self) -> list[str]:
        """The messages that are only here."""
        return [name for name in self.here.messages if name not in self.there.messages]

    @property
    def missing(self) -> list[str]:
        """The messages that are only there."""
        return [name for name in self.there.messages if name not in self.here.messages]

    @cached_property
    def fields(self) -> list[Change]:
        """The fields, of messages of both, that are not declared alike."""
        both = [name for name in self.here.messages if name in self.there.messages]
        return [
            change
            for name in both
            for change in _changes(name, self.here.messages[name], self.there.messages[name])
        ]

    @cached_property
    def values(self) -> list[Change]:
        """The values of enums that are not alike; an enum of a message of one alone is none."""
        found = []
        for name in dict.fromkeys((*self.here.enums, *self.there.enums)):
            owner = name.rpartition(".")[0]
            if owner and (owner in self.added or owner in self.missing):
                continue
            here, there = self.here.enums.get(name, {}), self.there.enums.get(name, {})
            found += list(_changes(name, here, there))
        return found

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.added or self.missing or self.fields or self.values)

    @property
    def size(self) -> int:
        """How many fields, messages and values of enums differ."""
        return len(self.added) + len(self.missing) + len(self.fields) + len(self.values)

    def collisions(self, name: str) -> Iterator[Collision]:
        """Where one number has another name or type; ``name`` is that of what is there."""
        for here, there in (
            (self.here.messages, self.there.messages),
            (self.here.enums, self.there.enums),
        ):
            for owner in (name for name in here if name in there):
                own = {(one.number, one.name, one.type) for one in here[owner].values()}
                theirs = {one.number: one for one in there[owner].values()}
                for one in here[owner].values():
                    other = theirs.get(one.number)
                    if other and (other.number, other.name, other.type) not in own:
                        yield Collision(owner, one, other, (name,))


@cache
def known(dialect: str) -> Declarations:
    """What a known dialect declares."""
    return Declarations(declarations(dialect))


def nearest(here: Declarations) -> tuple[str, Difference]:
    """The known dialect that differs least, the first of several, and how it differs."""
    found = {name: Difference(here, known(name)) for name in DIALECTS}
    best = min(found, key=lambda name: found[name].size)
    return best, found[best]


def all_collisions(here: Declarations, dialect: str) -> list[Collision]:
    """The collisions with a known dialect, and of what no known one has, with all of them."""
    found = {_key(one): one for one in Difference(here, known(dialect)).collisions(dialect)}
    for name in DIALECTS:
        for one in Difference(here, known(name)).collisions(name):
            key = _key(one)
            if (one.owner, one.here.number, one.here.name, one.here.type) not in _theirs():
                others = found[key].others if key in found else ()
                found[key] = replace(one, others=tuple(dict.fromkeys((*others, name))))
    return list(found.values())


def _key(one: Collision) -> tuple[str, str, str, str]:
    return one.owner, one.here.name, one.there.name, one.there.type


@cache
def _theirs() -> frozenset[tuple[str, int, str, str]]:
    """Every field and value that a known dialect has."""
    return frozenset(
        (owner, one.number, one.name, one.type)
        for name in DIALECTS
        for owner, members in {**known(name).messages, **known(name).enums}.items()
        for one in members.values()
    )


def _declared(field: FieldDescriptorProto) -> Declared:
    return Declared(
        field.name,
        field.number,
        _LABELS.get(field.label, "repeated"),
        field.type_name.removeprefix(PACKAGE) or _TYPES[field.type],
        field.default_value if field.HasField("default_value") else None,
        field.options.packed,
        field.options.deprecated,
    )


def _changes(
    owner: str, here: Mapping[str, Declared], there: Mapping[str, Declared]
) -> Iterator[Change]:
    for name in dict.fromkeys((*here, *there)):
        if here.get(name) != there.get(name):
            yield Change(owner, name, here.get(name), there.get(name))
