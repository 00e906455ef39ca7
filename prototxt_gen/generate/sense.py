"""Contradictions between the entries of a spec, each of them valid by itself: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS
from prototxt_gen.generate.forms import FLOORING, MOST_BLOCKS, STEMS
from prototxt_gen.generate.idle import IDLE, Contradiction
from prototxt_gen.generate.practice import TRAINING
from prototxt_gen.generate.steps import strides, widest

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


#: The largest factor of a dilation.
MOST_FACTOR = 1 << 16


def need_sense(spec: Spec) -> None:
    """Raise SpecError for the first contradiction of a spec, or the first idle entry."""
    for path, holds, message in (*CONTRADICTIONS, *IDLE, *TRAINING):
        if holds(spec):
            raise SpecError(message.format(spec=spec), path=path)
    own = spec.training
    if own.layers or own.net or own.train_transform or own.test_transform:
        from prototxt_gen.generate.further import need_further

        need_further(spec)


def _is_too_wide(spec: Spec) -> bool:
    doubled = not (spec.widths or spec.form.dense)
    return (doubled and len(spec.stages) > 32) or widest(spec) > MOST_CHANNELS


def _any_stage(broken: Callable[[Spec, int], bool]) -> Callable[[Spec], bool]:
    """Whether something holds of any stage; all are like the first if widths are doubled."""

    def holds(spec: Spec) -> bool:
        apart = spec.widths or spec.inner_widths
        return any(broken(spec, stage) for stage in range(len(spec.stages) if apart else 1))

    return holds


def _groups_do_not_divide(spec: Spec, stage: int) -> bool:
    return not spec.base_width and spec.channels(stage)[0] % spec.cardinality != 0


def _is_not_halved(spec: Spec, stage: int) -> bool:
    return (spec.form.forked or spec.form.halved) and spec.channels(stage)[0] % 2 != 0


def _half_is_not_grouped(spec: Spec, stage: int) -> bool:
    return spec.form.halved and spec.channels(stage)[0] // 2 % spec.cardinality != 0


def _misses_stages(entry: str) -> Callable[[Spec], bool]:
    return lambda spec: len(getattr(spec, entry)) not in (0, len(spec.stages))


_NEEDS_BOTTLENECK = "requires bottleneck blocks, found {spec.block}"
_EACH_STAGE = "is {{spec.{}!s:.60}}; expected a number for each of {{spec.stages!s:.60}}"

CONTRADICTIONS = (
    Contradiction(
        "input_shape",
        lambda spec: len(spec.input_shape) != 4,
        "is {spec.input_shape!s:.60}; expected 4 numbers: N, C, H, W",
    ),
    Contradiction(
        "input_shape",
        lambda spec: spec.phase == "train_val" and len(set(spec.input_shape[2:])) > 1,
        "has different sides; expected equal ones, since crops of training images are square",
    ),
    Contradiction(
        "stages",
        lambda spec: spec.blocks > MOST_BLOCKS,
        f"has {{spec.blocks}} blocks; expected at most {MOST_BLOCKS}",
    ),
    *(
        Contradiction(entry, _misses_stages(entry), _EACH_STAGE.format(entry))
        for entry in ("widths", "inner_widths", "strides", "expansions")
    ),
    Contradiction(
        "strides",
        lambda spec: max(spec.strides, default=1) > 2,
        "are {spec.strides!s:.60}; expected 1 or 2 for each stage",
    ),
    Contradiction(
        "strides",
        lambda spec: spec.form.dense and strides(spec)[0] > 1,
        "begin with 2, but dense blocks have none: theirs are between stages; expected 1, or "
        "another stem than flat",
    ),
    Contradiction(
        "expansions",
        lambda spec: bool(spec.expansions) and not spec.form.inverted,
        "require inverted blocks, found {spec.block}",
    ),
    Contradiction(
        "inner_widths",
        lambda spec: bool(spec.inner_widths) and spec.form.inverted,
        "are not for inverted blocks, which multiply what they read; expected expansions",
    ),
    Contradiction(
        "width",
        _is_too_wide,
        "{spec.width} channels, times {spec.width_factor}, doubled for each stage after the "
        f"first, or as other entries say, exceed {MOST_CHANNELS}",
    ),
    Contradiction(
        "cardinality",
        lambda spec: spec.cardinality > 1 and not spec.form.bottleneck,
        _NEEDS_BOTTLENECK,
    ),
    Contradiction(
        "base_width",
        lambda spec: spec.base_width > 0 and not spec.form.bottleneck,
        _NEEDS_BOTTLENECK,
    ),
    Contradiction(
        "base_width",
        lambda spec: bool(spec.base_width and spec.inner_widths),
        "and inner_widths say the same thing; expected one of them",
    ),
    Contradiction(
        "base_width",
        _any_stage(lambda spec, stage: spec.stage_width(stage) * spec.base_width % 64 != 0),
        "{spec.base_width} channels at a width of 64 are not a whole number at {spec.width}, "
        "or at another width of a stage",
    ),
    Contradiction(
        "cardinality",
        _any_stage(_groups_do_not_divide),
        "{spec.cardinality} groups do not divide the width {spec.width}, or that of a stage",
    ),
    Contradiction(
        "block",
        _any_stage(_is_not_halved),
        "{spec.block} halves the width in a part; expected even widths inside the blocks",
    ),
    Contradiction(
        "cardinality",
        lambda spec: spec.form.forked and spec.cardinality > 1 and spec.cardinality % 2 != 0,
        "{spec.cardinality} is odd; expected an even number, which the second path halves",
    ),
    Contradiction(
        "cardinality",
        _any_stage(_half_is_not_grouped),
        "{spec.cardinality} groups do not divide half of the width inside a block, which the 3x3 "
        "of {spec.block} blocks reads",
    ),
    Contradiction(
        "coeff",
        lambda spec: bool(spec.coeff) and spec.eltwise != "SUM",
        "requires SUM, found {spec.eltwise} (eltwise_layer.cpp)",
    ),
    Contradiction(
        "output_stride",
        lambda spec: spec.output_stride > 0 and STEMS[spec.stem].divides == 1,
        "is {spec.output_stride} with the stem {spec.stem}; expected 0, or another stem",
    ),
    Contradiction(
        "stem_width",
        lambda spec: spec.stem == "3x3" and spec.stem_channels % 2 != 0,
        "{spec.stem_channels} is odd; expected an even number, which the stem of three 3x3 halves",
    ),
    Contradiction(
        "folded",
        lambda spec: spec.folded and (spec.form.preact or spec.form.leading),
        "BatchNorm before a convolution with a pad cannot be folded into it",
    ),
    Contradiction(
        "folded",
        lambda spec: spec.folded and spec.head == "embedding",
        "BatchNorm before the embedding has no convolution to be folded into",
    ),
    Contradiction(
        "dialect",
        lambda spec: spec.dialect not in FLOORING and spec.floors,
        "{spec.dialect} cannot round down in a pooling; expected pool: ceil, and not shortcut: A",
    ),
    Contradiction(
        "input_shape",
        lambda spec: spec.phase == "train_val" and spec.input_shape[0] != 1,
        "has {spec.input_shape[0]} images, which is for inference; expected 1, and the batch of "
        "training as train_batch",
    ),
    Contradiction(
        "phase",
        lambda spec: spec.phase == "train_val" and spec.head != "classifier",
        "is train_val with the head {spec.head}; expected deploy, since the data layers have one "
        "label for each image",
    ),
    Contradiction(
        "norm",
        lambda spec: spec.folded and spec.norm != "batch",
        "is {spec.norm} in a folded net, which has none; expected one of the two",
    ),
    Contradiction(
        "norm",
        lambda spec: spec.norm == "fused" and spec.dialect != "nvcaffe",
        "fused is known to NVIDIA's Caffe alone; expected dialect: nvcaffe, found {spec.dialect}",
    ),
    Contradiction(
        "se_join",
        lambda spec: spec.se_join == "axpy" and spec.dialect != "intel",
        "axpy is not a layer of {spec.dialect}; expected dialect: intel, or se_join: scale",
    ),
    Contradiction(
        "se_join",
        lambda spec: spec.se_join == "axpy" and (spec.eltwise != "SUM" or bool(spec.coeff)),
        "axpy is a sum; expected eltwise: SUM, and no coeff",
    ),
    Contradiction(
        "se_join",
        lambda spec: spec.se_join == "axpy" and spec.form.plain,
        "axpy adds the shortcut, which plain blocks do not have",
    ),
    Contradiction(
        "output_stride",
        lambda spec: spec.output_stride > spec.natural_stride,
        "is {spec.output_stride}, but the strides of the net make {spec.natural_stride}",
    ),
    Contradiction(
        "dilation",
        lambda spec: spec.dilation == "torchvision" and spec.dilates and not spec.form.bottleneck,
        "torchvision dilates no {spec.block} blocks; expected dilation: stage",
    ),
    Contradiction(
        "multi_grid",
        lambda spec: len(spec.multi_grid) not in (0, spec.stages[-1]),
        "is {spec.multi_grid!s:.60}; expected a factor for each block of the last stage of "
        "{spec.stages!s:.60}",
    ),
    Contradiction(
        "multi_grid",
        lambda spec: max(spec.multi_grid, default=1) > MOST_FACTOR,
        f"has a factor of more than {MOST_FACTOR}",
    ),
    Contradiction(
        "bias",
        lambda spec: "branch2c" in spec.bias and len(spec.form.convs) < 3,
        "names branch2c, the third convolution of a block; {spec.block} blocks have two",
    ),
    Contradiction(
        "se",
        lambda spec: spec.se > 0 and (spec.form.inverted or spec.form.dense),
        "is for residual blocks, found {spec.block}",
    ),
    Contradiction(
        "relu6",
        lambda spec: spec.relu6 and spec.form.prelu,
        "and PReLU are two activations; {spec.block} blocks have PReLU",
    ),
    Contradiction(
        "relu6",
        lambda spec: spec.relu6 and spec.dialect != "bvlc",
        "is Clip, which {spec.dialect} does not know; expected dialect: bvlc",
    ),
)
