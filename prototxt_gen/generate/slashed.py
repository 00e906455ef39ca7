"""The names of shicai's nets for Caffe, MobileNet-Caffe and DenseNet-Caffe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from prototxt_gen.generate.naming import UnitNames
from prototxt_gen.generate.steps import strides

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec

_INVERTED = ("expand", "dwise", "linear")


def _unit(number: str, what: str = "") -> UnitNames:
    """``conv2_1/x1``, ``conv2_1/x1/bn``, ``relu2_1/x1``."""
    name = f"{number}/{what}" if what else number
    return UnitNames(f"conv{name}", f"conv{name}/bn", f"conv{name}/scale", f"relu{name}")


class Shicai:
    """``conv2_1/x1``; in nets of inverted blocks ``conv2_1/expand``, ``dwise`` and ``linear``.

    A block is named after its group and its place in it: ``2_1``. Groups are stages, and begin
    with 2; those of inverted blocks end with the first block of a stage that has a stride.
    """

    def __init__(self, spec: Spec) -> None:
        self._inverted = spec.form.inverted
        self._blocks = list(self._named(spec))
        group, _, place = self._blocks[-1][-1].partition("_")
        self._last, self._next = int(group), f"{group}_{int(place) + 1}"

    def _named(self, spec: Spec) -> Iterator[list[str]]:
        group, place = 2, 0
        for count, stride in zip(spec.stages, strides(spec), strict=True):
            names = []
            for number in range(count):
                place += 1
                names.append(f"{group}_{place}")
                if self._inverted and stride > 1 and number == 0:
                    group, place = group + 1, 0
            if not self._inverted:
                group, place = group + 1, 0
            yield names

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """``2_1``, ``2_2``..."""
        yield from self._blocks

    def section(self, stage: int) -> str:
        """``conv2_1``, the first block of the stage."""
        return f"conv{self._blocks[stage][0]}"

    def stem(self, index: int, of: int) -> UnitNames:
        """``conv1``; ``conv1_1`` if there are several."""
        return _unit("1" if of == 1 else f"1_{index + 1}")

    def shortcut(self, block: str) -> UnitNames:
        """``conv2_1/proj``."""
        return _unit(block, "proj")

    def branch(self, block: str, index: int) -> UnitNames:
        """``conv2_1/x1``, or ``conv2_1/expand``."""
        return _unit(block, _INVERTED[index] if self._inverted else f"x{index + 1}")

    def fork(self, block: str, index: int) -> UnitNames:
        """``conv2_1/y1``."""
        return _unit(block, f"y{index + 1}")

    def unit(self, block: str, what: str) -> UnitNames:
        """``conv2_1/pre``."""
        return _unit(block, what)

    def data(self) -> UnitNames:
        """``data/bn``."""
        return UnitNames("data_norm", "data/bn", "data/scale", "data/relu")

    def total(self, block: str) -> tuple[str, str]:
        """``block_2_1``."""
        return f"block_{block}", f"relu{block}"

    def cat(self, block: str) -> str:
        """``concat_2_1``."""
        return f"concat_{block}"

    def part(self, block: str, what: str) -> str:
        """``conv2_1/dropout``."""
        return f"conv{block}/{what}"

    def transition(self, stage: int) -> tuple[UnitNames, str]:
        """``conv2_blk``, ``pool2``: named after the stage before."""
        return _unit(f"{stage + 1}_blk"), f"pool{stage + 1}"

    def last(self) -> UnitNames:
        """``conv5_blk/bn``."""
        return _unit(f"{self._last}_blk")

    def widening(self) -> UnitNames:
        """``conv6_4``, as one more block of the last group."""
        return _unit(self._next)

    def pools(self) -> tuple[str, str]:
        """``pool1``, ``pool6``: the latter after the last group."""
        return "pool1", f"pool{self._last}"

    def classifier(self, classes: int) -> str:
        """``fc7``."""
        return f"fc{self._last + 1}"
