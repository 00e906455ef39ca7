"""What is asked of the linter, on the command line and in a file.

``.resnet-proto.toml``, or the table ``tool.resnet-proto`` of ``pyproject.toml``: that of the
nearest folder above a file counts for it. Keys are the options of ``validate``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

from prototxt_gen.errors import SpecError
from prototxt_gen.graph.type_check import UnknownTypes
from prototxt_gen.lint.rule import CATEGORIES, SMELLS, rules

FILE, PROJECT, TABLE = ".resnet-proto.toml", "pyproject.toml", "resnet-proto"
ALL = "all"
WEIGHTS = ("error", "warning", "ignore")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options; a rule is named by its name or its category, or all by ``all``."""

    select: tuple[str, ...] = (ALL,)
    ignore: tuple[str, ...] = ()
    dialect: str | None = None
    unknown_types: UnknownTypes = "warning"
    fail_on: str = "error"
    exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    folder: Path = Path()  #: what patterns of paths are relative to

    def shows(self, rule: str, path: str) -> bool:
        """Whether findings of a rule are shown of a file."""
        names = (rule, _category(rule), ALL)
        ignored = [*self.ignore]
        for pattern, more in self.per_file_ignores.items():
            if self._is(path, pattern):
                ignored += more
        # What is named itself outweighs its category.
        for name in names[:2]:
            if name in ignored:
                return False
            if name in self.select:
                return True
        return ALL in self.select

    def leaves_out(self, path: str) -> bool:
        """Whether a file found in a folder is to be passed over."""
        return any(self._is(path, pattern) for pattern in self.exclude)

    def _is(self, path: str, pattern: str) -> bool:
        found = Path(path).resolve()
        root = self.folder.resolve()
        name = found.relative_to(root).as_posix() if found.is_relative_to(root) else path
        folders = [str(parent) for parent in Path(name).parents]
        return any(fnmatch(one, pattern.rstrip("/")) for one in (name, found.name, *folders))


def _category(rule: str) -> str:
    known = rules().get(rule)
    return known.category if known else ""


def need_rules(names: Iterable[str], where: str) -> None:
    """Raise SpecError for a name that is neither a rule nor a category."""
    known = [ALL, SMELLS, *CATEGORIES, *rules()]
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise SpecError(f"{where}: there is no rule {name!r}{hint}")


def settings_for(path: str, given: Mapping[str, Any], config: Path | None = None) -> Settings:
    """The settings of a file: those of the nearest configuration, and over them those given.

    Raises SpecError for a configuration that is wrong, and OSError.
    """
    folder = Path(path).resolve().parent if path != "-" else Path.cwd()
    found = _read(config) if config is not None else _nearest(folder)
    return replace(found, **given)


@cache
def _nearest(folder: Path) -> Settings:
    for name in (FILE, PROJECT):
        file = folder / name
        if file.is_file():
            found = _read(file)
            if found.folder != Path():  # a pyproject.toml may be of something else
                return found
    return _nearest(folder.parent) if folder.parent != folder else Settings()


@cache
def _read(file: Path) -> Settings:
    """The settings of a file; those of before where it has none."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: {error}; expected TOML") from None
    if file.name == PROJECT:
        tools = values.get("tool", {})
        if not isinstance(tools, dict) or TABLE not in tools:
            return Settings()
        values = tools[TABLE]
    if not isinstance(values, dict):
        raise SpecError(f"{file}: tool.{TABLE} is no table")
    made = {key.replace("-", "_"): _value(file, key, value) for key, value in values.items()}
    return Settings(**made, folder=file.parent)


def _value(file: Path, key: str, value: object) -> Any:
    """A value as the settings have it; raises SpecError where it cannot be that."""
    names = [f.name.replace("_", "-") for f in fields(Settings) if f.name != "folder"]
    if key not in names:
        close = get_close_matches(key, names, 1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"
        raise SpecError(f"{file}: unknown key {key!r}{hint}")
    if key in ("select", "ignore", "exclude"):
        found = _texts(file, key, value)
        if key != "exclude":
            need_rules(found, f"{file}: {key}")
        return found
    if key == "per-file-ignores":
        if not isinstance(value, dict):
            raise SpecError(f"{file}: {key} is no table; expected patterns and lists of rules")
        made = {name: _texts(file, f"{key}.{name}", names) for name, names in value.items()}
        for name, listed in made.items():
            need_rules(listed, f"{file}: {key}.{name}")
        return made
    allowed = _ALLOWED[key]() if key == "dialect" else _ALLOWED[key]
    if value not in allowed:
        raise SpecError(f"{file}: {key} is {value!r}; expected {', '.join(allowed)}")
    return value


def _dialects() -> tuple[str, ...]:
    from prototxt_gen.formats.dialects import DIALECTS

    return tuple(DIALECTS)


_ALLOWED: dict[str, Any] = {
    "dialect": _dialects,
    "unknown-types": WEIGHTS,
    "fail-on": ("error", "warning"),
}


def _texts(file: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{file}: {key} is {value!r}; expected a list of texts")
    return tuple(value)
