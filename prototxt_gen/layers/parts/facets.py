"""The answers that a layer's facets give."""

from __future__ import annotations

from typing import NamedTuple


class Arity(NamedTuple):
    """How many bottoms and tops a layer takes: the least and the most of each.

    ``equal`` asks for as many tops as bottoms (EqualNumBottomTopBlobs in layer.hpp).
    """

    bottoms: tuple[int, int] = (1, 1)
    tops: tuple[int, int] = (1, 1)
    equal: bool = False

    def fits(self, bottoms: int, tops: int) -> bool:
        """Whether a layer may have so many bottoms and tops."""
        return (
            self.bottoms[0] <= bottoms <= self.bottoms[1]
            and self.tops[0] <= tops <= self.tops[1]
            and (not self.equal or bottoms == tops)
        )


MANY = 1 << 30  #: no upper bound in an Arity


class Cost(NamedTuple):
    """What a layer needs: learnable parameters, kept statistics, multiply-adds."""

    parameters: int = 0
    statistics: int = 0
    multiply_adds: int = 0


class Problem(NamedTuple):
    """Something that Caffe's LayerSetUp refuses, with the parameter to point at."""

    rule: str
    message: str
    field: str | None = None
    help: str | None = None
