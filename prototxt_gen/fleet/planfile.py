"""A plan as a file that people edit: CSV, JSONL or YAML, with a row for each model."""

from __future__ import annotations

import csv
import io
import json
import os
import posixpath
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from prototxt_gen._words import plural
from prototxt_gen.errors import PrototxtError
from prototxt_gen.fleet import stores
from prototxt_gen.fleet.looks import WEIGHTS
from prototxt_gen.fleet.plan import Item, Left, Plan

VERSION = 1
SUFFIXES = (".csv", ".jsonl", ".yaml", ".yml")
KEYS = ("use", "name", "net", "weights", "options", "why")
_YES, _NO = ("", "yes", "true", "1"), ("no", "false", "0")
_Row = tuple[str, Mapping[str, Any]]  #: where it stands, and its values


def is_plan(path: str) -> bool:
    """Whether a path is that of a plan, by its name."""
    return path.lower().endswith(SUFFIXES)


def read_plan(path: str) -> Plan:
    """The models of a file, and those that it leaves out.

    Raises PrototxtError, with file and row, where a row is none, and OSError.
    """
    try:
        text = stores.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PrototxtError(f"{path}: is no text of UTF-8 at byte {error.start}") from error
    reader = _from_csv if path.lower().endswith(".csv") else _from_jsonl
    if path.lower().endswith((".yaml", ".yml")):
        reader = _from_yaml
    folder = posixpath.dirname(path) if stores.is_url(path) else os.path.dirname(path) or "."
    items: dict[str, Item] = {}
    left = []
    for where, row in reader(path, text):
        item, used = _item(where, row, folder)
        if not used:
            said = str(row.get("why") or "")
            left.append(Left(item.net, f"not used, as {posixpath.basename(path)} says: {said}"))
        elif item.name in items:
            raise PrototxtError(f"{where}: there is a model {item.name!r} before; give it a name")
        else:
            items[item.name] = item
    return Plan(tuple(items.values()), tuple(left))


