"""Files that are not whole yet: what they are called, and what becomes of them.

A half file has a name that nobody else gives, with the process that writes it, so that one
whose process is gone can be told from a user's own. What has been begun is known, so that it
can be taken back when an error, or a signal, ends the work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HALF = re.compile(r"\..*\.resnet-proto-([1-9][0-9]{0,9})-[0-9a-f]{8}\.half", re.DOTALL)
_LONGEST = 150  #: bytes of the target's name in that of its half; a name may have 255

_begun: list[Callable[[], object]] = []


def half_of(target: Path) -> Path:
    """A new name beside a file for what is to become of it; nothing has that name yet."""
    name = target.name
    while len(os.fsencode(name)) > _LONGEST:
        name = name[:-1]
    mark = f"resnet-proto-{os.getpid()}-{os.urandom(4).hex()}"
    return target.parent / f".{name}.{mark}.half"


def writer_of(path: Path) -> int | None:
    """The process that gave a file or folder such a name; None where it is none of ours."""
    match = _HALF.fullmatch(path.name)
    return int(match[1]) if match else None


def is_alive(process: int) -> bool:
    """Whether there is a process of that number; where that cannot be asked, there is one."""
    if os.name == "nt":  # os.kill would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _is_dead(process)


def _is_dead(process: int) -> bool:
    """Whether a process has ended and only waits for its parent to ask how; known on Linux."""
    try:
        state = Path(f"/proc/{process}/stat").read_text("latin-1")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] in "ZX"


def remove_half(path: Path) -> bool:
    """Remove a file, or a folder with all that is in it; whether it is gone."""
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree

        rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            os.unlink(path)
    return not os.path.lexists(path)


@contextmanager
def taken_back(action: Callable[[], object]) -> Iterator[None]:
    """Work that ``action`` takes back where an error ends it, or ``take_back_all`` is called.

    The action may be called at any point of the work, and more than once.
    """
    _begun.append(action)
    try:
        yield
    except BaseException:
        action()
        raise
    finally:
        _begun.remove(action)


def take_back_all() -> None:
    """Take back all that was begun, the latest first: this process ends."""
    for action in reversed(_begun):
        with suppress(Exception):
            action()
