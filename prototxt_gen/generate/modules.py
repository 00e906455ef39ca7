"""The names of torchvision's modules, which differ by the kind of block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from prototxt_gen.generate.naming import UnitNames

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


def unit(conv: str, norm: str) -> UnitNames:
    """A convolution and its BatchNorm2d, which stands for a Scale as well."""
    return UnitNames(conv, norm, f"{norm}.scale", f"{conv}.relu")


class Residual:
    """``layer1.0.conv1``, ``layer1.0.bn1``; a Scale, which torchvision's bn1 contains, and
    other layers without a module of their own are named after what they follow.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """``layer1.0``, ``layer1.1``..."""
        for stage, blocks in enumerate(stages, 1):
            yield [f"layer{stage}.{index}" for index in range(blocks)]

    def section(self, stage: int) -> str:
        """``layer1``."""
        return f"layer{stage + 1}"

    def stem(self, index: int, of: int) -> UnitNames:
        """``conv1``, ``bn1``, ``relu``; then ``conv2``."""
        names = self._unit("", index)
        return names if of > 1 else names._replace(relu="relu")

    def shortcut(self, block: str) -> UnitNames:
        """``layer1.0.downsample.0`` and ``.1``."""
        conv, norm = f"{block}.downsample.0", f"{block}.downsample.1"
        return UnitNames(conv, norm, f"{norm}.scale", f"{conv}.relu")

    def branch(self, block: str, index: int) -> UnitNames:
        """``layer1.0.conv1``, ``layer1.0.bn1``."""
        return self._unit(f"{block}.", index)

    def fork(self, block: str, index: int) -> UnitNames:
        """``layer1.0.fork.conv1``."""
        return self._unit(f"{block}.fork.", index)

    def unit(self, block: str, what: str) -> UnitNames:
        """``layer1.0.pre``."""
        name = f"{block}.{what}"
        return UnitNames(name, f"{name}.bn", f"{name}.scale", f"{name}.relu")

    def data(self) -> UnitNames:
        """``bn0``."""
        return UnitNames("data_norm", "bn0", "bn0.scale", "bn0.relu")

    def total(self, block: str) -> tuple[str, str]:
        """``layer1.0.add`` and ``layer1.0.relu``."""
        return f"{block}.add", f"{block}.relu"

    def cat(self, block: str) -> str:
        """``layer1.0.cat``."""
        return f"{block}.cat"

    def part(self, block: str, what: str) -> str:
        """``layer1.0.dropout``."""
        return f"{block}.{what}"

    def transition(self, stage: int) -> tuple[UnitNames, str]:
        """``transition1``, in front of ``layer2``."""
        name = f"transition{stage}"
        return unit(f"{name}.conv", f"{name}.norm"), f"{name}.pool"

    def last(self) -> UnitNames:
        """``bn``."""
        return UnitNames("last", "bn", "bn.scale", "last.relu")

    def widening(self) -> UnitNames:
        """``conv_last``."""
        return unit("conv_last", "bn_last")

    def pools(self) -> tuple[str, str]:
        """``maxpool``, ``avgpool``."""
        return "maxpool", "avgpool"

    def classifier(self, classes: int) -> str:
        """``fc``."""
        return "fc"

    def _unit(self, prefix: str, index: int) -> UnitNames:
        return unit(f"{prefix}conv{index + 1}", f"{prefix}bn{index + 1}")


class Dense(Residual):
    """``features.denseblock1.denselayer1.conv1``; ``norm1`` precedes it."""

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """``features.denseblock1.denselayer1``, ``features.denseblock1.denselayer2``..."""
        for stage, blocks in enumerate(stages, 1):
            block = f"features.denseblock{stage}"
            yield [f"{block}.denselayer{index}" for index in range(1, blocks + 1)]

    def section(self, stage: int) -> str:
        """``denseblock1``."""
        return f"denseblock{stage + 1}"

    def stem(self, index: int, of: int) -> UnitNames:
        """``features.conv0``, ``features.norm0``; ``features.conv0_1`` if there are several."""
        number = "0" if of == 1 else f"0_{index + 1}"
        return unit(f"features.conv{number}", f"features.norm{number}")

    def branch(self, block: str, index: int) -> UnitNames:
        """``conv1``, ``norm1``."""
        return unit(f"{block}.conv{index + 1}", f"{block}.norm{index + 1}")

    def transition(self, stage: int) -> tuple[UnitNames, str]:
        """``features.transition1.conv``."""
        name = f"features.transition{stage}"
        return unit(f"{name}.conv", f"{name}.norm"), f"{name}.pool"

    def last(self) -> UnitNames:
        """``features.norm5``, in a net of four stages."""
        norm = f"features.norm{len(self.spec.stages) + 1}"
        return UnitNames("features.last", norm, f"{norm}.scale", f"{norm}.relu")

    def pools(self) -> tuple[str, str]:
        """``features.pool0``, ``avgpool``."""
        return "features.pool0", "avgpool"

    def classifier(self, classes: int) -> str:
        """``classifier``."""
        return "classifier"


class Inverted(Residual):
    """``features.2.conv.0.0``, whose norm is ``features.2.conv.0.1``: places in sequences."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        factors = map(spec.expansion, range(len(spec.stages)))
        pairs = zip(spec.stages, factors, strict=True)
        self._expands = [factor > 0 for blocks, factor in pairs for _ in range(blocks)]

    def blocks(self, stages: Sequence[int]) -> Iterator[list[str]]:
        """``features.1``, ``features.2``... through all stages."""
        numbers = count(1)
        for blocks in stages:
            yield [f"features.{next(numbers)}" for _ in range(blocks)]

    def section(self, stage: int) -> str:
        """``features.2``, the first block of the stage."""
        return f"features.{1 + sum(self.spec.stages[:stage])}"

    def stem(self, index: int, of: int) -> UnitNames:
        """``features.0.0``."""
        return unit(f"features.0.{2 * index}", f"features.0.{2 * index + 1}")

    def branch(self, block: str, index: int) -> UnitNames:
        """``conv.0.0`` and ``conv.1.0`` with an activation; ``conv.2``, or 1 if none expands."""
        place = index if self._expands[int(block.rpartition(".")[2]) - 1] else index - 1
        conv = f"{block}.conv.{place}"
        if index == len(self.spec.form.convs) - 1:
            return unit(conv, f"{block}.conv.{place + 1}")
        return unit(f"{conv}.0", f"{conv}.1")

    def widening(self) -> UnitNames:
        """``features.18.0``."""
        name = f"features.{1 + self.spec.blocks}"
        return unit(f"{name}.0", f"{name}.1")

    def classifier(self, classes: int) -> str:
        """``classifier.1``, after a dropout."""
        return "classifier.1"


#: By the kind of block; all others have ResNet's.
KINDS: dict[str, type[Residual]] = {"dense": Dense, "inverted": Inverted}
