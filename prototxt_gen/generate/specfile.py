"""A spec from a YAML or a JSON file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import yaml
from yaml.constructor import SafeConstructor

from prototxt_gen._limits import HINT, at_most
from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import shown
from prototxt_gen.generate.recipe import MAPPINGS

#: A spec is a short text; a file of more bytes than this is not a spec.
LARGEST_SPEC = 1 << 16
_YAML = "tag:yaml.org,2002:"
#: What a value without a tag may be, to be checked by its key.
_KINDS = "null bool int float str timestamp value merge seq map"
#: The entries that are mappings themselves.
_MAPPINGS = ("training", *(f"training.{name}" for name in MAPPINGS))
_TAGS = frozenset(_YAML + kind for kind in _KINDS.split())


class SpecFile:
    """The entries of a spec file, and the place of each."""

    def __init__(self, path: Path, values: dict[str, object], places: dict[str, str]) -> None:
        self.path = path
        self.values = values
        self._places = places

    def locate(self, error: SpecError) -> SpecError:
        """The same error, starting with the file, line and column of its entry."""
        entry = error.path
        place = None
        for end in (len(entry), *(i for i in range(len(entry))[::-1] if entry[i] in "[.")):
            place = place or self._places.get(entry[:end])
        where = f"{self.path}:{place}" if place else str(self.path)
        located = SpecError(f"{where}: {error.message}")
        located.path = entry
        return located


def read_spec(path: Path) -> SpecFile:
    """The entries of a file; raises SpecError if it is not a mapping, and OSError."""
    most = at_most(LARGEST_SPEC)
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise SpecError(
            f"{path}: has more than {most} bytes; expected a spec, which is a short text ({HINT})"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: is not UTF-8 text, at byte {error.start}") from error
    if path.suffix == ".json":
        return SpecFile(path, _json(path, text), {})
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{_place(mark)}" if mark else f"{path}"
        raise SpecError(f"{place}: {error.problem or 'is not YAML'}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SpecError(f"{path}:{line}: {error.reason}") from error
    except RecursionError as error:
        raise SpecError(f"{path}: is nested too deep") from error
    return _mapping(path, root)


def _json(path: Path, text: str) -> dict[str, object]:
    try:
        values = json.loads(
            text, object_pairs_hook=lambda pairs: _unique(path, pairs), parse_int=_whole
        )
    except json.JSONDecodeError as error:
        raise SpecError(f"{path}:{error.lineno}:{error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise SpecError(f"{path}: is nested too deep") from error
    if not isinstance(values, dict):
        raise SpecError(f"{path}: is not a mapping; expected keys such as `depth` with values")
    return values


def _whole(digits: str) -> object:
    """A whole number; one of thousands of digits, which Python refuses, stays a string."""
    try:
        return int(digits)
    except ValueError:
        return digits


def _unique(path: Path, pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise SpecError(f"{path}: {shown(twice, plain=True)} is given twice")
    return values


def _mapping(path: Path, root: yaml.Node | None) -> SpecFile:
    if not isinstance(root, yaml.MappingNode):
        raise SpecError(f"{path}: is not a mapping; expected lines such as `depth: 50`")
    reader = _Reader(path)
    return SpecFile(path, reader.entries(root, ""), reader.places)


class _Reader:
    """Reads the entries of a mapping, and of those in it that a spec has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.places: dict[str, str] = {}
        self._items = 0

    def entries(self, root: yaml.MappingNode, prefix: str) -> dict[str, object]:
        """The values of a mapping whose place in the spec is ``prefix``."""
        values: dict[str, object] = {}
        for key, value in root.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "a mapping or list as a key"
            if name in values:
                place, again = _place(key.start_mark), shown(name, plain=True)
                raise SpecError(f"{self.path}:{place}: {again} is given twice")
            self._count(len(_items(value)) + (1 if prefix else 0))
            for node in (value, *_items(value)):
                if node.tag not in _TAGS:
                    tag = shown(node.tag.replace(_YAML, "!!"), plain=True)
                    raise SpecError(f"{self.path}:{_place(node.start_mark)}: unknown tag {tag}")
            entry = f"{prefix}{name}"
            self.places[entry] = _place(value.start_mark)
            for index, item in enumerate(_items(value)):
                self.places[f"{entry}[{index}]"] = _place(item.start_mark)
            if isinstance(value, yaml.MappingNode) and entry in _MAPPINGS:
                values[name] = self.entries(value, f"{entry}.")
            else:
                values[name] = _value(value)
        return values

    def _count(self, items: int) -> None:
        self._items += items
        if self._items > LARGEST_SPEC:  # more than it has bytes: aliases of a list repeat it
            raise SpecError(f"{self.path}: has more than {LARGEST_SPEC} items of lists")


def _items(node: yaml.Node) -> list[yaml.Node]:
    """The items of a list; of anything else none."""
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _value(node: yaml.Node) -> object:
    """A scalar or a list of scalars; anything deeper as a text, to be refused later."""
    if isinstance(node, yaml.SequenceNode):
        return [_scalar(item) for item in node.value]
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    if not isinstance(node, yaml.ScalarNode):
        return "a nested mapping" if isinstance(node, yaml.MappingNode) else "a nested list"
    try:
        return SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # Not of the type of its tag: `!!int ""`. PyYAML has no error of its own for that.
        return node.value


def _place(mark: yaml.Mark) -> str:
    return f"{mark.line + 1}:{mark.column + 1}"
