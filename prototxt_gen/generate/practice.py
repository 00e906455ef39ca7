"""Contradictions and idle entries in the part ``training`` of a spec: a table of rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from prototxt_gen.generate.idle import Contradiction
from prototxt_gen.generate.recipe import IMAGES, USUAL

if TYPE_CHECKING:
    from prototxt_gen.generate.spec import Spec

#: Those whose losses can smooth labels.
SMOOTHING = ("intel", "nvcaffe")
#: Those with a data layer that has a label map.
ANNOTATED = ("intel", "nvcaffe")
_DATABASES = ("LMDB", "LEVELDB")


def _said(spec: Spec, *names: str) -> bool:
    return any(getattr(spec.training, name) != getattr(USUAL, name) for name in names)


def _other_side(name: str) -> Callable[[Spec], bool]:
    return lambda spec: getattr(spec.training, name) not in (None, 0, spec.input_shape[2])


_OF_IMAGES = ("mean", "crop", "test_crop", "scale", "mirror", "train_transform", "test_transform")
_OF_SOURCES = (
    *("source", "test_source", "backend", "label_map", "root_folder", "resize", "shuffle", "cache"),
)

TRAINING = (
    Contradiction(
        "training.crop",
        _other_side("crop"),
        "is {spec.training.crop}, but the input is {spec.input_shape[2]}; expected the same, or "
        "0 for images that have this size",
    ),
    Contradiction(
        "training.test_crop",
        _other_side("test_crop"),
        "is {spec.training.test_crop}, but the input is {spec.input_shape[2]}; expected the "
        "same, or 0 for images that have this size",
    ),
    Contradiction(
        "training.mean",
        lambda spec: (
            isinstance(spec.training.mean, tuple)
            and len(spec.training.mean) not in (0, 1, spec.input_shape[1])
        ),
        "has {spec.training.mean!s:.60}; expected a number, or one for each of "
        "{spec.input_shape[1]} channels (data_transformer.cpp)",
    ),
    Contradiction(
        "training.layers",
        lambda spec: bool(spec.training.layers) and _said(spec, *_OF_SOURCES, *_OF_IMAGES),
        "are given in addition to other entries of data; expected one of them, since the layers "
        "say all of it",
    ),
    Contradiction(
        "training.backend",
        lambda spec: spec.training.backend == "HDF5" and _said(spec, *_OF_IMAGES),
        "is HDF5, which reads blobs as they are, without mean, crop, mirror, scale and "
        "transforms (hdf5_data_layer.cpp)",
    ),
    Contradiction(
        "training.label_map",
        lambda spec: bool(spec.training.label_map) and spec.dialect not in ANNOTATED,
        "is for a data layer that {spec.dialect} does not have; expected dialect: intel or nvcaffe",
    ),
    Contradiction(
        "training.label_map",
        lambda spec: bool(spec.training.label_map) and spec.training.backend not in _DATABASES,
        "is for databases, not for {spec.training.backend}; expected backend: LMDB or LEVELDB",
    ),
    Contradiction(
        "training.root_folder",
        lambda spec: bool(spec.training.root_folder) and spec.training.backend != IMAGES,
        "changes nothing without backend: ImageData",
    ),
    Contradiction(
        "training.resize",
        lambda spec: spec.training.resize > 0 and spec.training.backend != IMAGES,
        "changes nothing without backend: ImageData",
    ),
    Contradiction(
        "training.resize",
        lambda spec: 0 < spec.training.resize < spec.input_shape[2],
        "is {spec.training.resize}; expected at least {spec.input_shape[2]}, the input's side",
    ),
    Contradiction(
        "training.shuffle",
        lambda spec: (
            spec.training.shuffle
            and spec.training.backend in _DATABASES
            and spec.dialect != "nvcaffe"
        ),
        "is not known to a Data layer of {spec.dialect}; expected backend: ImageData or HDF5, or "
        "dialect: nvcaffe",
    ),
    Contradiction(
        "training.cache",
        lambda spec: (
            spec.training.cache
            and (spec.dialect != "nvcaffe" or spec.training.backend not in _DATABASES)
        ),
        "is known to Data layers of NVIDIA's Caffe alone; expected dialect: nvcaffe",
    ),
    Contradiction(
        "training.label_smoothing",
        lambda spec: spec.training.label_smoothing > 0 and spec.dialect not in SMOOTHING,
        "is not known to {spec.dialect}; expected dialect: intel or nvcaffe",
    ),
    Contradiction(
        "training.freeze",
        lambda spec: spec.training.freeze > len(spec.stages) + 1,
        "is {spec.training.freeze}, but the stem and {spec.stages!s:.60} are fewer parts",
    ),
    Contradiction(
        "training.accuracy",
        lambda spec: max(spec.training.accuracy or (1,)) > spec.classes,
        "looks among the best {spec.training.accuracy!s:.60} of {spec.classes} classes",
    ),
    Contradiction(
        "training.accuracy_of",
        lambda spec: spec.training.accuracy_of == "softmax" and spec.training.accuracy == (),
        "changes nothing: there is no accuracy",
    ),
    Contradiction(
        "training.accuracy_phase",
        lambda spec: spec.training.accuracy_phase != "TEST" and spec.training.accuracy == (),
        "changes nothing: there is no accuracy",
    ),
    Contradiction(
        "training.last_scale_filler",
        lambda spec: (
            bool(spec.training.last_scale_filler) and (spec.form.preact or not spec.scales)
        ),
        "changes nothing: no block ends in a Scale",
    ),
    Contradiction(
        "training.scale_rates",
        lambda spec: _said(spec, "scale_rates") and not spec.scales,
        "change nothing: the net has no Scale",
    ),
    Contradiction(
        "training.shift_rates",
        lambda spec: _said(spec, "shift_rates") and not spec.scales,
        "change nothing: the net has no Scale",
    ),
)
