"""Entries of a spec that make sense, but would change nothing: a table of rules.

Whoever gives such an entry expects an effect, and is told. A value that is the default is no
entry; what a preset says for other entries to come (its dilation) is none either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec

#: The values of BatchNorm that are Caffe's defaults.
_USUAL_EPS = 1e-5
_USUAL_FRACTION = 0.999


class Contradiction(NamedTuple):
    """An entry that is wrong if a condition holds; the message may contain ``{spec.…}``."""

    path: str
    holds: Callable[[Spec], bool]
    message: str


IDLE = (
    Contradiction(
        "shortcut",
        lambda spec: not spec.form.reshapes and spec.shortcut != "B",
        "is {spec.shortcut}, which changes nothing in {spec.block} blocks: no shortcut of theirs "
        "changes its shape",
    ),
    Contradiction(
        "eltwise",
        lambda spec: not spec.sums and spec.eltwise != "SUM",
        "is {spec.eltwise}, which changes nothing in {spec.block} blocks: none joins a shortcut",
    ),
    Contradiction(
        "coeff",
        lambda spec: not spec.sums and bool(spec.coeff),
        "changes nothing in {spec.block} blocks: none joins a shortcut",
    ),
    Contradiction(
        "shortcut",
        lambda spec: spec.shortcut == "A" and not any(spec.reshapes),
        "is A, which changes nothing: no block changes the shape",
    ),
    Contradiction(
        "shortcut",
        lambda spec: spec.shortcut == "avgpool" and not spec.has_strides,
        "is avgpool, which is B in a single stage: no block has a stride",
    ),
    Contradiction(
        "shortcut",
        lambda spec: spec.shortcut == "first" and all(spec.reshapes),
        "is first, which is B here: the first block of each stage changes the shape",
    ),
    Contradiction(
        "projection",
        lambda spec: spec.projection != 1 and not spec.projects,
        "is {spec.projection}, which changes nothing: no shortcut is a convolution",
    ),
    Contradiction(
        "bias",
        lambda spec: "branch1" in spec.bias.split(",") and not (spec.projects or spec.folded),
        "names branch1, which changes nothing: no shortcut is a convolution",
    ),
    Contradiction(
        "bias",
        lambda spec: "branch2a" in spec.bias.split(",") and max(spec.expansions, default=1) == 0,
        "names branch2a, which changes nothing: no block expands",
    ),
    Contradiction(
        "stride_at",
        lambda spec: spec.stride_at != "1x1" and not spec.has_strides,
        "is {spec.stride_at}, which changes nothing in a single stage: no block has a stride",
    ),
    Contradiction(
        "stride_at",
        lambda spec: spec.stride_at != "1x1" and not spec.form.bottleneck,
        "is {spec.stride_at}, which changes nothing in {spec.block} blocks: where their stride "
        "is cannot be chosen",
    ),
    Contradiction(
        "pool",
        lambda spec: spec.pool != "ceil" and not spec.pools,
        "is {spec.pool}, which changes nothing: the stem {spec.stem} has no pooling",
    ),
    Contradiction(
        "eps",
        lambda spec: spec.eps != _USUAL_EPS and not spec.batch_normalized,
        "changes nothing: the net has no BatchNorm",
    ),
    Contradiction(
        "moving_average_fraction",
        lambda spec: spec.moving_average_fraction != _USUAL_FRACTION and not spec.batch_normalized,
        "changes nothing: the net has no BatchNorm",
    ),
    Contradiction(
        "data_norm",
        lambda spec: spec.data_norm and (spec.folded or spec.norm == "none"),
        "changes nothing: the net has no normalization",
    ),
    Contradiction(
        "se_form",
        lambda spec: spec.se_form != "dense" and not spec.se,
        "changes nothing without se, the reduction",
    ),
    Contradiction(
        "se_join",
        lambda spec: spec.se_join != "scale" and not spec.se,
        "changes nothing without se, the reduction",
    ),
    Contradiction(
        "multi_grid",
        lambda spec: bool(spec.multi_grid) and not spec.dilates,
        "changes nothing: no stage is dilated; expected an output_stride below "
        "{spec.natural_stride}",
    ),
    Contradiction(
        "global_pool",
        lambda spec: spec.global_pool and spec.head != "classifier",
        "changes nothing: the head {spec.head} has no pooling",
    ),
    Contradiction(
        "classifier_form",
        lambda spec: spec.classifier_form != "dense" and spec.head != "classifier",
        "changes nothing: the head is {spec.head}",
    ),
    Contradiction(
        "classifier_dropout",
        lambda spec: spec.classifier_dropout > 0 and spec.head in ("none", "fcn"),
        "changes nothing: the head is {spec.head}",
    ),
    Contradiction(
        "classes",
        lambda spec: spec.head == "none" and spec.classes not in (1000, 10),
        "is {spec.classes}, which changes nothing: the head is none",
    ),
)
