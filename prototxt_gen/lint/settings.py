"""What is asked of the linter, on the command line and in a file.

``.resnet-proto.toml``, or the table ``tool.resnet-proto`` of ``pyproject.toml``: that of the
nearest folder above a file counts for it. Keys are the options of ``validate``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from prototxt_gen._nearest import closest
from prototxt_gen._records import Record, record
from prototxt_gen.errors import SpecError
from prototxt_gen.formats.dialects import DIALECTS
from prototxt_gen.formats.text.resolve import UnknownFields
from prototxt_gen.graph.type_check import UnknownTypes
from prototxt_gen.lint.rule import CATEGORIES, SMELLS, rules

FILE, PROJECT, TABLE = ".resnet-proto.toml", "pyproject.toml", "resnet-proto"
ALL = "all"
WEIGHTS = ("error", "warning", "ignore")


@record
class Settings(Record):
    """The options; a rule is named by its name or its category, or all by ``all``."""

    select: tuple[str, ...] = (ALL,)
    ignore: tuple[str, ...] = ()
    dialect: str | None = None
    unknown_types: UnknownTypes = "warning"
    unknown_fields: UnknownFields = "error"
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
                return name == rule or not _asked_for(rule)
        return ALL in self.select and not _asked_for(rule)

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


def _asked_for(rule: str) -> bool:
    known = rules().get(rule)
    return known is not None and known.asked_for


def need_rules(names: Iterable[str], where: str) -> None:
    """Raise SpecError for a name that is neither a rule nor a category."""
    known = [ALL, SMELLS, *CATEGORIES, *rules()]
    for name in names:
        if name not in known:
            close = closest(name, known)
            hint = f"; did you mean {close!r}?" if close else ""
            raise SpecError(f"{where}: there is no rule {name!r}{hint}")


class Configured:
    """The settings of files: those of the nearest configuration, and over them those ``given``.

    Each configuration is read once. With ``config``, that file alone is read.
    """

    def __init__(self, given: Mapping[str, Any] | None = None, config: Path | None = None) -> None:
        self._given = dict(given or {})
        self._config = config
        self._read: dict[Path, Settings | None] = {}
        self._near: dict[Path, Settings] = {}

    def of(self, path: str) -> Settings:
        """The settings of a file; raises SpecError for a wrong configuration, and OSError."""
        if self._config is not None:
            found = self._file(self._config) or Settings()
        else:
            found = self._nearest(Path.cwd() if path == "-" else Path(path).resolve().parent)
        return replace(found, **self._given)

    def _nearest(self, folder: Path) -> Settings:
        if folder not in self._near:
            files = [file for name in (FILE, PROJECT) if (file := folder / name).is_file()]
            # A pyproject.toml may be of something else.
            found = next(filter(None, map(self._file, files)), None)
            above = folder.parent
            if found is None:
                found = self._nearest(above) if above != folder else Settings()
            self._near[folder] = found
        return self._near[folder]

    def _file(self, file: Path) -> Settings | None:
        if file not in self._read:
            self._read[file] = _read(file)
        return self._read[file]


def _read(file: Path) -> Settings | None:
    """The settings of a file; None where it has none."""
    import tomllib

    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: {error}; expected TOML") from None
    if file.name == PROJECT:
        tools = values.get("tool", {})
        if not isinstance(tools, dict) or TABLE not in tools:
            return None
        values = tools[TABLE]
    if not isinstance(values, dict):
        raise SpecError(f"{file}: tool.{TABLE} is no table")
    made = {key.replace("-", "_"): _value(file, key, value) for key, value in values.items()}
    proto = made.pop("proto", None)
    if proto is not None:
        if "dialect" in made:
            raise SpecError(f"{file}: proto and dialect exclude each other; give one")
        from prototxt_gen.formats.own import load_proto

        made["dialect"] = load_proto(file.parent / proto)
    return Settings(**made, folder=file.parent)


def _value(file: Path, key: str, value: object) -> Any:
    """A value as the settings have it; raises SpecError where it cannot be that."""
    names = [f.name.replace("_", "-") for f in fields(Settings) if f.name != "folder"]
    names.append("proto")
    if key not in names:
        close = closest(key, names)
        hint = f"; did you mean {close!r}?" if close else f"; there are {', '.join(names)}"
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
    if key in ("proto", "dialect") and not isinstance(value, str):
        raise SpecError(f"{file}: {key} is {value!r}; expected a text")
    if key == "proto":
        return value
    allowed = DIALECTS if key == "dialect" else _ALLOWED[key]
    for one in str(value).split(",") if key == "dialect" else [value]:
        if one not in allowed:
            raise SpecError(f"{file}: {key} is {value!r}; expected {', '.join(allowed)}")
    return value


_ALLOWED: dict[str, Any] = {
    "unknown-types": WEIGHTS,
    "unknown-fields": WEIGHTS,
    "fail-on": ("error", "warning"),
}


def _texts(file: Path, key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(f"{file}: {key} is {value!r}; expected a list of texts")
    return tuple(value)
