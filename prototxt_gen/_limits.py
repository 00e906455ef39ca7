"""How large may be what is read, or made, and how many threads a computation may have.

They are kept in the environment, so that processes started for the work have them too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

RAISED = "RESNET_PROTO_LIMIT"  #: the variable of the environment: a size, such as 4GiB
LARGEST_FILE = 256 << 20  #: the most bytes of a prototxt, unless raised
HINT = "resnet-proto --limit raises it"
THREADS = "OMP_NUM_THREADS"  #: the usual variable for threads of one process
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def at_most(usual: int) -> int:
    """A bound in bytes: the usual one, or what it was raised to.

    Raises ValueError where the environment says something else than a size.
    """
    raised = os.environ.get(RAISED)
    return max(usual, size(raised)) if raised else usual


def threads() -> int:
    """How many threads a computation may have, as the environment says; 0 for all cores."""
    said = os.environ.get(THREADS, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 5 else 0


@contextmanager
def threads_of(number: int | None) -> Iterator[None]:
    """Within the block new processes may have so many threads, if the user has not said it."""
    if number is None or THREADS in os.environ:
        yield
        return
    os.environ[THREADS] = str(number)
    try:
        yield
    finally:
        del os.environ[THREADS]


@contextmanager
def raised_to(limit: int) -> Iterator[None]:
    """Within the block the bounds are at least ``limit`` bytes, here and in new processes."""
    before = os.environ.get(RAISED, "0")
    os.environ[RAISED] = str(limit)
    try:
        yield
    finally:
        os.environ[RAISED] = before


def size(text: str) -> int:
    """A number of bytes, such as ``600000000``, ``600M`` or ``4GiB``; raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,18})\s*([kmgt]?)(?:i?b)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"{text!r} is no size; expected a number of bytes, or such as 600M or 4G")
    return int(match[1]) * _UNITS[match[2].lower()]
