"""What makes no sense in a spec whose entries are sound one by one: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS
from prototxt_gen.generate.forms import MOST_BLOCKS

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


class Contradiction(NamedTuple):
    """An entry that is wrong where a condition holds; the message may name ``{spec.…}``."""

    path: str
    holds: Callable[[Spec], bool]
    message: str


def need_sense(spec: Spec) -> None:
    """Raise SpecError for the first contradiction of a spec."""
    for path, holds, message in CONTRADICTIONS:
        if holds(spec):
            raise SpecError(message.format(spec=spec), path=path)


def _is_too_wide(spec: Spec) -> bool:
    doublings = len(spec.stages) - 1
    return doublings > 31 or spec.stage_width << doublings > MOST_CHANNELS // spec.form.expansion


_NEEDS_BOTTLENECK = "goes with bottleneck blocks, found {spec.block}"

CONTRADICTIONS = (
    Contradiction(
        "input_shape",
        lambda spec: len(spec.input_shape) != 4,
        "is {spec.input_shape!s:.60}, expected 4 numbers: N, C, H, W",
    ),
    Contradiction(
        "input_shape",
        lambda spec: spec.phase == "train_val" and len(set(spec.input_shape[2:])) > 1,
        "has sides that differ, but crops of training images are square",
    ),
    Contradiction(
        "stages",
        lambda spec: spec.blocks > MOST_BLOCKS,
        f"{{spec.blocks}} blocks are more than {MOST_BLOCKS}",
    ),
    Contradiction(
        "width",
        _is_too_wide,
        "{spec.stage_width} channels, doubled for each stage after the first, are more than "
        f"{MOST_CHANNELS}",
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
        lambda spec: spec.stage_width * spec.base_width % 64 != 0,
        "{spec.base_width} channels for a width of 64 are no whole number for {spec.stage_width}",
    ),
    Contradiction(
        "cardinality",
        lambda spec: not spec.base_width and spec.stage_width % spec.cardinality != 0,
        "{spec.cardinality} groups do not divide the width {spec.stage_width}",
    ),
    Contradiction(
        "coeff",
        lambda spec: bool(spec.coeff) and spec.eltwise != "SUM",
        "goes with SUM only, found {spec.eltwise} (eltwise_layer.cpp)",
    ),
    Contradiction(
        "output_stride",
        lambda spec: spec.output_stride > 0 and spec.stem == "cifar",
        "dilation does not go with the stem cifar, which has no stride to begin with",
    ),
    Contradiction(
        "stem_width",
        lambda spec: spec.stem == "3x3" and spec.stem_channels % 2 != 0,
        "{spec.stem_channels} is odd; a stem of three 3x3 begins with half",
    ),
    Contradiction(
        "folded",
        lambda spec: spec.folded and spec.form.preact,
        "BatchNorm in front of a convolution with a pad cannot be folded into it",
    ),
    Contradiction(
        "dialect",
        lambda spec: spec.dialect == "bvlc-1.0" and spec.floors,
        "Caffe 1.0 cannot round down in a pooling; take pool: ceil, and not shortcut: A",
    ),
)
