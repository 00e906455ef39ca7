"""Contradictions between the entries of a spec, each of them valid by itself: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS
from prototxt_gen.generate.forms import MOST_BLOCKS

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


class Contradiction(NamedTuple):
    """An entry that is wrong if a condition holds; the message may contain ``{spec.…}``."""

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


_NEEDS_BOTTLENECK = "requires bottleneck blocks, found {spec.block}"

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
    Contradiction(
        "width",
        _is_too_wide,
        "{spec.stage_width} channels, doubled for each stage after the first, exceed "
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
        "{spec.base_width} channels at a width of 64 are not a whole number at {spec.stage_width}",
    ),
    Contradiction(
        "cardinality",
        lambda spec: not spec.base_width and spec.stage_width % spec.cardinality != 0,
        "{spec.cardinality} groups do not divide the width {spec.stage_width}",
    ),
    Contradiction(
        "coeff",
        lambda spec: bool(spec.coeff) and spec.eltwise != "SUM",
        "requires SUM, found {spec.eltwise} (eltwise_layer.cpp)",
    ),
    Contradiction(
        "output_stride",
        lambda spec: spec.output_stride > 0 and spec.stem == "cifar",
        "is {spec.output_stride} with the stem cifar; expected 0, or another stem",
    ),
    Contradiction(
        "stem_width",
        lambda spec: spec.stem == "3x3" and spec.stem_channels % 2 != 0,
        "{spec.stem_channels} is odd; expected an even number, which the stem of three 3x3 halves",
    ),
    Contradiction(
        "folded",
        lambda spec: spec.folded and spec.form.preact,
        "BatchNorm before a convolution with a pad cannot be folded into it",
    ),
    Contradiction(
        "dialect",
        lambda spec: spec.dialect == "bvlc-1.0" and spec.floors,
        "Caffe 1.0 cannot round down in a pooling; expected pool: ceil, and not shortcut: A",
    ),
)
