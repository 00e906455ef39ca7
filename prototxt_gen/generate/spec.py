"""The specification of a net: residual, inverted residual or densely connected.

A :class:`Spec` is complete: missing entries have been filled in, and contradictions have
been refused. Its fields are the keys of a YAML or JSON file and, with dashes, the options
of ``gen``. In a mapping ``depth`` may replace ``stages`` and ``block``, and the stem
``cifar`` implies other defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Self

from prototxt_gen._records import Record, record
from prototxt_gen.errors import SpecError
from prototxt_gen.generate import steps
from prototxt_gen.generate.checks import shown, unknown
from prototxt_gen.generate.depths import depth_of, with_depth
from prototxt_gen.generate.entries import need_types
from prototxt_gen.generate.forms import BLOCKS, CIFAR, POOLS, STEMS, BlockForm
from prototxt_gen.generate.keys import ALSO, fixed, training_of
from prototxt_gen.generate.recipe import USUAL, Training
from prototxt_gen.generate.sense import need_sense


@record
class Spec(Record):
    """A net; raises SpecError for invalid entries.

    stages            blocks of each stage
    block             a key of ``BLOCKS``
    strides           of each stage; usually 2 but in the first
    width             channels of the first stage, doubled in each further one; of dense blocks
                      those that each block adds, in every stage
    widths            channels of each stage, in place of ``width`` doubled
    inner_widths      channels inside the blocks of each stage, apart from their output
    expansions        channels inside the inverted blocks of each stage, as multiples of what a
                      block reads; 0: without the convolution that expands
    width_factor      multiplies the width of stages, not of the stem (Wide ResNet)
    stem_width        channels of the stem; 0: as ``width``, of dense blocks twice
    last_width        channels of a 1x1 convolution after the last stage; 0: none
    cardinality       groups of the 3x3 convolutions (ResNeXt)
    base_width        channels per group in a stage of width 64; 0: the groups share
                      the width
    shortcut          if the shape changes: A zeros, B a 1x1 convolution, avgpool one
                      after 2x2 average pooling; C: a convolution always; first: one in
                      the first block of each stage, even if the shape stays
    projection        the kernel of these convolutions, 1 or 3
    stride_at         the convolution of a bottleneck that has the stride
    stem              7x7 and a pooling, three 3x3 and a pooling, or one 3x3 (cifar); flat: one 3x3,
                      and a stride in the first stage too; half: one 3x3 with a stride
    pool              the stem's: ceil, without pad; floor, with pad 1; ceil-pad1, floor-pad0
    bias              which convolutions have a bias in addition to BatchNorm: none, all, or
                      names such as ``conv1,branch2a`` (branch1 is the shortcut's)
    norm              batch: BatchNorm and Scale; scale: Scale alone, into which BatchNorm is
                      folded; fused: NVIDIA's BatchNorm, which scales; none
    eps, moving_average_fraction  of BatchNorm
    data_norm         whether the data are normalized first
    relu6             whether activations end at 6
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
    classifier_form   dense, InnerProduct; conv, a 1x1 convolution
    classifier_dropout  the ratio before the classifier; 0: none
    naming            MSRA's ``res2a_branch2a``, torchvision's ``layer1.0.conv1``, or shicai's
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
    strides: tuple[int, ...] = ()
    width: int = 64
    widths: tuple[int, ...] = ()
    inner_widths: tuple[int, ...] = ()
    expansions: tuple[int, ...] = ()
    width_factor: int = 1
    stem_width: int = 0
    last_width: int = 0
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
    relu6: bool = False
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
    classifier_form: str = "dense"
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
        self._forget("strides", steps.usual_strides(self))
        if self.form.inverted:
            self._forget("expansions", (self.form.convs[0].factor,) * len(self.stages))
        need_sense(self)
        if not self.name:
            object.__setattr__(self, "name", self._default_name())

    def _forget(self, entry: str, usual: tuple[int, ...]) -> None:
        """Leave out an entry that says what is usual, so that equal nets have equal specs."""
        if getattr(self, entry) == usual:
            object.__setattr__(self, entry, ())

    @property
    def form(self) -> BlockForm:
        """The form of each block."""
        return BLOCKS[self.block]

    @property
    def depth(self) -> int:
        """The layers with weights on the longest path: convolutions and the classifier."""
        return depth_of(self)

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
        return steps.natural_stride(self)

    @property
    def pools(self) -> bool:
        """Whether the stem ends in a pooling."""
        return STEMS[self.stem].pools

    @property
    def has_strides(self) -> bool:
        """Whether some stage has a stride."""
        return max(steps.strides(self)) > 1

    @property
    def stem_channels(self) -> int:
        """The output channels of the stem."""
        return self.stem_width or self.width * (2 if self.form.dense else 1)

    @property
    def floors(self) -> bool:
        """Whether some pooling rounds down."""
        subsamples = self.shortcut == "A" and self.has_strides and self.form.reshapes
        return subsamples or (self.pools and POOLS[self.pool].floor)

    @property
    def dilates(self) -> bool:
        """Whether some stage is dilated."""
        return 0 < self.output_stride < self.natural_stride

    @property
    def reshapes(self) -> tuple[bool, ...]:
        """Whether the first block of each stage changes channels or size."""
        found, channels = [], self.stem_channels
        strided = zip(steps.strides(self), steps.kept(self), strict=True)
        for stage, (stride, kept) in enumerate(strided):
            out = self.channels(stage)[1]
            found.append((stride > 1 and kept) or out != channels)
            channels = out
        return tuple(found)

    @property
    def projects(self) -> bool:
        """Whether some shortcut is a convolution."""
        if not self.form.reshapes or self.shortcut == "A":
            return False
        return self.shortcut in ("C", "first") or any(self.reshapes)

    @property
    def sums(self) -> bool:
        """Whether some block ends in a sum with its shortcut."""
        if self.form.inverted:
            return max(self.stages) > 1 or not all(self.reshapes)
        return self.form.reshapes

    def stage_width(self, stage: int) -> int:
        """The width of a stage, counted from 0, times the factor."""
        doubled = self.width if self.form.dense else self.width << stage
        width = self.widths[stage] if self.widths else doubled
        return width * self.width_factor

    def channels(self, stage: int) -> tuple[int, int]:
        """The inner and the output channels of the blocks of a stage, counted from 0.

        Those of dense blocks are what each block adds; the inner ones of inverted blocks are
        for a block that reads as many channels as it makes.
        """
        width = self.stage_width(stage)
        inner = width * self.form.convs[0].factor
        if self.form.inverted:
            inner = width * max(1, self.expansion(stage))
        if self.base_width:
            inner = width * self.base_width // 64 * self.cardinality
        if self.inner_widths:
            inner = self.inner_widths[stage]
        return inner, width * self.form.expansion

    def expansion(self, stage: int) -> int:
        """By what inverted blocks of a stage multiply the channels that they read."""
        return self.expansions[stage] if self.expansions else self.form.convs[0].factor

    def has_bias(self, conv: str) -> bool:
        """Whether a convolution has a bias, which is named as in ``BIASED``."""
        return self.folded or self.bias == "all" or conv in self.bias.split(",")

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """A spec from a mapping, such as a YAML file or the command line gives."""
        known = [field.name for field in fields(cls)]
        for key in values:
            if key not in known and key not in ALSO:
                raise SpecError(unknown("key", key, [*ALSO, *known]), path=shown(key, plain=True))
        apart = (*ALSO, "training")
        given = {key: fixed(value) for key, value in values.items() if key not in apart}
        given.update(training_of(values))
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
        family = self.form.family
        if family == "ResNet" and self.cardinality > 1:
            family = "ResNeXt"
        groups = f"-{self.cardinality}x{self.base_width}d" if self.base_width else ""
        se = "SE-" if self.se and not self.form.halved else ""
        return f"{se}{family}-{self.depth}{groups}"
