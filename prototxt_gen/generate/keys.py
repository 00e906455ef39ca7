"""The keys of a spec as a user's mapping has them."""

from __future__ import annotations

from collections.abc import Mapping

from prototxt_gen.errors import SpecError
from prototxt_gen.generate.checks import MOST_CHANNELS, need_range, shown
from prototxt_gen.generate.recipe import Training

#: Keys that are no fields: what they say, fields say in another way.
ALSO = ("depth", "train_batch")


def training_of(values: Mapping[str, object]) -> dict[str, object]:
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


def fixed(value: object) -> object:
    """A list as a tuple, which does not change."""
    return tuple(value) if isinstance(value, list) else value
