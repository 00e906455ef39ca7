"""hypothesis strategies: specs of any entries, most of which fit together."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from prototxt_gen.generate.fillers import FANS
from prototxt_gen.generate.forms import (
    BIASED,
    BLOCKS,
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
from prototxt_gen.generate.recipe import BACKENDS, MEASURED, Training
from prototxt_gen.generate.spec import Spec

_LAYERS = (
    'layer { name: "d" type: "DummyData" top: "data" top: "label" dummy_data_param '
    "{ shape { dim: [4, 3, 64, 64] } shape { dim: 4 } } }"
)
_texts = st.text(max_size=12)
_names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)
_fractions = st.floats(0, 1, exclude_max=True)
_positive = st.floats(1e-30, 1e30) | st.sampled_from([1e-5, 0.00390625, 1])
_rates = st.tuples(st.floats(0, 100), st.integers(0, 9)).map(list)
_even = st.integers(1, 24).map(lambda half: 2 * half)
_fillers = st.one_of(
    st.sampled_from(["msra", "xavier", *(f"msra:{fan}" for fan in FANS), "gaussian:0.01"]),
    st.floats(-10, 10).map(lambda value: f"constant:{value}"),
    st.floats(1e-9, 10).map(lambda low: f"uniform:{-low}:{low}"),
)

#: The part ``training``, by key.
_TRAINING: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("source", "test_source", "root_folder"), _names),
    "backend": st.sampled_from(BACKENDS),
    "resize": st.integers(32, 300),
    "layers": st.just(_LAYERS),
    "mean": st.lists(st.floats(0, 255), max_size=3) | st.just("mean.binaryproto"),
    **dict.fromkeys(("crop", "test_crop"), st.sampled_from([0, 32, 64, 96])),
    **dict.fromkeys(("mirror", "shuffle", "cache"), st.booleans()),
    **dict.fromkeys(("scale", "loss_weight"), _positive),
    **dict.fromkeys(("train_batch", "test_batch"), st.integers(1, 300)),
    "train_transform": st.sampled_from([{}, {"force_color": True}, {"force_gray": False}]),
    "test_transform": st.sampled_from([{}, {"force_gray": True}]),
    **dict.fromkeys(
        (
            *("filler", "stem_filler", "classifier_filler", "bias_filler"),
            *("classifier_bias_filler", "last_scale_filler"),
        ),
        _fillers,
    ),
    **dict.fromkeys(
        (
            *("weight_rates", "bias_rates", "classifier_rates", "classifier_bias_rates"),
            *("scale_rates", "shift_rates"),
        ),
        _rates,
    ),
    "freeze": st.integers(0, 5),
    "label_smoothing": _fractions,
    "loss_phase": st.sampled_from(["both", "TRAIN"]),
    "accuracy": st.lists(st.integers(1, 9), max_size=3),
    "accuracy_phase": st.sampled_from(["TEST", "both"]),
    "accuracy_of": st.sampled_from(MEASURED),
    "net": st.sampled_from([{}, {"debug_info": True}, {"force_backward": False}]),
    "label_map": _names,
}
TRAINING = {key: _TRAINING[key] for key in _TRAINING if key in {f.name for f in fields(Training)}}


def _some(parts: dict[str, st.SearchStrategy[Any]], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the entries: of many at once, two nearly always contradict each other."""
    names = st.lists(st.sampled_from(sorted(parts)), unique=True, max_size=most)
    return names.flatmap(lambda found: st.fixed_dictionaries({key: parts[key] for key in found}))


#: Every key of a spec but for its stages and block.
_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "width": _even,
    "widths": st.lists(_even, min_size=1, max_size=4),
    "inner_widths": st.lists(_even, min_size=1, max_size=4),
    "width_factor": st.integers(1, 3),
    "stem_width": _even | st.integers(0, 20),
    "cardinality": st.sampled_from([1, 2, 4, 8]),
    "base_width": st.sampled_from([4, 8, 32, 64]),
    "shortcut": st.sampled_from(SHORTCUTS),
    "projection": st.sampled_from(PROJECTIONS),
    "stride_at": st.sampled_from(STRIDES),
    "stem": st.sampled_from(sorted(STEMS)),
    "pool": st.sampled_from(sorted(POOLS)),
    "bias": st.sampled_from(["none", "all", *BIASED, "conv1,branch1", "branch2a,branch2b"]),
    "norm": st.sampled_from(NORMS),
    "eps": _positive,
    "moving_average_fraction": _fractions,
    "data_norm": st.booleans(),
    "se": st.integers(0, 16),
    "se_form": st.sampled_from(SE_FORMS),
    "se_join": st.sampled_from(SE_JOINS),
    "dropout": _fractions,
    "output_stride": st.sampled_from([0, 8, 16, 32]),
    "dilation": st.sampled_from(DILATIONS),
    "multi_grid": st.lists(st.integers(1, 4), min_size=1, max_size=3),
    "eltwise": st.sampled_from(ELTWISE),
    "coeff": st.tuples(st.floats(-9, 9), st.integers(-3, 3)).map(list),
    "folded": st.booleans(),
    "head": st.sampled_from(HEADS),
    "global_pool": st.booleans(),
    "classifier_dropout": _fractions,
    "naming": st.sampled_from(NAMINGS),
    "phase": st.sampled_from(PHASES),
    "training": _some(TRAINING, 5),
    "dialect": st.sampled_from(DIALECTS),
    "classes": st.integers(1, 1200),
    "input_shape": st.sampled_from([64, 96]).map(lambda side: [1, 3, side, side])
    | st.tuples(*(st.integers(1, most) for most in (4, 5, 300, 300))).map(list),
    "name": _texts,
    "strides": st.lists(st.integers(1, 2), min_size=1, max_size=4),
    "expansions": st.lists(st.integers(0, 6), min_size=1, max_size=4),
    "last_width": st.integers(0, 64),
    "relu6": st.booleans(),
    "classifier_form": st.sampled_from(["dense", "conv"]),
}
#: Those that there are.
KEYS = {key: _KEYS[key] for key in sorted(_KEYS) if key in {one.name for one in fields(Spec)}}
#: Entries that say something together alone.
TOGETHER: tuple[dict[str, Any], ...] = (
    {},
    {"se": 4, "se_form": "conv"},
    {"se": 4, "se_join": "axpy", "dialect": "intel"},
    {"norm": "fused", "dialect": "nvcaffe"},
    {"stem": "cifar"},
    {"stem": "3x3", "stem_width": 12},
    {"phase": "train_val", "training": {"backend": "ImageData", "resize": 256}},
    {"phase": "train_val", "dialect": "nvcaffe", "training": {"shuffle": True}},
    {"phase": "train_val", "dialect": "intel", "training": {"label_smoothing": 0.1}},
    {"phase": "train_val", "training": {"layers": _LAYERS}, "input_shape": [1, 3, 64, 64]},
    {"phase": "train_val", "training": {"crop": 64}},
)


def _joined(base: dict[str, Any], together: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    found = {"width": 8, **base, **more, **together}
    if "training" in more and "training" in together:
        found["training"] = {**more["training"], **together["training"]}
    return found


_bases = st.fixed_dictionaries(
    {
        "stages": st.lists(st.integers(1, 3), min_size=1, max_size=4),
        "block": st.sampled_from(sorted(BLOCKS)),
    }
)
specs = st.builds(_joined, _bases, st.sampled_from(TOGETHER), _some(KEYS, 5))
