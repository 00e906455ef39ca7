"""Files on their way to a store and back: streamed, compared, and never seen half."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from prototxt_gen._files import whole_file
from prototxt_gen.fleet import stores

DONE = ".done"  #: what the marker of a file is called in a store that cannot move
_HALF = ".half"
_CHUNK = 4 << 20


def fetch(path: str, target: Path) -> str:
    """Stream a file of a store to this machine; its SHA-256. Raises OSError."""
    fs, key = stores.store_of(path)

    def get() -> str:
        digest = hashlib.sha256()
        with fs.open(key, "rb") as source, whole_file(target) as file:
            while part := source.read(_CHUNK):
                digest.update(part)
                file.write(part)
        wanted = fs.info(key)["size"]
        if target.stat().st_size != wanted:
            raise OSError(5, f"{target.stat().st_size} bytes came of {wanted}", path)
        return digest.hexdigest()

    return stores.tried(path, get)


def upload(source: Path, path: str) -> str:
    """Put a file into a store, where it appears whole; its SHA-256. Raises OSError.

    It is written under a name of its own, read back and moved. A store that can neither move
    nor copy gets it in place, and a marker beside it at the end.
    """
    with source.open("rb") as file:
        wanted = hashlib.file_digest(file, "sha256").hexdigest()
    fs, key = stores.store_of(path)
    folder, name = posixpath.split(key)
    half = f"{folder}/.{name}.{os.urandom(6).hex()}{_HALF}"

    def put() -> None:
        fs.makedirs(folder, exist_ok=True)
        try:
            _copy(source, fs, half, wanted)
            fs.mv(half, key)
        except NotImplementedError:
            with suppress(FileNotFoundError):
                fs.rm_file(f"{key}{DONE}")
            _copy(source, fs, key, wanted)
            fs.pipe_file(f"{key}{DONE}", f"{wanted}\n".encode())
        finally:
            with suppress(Exception):
                fs.rm_file(half)
        fs.invalidate_cache(folder)
        if fs.info(key)["size"] != source.stat().st_size:
            raise OSError(5, "it has another size than what was sent", path)

    stores.tried(path, put)
    return wanted


def digest(path: str) -> str:
    """The SHA-256 of a file, streamed; raises OSError."""

    def hashed() -> str:
        found = hashlib.sha256()
        with stores.opened(path) as file:
            while part := file.read(_CHUNK):
                found.update(part)
        return found.hexdigest()

    return stores.tried(path, hashed) if stores.is_url(path) else hashed()


def sweep(folder: str) -> list[str]:
    """Remove what uploads have left that were killed; what was removed."""
    swept = []
    with suppress(FileNotFoundError):
        for path, _ in stores.files_below(folder):
            name = posixpath.basename(path)
            if name.startswith(".") and name.endswith(_HALF):
                stores.remove(path)
                swept.append(path)
    return swept


def _copy(source: Path, fs: Any, key: str, wanted: str) -> None:
    """Write a file and read it back; raises OSError where it is another then."""
    with source.open("rb") as file, fs.open(key, "wb") as target:
        shutil.copyfileobj(file, target, _CHUNK)
    digest = hashlib.sha256()
    with fs.open(key, "rb") as back:
        while part := back.read(_CHUNK):
            digest.update(part)
    if digest.hexdigest() != wanted:
        with suppress(Exception):
            fs.rm_file(key)
        raise OSError(5, "what was read back is not what was sent", key)
