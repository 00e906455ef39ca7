"""The manifest of a folder of models, and files that were left incomplete."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from prototxt_gen import _version
from prototxt_gen._files import whole_file

MANIFEST = "manifest.json"
#: The names that whole_file gives to incomplete files, with up to 100 characters of the name.
HALF = re.compile(r"\.(?:.*\.onnx|.{100})\.[a-z0-9_]{8}", re.DOTALL)
HALF_MANIFEST = re.compile(rf"\.{re.escape(MANIFEST)}\.[a-z0-9_]{{8}}")
HALF_FOLDER = re.compile(r"\.convert-[a-z0-9_]{8}")


def read(out: Path) -> dict[str, dict[str, str]]:
    """The rows of a folder by the names of nets; invalid ones are ignored."""
    try:
        found = json.loads((out / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    nets = found.get("nets") if isinstance(found, dict) else None
    if not isinstance(nets, dict):
        return {}
    return {name: row for name, row in nets.items() if _is_row(row)}


def write(out: Path, manifest: Mapping[str, Mapping[str, str]]) -> None:
    """Write the rows of a folder, sorted by the names of nets."""
    nets = {name: manifest[name] for name in sorted(manifest)}
    with whole_file(out / MANIFEST) as file:
        file.write((json.dumps({"nets": nets}, indent=1) + "\n").encode())


def _is_row(row: Any) -> bool:
    return isinstance(row, dict) and all(isinstance(value, str) for value in row.values())


def size(target: str) -> str:
    """The sizes of a model and of its external weights; ``-`` for a missing file."""
    paths = (target, f"{target}.data")
    return " ".join(str(os.path.getsize(p)) if os.path.isfile(p) else "-" for p in paths)


@cache
def installed() -> dict[str, str | None]:
    """The versions of the packages that affect a conversion; None for a missing one."""
    found: dict[str, str | None] = {"prototxt_gen": _version.__version__}
    for package in ("onnx", "onnxruntime", "h5py"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def sweep(out: Path) -> None:
    """Remove incomplete files that a killed conversion has left."""
    for left in list(out.rglob(".*")):
        folder = left.is_dir() and not left.is_symlink()
        if folder and HALF_FOLDER.fullmatch(left.name):
            shutil.rmtree(left, ignore_errors=True)
        elif not folder and _is_half(left, out):
            left.unlink(missing_ok=True)


def _is_half(path: Path, out: Path) -> bool:
    of_manifest = path.parent == out and HALF_MANIFEST.fullmatch(path.name)
    return bool(of_manifest or HALF.fullmatch(path.name))
