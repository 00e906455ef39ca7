"""Where files are: on this machine, or in any store that fsspec knows.

A path is one of this machine, or a URL. What is written appears whole: under a name of its
own first, read back, and then moved.
"""

from __future__ import annotations

import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from prototxt_gen._files import whole_file
from prototxt_gen.fleet.hashes import stamp_of

T = TypeVar("T")
TRIES = 3  #: of each call of a store
_PAUSE = 0.2  #: seconds before the second try; each further one waits twice as long
_DIGESTS = ("ETag", "etag", "md5Hash", "content_md5", "crc32c")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


class StoreError(OSError):
    """A store that failed, also when tried again."""


class Known(NamedTuple):
    """What a store says of a file: its size, and a text that differs where the content does."""

    size: int
    stamp: str


def is_url(path: str) -> bool:
    """Whether a path is of a store, and not of this machine."""
    return "://" in path and not path.startswith("file://")


def plain(path: str) -> str:
    """A path as it is used: without a slash at its end, and of this machine without file://."""
    if path.startswith("file://"):
        path = unquote(urlsplit(path).path)
    return path.rstrip("/") or "/" if is_url(path) else os.fspath(Path(path))


def joined(folder: str, name: str) -> str:
    """A path below a folder; absolute paths and URLs stay as they are."""
    if is_url(name) or name.startswith("file://"):
        return plain(name)
    return posixpath.join(folder, name) if is_url(folder) else os.path.join(folder, name)


def files_below(folder: str) -> Iterator[tuple[str, Known]]:
    """Each file below a folder with what is known of it, by name; raises OSError."""
    if not is_url(folder):
        if not os.path.isdir(folder):
            raise NotADirectoryError(20, "no such folder", folder)
        for root, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                path = os.path.join(root, name)
                with suppress(FileNotFoundError):  # a link to nowhere
                    if os.path.isfile(path) or not os.path.exists(path):
                        yield path, known(path)
        return
    fs, key = store_of(folder)
    found = tried(folder, lambda: fs.find(key, detail=True))
    if not found:
        raise FileNotFoundError(2, "nothing is there", folder)
    start = folder[: folder.index("://") + 3]
    for name in sorted(found):
        yield _url(start, folder, key, name), _known(found[name])


def known(path: str) -> Known:
    """What is known of a file; raises FileNotFoundError and OSError."""
    if not is_url(path):
        return Known(os.stat(path).st_size, stamp_of(path))
    fs, key = store_of(path)

    def ask() -> Known:
        fs.invalidate_cache(posixpath.dirname(key))
        return _known(fs.info(key))

    return tried(path, ask)


class Listing:
    """What is known of many files; of a store some folders are listed once, with all below."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = [folder for folder in folders if is_url(folder)]
        self._listed: dict[str, dict[str, Known]] = {}

    def stamp(self, path: str) -> str | None:
        """The stamp of a file; None where it is not there."""
        if not is_url(path):
            try:
                return known(path).stamp
            except FileNotFoundError:
                return None
        around = (one for one in self._folders if path.startswith(f"{one}/"))
        folder = next(around, None) or path.rsplit("/", 1)[0]
        if folder not in self._listed:
            self._listed[folder] = _listed(folder)
        found = self._listed[folder].get(path)
        return found.stamp if found else None


def _listed(folder: str) -> dict[str, Known]:
    fs, key = store_of(folder)
    fs.invalidate_cache(key)
    try:
        return dict(files_below(folder))
    except FileNotFoundError:
        return {}


def is_there(path: str) -> bool:
    """Whether there is a file."""
    try:
        known(path)
    except FileNotFoundError:
        return False
    return True


def opened(path: str) -> IO[bytes]:
    """A file without much of a buffer, of which parts are read."""
    if not is_url(path):
        return open(path, "rb", buffering=0)
    fs, key = store_of(path)
    return tried(path, lambda: fs.open(key, "rb", block_size=1 << 16, cache_type="readahead"))


def read(path: str) -> bytes:
    """The bytes of a small file; raises OSError."""
    if not is_url(path):
        return Path(path).read_bytes()
    fs, key = store_of(path)
    return tried(path, lambda: bytes(fs.cat_file(key)))


def write(path: str, data: bytes) -> None:
    """Write a small file, which replaces one that is there; raises OSError."""
    if not is_url(path):
        with whole_file(path) as file:
            file.write(data)
        return
    fs, key = store_of(path)

    def put() -> None:
        fs.makedirs(posixpath.dirname(key), exist_ok=True)
        fs.pipe_file(key, data)
        if bytes(fs.cat_file(key)) != data:
            raise OSError(5, "what was read back is not what was sent", path)

    tried(path, put)


def remove(path: str) -> None:
    """Remove a file if it is there; raises OSError."""
    if not is_url(path):
        with suppress(FileNotFoundError):
            os.unlink(path)
        return
    fs, key = store_of(path)
    with suppress(FileNotFoundError):
        tried(path, lambda: fs.rm_file(key))


def store_of(path: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it; raises StoreError where there is none."""
    try:
        import fsspec
    except ImportError:
        raise StoreError(22, "URLs need fsspec: pip install 'resnet-proto[fleet]'", path) from None
    try:
        fs, key = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:
        raise StoreError(22, str(error), path) from error
    return fs, key.rstrip("/")


def tried(path: str, action: Callable[[], T]) -> T:
    """What an action gives, tried again where the store fails; raises StoreError at last.

    Stores raise what their libraries do, not OSError alone.
    """
    for turn in range(TRIES):
        try:
            return action()
        except FileNotFoundError:
            raise
        except Exception as error:
            last = error
            if turn + 1 < TRIES:
                time.sleep(_PAUSE * 2**turn)
    why = (last.strerror if isinstance(last, OSError) else None) or f"{last}"
    words = f"{why or type(last).__name__} (tried {TRIES} times)"
    raise StoreError(getattr(last, "errno", None) or 5, words, path) from last


def _known(info: dict[str, Any]) -> Known:
    """Of what a store says, that which changes with the content: a digest, else a time.

    A listing may give the same in another form than a question for one file.
    """
    size = int(info.get("size") or 0)
    said = [info[mark] for mark in (*_DIGESTS, *_TIMES) if info.get(mark) is not None][:1]
    shown = [one.timestamp() if isinstance(one, datetime) else str(one).strip('"') for one in said]
    return Known(size, " ".join(map(str, [size, *shown])))


def _url(start: str, folder: str, key: str, name: str) -> str:
    """The URL of what a store lists below a folder: its names have no protocol."""
    rest = name.lstrip("/")[len(key.lstrip("/")) :].lstrip("/")
    return f"{folder}/{rest}" if folder != start else f"{start}{rest}"
