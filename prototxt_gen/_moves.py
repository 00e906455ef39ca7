"""Files that take their names together: all of them or none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from prototxt_gen._halves import half_of, remove_half, taken_back
from prototxt_gen._locks import file_lock


class Moves:
    """Half files and the names that they will take, one after the other.

    Where one cannot take its name, those before it get their old files back.
    """

    def __init__(self) -> None:
        self._locks = ExitStack()
        self._held: set[Path] = set()
        self._moves: list[tuple[Path, Path, Path]] = []
        self._then: list[Callable[[], None]] = []
        self._making = False

    def hold(self, target: Path, shown: str | os.PathLike[str]) -> None:
        """Keep other processes from writing a file until all is done; raises OSError."""
        if target not in self._held:
            self._locks.enter_context(file_lock(target, shown))
            self._held.add(target)

    def add(self, target: Path, half: Path | None = None) -> Path:
        """The name of what will take the target's place, beside it if it is not given."""
        half = half or half_of(target)
        self._moves.append((half, target, half_of(target)))
        return half

    def drop(self, half: Path) -> None:
        """Let a file keep its old content after all."""
        self._moves = [move for move in self._moves if move[0] != half]
        remove_half(half)

    def then(self, action: Callable[[], None]) -> None:
        """What to do when all have their names."""
        self._then.append(action)

    @contextmanager
    def made(self) -> Iterator[None]:
        """All take their names at the end of the block; raises OSError, as if nothing was."""
        with self._locks, taken_back(self._take_back):
            yield
            self._make()

    def _make(self) -> None:
        self._making = True
        for index, (half, target, old) in enumerate(self._moves, 1):
            if index < len(self._moves) and os.path.lexists(target):
                _keep(target, old)
            try:
                os.replace(half, target)
            except OSError as error:
                raise type(error)(error.errno, error.strerror, str(target)) from None
        for _, _, old in self._moves[:-1]:
            remove_half(old)
        for action in self._then:
            action()

    def _take_back(self) -> None:
        """Make it as it was; but once the last has its name, all have."""
        begun = self._making and any(os.path.lexists(half) for half, _, _ in self._moves[-1:])
        for half, target, old in reversed(self._moves):
            if begun and not os.path.lexists(half):
                with suppress(OSError):
                    os.replace(old, target) if os.path.lexists(old) else os.unlink(target)
            remove_half(half)
            remove_half(old)


_together: ContextVar[Moves | None] = ContextVar("together", default=None)


@contextmanager
def together() -> Iterator[Moves]:
    """Let all whole files that are written in the block take their names at its end, or none.

    The names change back to back, in the order in which the files were begun.
    """
    moves = Moves()
    token = _together.set(moves)
    try:
        with moves.made():
            yield moves
    finally:
        _together.reset(token)


@contextmanager
def joined() -> Iterator[Moves]:
    """The moves of ``together`` if there is one around the block, else some of its own."""
    around = _together.get()
    if around is not None:
        yield around
        return
    with together() as moves:
        yield moves


def _keep(target: Path, old: Path) -> None:
    """A second name for a file; a copy where there are no second names."""
    try:
        os.link(target, old, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(target, old, follow_symlinks=False)
