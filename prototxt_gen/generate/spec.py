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
from prototxt_gen.generate.checks import MOST_CHANNELS, need_range, shown, unknown
from prototxt_gen.generate.depths import with_depth
from prototxt_gen.generate.entries import need_types
from prototxt_gen.generate.forms import BLOCKS, CIFAR, POOLS, STEMS, BlockForm
from prototxt_gen.generate.recipe import USUAL, Training
from prototxt_gen.generate.sense import need_sense

#: Keys that are no fields: what they say, fields say in another way.
_ALSO = ("depth", "train_batch")


@dataclass(frozen=True, slots=True)
class Spec:
    """A net of the residual family; raises SpecError for invalid entries.

    stages            blocks of each stage; every stage but the first halves the size
    block             a key of ``BLOCKS``
    width             channels of the first stage, doubled in each further one
    widths            channels of each stage, in place of ``width`` doubled
    inner_widths      channels inside the blocks of each stage, apart from their output
    width_factor      multiplies the width of stages, not of the stem (Wide ResNet)
    stem_width        channels of the stem; 0: as ``width``
    cardinality       groups of the 3x3 convolutions (ResNeXt)
    base_width        channels per group in a stage of width 64; 0: the groups share
                      the width
    shortcut          if the shape changes: A zeros, B a 1x1 convolution, avgpool one
                      after 2x2 average pooling; C: a convolution always; first: one in
                      the first block of each stage, even if the shape stays
    projection        the kernel of these convolutions, 1 or 3
    stride_at         the convolution of a bottleneck that has the stride
    stem              7x7 and a pooling, three 3x3 and a pooling, or one 3x3 (cifar); flat: one 3x3,
                      and a stride in the first stage too
    pool              the stem's: ceil, without pad; floor, with pad 1; ceil-pad1, floor-pad0
    bias              which convolutions have a bias in addition to BatchNorm: none, all, or
                      names such as ``conv1,branch2a`` (branch1 is the shortcut's)
    norm              batch: BatchNorm and Scale; scale: Scale alone, into which BatchNorm is
                      folded; fused: NVIDIA's BatchNorm, which scales; none
    eps, moving_average_fraction  of BatchNorm
    data_norm         whether the data are normalized first
    se                the reduction of squeeze-and-excitation; 0: none
    se_form           its two layers: dense, InnerProduct; conv, 1x1 convolutions
    se_join           scale: Scale, before the sum; axpy: Axpy, which is the sum as well
    dropout           the ratio before a block's last convolution; 0: none
    output_stride     8 or 16: dilation instead of further strides; 0: none
    dilation          stage: every 3x3 of a dilated stage; torchvision: its first block keeps
                      the dilation before
    multi_grid        factors of the dilation in each block of the last stage
    eltwise, coeff    how the shortcut and the branch are joined
    folded            without BatchNorm and Scale, which are folded into weights and biases
    head              classifier; none: the net ends in the last block's blob; fcn: scores for
                      each place, and as large as the input; embedding: a normalized vector
                      of so many numbers as classes say
    global_pool       the last pooling is global
    classifier_dropout  the ratio before the classifier; 0: none
    naming            MSRA's ``res2a_branch2a`` or torchvision's ``layer1.0.conv1``
    phase             deploy, or train_val with data, losses and fillers
    training          data, fillers, rates and losses: see ``recipe.Training``; its
                      ``train_batch`` may stand in the spec itself
    dialect           which Caffe will read it: how rounding down is written, what is known
    classes, input_shape (N, C, H, W), name

    Depths at random in training (stochastic depth) are left out: a Caffe net has no layer
    that skips a block by chance.
    """

    stages: tuple[int, ...]
    block: str = "bottleneck"
    width: int = 64
    widths: tuple[int, ...] = ()
    inner_widths: tuple[int, ...] = ()
    width_factor: int = 1
    stem_width: int = 0
    cardinality: int = 1
    base_width: int = 0
    shortcut: str = "B"
    projection: int = 1
    stride_at: str = "1x1"
    stem: str = "7x7"
    pool: str = "ceil"
    bias: str = "none"
    norm: str = "batch"
    eps: float = 1e-5
    moving_average_fraction: float = 0.999
    data_norm: bool = False
    se: int = 0
    se_form: str = "dense"
    se_join: str = "scale"
    dropout: float = 0.0
    output_stride: int = 0
    dilation: str = "stage"
    multi_grid: tuple[int, ...] = ()
    eltwise: str = "SUM"
    coeff: tuple[float, ...] = ()
    folded: bool = False
    head: str = "classifier"
    global_pool: bool = False
    classifier_dropout: float = 0.0
    naming: str = "msra"
    phase: str = "deploy"
    training: Training = USUAL
    dialect: str = "bvlc"
    classes: int = 1000
    input_shape: tuple[int, ...] = (1, 3, 224, 224)
    name: str = ""

    def __post_init__(self) -> None:
        need_types(self)
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
    def batch_normalized(self) -> bool:
        """Whether the net has BatchNorm layers."""
        return not self.folded and self.norm in ("batch", "fused")

    @property
    def scales(self) -> bool:
        """Whether the net has Scale layers with weights, or BatchNorm that scales."""
        return not self.folded and self.norm != "none"

    @property
    def train_batch(self) -> int:
        """The batch size of the training data layer; 0: that of the papers' nets."""
        return self.training.train_batch

    @property
    def natural_stride(self) -> int:
        """What all strides of the net together divide the input by, without dilation."""
        return STEMS[self.stem] * self.first_stride << (len(self.stages) - 1)

    @property
    def first_stride(self) -> int:
        """The stride of the first stage."""
        return 2 if self.stem == "flat" else 1

    @property
    def pools(self) -> bool:
        """Whether the stem ends in a pooling."""
        return STEMS[self.stem] > 1

    @property
    def strides(self) -> bool:
        """Whether some block has a stride."""
        return len(self.stages) > 1 or self.first_stride > 1

    @property
    def stem_channels(self) -> int:
        """The output channels of the stem."""
        return self.stem_width or self.width

    @property
    def floors(self) -> bool:
        """Whether some pooling rounds down."""
        subsamples = self.shortcut == "A" and self.strides and not self.form.plain
        return subsamples or (self.pools and POOLS[self.pool].floor)

    @property
    def dilates(self) -> bool:
        """Whether some stage is dilated."""
        return 0 < self.output_stride < self.natural_stride

    @property
    def reshapes(self) -> tuple[bool, ...]:
        """Whether the first block of each stage changes channels or size."""
        found, channels = [], self.stem_channels
        first = STEMS[self.stem]
        for stage in range(len(self.stages)):
            dilated = self.dilates and self.output_stride < first << stage
            strided = (stage > 0 or self.first_stride > 1) and not dilated
            found.append(strided or self.channels(stage)[1] != channels)
            channels = self.channels(stage)[1]
        return tuple(found)

    @property
    def projects(self) -> bool:
        """Whether some shortcut is a convolution."""
        if self.form.plain or self.shortcut == "A":
            return False
        return self.shortcut in ("C", "first") or any(self.reshapes)

    def stage_width(self, stage: int) -> int:
        """The width of a stage, counted from 0, times the factor."""
        width = self.widths[stage] if self.widths else self.width << stage
        return width * self.width_factor

    def channels(self, stage: int) -> tuple[int, int]:
        """The inner and the output channels of the blocks of a stage, counted from 0."""
        width = self.stage_width(stage)
        inner = width * self.base_width // 64 * self.cardinality if self.base_width else width
        if self.inner_widths:
            inner = self.inner_widths[stage]
        return inner, width * self.form.expansion

    def has_bias(self, conv: str) -> bool:
        """Whether a convolution has a bias, which is named as in ``BIASED``."""
        return self.folded or self.bias == "all" or conv in self.bias.split(",")

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """A spec from a mapping, such as a YAML file or the command line gives."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known and key not in _ALSO:
                raise SpecError(unknown("key", key, [*_ALSO, *known]), path=shown(key, plain=True))
        apart = (*_ALSO, "training")
        given = {key: _tuple(value) for key, value in values.items() if key not in apart}
        given.update(_training(values))
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
            if isinstance(value, Training):
                found.update({field.name: value.to_dict()} if value != usual else {})
            elif field.default is MISSING or field.name == "block" or value != usual:
                found[field.name] = list(value) if isinstance(value, tuple) else value
        return found

    def _default_name(self) -> str:
        if self.form.plain:
            family = "Plain"
        elif self.form.preact:
            family = "PreResNet"
        elif self.form.forked:
            family = "AIR"
        elif self.form.halved:
            family = "SENet"
        elif self.form.leading:
            family = "IResNet"
        else:
            family = "ResNeXt" if self.cardinality > 1 else "ResNet"
        groups = f"-{self.cardinality}x{self.base_width}d" if self.base_width else ""
        se = "SE-" if self.se and not self.form.halved else ""
        return f"{se}{family}-{self.depth}{groups}"


def _training(values: Mapping[str, object]) -> dict[str, object]:
    """The part of a spec about training, with what of it stands in the spec itself.

    A crop is the input's size where that is not given.
    """
    own = dict(_mapping(values.get("training", {})))
    if "train_batch" in values:
        if "train_batch" in own:
            raise SpecError("is given twice, also as training.train_batch", path="train_batch")
        need_range("train_batch", values["train_batch"], 0, MOST_CHANNELS)
        own["train_batch"] = values["train_batch"]
    if not own:
        return {}
    found: dict[str, object] = {"training": Training.of(own)}
    crop = own.get("crop")
    if crop and "input_shape" not in values:
        found["input_shape"] = (1, 3, crop, crop)
    return found


def _mapping(value: object) -> Mapping[str, object]:
    if isinstance(value, Training):
        return value.to_dict()
    if isinstance(value, Mapping):
        return value
    raise SpecError(
        f"is {shown(value)}; expected a mapping of keys such as source", path="training"
    )


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
