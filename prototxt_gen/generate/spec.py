"""The specification of a net of the residual family.

A :class:`Spec` is complete: missing entries have been filled in, and contradictions have
been refused. Its fields are the keys of a YAML or JSON file and, with dashes, the options
of ``gen``. In a mapping ``depth`` may replace ``stages`` and ``block``, and the stem
``cifar`` implies other defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import (
    MOST_CHANNELS,
    need_choice,
    need_fraction,
    need_pair,
    need_range,
    need_size,
    need_sizes,
    need_text,
    need_type,
    shown,
    unknown,
)
from prototxt_gen.generate.depths import with_depth
from prototxt_gen.generate.forms import (
    BIASES,
    BLOCKS,
    CIFAR,
    DIALECTS,
    ELTWISE,
    NAMINGS,
    PHASES,
    POOLS,
    SHORTCUTS,
    STEMS,
    STRIDES,
    BlockForm,
)
from prototxt_gen.generate.sense import need_sense


@dataclass(frozen=True, slots=True)
class Spec:
    """A net of the residual family; raises SpecError for invalid entries.

    stages            blocks of each stage; every stage but the first halves the size
    block             a key of ``BLOCKS``
    width             channels of the first stage, doubled in each further one
    width_factor      multiplies the width of stages, not of the stem (Wide ResNet)
    stem_width        channels of the stem; 0: as ``width``
    cardinality       groups of the 3x3 convolutions (ResNeXt)
    base_width        channels per group in a stage of width 64; 0: the groups share
                      the width
    shortcut          if the shape changes: A zeros, B a 1x1 convolution, avgpool one
                      after 2x2 average pooling; C: a convolution always
    stride_at         the convolution of a bottleneck that has the stride
    stem              7x7 and a pooling, three 3x3 and a pooling, or one 3x3
    pool              the stem's: ceil, without pad; or floor, with pad 1
    bias              which convolutions have a bias in addition to BatchNorm
    se                the reduction of squeeze-and-excitation; 0: none
    dropout           the ratio before a block's last convolution; 0: none
    output_stride     8 or 16: dilation instead of further strides; 0: none
    eltwise, coeff    how the shortcut and the branch are joined
    folded            without BatchNorm and Scale, which are folded into the weights
    global_pool       the last pooling is global
    naming            MSRA's ``res2a_branch2a`` or torchvision's ``layer1.0.conv1``
    phase             deploy, or train_val with data, losses and fillers
    train_batch       batch size of the training data layer; 0: 32, for CIFAR 128
    dialect           which Caffe will read it: how rounding down is written
    classes, input_shape (N, C, H, W), name
    """

    stages: tuple[int, ...]
    block: str = "bottleneck"
    width: int = 64
    width_factor: int = 1
    stem_width: int = 0
    cardinality: int = 1
    base_width: int = 0
    shortcut: str = "B"
    stride_at: str = "1x1"
    stem: str = "7x7"
    pool: str = "ceil"
    bias: str = "none"
    se: int = 0
    dropout: float = 0.0
    output_stride: int = 0
    eltwise: str = "SUM"
    coeff: tuple[float, ...] = ()
    folded: bool = False
    global_pool: bool = False
    naming: str = "msra"
    phase: str = "deploy"
    train_batch: int = 0
    dialect: str = "bvlc"
    classes: int = 1000
    input_shape: tuple[int, ...] = (1, 3, 224, 224)
    name: str = ""

    def __post_init__(self) -> None:
        self._check_types()
        need_sense(self)
        if not self.name:
            object.__setattr__(self, "name", self._default_name())

    @property
    def form(self) -> BlockForm:
        """The form of each block."""
        return BLOCKS[self.block]

    @property
    def depth(self) -> int:
        """The layers with weights on the longest path: convolutions and the classifier."""
        return 2 + self.blocks * len(self.form.convs)

    @property
    def blocks(self) -> int:
        """The number of blocks in all stages."""
        return sum(self.stages)

    @property
    def stage_width(self) -> int:
        """The width of the first stage, times its factor."""
        return self.width * self.width_factor

    @property
    def stem_channels(self) -> int:
        """The output channels of the stem."""
        return self.stem_width or self.width

    @property
    def floors(self) -> bool:
        """Whether some pooling rounds down."""
        subsamples = self.shortcut == "A" and len(self.stages) > 1 and not self.form.plain
        return subsamples or (self.stem != "cifar" and self.pool == "floor")

    def channels(self, stage: int) -> tuple[int, int]:
        """The inner and the output channels of the blocks of a stage, counted from 0."""
        width = self.stage_width << stage
        inner = width * self.base_width // 64 * self.cardinality if self.base_width else width
        return inner, width * self.form.expansion

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """A spec from a mapping, such as a YAML file or the command line gives."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known and key != "depth":
                raise SpecError(unknown("key", key, ["depth", *known]), path=shown(key, plain=True))
        given = {key: _tuple(value) for key, value in values.items() if key != "depth"}
        if given.get("stem") == "cifar":
            given = {**CIFAR, **given}
        if "depth" in values:
            given = with_depth(values["depth"], given, values)
        elif "stages" not in given:
            raise SpecError("has no depth and no stages; expected a depth, or stages and a block")
        return cls(**given)  # type: ignore[arg-type]

    def to_dict(self) -> dict[str, object]:
        """The mapping that ``of`` makes this spec from: stages, block, and non-default values."""
        found: dict[str, object] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            usual = CIFAR.get(field.name, field.default) if self.stem == "cifar" else field.default
            if field.name == "name":
                usual = self._default_name()
            if field.default is MISSING or field.name == "block" or value != usual:
                found[field.name] = list(value) if isinstance(value, tuple) else value
        return found

    def _check_types(self) -> None:
        need_sizes("stages", self.stages)
        need_choice("block", self.block, list(BLOCKS))
        for path in ("width", "width_factor", "cardinality", "classes"):
            need_size(path, getattr(self, path))
        for path in ("stem_width", "base_width", "se", "train_batch"):
            need_range(path, getattr(self, path), 0, MOST_CHANNELS)
        need_choice("shortcut", self.shortcut, SHORTCUTS)
        need_choice("stride_at", self.stride_at, STRIDES)
        need_choice("stem", self.stem, STEMS)
        need_choice("pool", self.pool, POOLS)
        need_choice("bias", self.bias, BIASES)
        need_fraction("dropout", self.dropout)
        need_choice("output_stride", self.output_stride, (0, 8, 16, 32))
        need_choice("eltwise", self.eltwise, ELTWISE)
        need_pair("coeff", self.coeff, "for the shortcut and for the branch")
        for path in ("folded", "global_pool"):
            need_type(path, getattr(self, path), bool, "true or false")
        need_choice("naming", self.naming, NAMINGS)
        need_choice("phase", self.phase, PHASES)
        need_choice("dialect", self.dialect, DIALECTS)
        need_sizes("input_shape", self.input_shape)
        need_text("name", self.name)

    def _default_name(self) -> str:
        if self.form.plain:
            family = "Plain"
        elif self.form.preact:
            family = "PreResNet"
        else:
            family = "ResNeXt" if self.cardinality > 1 else "ResNet"
        groups = f"-{self.cardinality}x{self.base_width}d" if self.base_width else ""
        return f"{'SE-' if self.se else ''}{family}-{self.depth}{groups}"


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
