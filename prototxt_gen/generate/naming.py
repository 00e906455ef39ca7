"""The names that MSRA gave to the layers of its residual nets.

A block is called after its stage and a letter, ``2a``; in a net with a stage of more than
six blocks, those of each stage with more than three are ``a``, ``b1``, ``b2`` and so on.
The first stage of blocks is number 2, since conv1 is the first of the net.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST_LETTERED = 6
_FEWEST_NUMBERED = 4


class UnitNames(NamedTuple):
    """The names of a convolution, which are its top's too, and of what works in its place."""

    conv: str
    norm: str
    scale: str
    relu: str


CONV1 = UnitNames("conv1", "bn_conv1", "scale_conv1", "conv1_relu")


def block_names(stages: Sequence[int]) -> Iterator[list[str]]:
    """For each stage the names of its blocks: ``2a``, ``2b``, ``2c``."""
    numbered = max(stages) > _MOST_LETTERED
    for stage, blocks in enumerate(stages, 2):
        if numbered and blocks >= _FEWEST_NUMBERED:
            yield [f"{stage}a", *(f"{stage}b{index}" for index in range(1, blocks))]
        else:
            yield [f"{stage}{letter}" for letter in _LETTERS[:blocks]]


def shortcut(block: str) -> UnitNames:
    """The projection on a block's shortcut."""
    return _branch(block, "1")


def branch(block: str, index: int) -> UnitNames:
    """A convolution of a block's residual branch, counted from 0."""
    return _branch(block, f"2{_LETTERS[index]}")


def total(block: str) -> tuple[str, str]:
    """The sum at the end of a block, and its ReLU."""
    return f"res{block}", f"res{block}_relu"


def _branch(block: str, branch: str) -> UnitNames:
    conv = f"res{block}_branch{branch}"
    return UnitNames(
        conv, f"bn{block}_branch{branch}", f"scale{block}_branch{branch}", f"{conv}_relu"
    )
