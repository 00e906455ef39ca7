"""``manifest.jsonl``: a line for each model as soon as it is known, and never changed.

The last line of a model counts. docs/fleet.md has the keys.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from prototxt_gen.fleet import stores, transfers
from prototxt_gen.fleet.planfile import need_version

NAME = "manifest.jsonl"
VERSION = 1
HEAD = {"manifest": "resnet-proto fleet", "version": VERSION}
RECEIPTS = ".resnet-proto"
_EVERY = 30.0  #: seconds between two uploads of a manifest to a store
_KEPT = 600.0  #: seconds for which a receipt stays when the manifest has its row
_SYNC = 1.0  #: seconds until it is on the disk here, whatever becomes of this machine

Row = dict[str, Any]


def receipt(out: str, task: str, name: str) -> str:
    """Where it says that a model is made until the manifest does."""
    key = hashlib.sha256(f"{task} {name}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return stores.joined(out, f"{RECEIPTS}/{key}.json")


class Journal:
    """The manifest of an output: its rows, and a way to add to them.

    Of a store it is kept in a file here and uploaded now and then; what is ``settled`` then has
    no receipt any more.
    """

    def __init__(self, out: str) -> None:
        """Read what is there; raises PrototxtError for a later version, and OSError."""
        self.path = stores.joined(out, NAME)
        self.rows: dict[tuple[str, str], Row] = {}
        self._out = out
        self._unsettled: list[tuple[str, str]] = []
        self._settled: deque[tuple[float, str, str]] = deque()
        self._sent = time.monotonic()
        self._remote = stores.is_url(out)
        data = stores.read(self.path) if stores.is_there(self.path) else b""
        for row in _rows(self.path, data):
            self.rows[row["task"], row["name"]] = row
        self._file = self._opened(data)

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows, which a kill of this process cannot take back; raises OSError."""
        found = list(rows)
        for row in found:
            line = json.dumps(row, ensure_ascii=True, sort_keys=False) + "\n"
            self._file.write(line.encode())
            self.rows[row["task"], row["name"]] = row
            self._unsettled.append((row["task"], row["name"]))
        self._file.flush()
        if time.monotonic() - self._sent > (_EVERY if self._remote else _SYNC):
            with suppress(stores.StoreError):  # it may be there again the next time
                self._sent = time.monotonic()
                self.send()

    def send(self) -> None:
        """See that all rows are on the disk, or in the store; raises OSError."""
        if self._unsettled:
            os.fsync(self._file.fileno())
            if self._remote:
                transfers.upload(Path(self._file.name), self.path)
            self._settle(_KEPT)
            self._sent = time.monotonic()

    def close(self) -> None:
        """Send what is left, and let go; raises OSError, which says where the manifest is."""
        try:
            self.send()
        except stores.StoreError as error:
            words = f"{error.strerror}; the manifest is in {self._file.name}"
            raise stores.StoreError(error.errno, words, self.path) from error
        finally:
            self._file.close()
        self._settle(0)
        if self._remote:
            os.unlink(self._file.name)

    def _settle(self, keep: float) -> None:
        """Remove receipts of what the manifest has, but those of the last seconds.

        A worker that was thought to be lost may still come to a model that another has made.
        """
        now = time.monotonic()
        self._settled += [(now, *key) for key in self._unsettled]
        self._unsettled.clear()
        while self._settled and now - self._settled[0][0] >= keep:
            _, task, name = self._settled.popleft()
            stores.remove(receipt(self._out, task, name))

    def _opened(self, data: bytes) -> IO[bytes]:
        file: IO[bytes]
        if self._remote:
            file = tempfile.NamedTemporaryFile("wb", suffix=f".{NAME}", delete=False)  # noqa: SIM115
            file.write(data)
        else:
            file = open(self.path, "ab")  # noqa: SIM115 - it is open as long as this
        if not data:
            file.write(json.dumps(HEAD).encode() + b"\n")
        elif not data.endswith(b"\n"):  # the last line is torn, and stays one
            file.write(b"\n")
        return file


def _rows(path: str, data: bytes) -> Iterable[Row]:
    """The rows of a manifest; a line that is none, such as a torn one, is passed over."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(row, dict):
            continue
        if "manifest" in row:
            need_version(f"{path}:{number}", row.get("version"), VERSION)
        elif isinstance(row.get("task"), str) and isinstance(row.get("name"), str):
            yield row
