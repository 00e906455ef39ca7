"""Hashes of files, remembered as long as the system says that nobody has written to them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping

_TICK = 20_000_000  #: ns in which two changes of a file may get the same time


class Hashes:
    """The SHA-256 of files by content.

    What the system says of a file (which one it is, its size, when it and what is known of
    it were last changed) stands for its content. The time of the last change cannot be set
    back, as that of the content can by ``cp -p`` and rsync.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self.used: dict[str, str] = {}
        self.new = False  #: whether a file had to be read

    def of(self, path: str | os.PathLike[str]) -> str:
        """The hash of a file; raises OSError."""
        key = stamp_of(path)
        found = self._known.get(key)
        if found is None:
            found, self.new = self._read(path), True
            if stamp_of(path) != key:  # it is being written: next time it is another
                return found
        self._known[key] = self.used[key] = found
        return found

    def learn(self, used: Mapping[str, str]) -> None:
        """Take over what another process has found."""
        self._known.update(used)
        self.used.update(used)

    def _read(self, path: str | os.PathLike[str]) -> str:
        with open(path, "rb") as file:
            # A change right after the reading shall have another time than what was read.
            wait = _TICK - (time.time_ns() - os.fstat(file.fileno()).st_ctime_ns)
            time.sleep(min(max(wait, 0), _TICK) / 1e9)
            return hashlib.file_digest(file, "sha256").hexdigest()


def stamp_of(path: str | os.PathLike[str]) -> str:
    """What the system says of a file, as a text that differs where its content does."""
    state = os.stat(path)
    values = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    return " ".join(map(str, values))
