"""What is different between two nets, for programs, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from prototxt_gen._words import plural
from prototxt_gen.diff.fields import Plain
from prototxt_gen.document import Symbol
from prototxt_gen.layers.parts.shapes import show

Kind = Literal["added", "removed", "changed"]
Mark = Literal["added", "removed", "changed", "rewired", "renamed"]
What = Literal["net", "solver", "file", "input", "layer"]
_SIGNS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~"}
#: Fields of a change that are names, and those that say who reads what, and when.
_NAMES = {"name", "layer", "top"}
_WIRES = {"bottom", "order", "number of tops", "in place"}
_FEW = 4  #: layers with the same change that have a line each
_SHOWN = 3  #: the names in the line of more


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field with its values in both files, None where it is absent.

    ``name`` is a path in the layer's block (``weight_filler.std``, ``param[0].lr_mult``), or
    ``kernel`` for a window in any spelling, ``bottom``, ``top``, ``name`` or ``order``.
    """

    name: str
    before: Plain
    after: Plain

    @property
    def text(self) -> str:
        """Both values in words."""
        return f"{self.name} {' -> '.join(self.words)}"

    @property
    def words(self) -> tuple[str, str]:
        """Each value in words."""
        return _shown(self.name, self.before), _shown(self.name, self.after)


@dataclass(frozen=True, slots=True)
class Change:
    """A layer, an input or a whole net that is different; its name is that in the first file."""

    kind: Kind
    what: What
    name: str
    type: str = ""
    fields: tuple[FieldChange, ...] = ()
    rules: str = ""  #: when the layer is in the net, if another one has its name
    other: str = ""  #: its name in the second file, if names do not count and it is another one

    @property
    def mark(self) -> Mark:
        """What has happened to it: changed is one that computes something else by itself."""
        names = {field.name.partition("[")[0] for field in self.fields}
        if self.kind != "changed" or names - _NAMES - _WIRES:
            return self.kind
        return "rewired" if names & _WIRES else "renamed"

    @property
    def place(self) -> str:
        """What has changed, in words."""
        if self.what not in ("input", "layer"):
            return self.what
        other = f", {self.other!r}" if self.other else ""
        words = ", ".join(filter(None, (self.type if self.what == "layer" else "", self.rules)))
        type = f" ({words})" if words else ""
        return f"{self.what} {self.name!r}{other}{type}"


@dataclass(frozen=True, slots=True)
class Found:
    """A layer with its neighbours, by their names."""

    name: str
    type: str
    reads: tuple[str, ...]
    read_by: tuple[str, ...]

    @property
    def text(self) -> str:
        """The layer in words."""
        reads = f", reads {_listed(self.reads)}" if self.reads else ""
        return f"{self.name!r} ({self.type}){reads}, read by {_listed(self.read_by)}"


@dataclass(frozen=True, slots=True)
class Structure:
    """How far two nets are equal but for names: layers that fit, and the first that do not."""

    fitting: int
    layers: tuple[int, int]
    first: tuple[Found | None, Found | None]


@dataclass(frozen=True, slots=True)
class Diff:
    """All differences of two files; ``structure`` is set if names were not to count."""

    changes: tuple[Change, ...]
    structure: Structure | None = None
    notes: tuple[str, ...] = ()  #: what the user should know about how they were compared

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return not self.changes and self.structure is None

    @property
    def summary(self) -> str:
        """The differences in one line."""
        if self.same:
            return "no difference"
        count = Counter((change.what, change.kind) for change in self.changes)
        parts = [
            f"{plural(number, what) if what in ('layer', 'input') else what} {kind}"
            for (what, kind), number in count.items()
        ]
        if self.structure is not None:
            of = " and ".join(map(str, self.structure.layers))
            parts.append(f"{self.structure.fitting} of {of} layers fit")
        return ", ".join(parts)

    def lines(self, every: bool = False) -> Iterator[str]:
        """A line for each difference; ``every`` has one for each layer, however many are alike."""
        groups: dict[tuple[object, ...], list[tuple[Change, FieldChange | None]]] = {}
        for index, change in enumerate(self.changes):
            for field in _told(change.fields) or (None,):
                alike = field is not None and change.what == "layer" and not every
                key = (change.type, field) if alike else (index, field)
                groups.setdefault(key, []).append((change, field))
        firsts = {}  # the groups that have a single line, where their first member is
        for group in groups.values():
            for change, field in group[:1] if len(group) > _FEW else group:
                place = _places([c for c, _ in group]) if len(group) > _FEW else change.place
                firsts[id(change), field] = _line(change.kind, place, field)
        for change in self.changes:
            for field in _told(change.fields) or (None,):
                if (id(change), field) in firsts:
                    yield firsts[id(change), field]
        yield from self.unfit()

    def unfit(self) -> Iterator[str]:
        """The first layers that do not fit, where names were not to count."""
        if self.structure is not None:
            yield from structure_lines(self.structure)

    def to_dict(self) -> dict[str, object]:
        """The differences as JSON."""
        found: dict[str, object] = {
            "same": self.same,
            "changes": [asdict(change) for change in self.changes],
        }
        if self.structure is not None:
            found["structure"] = asdict(self.structure)
        if self.notes:
            found["notes"] = self.notes
        return found


def _told(fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    """The fields, those of the name and of a top that has it, before and after, as one."""
    for first in fields[:1]:
        twin = FieldChange("top", first.before, first.after)
        if first.name == "name" and twin in fields:
            both = FieldChange("name and top", first.before, first.after)
            return both, *(field for field in fields[1:] if field != twin)
    return fields


def _line(kind: Kind, place: str, field: FieldChange | None) -> str:
    return f"{_SIGNS[kind]} {place}" + (f": {field.text}" if field is not None else "")


def _places(group: Sequence[Change]) -> str:
    names = ", ".join(change.name for change in group[:_SHOWN])
    return f"{plural(len(group), 'layer')} of type {group[0].type} ({names}, …)"


def structure_lines(structure: Structure, signs: str = "-+") -> Iterator[str]:
    """The first layers that do not fit, a line for each net."""
    for index, (where, found) in enumerate(zip(("first", "second"), structure.first, strict=True)):
        sign = f"{signs[index]} " if signs else ""
        if found is not None:
            yield f"{sign}first layer of the {where} net that does not fit: {found.text}"
        else:
            yield f"{sign}every layer of the {where} net fits"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    return shown or "none"


def _shown(name: str, value: Plain) -> str:
    """A value in words."""
    if value is None or value == ():
        return "absent"
    if isinstance(value, tuple):
        if name == "shape" and all(isinstance(dim, int) for dim in value):
            return show([dim if isinstance(dim, int) else None for dim in value])
        items = [_shown(name, item) for item in value]
        return items[0] if len(items) == 1 else f"[{', '.join(items)}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and not isinstance(value, Symbol):
        return repr(value)
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value)
