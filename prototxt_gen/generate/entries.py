"""What each entry of a spec may be, by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import (
    MOST_CHANNELS,
    need_choice,
    need_fraction,
    need_list,
    need_pair,
    need_positive,
    need_range,
    need_size,
    need_sizes,
    need_text,
    need_type,
    need_words,
    shown,
)
from prototxt_gen.generate.forms import (
    BIASED,
    BLOCKS,
    CLASSIFIERS,
    DIALECTS,
    DILATIONS,
    ELTWISE,
    HEADS,
    NAMINGS,
    NORMS,
    PHASES,
    POOLS,
    PROJECTIONS,
    SE_FORMS,
    SE_JOINS,
    SHORTCUTS,
    STEMS,
    STRIDES,
)
from prototxt_gen.generate.recipe import Training

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec


def need_types(spec: Spec) -> None:
    """Raise SpecError for the first entry of a spec that is not of its type or range."""
    need_sizes("stages", spec.stages)
    for path in ("strides", "widths", "inner_widths", "multi_grid"):
        need_list(path, getattr(spec, path))
    need_list("expansions", spec.expansions, least=0)
    need_choice("block", spec.block, list(BLOCKS))
    for path in ("width", "width_factor", "cardinality", "classes"):
        need_size(path, getattr(spec, path))
    for path in ("stem_width", "last_width", "base_width", "se"):
        need_range(path, getattr(spec, path), 0, MOST_CHANNELS)
    need_choice("shortcut", spec.shortcut, SHORTCUTS)
    need_choice("projection", spec.projection, PROJECTIONS)
    need_choice("stride_at", spec.stride_at, STRIDES)
    need_choice("stem", spec.stem, list(STEMS))
    need_choice("pool", spec.pool, list(POOLS))
    need_words("bias", spec.bias, ("none", "all"), BIASED)
    need_choice("norm", spec.norm, NORMS)
    need_positive("eps", spec.eps)
    need_choice("se_form", spec.se_form, SE_FORMS)
    need_choice("se_join", spec.se_join, SE_JOINS)
    need_choice("classifier_form", spec.classifier_form, CLASSIFIERS)
    for path in ("moving_average_fraction", "dropout", "classifier_dropout"):
        need_fraction(path, getattr(spec, path))
    need_choice("output_stride", spec.output_stride, (0, 8, 16, 32))
    need_choice("dilation", spec.dilation, DILATIONS)
    need_choice("head", spec.head, HEADS)
    need_choice("eltwise", spec.eltwise, ELTWISE)
    need_pair("coeff", spec.coeff, "for the shortcut and for the branch")
    for path in ("folded", "global_pool", "data_norm", "relu6"):
        need_type(path, getattr(spec, path), bool, "true or false")
    need_choice("naming", spec.naming, NAMINGS)
    need_choice("phase", spec.phase, PHASES)
    need_choice("dialect", spec.dialect, DIALECTS)
    need_sizes("input_shape", spec.input_shape)
    need_text("name", spec.name)
    if not isinstance(spec.training, Training):
        raise SpecError(f"is {shown(spec.training)}; expected a mapping", path="training")
