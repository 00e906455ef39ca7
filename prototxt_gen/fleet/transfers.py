"""Files on their way to a store and back: streamed, compared, and never seen half."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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


class Upload:
    """A file on its way: sent under a name of its own and read back, then moved.

    A store that can neither move nor copy gets it in place, and a marker beside it at the end.
    """

    def __init__(self, source: Path, path: str) -> None:
        """Of a file here to a URL; raises OSError."""
        with source.open("rb") as file:
            self.sha256 = _sha256(file)
        self.size = source.stat().st_size
        self.path = path
        self._source = source
        self._fs, self._key = stores.store_of(path)
        self._folder, name = posixpath.split(self._key)
        self._half = f"{self._folder}/.{name}.{os.urandom(6).hex()}{_HALF}"

    def send(self) -> None:
        """Send it, where nobody looks for it; raises OSError."""

        def put() -> None:
            self._fs.makedirs(self._folder, exist_ok=True)
            _copy(self._source, self._fs, self._half, self.sha256)

        try:
            stores.tried(self.path, put)
        except BaseException:
            self.drop()
            raise

    def appear(self) -> None:
        """Give it its name; raises OSError."""

        def move() -> None:
            try:
                self._fs.mv(self._half, self._key)
            except NotImplementedError:
                self._in_place()
            except FileNotFoundError:
                pass  # it was moved, and only the answer was lost; or it is not there below
            self._fs.invalidate_cache(self._folder)
            if self._fs.info(self._key)["size"] != self.size:
                raise OSError(5, "it has another size than what was sent", self.path)

        try:
            stores.tried(self.path, move)
        finally:
            self.drop()

    def drop(self) -> None:
        """Remove what was sent and has no name yet."""
        with suppress(Exception):
            self._fs.rm_file(self._half)

    def _in_place(self) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._key}{DONE}")
        _copy(self._source, self._fs, self._key, self.sha256)
        self._fs.pipe_file(f"{self._key}{DONE}", f"{self.sha256}\n".encode())


def upload(source: Path, path: str) -> str:
    """Put a file into a store, where it appears whole; its SHA-256. Raises OSError."""
    made = Upload(source, path)
    made.send()
    made.appear()
    return made.sha256


def digest(path: str) -> str:
    """The SHA-256 of a file, streamed; raises OSError."""

    def hashed() -> str:
        with stores.opened(path) as file:
            return _sha256(file)

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


def _sha256(file: IO[bytes]) -> str:
    """What is left of a file, streamed; those of stores need not have what file_digest asks for."""
    found = hashlib.sha256()
    while part := file.read(_CHUNK):
        found.update(part)
    return found.hexdigest()


def _copy(source: Path, fs: Any, key: str, wanted: str) -> None:
    """Write a file and read it back; raises OSError where it is another then."""
    with source.open("rb") as file, fs.open(key, "wb") as target:
        shutil.copyfileobj(file, target, _CHUNK)
    with fs.open(key, "rb") as back:
        found = _sha256(back)
    if found != wanted:
        with suppress(Exception):
            fs.rm_file(key)
        raise OSError(5, "what was read back is not what was sent", key)
