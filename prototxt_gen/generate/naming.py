"""The names of layers and blobs: what every naming has, and MSRA's names.

Names depend only on the position of a layer, so that a naming changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MOST_LETTERED = 6
_FEWEST_NUMBERED = 4


class UnitNames(NamedTuple):
    """The names of a convolution, which its top shares, and of the layers around it."""

    conv: str
    norm: str
    scale: str
    relu: str


class Naming(Protocol):
    """The names that every naming gives; a block is a string from ``blocks``."""

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """The names of the blocks of each stage."""

    def section(self, stage: int) -> str:
        """The title of a stage, counted from 0, in comments."""

    def stem(self, index: int, of: int) -> UnitNames:
        """A convolution of the stem, counted from 0; ``of`` is their number."""

    def shortcut(self, block: str) -> UnitNames:
        """The projection on a block's shortcut."""

    def branch(self, block: str, index: int) -> UnitNames:
        """A convolution of a block's branch, counted from 0."""

    def fork(self, block: str, index: int) -> UnitNames:
        """A convolution of the second path of a block, counted from 0."""

    def unit(self, block: str, what: str) -> UnitNames:
        """An activation in a block that follows no convolution; ``conv`` names its blob."""

    def data(self) -> UnitNames:
        """The normalization of the data; ``conv`` is the name of its blob."""

    def total(self, block: str) -> tuple[str, str]:
        """The sum at the end of a block, and its ReLU."""

    def cat(self, block: str) -> str:
        """The channels that a block reads, and its own."""

    def part(self, block: str, what: str) -> str:
        """Any other layer of a block."""

    def transition(self, stage: int) -> tuple[UnitNames, str]:
        """A convolution in front of a stage, counted from 0, and the pooling after it."""

    def last(self) -> UnitNames:
        """The activation after the last block of a pre-activation net."""

    def widening(self) -> UnitNames:
        """The convolution after the last stage."""

    def pools(self) -> tuple[str, str]:
        """The pooling of the stem, and the last one."""

    def classifier(self, classes: int) -> str:
        """The scores."""


class Msra:
    """``res2a_branch2a``, ``bn2a_branch2a``, ``scale2a_branch2a``.

    A block is named after its stage and a letter, ``2a``; if a stage of the net has more than
    six blocks, the blocks of each stage with more than three are ``a``, ``b1``, ``b2`` and
    so on. The first stage of blocks is number 2, since conv1 is stage 1.
    """

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """``2a``, ``2b``, ``2c``; then ``3a``..."""
        numbered = max(stages) > _MOST_LETTERED
        for stage, blocks in enumerate(stages, 2):
            if numbered and blocks >= _FEWEST_NUMBERED:
                yield [f"{stage}a", *(f"{stage}b{index}" for index in range(1, blocks))]
            else:
                yield [f"{stage}{letter}" for letter in _LETTERS[:blocks]]

    def section(self, stage: int) -> str:
        """``res2``."""
        return f"res{stage + 2}"

    def stem(self, index: int, of: int) -> UnitNames:
        """``conv1``; ``conv1_1`` if there are several."""
        conv = "conv1" if of == 1 else f"conv1_{index + 1}"
        return UnitNames(conv, f"bn_{conv}", f"scale_{conv}", f"{conv}_relu")

    def shortcut(self, block: str) -> UnitNames:
        """``res2a_branch1``."""
        return self._branch(block, "branch1")

    def branch(self, block: str, index: int) -> UnitNames:
        """``res2a_branch2a``."""
        return self._branch(block, f"branch2{_LETTERS[index]}")

    def fork(self, block: str, index: int) -> UnitNames:
        """``res2a_branch3a``."""
        return self._branch(block, f"branch3{_LETTERS[index]}")

    def unit(self, block: str, what: str) -> UnitNames:
        """``res2a_pre``."""
        return self._branch(block, what)

    def data(self) -> UnitNames:
        """``bn_data``, ``scale_data``."""
        return UnitNames("data_norm", "bn_data", "scale_data", "data_relu")

    def total(self, block: str) -> tuple[str, str]:
        """``res2a``."""
        return f"res{block}", f"res{block}_relu"

    def cat(self, block: str) -> str:
        """``res2a``."""
        return f"res{block}"

    def part(self, block: str, what: str) -> str:
        """``res2a_dropout``."""
        return f"res{block}_{what}"

    def transition(self, stage: int) -> tuple[UnitNames, str]:
        """``res3_transition``, ``bn3_transition``, and ``res3_pool``."""
        number = f"{stage + 2}"
        return self._branch(number, "transition"), self.part(number, "pool")

    def last(self) -> UnitNames:
        """``bn_last``."""
        return UnitNames("last", "bn_last", "scale_last", "last_relu")

    def widening(self) -> UnitNames:
        """``conv_last``."""
        return UnitNames("conv_last", "bn_conv_last", "scale_conv_last", "conv_last_relu")

    def pools(self) -> tuple[str, str]:
        """``pool1``, ``pool5``."""
        return "pool1", "pool5"

    def classifier(self, classes: int) -> str:
        """``fc1000``."""
        return f"fc{classes}"

    def _branch(self, block: str, branch: str) -> UnitNames:
        names = [f"{kind}{block}_{branch}" for kind in ("res", "bn", "scale")]
        return UnitNames(names[0], names[1], names[2], f"{names[0]}_relu")