def write_plan(plan: Plan, path: str) -> bytes:
    """The text of a plan for a file of that name, which says its form."""
    folder = posixpath.dirname(path) if stores.is_url(path) else os.path.dirname(path) or "."
    rows = [_row("yes", i.name, i.net, i.weights, i.options, i.why, folder) for i in plan.items]
    rows += [
        _row("no", "", one.path, None, (), one.why, folder)
        for one in plan.left
        if one.failure  # what a person may still find weights for
    ]
    name = path.lower()
    if name.endswith(".csv"):
        out = io.StringIO()
        writer = csv.DictWriter(out, KEYS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue().encode("utf-8", "surrogateescape")
    if name.endswith(".jsonl"):
        lines: list[Any] = [{"plan": "resnet-proto fleet", "version": VERSION}, *rows]
        return "".join(json.dumps(line) + "\n" for line in lines).encode()
    import yaml

    whole = {"version": VERSION, "models": rows}
    text: str = yaml.safe_dump(whole, sort_keys=False, allow_unicode=True, width=1000)
    return text.encode("utf-8", "surrogateescape")


def _row(
    use: str,
    name: str,
    net: str,
    weights: str | None,
    options: tuple[str, ...],
    why: str,
    folder: str,
) -> dict[str, str]:
    paths = [_seen_from(folder, path) if path else "" for path in (net, weights)]
    values = (use, name, *paths, shlex.join(options), why)
    return dict(zip(KEYS, values, strict=True))


def _seen_from(folder: str, path: str) -> str:
    """A path as a row has it: from the folder of the plan where that is on the way."""
    if stores.is_url(path) or stores.is_url(folder):
        return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else path
    return os.path.relpath(path, folder)


def _item(where: str, row: Mapping[str, Any], folder: str) -> tuple[Item, bool]:
    """The model of a row, and whether it is used."""
    for key in row:
        if key not in KEYS:
            raise PrototxtError(f"{where}: unknown key {key!r}; expected {', '.join(KEYS)}")
    texts = {}
    for key in ("use", "name", "net", "weights", "why"):
        value = row.get(key)
        value = {True: "yes", False: "no", None: ""}.get(value, value) if key == "use" else value
        if not isinstance(value, (str, type(None))):
            raise PrototxtError(f"{where}: {key} is {value!r}; expected a text")
        texts[key] = (value or "").strip()
    if texts["use"].lower() not in (*_YES, *_NO):
        raise PrototxtError(f"{where}: use is {texts['use']!r}; expected yes or no")
    if not texts["net"]:
        raise PrototxtError(f"{where}: there is no net")
    net = stores.plain(stores.joined(folder, texts["net"]))
    weights = stores.plain(stores.joined(folder, texts["weights"])) if texts["weights"] else None
    name = texts["name"] or _name(texts["net"])
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise PrototxtError(f"{where}: name is {name!r}; expected a path below the output")
    item = Item(name, net, weights, _words(where, row.get("options")), texts["why"])
    return item, texts["use"].lower() in _YES


def _name(net: str) -> str:
    """The name of a model: its path if that is below the plan, else the file's name."""
    path = net if not (stores.is_url(net) or os.path.isabs(net)) else posixpath.basename(net)
    path = posixpath.normpath(path)
    if path.startswith("../"):
        path = posixpath.basename(path)
    for suffix in (".prototxt", *reversed(WEIGHTS)):
        path = path.removesuffix(suffix)
    return path


def _words(where: str, options: Any) -> tuple[str, ...]:
    if options is None:
        return ()
    if isinstance(options, list) and all(isinstance(word, (str, int, float)) for word in options):
        return tuple(map(str, options))
    if not isinstance(options, str):
        found = f"options are {options!r}"
        raise PrototxtError(f"{where}: {found}; expected words such as '--opset 13'")
    try:
        return tuple(shlex.split(options))
    except ValueError as error:
        raise PrototxtError(f"{where}: options {options!r}: {error}") from error


def _from_csv(path: str, text: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heads = [head.strip() for head in next(reader, [])]
        if "net" not in heads:
            raise PrototxtError(f"{path}:1: there is no column net; found {', '.join(heads)}")
        for values in reader:
            if not any(values):
                continue
            where = f"{path}:{reader.line_num}"
            if len(values) > len(heads):
                found = f"{plural(len(values), 'value')} for {plural(len(heads), 'column')}"
                raise PrototxtError(f"{where}: {found}; one with a comma needs quotes")
            yield where, dict(zip(heads, values, strict=False))
    except csv.Error as error:
        raise PrototxtError(f"{path}:{reader.line_num}: {error}") from error


def _from_jsonl(path: str, text: str) -> Iterator[_Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PrototxtError(f"{where}: is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise PrototxtError(f"{where}: found {line.strip()[:40]}; expected an object")
        if "version" in row:
            need_version(where, row["version"], VERSION)
        else:
            yield where, row


def _from_yaml(path: str, text: str) -> Iterator[_Row]:
    import yaml

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise PrototxtError(f"{path}: {' '.join(str(error).split())}") from error
    if isinstance(found, dict):
        need_version(path, found.get("version", VERSION), VERSION)
        found = found.get("models")
    if not isinstance(found, list):
        raise PrototxtError(f"{path}: expected a list of models, or one under 'models'")
    for number, row in enumerate(found, 1):
        where = f"{path}: model {number}"
        if not isinstance(row, dict) or not all(isinstance(key, str) for key in row):
            raise PrototxtError(f"{where}: found {row!r:.40}; expected keys such as net, weights")
        yield where, row


def need_version(where: str, found: object, known: int) -> None:
    """Raise PrototxtError where a file is of a version that came later."""
    if not isinstance(found, int) or not 1 <= found <= known:
        raise PrototxtError(f"{where}: is of version {found!r}; this program reads {known}")
