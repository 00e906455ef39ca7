"""The manifest of a folder of models, and files that were left incomplete."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from prototxt_gen import _version
from prototxt_gen._files import whole_file
from prototxt_gen._halves import is_alive, remove_half, writer_of
from prototxt_gen._locks import remove_free

MANIFEST = "manifest.json"


def read(out: Path) -> dict[str, dict[str, Any]]:
    """The rows of a folder by the names of nets; invalid ones are ignored.

    A row holds texts, and under ``notes`` a list of them.
    """
    nets = _part(out, "nets")
    return {name: row for name, row in nets.items() if _is_row(row)}


def seen(out: Path) -> dict[str, str]:
    """The hashes of files, by what the system said of them; see ``Hashes``."""
    return {key: found for key, found in _part(out, "seen").items() if isinstance(found, str)}


def write(
    out: Path, manifest: Mapping[str, Mapping[str, Any]], seen: Mapping[str, str] | None = None
) -> None:
    """Write the rows of a folder, sorted by the names of nets, and hashes of files."""
    nets = {name: manifest[name] for name in sorted(manifest)}
    found = {"nets": nets, "seen": dict(sorted((seen or {}).items()))}
    with whole_file(out / MANIFEST) as file:
        file.write((json.dumps(found, indent=1) + "\n").encode())


def _part(out: Path, name: str) -> dict[str, Any]:
    try:
        found = json.loads((out / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    part = found.get(name) if isinstance(found, dict) else None
    return part if isinstance(part, dict) else {}


def _is_row(row: Any) -> bool:
    if not isinstance(row, dict):
        return False
    notes = row.get("notes", [])
    texts = [value for name, value in row.items() if name != "notes"]
    return isinstance(notes, list) and all(isinstance(text, str) for text in (*texts, *notes))


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


def sweep(out: Path) -> Counter[Path]:
    """Remove incomplete files of processes that are gone; how many in which folder."""
    swept: Counter[Path] = Counter()
    for left in list(out.rglob(".*")):
        process = writer_of(left)
        if process is not None and not is_alive(process) and remove_half(left):
            swept[left.parent] += 1
        elif process is None:
            remove_free(left)
    return swept


def remove_halves(folder: Path, process: int) -> None:
    """Remove the incomplete files of a process that is gone from a folder."""
    with suppress(OSError):
        for left in list(folder.glob(".*")):
            if writer_of(left) == process:
                remove_half(left)
            else:
                remove_free(left)
